"""Expressions as text of the generated module."""

from __future__ import annotations

from collections.abc import Callable

from ...graphs.expressions.tree import (
    Binary,
    Call,
    Compare,
    Expr,
    Load,
    Number,
    Transmitted,
    Unary,
    Weight,
    children,
)
from .code_writer import CodeWriter

# What a function of the circuit language is called in generated code; {} is 32 or 64.
NAMES = {
    "tanh": "f.tanh_{}",
    "logistic": "f.logistic_{}",
    "relu": "f.relu_{}",
    "softplus": "f.softplus_{}",
    "clip": "f.clip_any",
    "sign": "f.sign_{}",
    "exp": "f.exp_{}",
    "exprel": "f.exprel_{}",
    "rounding": "f.rounding",
    "clock": "f.clock",
    "where": "f.where",
    "abs": "abs",
    "log": "math.log",
    "sqrt": "math.sqrt",
    "sin": "math.sin",
    "cos": "math.cos",
    "min": "min",
    "max": "max",
    "round": "np.rint",
    "floor": "math.floor",
}


class Text:
    """Prints expressions: `load` an element of a buffer, `leaf` any other leaf.

    `hoist`: parts that depend on scalars only are computed once, before the loop that follows.
    """

    def __init__(
        self,
        to: CodeWriter,
        load: Callable[[Load], str],
        leaf: Callable[[Expr], str] | None = None,
        hoist: bool = False,
    ):
        self.to, self.load, self.leaf, self.hoist = to, load, leaf, hoist
        self.bits = to.bits

    def of(self, expr: Expr) -> str:
        """The text of an expression, in parentheses where it needs them."""
        if self.hoist and not isinstance(expr, Number) and self._is_scalar(expr):
            return self._hoisted(expr)
        match expr:
            case Number(value=value):
                return self.number(float(value))
            case Load():
                return self.load(expr)
            case Unary(operand=operand):
                return f"(-{self.of(operand)})"
            case Binary(op="^", left=left, right=Number(value=2.0)):
                return f"f.square({self.of(left)})"
            case Binary(op="^", left=left, right=Number(value=3.0)):
                return f"f.cube({self.of(left)})"
            case Binary(op=op, left=left, right=right):
                return f"({self.of(left)} {'**' if op == '^' else op} {self.of(right)})"
            case Compare(op=op, left=left, right=right):
                one, zero = self.ends
                return f"({one} if {self.of(left)} {op} {self.of(right)} else {zero})"
            case Call(function=function, arguments=arguments):
                inner = ", ".join(self.of(a) for a in arguments)
                return f"{NAMES[function].format(self.bits)}({inner})"
            case Weight() | Transmitted() if self.leaf is not None:
                return self.leaf(expr)
        raise TypeError(f"cannot print {expr!r}")

    def number(self, value: float) -> str:
        """A number."""
        return self.to.number(value)

    @property
    def ends(self) -> tuple[str, str]:
        """True and false."""
        return self.to.one, self.to.zero

    def _hoisted(self, expr: Expr) -> str:
        to = self.to
        if expr not in to.hoisted:
            name = to.fresh("h")
            to.line(f"{name} = {to.rounded(ScalarText(to).of(expr))}")
            to.hoisted[expr] = name
        return to.hoisted[expr]

    def _is_scalar(self, expr: Expr) -> bool:
        """Whether an expression reads scalars only, and is more than a number."""
        if isinstance(expr, Load):
            return self.to.layout.kind(expr.buffer) == "scalar"
        if isinstance(expr, Number):
            return True
        if isinstance(expr, Weight | Transmitted):
            return False
        return all(self._is_scalar(c) for c in children(expr)) and bool(children(expr))


class ScalarText(Text):
    """Prints expressions over scalars, in float64 whatever the arrays are."""

    def __init__(self, to: CodeWriter):
        super().__init__(to, lambda node: to.scalar(node.buffer))
        self.bits = 64

    def number(self, value: float) -> str:
        """A number."""
        return self.to.float(value)

    @property
    def ends(self) -> tuple[str, str]:
        """True and false."""
        return "1.0", "0.0"


def scalar(to: CodeWriter, expr: Expr) -> str:
    """The text of an expression over scalars, in float64."""
    return ScalarText(to).of(expr)
