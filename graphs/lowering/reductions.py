"""Reductions over the connections of one postsynaptic cell: `norm(w)`, `sum(pre^2)`, ...

With `w`, a trace or bare `pre` inside, `sum mean max norm softmax` of a rule or a current run over
the connections that reach one postsynaptic cell, the bias included; otherwise over a population.

    of weights alone          one number for each postsynaptic unit: a RowReduce
    of `pre` alone            one number for each sample: a Reduce
    of both, or of post.x     one number for each sample and postsynaptic unit: a PairwiseSum
"""

from __future__ import annotations

from dataclasses import replace

from ...compartments.functions import over_units
from ..circuit import Synapse
from ..expressions.derivative import expand_primes, simplify
from ..expressions.tree import (
    Binary,
    Call,
    Expr,
    Load,
    Number,
    Trace,
    Transmitted,
    Weight,
    transform,
    walk,
)
from ..instructions import Instruction, Map, PairwiseSum, Reduce, RowReduce
from .emitter import Emitter
from .refusal import LoweringError, Subject
from .synapse_ends import Ends, times_weight


def over_connections(node: Expr) -> bool:
    """Whether an expression is a reduction over the connections of a postsynaptic cell."""
    if not isinstance(node, Call) or not over_units(node.function, len(node.arguments)):
        return False
    return any(isinstance(n, Weight | Trace | Transmitted) for n in walk(node.arguments[0]))


class Reductions:
    """Replaces reductions over connections by Loads of what holds them.

    A number per postsynaptic unit is Load(row, "post"); per sample and postsynaptic unit, Load(unit
    variable, "post"); per sample, a Load without axis.
    """

    def __init__(self, at: Emitter, ends: Ends):
        self.at, self.ends = at, ends

    def of(
        self,
        expr: Expr,
        synapse: Synapse,
        weight: str | None = None,
        later: list[Instruction] | None = None,
    ) -> Expr:
        """An expression of a synapse without reductions over connections.

        weight: The array that `w` means, by default the synapse's. later: Where given, `w` is known
            only when the rule is applied: what has to be done then is noted there.
        """

        def each(node: Expr) -> Expr | None:
            if not over_connections(node):
                return None
            assert isinstance(node, Call)
            inside = self.of(node.arguments[0], synapse, weight, later)
            return self._whole(node.function, inside, (synapse, weight, later))

        return simplify(transform(expand_primes(expr), each))

    def _whole(self, function: str, value: Expr, of: tuple) -> Expr:
        """One reduction; means and norms are made of sums."""
        synapse: Synapse = of[0]
        if synapse.connection.elementwise:  # one connection
            return {"norm": Call("abs", (value,)), "softmax": Number(1.0)}.get(function, value)
        count = synapse.connection.connections(synapse.shape[1])
        only = self.ends.connections(synapse)
        if not count:
            raise LoweringError(
                f"{synapse.name}: `{function}` runs over the connections of a cell, and with "
                f"`connect: {synapse.connect}` and one unit there are none",
                about=Subject(synapse.name),
            )
        match function:
            case "mean":
                total = self._one("sum", value, *of)
                return Binary("/", total, Number(float(count)) if not only else self._count(of[0]))
            case "norm":
                squares = Binary("^", value, Number(2.0))
                return Call("sqrt", (self._one("sum", squares, *of),))
            case "softmax":
                raised = Call("exp", (Binary("-", value, self._one("max", value, *of)),))
                return Binary("/", raised, self._one("sum", raised, *of))
        return self._one(function, value, *of)

    def _count(self, synapse: Synapse) -> Expr:
        """How many connections reach each postsynaptic cell."""
        only, (_, transposed, _) = self.ends.connections(synapse), self.ends.matrix(synapse)
        assert only is not None
        if transposed or self.at.buffers[only].shape[1:] != synapse.shape:
            return self._pairs("sum", Number(1.0), Number(1.0), synapse)
        row, known = self.at.temporary(
            ("count", only), "sum", (), "algebraic", "row", synapse.shape[0]
        )
        if not known:
            post, pre = synapse.shape
            self.at.fix(row, RowReduce(row, "sum", Load(only), (post, pre)))
        return Load(row, "post")

    def _one(
        self,
        op: str,
        value: Expr,
        synapse: Synapse,
        weight: str | None,
        later: list[Instruction] | None,
    ) -> Expr:
        """A sum or a maximum."""
        at = self.at
        over = self.ends.pairwise(value, synapse)
        shapes = {n: at.buffers[n.buffer].shape[0] for n in walk(over) if isinstance(n, Load)}
        weighs = any(isinstance(n, Weight) for n in walk(over))
        sampled = any(isinstance(n, Transmitted) for n in walk(over))
        if not sampled and not {"unit", "sample"} & set(shapes.values()):
            return self._rows(op, over, synapse, weight, later)
        if synapse.windows is not None:
            raise LoweringError(
                f"{synapse.name}: `{op}` over the connections of a cell reads `w` alone where "
                f"cells share their weights; `connect: {synapse.connect}` has one sum for each "
                f"channel, and none for each cell",
                about=Subject(synapse.name),
            )
        if later is not None and weighs:
            raise LoweringError(
                f"{synapse.name}: the rule's `{op}` over connections reads `w` together with "
                f"activity, and the line before changes `w`; it is possible in the first line only",
                about=Subject(synapse.name, "rule"),
            )
        post = any(n.axis == "post" for n in shapes) or "matrix" in shapes.values()
        some = synapse.connection.off_diagonal or self.ends.connections(synapse) is not None
        if weighs or post or some:
            return self._pairs(op, value, over, synapse)
        return self._samples(op, value, over, synapse)

    def _rows(
        self,
        op: str,
        over: Expr,
        synapse: Synapse,
        weight: str | None,
        later: list[Instruction] | None,
    ) -> Expr:
        at = self.at
        if weight is not None:
            name, transposed, factor = weight, False, None
        else:
            name, transposed, factor = self.ends.matrix(synapse)
        if transposed or at.buffers[name].shape[1:] != synapse.shape:
            raise LoweringError(
                f"{synapse.name}: `{op}` over connections is not built for a `weight` that is the "
                f"transpose of another synapse's, or leaves out its bias",
                about=Subject(synapse.name),
            )
        element: Expr = Load(name) if factor is None else Binary("*", factor, Load(name))
        value = transform(over, lambda n: element if isinstance(n, Weight) else None)
        post, pre = synapse.shape
        hollow, only = synapse.connection.off_diagonal, self.ends.connections(synapse)
        if later is not None:
            row = at.passing(op, synapse, "row", post)
            later.append(RowReduce(row, op, value, (post, pre), hollow, only))
            return Load(row, "post")
        key = ("rows", op, value, synapse.name)
        row, known = at.temporary(key, op, (), "algebraic", "row", post)
        if not known:
            at.fix(row, RowReduce(row, op, value, (post, pre), hollow, only))
        return Load(row, "post")

    def _pairs(self, op: str, value: Expr, over: Expr, synapse: Synapse) -> Expr:
        at, ends = self.at, self.ends
        weight, transposed, factor = ends.matrix(synapse)
        spread, source = ends.spread(synapse)

        def scaled(expr: Expr) -> Expr:
            return expr if factor is None else times_weight(factor, expr)

        bias = None
        if synapse.bias:
            ended = ends.at_bias(value, synapse)
            bias = scaled(ends.pairwise(ended, synapse))
        hollow, only = synapse.connection.off_diagonal, ends.connections(synapse)
        size = at.population(synapse.target[0]).size
        pair = PairwiseSum("", weight, source, scaled(over), transposed, op, bias, hollow, only)
        name, known = at.temporary(("pairs", pair), op, (), "algebraic", "unit", size)
        if not known:
            at.fix(name, *spread, replace(pair, target=name))
        return Load(name, "post")

    def _samples(self, op: str, value: Expr, over: Expr, synapse: Synapse) -> Expr:
        at = self.at
        source = Load(at.sent(synapse))

        def flat(node: Expr) -> Expr | None:
            if isinstance(node, Transmitted):
                return source
            return replace(node, axis=None) if isinstance(node, Load) else None

        size = at.population(synapse.source[0]).size
        units = transform(over, flat)
        name, known = at.temporary(("samples", op, units, size), op, (), "algebraic", "sample")
        if not known:
            at.fix(name, Reduce(name, op, units, size))
        if not synapse.bias:
            return Load(name)
        ended = at.translate(self.ends.at_bias(value, synapse), synapse)
        both = (Load(name), ended)
        total = Call("max", both) if op == "max" else Binary("+", *both)
        full, known = at.temporary(("bias", op, total), op, (), "algebraic", "sample")
        if not known:
            at.fix(full, Map(full, total))
        return Load(full)
