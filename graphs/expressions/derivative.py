"""Symbolic derivatives, and the few simplifications that are exact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from math import isfinite

from ...compartments.functions import FUNCTIONS, kind_of
from .parser import parse_expression
from .tree import Binary, Call, Compare, Expr, Number, Unary, named, transform

ZERO, ONE = Number(0.0), Number(1.0)


class DerivativeError(ValueError):
    """There is no derivative: softmax, a reduction over units, an unknown function."""


# --- simplification ------------------------------------------------------------------------------


def simplify(expr: Expr) -> Expr:
    """The same value with numbers folded and neutral terms gone; structure is kept otherwise.

    0*E, E*0 and 0/E are 0; 1*E, E*1, E/1, E+0, 0+E, E-0, E^1 and --E are E; 0-E and -1*E are -E;
    E+(-F) is E-F and E-(-F) is E+F; E^0 and 1^E are 1. Numbers are folded in double precision where
    the result is finite. Time is linear in the size of the tree.
    """
    match expr:
        case Unary():
            return _negative(simplify(expr.operand), expr)
        case Binary():
            return _binary(expr.op, simplify(expr.left), simplify(expr.right), expr)
        case Compare():
            left, right = simplify(expr.left), simplify(expr.right)
            if isinstance(left, Number) and isinstance(right, Number):
                return Number(float(_holds(expr.op, left.value, right.value)), span=expr.span)
            if left is expr.left and right is expr.right:
                return expr
            return Compare(expr.op, left, right, span=expr.span)
        case Call():
            arguments = tuple(simplify(a) for a in expr.arguments)
            if all(new is old for new, old in zip(arguments, expr.arguments, strict=True)):
                return expr
            return Call(expr.function, arguments, expr.primed, span=expr.span)
        case _:
            return expr


def is_number(expr: Expr, value: float) -> bool:
    """Whether the node is this literal."""
    return isinstance(expr, Number) and expr.value == value


def _holds(op: str, left: float, right: float) -> bool:
    match op:
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case ">=":
            return left >= right
        case "==":
            return left == right
    return left != right


def _folded(op: str, left: float, right: float) -> float | None:
    """The number `left op right`; None where it is not finite."""
    try:
        match op:
            case "+":
                value = left + right
            case "-":
                value = left - right
            case "*":
                value = left * right
            case "/":
                value = left / right
            case _:
                value = left**right
    except (ZeroDivisionError, OverflowError):
        return None
    return value if isinstance(value, float) and isfinite(value) else None


def _negative(operand: Expr, old: Expr | None = None) -> Expr:
    """-operand, simplified; `old` is the node it came from, kept where nothing changed."""
    if isinstance(operand, Number):
        return Number(0.0 - operand.value, span=old.span if old else None)
    if isinstance(operand, Unary):
        return operand.operand
    if isinstance(old, Unary) and old.operand is operand:
        return old
    return Unary("-", operand, span=old.span if old else None)


def _binary(op: str, left: Expr, right: Expr, old: Binary | None = None) -> Expr:
    """`left op right`, simplified, of operands that are."""
    span = old.span if old else None
    if isinstance(left, Number) and isinstance(right, Number):
        value = _folded(op, left.value, right.value)
        if value is not None:
            return Number(value, span=span)
    short = _RULES[op](left, right)
    if short is not None:
        return short
    if op in "+-" and isinstance(right, Unary):
        return Binary("-" if op == "+" else "+", left, right.operand, span=span)
    if old is not None and old.left is left and old.right is right:
        return old
    return Binary(op, left, right, span=span)


def _sum(left: Expr, right: Expr) -> Expr | None:
    if is_number(right, 0):
        return left
    return right if is_number(left, 0) else None


def _difference(left: Expr, right: Expr) -> Expr | None:
    if is_number(right, 0):
        return left
    return _negative(right) if is_number(left, 0) else None


def _product(left: Expr, right: Expr) -> Expr | None:
    if is_number(left, 0) or is_number(right, 0):
        return ZERO
    if is_number(left, 1):
        return right
    if is_number(right, 1):
        return left
    if is_number(left, -1):
        return _negative(right)
    return _negative(left) if is_number(right, -1) else None


def _quotient(left: Expr, right: Expr) -> Expr | None:
    if is_number(left, 0) and not is_number(right, 0):
        return ZERO
    return left if is_number(right, 1) else None


def _power(left: Expr, right: Expr) -> Expr | None:
    if is_number(right, 0) or is_number(left, 1):
        return ONE
    return left if is_number(right, 1) else None


_RULES = {"+": _sum, "-": _difference, "*": _product, "/": _quotient, "^": _power}


def summed(terms: Iterable[Expr]) -> Expr:
    """The sum of expressions; 0 if there are none."""
    total: Expr | None = None
    for term in terms:
        total = term if total is None else Binary("+", total, term)
    return ZERO if total is None else total


# --- functions of the table ----------------------------------------------------------------------


@cache
def _table_entry(function: str) -> tuple[tuple[str, ...], tuple[Expr, ...]]:
    """The argument names of a function and its partial derivatives, parsed."""
    row = FUNCTIONS[function]
    return row.arguments, tuple(parse_expression(t) for t in row.derivatives)


@cache
def _definition(text: str) -> Expr:
    return parse_expression(text)


def defined(call: Call) -> Expr | None:
    """What stands for a call of a function of the table that has a definition; None elsewhere."""
    row = FUNCTIONS.get(call.function)
    if row is None or row.definition is None:
        return None
    return named(_definition(row.definition), dict(zip(row.arguments, call.arguments, strict=True)))


def has_derivative(function: str) -> bool:
    """Whether f' is a function of the table."""
    return function in FUNCTIONS and bool(FUNCTIONS[function].derivatives)


def derivative_of(function: str, arguments: Sequence[Expr], position: int) -> Expr:
    """The partial derivative of a function of the table with respect to one argument.

    Raises `DerivativeError` for what has none: softmax, reductions, functions not in the table.
    """
    if not has_derivative(function):
        raise DerivativeError(f"{function} has no derivative")
    names, partials = _table_entry(function)
    if kind_of(function, len(arguments)) != "elementwise":
        raise DerivativeError(f"{function} over units has no derivative")
    if len(arguments) != len(names):
        takes, came = len(names), len(arguments)
        raise DerivativeError(f"the derivative of {function} takes {takes} arguments, not {came}")
    values = dict(zip(names, arguments, strict=True))
    return simplify(named(partials[position], values))


def expand_primes(expr: Expr) -> Expr:
    """Every `f'(x)` of a function of the table replaced by its derivative; others stay.

    `f'(a, b, c)` is the derivative by the first argument. Raises `DerivativeError` for a builtin
    without derivative.
    """

    def expanded(node: Expr) -> Expr | None:
        if isinstance(node, Call) and node.primed and has_derivative(node.function):
            arguments = tuple(expand_primes(a) for a in node.arguments)
            return derivative_of(node.function, arguments, 0)
        return None

    return transform(expr, expanded)


# --- the derivative ------------------------------------------------------------------------------


def differentiate(expr: Expr, by: Expr) -> Expr:
    """The partial derivative d expr / d by; `by` is a leaf, all other leaves are constants.

    Comparisons are steps: derivative 0. Raises `DerivativeError` where a function that depends on
    `by` has no derivative.
    """
    match expr:
        case Unary():
            return _negative(differentiate(expr.operand, by))
        case Binary():
            return _differentiate_binary(expr, by)
        case Call():
            return _differentiate_call(expr, by)
        case _:
            return ONE if expr == by else ZERO


def _differentiate_binary(expr: Binary, by: Expr) -> Expr:
    left, right = expr.left, expr.right
    d_left, d_right = differentiate(left, by), differentiate(right, by)
    match expr.op:
        case "+" | "-":
            return _binary(expr.op, d_left, d_right)
        case "*":
            return _binary("+", _binary("*", d_left, right), _binary("*", left, d_right))
        case "/":
            first = _binary("/", d_left, right)
            second = _binary("/", _binary("*", left, d_right), _binary("^", right, Number(2.0)))
            return _binary("-", first, second)
    return _differentiate_power(left, right, d_left, d_right)


def _differentiate_power(left: Expr, right: Expr, d_left: Expr, d_right: Expr) -> Expr:
    """d(u^v) = v u^(v-1) du + u^v log(u) dv."""
    lower = _binary("^", left, _binary("-", right, ONE))
    first = _binary("*", _binary("*", right, lower), d_left)
    logarithm = Call("log", (left,))
    second = _binary("*", _binary("*", _binary("^", left, right), logarithm), d_right)
    return _binary("+", first, second)


def _differentiate_call(expr: Call, by: Expr) -> Expr:
    """The chain rule, over all arguments that depend on `by`."""
    inner = [differentiate(a, by) for a in expr.arguments]
    if all(is_number(d, 0) for d in inner):
        return ZERO
    if expr.function == "where" and not expr.primed:  # 0 times what is not taken may be no number
        return Call("where", (expr.arguments[0], *inner[1:]))
    if expr.primed:
        if not has_derivative(expr.function):
            raise DerivativeError(f"{expr.function}' has no derivative")
        return differentiate(expand_primes(expr), by)
    result: Expr = ZERO
    for position, d_inner in enumerate(inner):
        if not is_number(d_inner, 0):
            outer = derivative_of(expr.function, expr.arguments, position)
            result = _binary("+", result, _binary("*", outer, d_inner))
    return result
