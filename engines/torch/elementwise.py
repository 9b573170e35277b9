"""Elementwise expressions as calls of torch functions on static tensors, in a fixed order.

A `Tape` is a list of calls without arguments; nothing in it allocates, and no number comes from
the host while it runs, so that it can be captured as it stands. An `Assembler` turns expressions
into nodes (equal expressions are one node while what they read does not change), gives every node
a tensor from the `Pool`, and appends the calls. What depends on scalars alone is computed in
float64 and rounded where it meets a vector.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...compartments.functions import FUNCTIONS
from ...graphs.expressions.tree import Binary, Call, Compare, Expr, Load, Number, Unary
from .tape import Call_, ScratchTensors, Tape

Value = int | float  # a node by its number, or a number


@dataclass
class Node:
    """One torch call: `op` on nodes, numbers and leaves, and where its result goes."""

    op: str
    arguments: tuple[Value, ...]
    shape: tuple[int, ...]
    dtype: torch.dtype
    out: Tensor | None = None
    leaf: bool = False
    taken: bool = False  # `out` is a buffer of the program
    shared: bool = False  # stands for a local buffer


_ARITHMETIC = {"+": "add", "-": "sub", "*": "mul", "/": "div", "^": "pow"}
_COMPARISON = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
_SWAPPED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}
_FUNCTIONS = {
    "tanh": torch.tanh,
    "logistic": torch.sigmoid,
    "abs": torch.abs,
    "sign": torch.sign,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "sin": torch.sin,
    "cos": torch.cos,
    "round": torch.round,
    "floor": torch.floor,
    "expm1": torch.expm1,
    "neg": torch.neg,
    "square": torch.square,
    "reciprocal": torch.reciprocal,
}
_BINARY: dict[str, Any] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "pow": torch.pow,
    "minimum": torch.minimum,
    "maximum": torch.maximum,
    "logaddexp": torch.logaddexp,
}


@dataclass
class Assembler:
    """Writes the calls for expressions and assignments to a tape.

    load: the tensor of a buffer (broadcastable against the others).
    constant: the value of an expression that never changes while tapes run, as a tensor, or None.
    scalar: whether an expression depends on scalars alone.
    leaf: the tensor of a leaf that is no buffer.
    """

    tape: Tape
    pool: ScratchTensors
    dtype: torch.dtype
    load: Callable[[Load], Tensor]
    constant: Callable[[Expr, torch.dtype], Tensor | None] = lambda expr, dtype: None
    scalar: Callable[[Expr], bool] = lambda expr: False
    leaf: Callable[[Expr], Tensor] | None = None
    nodes: list[Node] = field(default_factory=list)
    known: dict[tuple[object, ...], int] = field(default_factory=dict)
    version: dict[int, int] = field(default_factory=dict)
    alias: dict[str, Value] = field(default_factory=dict)  # local buffer -> its value

    # --- nodes ---------------------------------------------------------------------------------

    def tensor(self, tensor: Tensor) -> int:
        """A leaf."""
        key = ("leaf", tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), self._age(tensor))
        if key not in self.known:
            self.nodes.append(Node("leaf", (), tuple(tensor.shape), tensor.dtype, tensor, True))
            self.known[key] = len(self.nodes) - 1
        narrower = tensor.dtype.is_floating_point and tensor.dtype.itemsize < self.dtype.itemsize
        return self._rounded(self.known[key]) if narrower else self.known[key]

    def _age(self, tensor: Tensor) -> int:
        return self.version.get(tensor.untyped_storage().data_ptr(), 0)

    def _node(self, op: str, *arguments: Value) -> int:
        wide = [self.nodes[a] for a in arguments if isinstance(a, int)]
        shape = tuple(torch.broadcast_shapes(*(n.shape for n in wide)))
        dtypes = {n.dtype for n in wide if n.dtype != torch.bool}
        if len(dtypes) > 1:
            arguments = tuple(
                self._rounded(a) if isinstance(a, int) and self.nodes[a].dtype != torch.bool else a
                for a in arguments
            )
            dtypes = {self.dtype}
        key = (op, tuple((type(a), a) for a in arguments))  # node 1 is not the number 1.0
        if key not in self.known:
            self.nodes.append(Node(op, arguments, shape, dtypes.pop()))
            self.known[key] = len(self.nodes) - 1
        return self.known[key]

    def product(self, tensor: Tensor, factor: Value) -> Value:
        """The node of a tensor times a node or number."""
        return self._node("mul", self.tensor(tensor), factor)

    def _rounded(self, node: int) -> int:
        if self.nodes[node].dtype == self.dtype:
            return node
        key = ("round", node)
        if key not in self.known:
            self.nodes.append(Node("copy", (node,), self.nodes[node].shape, self.dtype))
            self.known[key] = len(self.nodes) - 1
        return self.known[key]

    def value(self, expr: Expr) -> Value:
        """The node, or the number, of an expression."""
        if isinstance(expr, Number):
            return float(expr.value)
        if isinstance(expr, Load) and expr.buffer in self.alias:
            return self.alias[expr.buffer]
        found = self.constant(expr, self.dtype)
        if found is not None:
            return self.tensor(found)
        if self.dtype != torch.float64 and not isinstance(expr, Load) and self.scalar(expr):
            dtype, self.dtype = self.dtype, torch.float64
            value, self.dtype = self.value(expr), dtype
            return value
        match expr:
            case Load():
                return self.tensor(self.load(expr))
            case Unary(operand=operand):
                return self._one("neg", self.value(operand))
            case Binary(op=op, left=left, right=right):
                return self.two(_ARITHMETIC[op], self.value(left), self.value(right))
            case Compare(op=op, left=left, right=right):
                return self._compare(_COMPARISON[op], self.value(left), self.value(right))
            case Call(function=function, arguments=arguments):
                return self._call(function, [self.value(a) for a in arguments])
        if self.leaf is None:
            raise TypeError(f"no value for {expr!r}")
        return self.tensor(self.leaf(expr))

    def _one(self, op: str, x: Value) -> Value:
        if isinstance(x, float):
            return float(_FUNCTIONS[op](torch.tensor(x, dtype=torch.float64)))
        return self._node(op, x)

    def two(self, op: str, a: Value, b: Value) -> Value:
        """The node, or the number, of an operation on two."""
        if isinstance(a, float) and isinstance(b, float):
            wide = [torch.tensor(x, dtype=torch.float64) for x in (a, b)]
            return float(_BINARY[op](*wide))
        if op == "pow" and isinstance(b, float) and b == 2.0:
            return self._node("square", a)
        if op == "div" and isinstance(a, float) and a == 1.0:
            return self._node("reciprocal", b)
        if isinstance(a, float) and op in ("add", "mul"):
            a, b = b, a
        if op == "mul" and isinstance(b, float) and b in (1.0, -1.0):
            return a if b == 1.0 else self._node("neg", a)
        return self._node(op, a, b)

    def _compare(self, op: str, a: Value, b: Value) -> Value:
        if isinstance(a, float) and isinstance(b, float):
            compared = getattr(float, f"__{op}__")(a, b)
            return float(compared)
        if isinstance(a, float):
            a, b, op = b, a, _SWAPPED[op]
        return self._node(op, a, b)

    def _call(self, function: str, x: list[Value]) -> Value:
        match function:
            case "identity":
                return x[0]
            case "relu":
                return self._bound("maximum", x[0], 0.0)
            case "min" | "max":
                return self._bound({"min": "minimum", "max": "maximum"}[function], *x)
            case "clip":
                if isinstance(x[1], float) and isinstance(x[2], float) and isinstance(x[0], int):
                    return self._node("clamp", *x)
                return self._bound("minimum", self._bound("maximum", x[0], x[1]), x[2])
            case "softplus":
                return self.two("logaddexp", x[0], 0.0)
            case "exprel":
                return self._exprel(x[0])
            case "rounding":
                return self.two("sub", self.two("sub", x[0], x[1]), x[2])
            case "clock":
                return self.two("add", x[0], self.two("mul", x[1], x[2]))
            case "where":
                return self._where(*x)
        return self._one(function, x[0])

    def _bound(self, op: str, a: Value, b: Value) -> Value:
        if isinstance(a, float) and not isinstance(b, float):
            a, b = b, a
        return self.two(op, a, b)

    def _where(self, holds: Value, yes: Value, no: Value) -> Value:
        """`yes` where `holds` is not 0, else `no`, whatever the other one is."""
        if isinstance(holds, float):
            return yes if holds != 0 else no
        key = ("holds", holds)
        if key not in self.known:
            self._append(Node("ne", (holds, 0.0), self.nodes[holds].shape, torch.bool))
            self.known[key] = len(self.nodes) - 1
        return self._node("where", self.known[key], self._filled(yes), self._filled(no))

    def _filled(self, value: Value) -> int:
        """The node of a value, also of a number."""
        if not isinstance(value, float):
            return value
        return self.tensor(torch.full((1, 1, 1), value, dtype=self.dtype, device=self.pool.device))

    def _exprel(self, x: Value) -> Value:
        """(e^x - 1) / x, 1 at 0; e^1000 is infinite, and inf/inf would be no number."""
        if isinstance(x, float):
            return float(FUNCTIONS["exprel"].numpy(x))
        x = self._bound("minimum", x, 1000.0)
        zero = self._compare("eq", x, 0.0)
        safe = self.two("add", x, zero)
        far = self.two("div", self._one("expm1", safe), safe)
        return self.two("add", self.two("mul", far, self.two("sub", 1.0, zero)), zero)

    # --- assignments ---------------------------------------------------------------------------

    def assign(self, target: Tensor, value: Value, where: Tensor | None = None) -> None:
        """Target := value, or only where the mask `where` is true."""
        if where is not None:
            value = self._masked(target, value, where)
        if isinstance(value, float):
            self._append(Node("fill", (value,), tuple(target.shape), target.dtype, target))
        else:
            node = self.nodes[value]
            fresh = value == len(self.nodes) - 1 and not (node.leaf or node.taken or node.shared)
            if fresh and node.shape == tuple(target.shape) and node.dtype == target.dtype:
                node.out, node.taken = target, True
            else:
                self._append(
                    Node("copy", (value,), tuple(target.shape), target.dtype, target, taken=True)
                )
        self._changed(target)

    def _masked(self, target: Tensor, value: Value, where: Tensor) -> int:
        value = self._filled(value)
        old = self.tensor(target)
        node, dtype = self.nodes[value], self.nodes[old].dtype
        if node.dtype != dtype:
            self._append(Node("copy", (value,), node.shape, dtype))
            value = len(self.nodes) - 1
        arguments = (self.tensor(where), value, old)
        self._append(Node("where", arguments, tuple(target.shape), dtype))
        return len(self.nodes) - 1

    def hold(self, value: Value, places: set[int]) -> Value:
        """The same value for later reading: a copy where it stands in one of the `places`."""
        if isinstance(value, float):
            return value
        node = self.nodes[value]
        if node.out is not None and node.out.data_ptr() in places:
            self._append(Node("copy", (value,), node.shape, node.dtype, shared=True))
            return len(self.nodes) - 1
        node.shared = True
        return value

    def result(self, value: Value, shape: tuple[int, ...]) -> tuple[Tensor, bool]:
        """The tensor of a value in a shape, after the calls; and whether the pool lent it."""
        if not isinstance(value, float):
            node = self.nodes[value]
            if node.leaf and node.shape == shape and node.dtype == self.dtype:
                assert node.out is not None
                self.finish()
                return node.out, False
        scratch = self.pool.take(shape, self.dtype)
        self.assign(scratch, value)
        self.finish()
        return scratch, True

    def _append(self, node: Node) -> None:
        self.nodes.append(node)

    def _changed(self, target: Tensor) -> None:
        """Forgets what was computed from the old content of a buffer."""
        storage = target.untyped_storage().data_ptr()
        self.version[storage] = self.version.get(storage, 0) + 1
        stale: set[int] = set()
        for number, node in enumerate(self.nodes):
            held = node.out is not None and node.out.untyped_storage().data_ptr() == storage
            if held or any(a in stale for a in node.arguments if isinstance(a, int)):
                stale.add(number)
        self.known = {key: number for key, number in self.known.items() if number not in stale}

    # --- calls ---------------------------------------------------------------------------------

    def finish(self) -> None:
        """Gives every node its tensor and appends the calls."""
        last: dict[int, int] = {}
        for number, node in enumerate(self.nodes):
            for argument in node.arguments:
                if isinstance(argument, int):
                    last[argument] = number
        lent: list[Tensor] = []
        for number, node in enumerate(self.nodes):
            if node.leaf:
                continue
            if node.out is None:
                if number not in last:
                    continue
                node.out = self.pool.take(node.shape, node.dtype)
                lent.append(node.out)
            self.tape.append(self._bind(node))
            for argument in {a for a in node.arguments if isinstance(a, int)}:
                if last[argument] == number:
                    self._return(self.nodes[argument], lent)
        for tensor in lent:
            self.pool.give(tensor)
        self.nodes, self.known = [], {}

    def _return(self, node: Node, lent: list[Tensor]) -> None:
        for place, tensor in enumerate(lent):
            if tensor is node.out:
                self.pool.give(lent.pop(place))
                return

    def _bind(self, node: Node) -> Call_:
        out = node.out
        assert out is not None
        x: list[Any] = [self.nodes[a].out if isinstance(a, int) else a for a in node.arguments]
        match node.op:
            case "fill":
                return partial(out.fill_, x[0])
            case "copy":
                return partial(out.copy_, x[0])
            case "where":
                return partial(torch.where, *x, out=out)
            case "clamp":
                return partial(torch.clamp, x[0], x[1], x[2], out=out)
            case "minimum" if isinstance(x[1], float):
                return partial(torch.clamp, x[0], max=x[1], out=out)
            case "maximum" if isinstance(x[1], float):
                return partial(torch.clamp, x[0], min=x[1], out=out)
            case op if op in _FUNCTIONS:
                return partial(_FUNCTIONS[op], x[0], out=out)
            case op if op in _BINARY:
                if isinstance(x[0], float) and op != "pow" or op == "logaddexp":
                    x = [
                        torch.tensor(a, dtype=out.dtype, device=out.device)
                        if isinstance(a, float)
                        else a
                        for a in x
                    ]
                return partial(_BINARY[op], x[0], x[1], out=out)
        return partial(getattr(torch, node.op), x[0], x[1], out=out)
