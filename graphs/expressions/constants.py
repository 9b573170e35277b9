"""Constants: plain float arithmetic over resolved expressions of parameters.

What a file needs a number for before anything runs (sizes, index bounds, parameter values) is
computed here; an engine that gives each replica its own parameter values computes them here too.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...compartments.distributions import DISTRIBUTIONS
from ...compartments.functions import FUNCTIONS, kind_of, reduces
from .numbered_draws import is_draw
from .tree import Binary, Call, Compare, Expr, Number, Parameter, Unary, UnitPlace

Value = float | tuple[float, ...]
LARGEST = 2**31 - 1  # of counts and indices


class NotConstantError(ValueError):
    """The expression has no value before the run; `node` is the part that has none."""

    def __init__(self, message: str, node: Expr):
        super().__init__(message)
        self.message = message
        self.node = node


def evaluate(expr: Expr, value: Callable[[str], Value]) -> Value:
    """The value of a constant expression; `value` gives that of a parameter by member name.

    Raises:
        NotConstantError: a part of the expression is known only when the circuit runs, or it has
            no finite value.
    """
    if isinstance(expr, Number):
        return float(expr.value)
    if isinstance(expr, Parameter):
        return value(expr.name)
    if isinstance(expr, Unary):
        return -_number(expr.operand, value)
    if isinstance(expr, Compare):
        left, right = _number(expr.left, value), _number(expr.right, value)
        return float(_COMPARE[expr.op](left, right))
    if isinstance(expr, Binary):
        return _binary(expr, _number(expr.left, value), _number(expr.right, value))
    if isinstance(expr, Call) and not expr.primed:
        return _call(expr, value)
    raise NotConstantError("this is no constant", expr)


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def _number(expr: Expr, value: Callable[[str], Value]) -> float:
    found = evaluate(expr, value)
    if isinstance(found, tuple):
        raise NotConstantError("a list is given where one number is needed", expr)
    return found


def _binary(expr: Binary, left: float, right: float) -> float:
    try:
        if expr.op == "+":
            return left + right
        if expr.op == "-":
            return left - right
        if expr.op == "*":
            return left * right
        if expr.op == "/":
            return left / right
        power = left**right
    except ZeroDivisionError:
        raise NotConstantError("division by zero", expr) from None
    except OverflowError:
        raise NotConstantError("the value is too large", expr) from None
    if isinstance(power, complex):
        raise NotConstantError("a root of a negative number", expr)
    return power


def _call(expr: Call, value: Callable[[str], Value]) -> float:
    arguments = [evaluate(a, value) for a in expr.arguments]
    first = arguments[0] if arguments else 0.0
    if expr.function == "item" and isinstance(first, tuple) and isinstance(arguments[1], float):
        return first[int(arguments[1])]
    if expr.function == "len" and isinstance(first, tuple):
        return float(len(first))
    known = FUNCTIONS.get(expr.function)
    if known is None or known.kind == "vector" or expr.function in ("item", "len"):
        raise NotConstantError(f"'{expr.function}' has no value before the run", expr)
    with np.errstate(all="ignore"):
        if known.kind == "elementwise" and not (len(arguments) == 1 and isinstance(first, tuple)):
            result = known.numpy(*(_number(a, value) for a in expr.arguments))
        else:
            result = known.numpy(np.atleast_1d(np.asarray(first, dtype=float)))
    found = np.asarray(result, dtype=float)
    if found.size != 1:
        raise NotConstantError("a list is given where one number is needed", expr)
    number = float(found.reshape(()))
    if math.isnan(number):
        raise NotConstantError(f"'{expr.function}' has no value here", expr)
    return number


Drawn = Callable[[Call, list[np.ndarray]], np.ndarray]


def expected(draw: Call, arguments: list[np.ndarray]) -> np.ndarray:
    """The mean of what is drawn: what stands for it before there is a seed."""
    return np.asarray(DISTRIBUTIONS[draw.function].mean(*arguments), dtype=np.float64)


def of_units(
    expr: Expr, value: Callable[[str], Value], size: int, drawn: Drawn = expected
) -> tuple[float, ...]:
    """The value of a constant expression for each of `size` units; `drawn` draws.

    Raises:
        NotConstantError: as `evaluate`, or a unit has no finite value.
    """

    def leaf(node: Expr) -> np.ndarray:
        if isinstance(node, Parameter):
            return np.asarray(value(node.name), dtype=np.float64)
        if isinstance(node, UnitPlace):
            return np.asarray(node.values)
        if is_draw(node):
            return drawn(node, [elementwise(a, leaf) for a in node.arguments])
        if isinstance(node, Call) and reduces(node.function, len(node.arguments)):
            return FUNCTIONS[node.function].numpy(
                np.broadcast_to(elementwise(node.arguments[0], leaf), (size,))
            )
        raise NotConstantError("this is no constant", node)

    with np.errstate(all="ignore"):
        try:
            found = np.broadcast_to(elementwise(expr, leaf), (size,))
        except ValueError as error:
            if isinstance(error, NotConstantError):
                raise
            raise NotConstantError(f"a list has not {size} values", expr) from None
    if not np.isfinite(found).all():
        unit = int(np.argmin(np.isfinite(found)))
        raise NotConstantError(f"this has no finite value for unit {unit}", expr)
    return tuple(found.tolist())


def elementwise(expr: Expr, leaf: Callable[[Expr], np.ndarray]) -> np.ndarray:
    """An expression over arrays; `leaf` gives what is neither a number nor made of others.

    Raises:
        NotConstantError: by `leaf`.
    """

    def of(node: Expr) -> np.ndarray:
        if isinstance(node, Number):
            return np.asarray(node.value, dtype=np.float64)
        if isinstance(node, Unary):
            return -of(node.operand)
        if isinstance(node, Binary | Compare):
            return _BINARY[node.op](of(node.left), of(node.right)) * 1.0
        if isinstance(node, Call) and node.function in FUNCTIONS and not node.primed:
            if kind_of(node.function, len(node.arguments)) == "elementwise":
                return np.asarray(FUNCTIONS[node.function].numpy(*map(of, node.arguments)))
        return leaf(node)

    return of(expr)


_BINARY: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "^": np.power,
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
    "==": np.equal, "!=": np.not_equal,
}  # fmt: skip


def is_whole(value: float) -> bool:
    """Whether a number is finite and whole."""
    return math.isfinite(value) and value == round(value)
