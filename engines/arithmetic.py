"""The value of an expression over numpy arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..compartments.functions import FUNCTIONS
from ..graphs.expressions.tree import Binary, Call, Compare, Expr, Load, Number, Unary


def rounding(new: Any, old: Any, change: Any) -> Any:
    """What rounding added to old + change; never simplified to 0."""
    return (new - old) - change


def clock(origin: Any, count: Any, dt: Any) -> Any:
    """origin + count * dt, each rounded once."""
    return origin + count * dt


_INTERNAL: dict[str, Callable[..., Any]] = {"rounding": rounding, "clock": clock}
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


def value(
    expr: Expr, load: Callable[[Load], Any], leaf: Callable[[Expr], Any] | None = None
) -> Any:
    """The value of `expr`, elementwise; `load` gives buffers, `leaf` any other leaf."""
    match expr:
        case Number(value=number):
            return number
        case Load():
            return load(expr)
        case Unary(operand=operand):
            return -value(operand, load, leaf)
        case Binary(op="^", left=left, right=Number(value=2.0)):
            return np.square(value(left, load, leaf))
        case Binary(op=op, left=left, right=right):
            return _BINARY[op](value(left, load, leaf), value(right, load, leaf))
        case Compare(op=op, left=left, right=right):
            return _COMPARE[op](value(left, load, leaf), value(right, load, leaf)) * 1.0
        case Call(function=function, arguments=arguments) if function in _INTERNAL:
            return _INTERNAL[function](*(value(a, load, leaf) for a in arguments))
        case Call(function=function, arguments=arguments):
            return FUNCTIONS[function].numpy(*(value(a, load, leaf) for a in arguments))
    if leaf is not None:
        return leaf(expr)
    raise TypeError(f"no value for {expr!r}")
