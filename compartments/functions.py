"""The closed table of functions of the circuit language, and their derivatives.

`FUNCTIONS` is everything a file may call by name; there is no other way to name a function.
`DERIVATIVES` is read by the symbolic derivative: one text in the circuit language per argument,
over the name `x` (one argument) or `a`, `b`, `c` (more).

Values at kinks stand here, once, and every engine inherits them:

- `relu'(0) = 0`;
- `clip(a, b, c)'` by a is 1 strictly inside (b, c), 0 on both bounds;
- `abs'(0) = sign(0) = 0`;
- `min` and `max` of two equal numbers: the first argument is the one that counts;
- `sign`, `round` and `floor` have derivative 0 everywhere;
- `where(a, b, c)` has the derivatives of the one that is taken: 0 by a;
- `exprel(0) = 1` and `exprel'(0) = 1/2`, the limits: there is no kink.

`softmax` and the reductions have no derivative. `max` with one argument reduces over units, with
two it is elementwise (`kind_of`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import factorial
from types import MappingProxyType
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Function:
    """One function of the language.

    `arity` is (fewest, most) arguments. `kind` is "elementwise", "reduction" (over the last axis,
    units, which stays with length 1), "vector" (over units, keeps the shape) or "constant" (of
    parameters, evaluated at load). `numpy` is the reference implementation on arrays.
    """

    name: str
    arity: tuple[int, int]
    kind: str
    numpy: Callable[..., Any]
    text: str


def logistic(x: Any) -> Any:
    """1 / (1 + exp(-x)), without overflow for any x."""
    e = np.exp(-np.abs(x))
    return np.where(np.asarray(x) >= 0, 1.0, e) / (1.0 + e)


def relu(x: Any) -> Any:
    """max(x, 0)."""
    return np.maximum(x, 0.0)


def softplus(x: Any) -> Any:
    """log(1 + exp(x)), without overflow for any x."""
    return np.logaddexp(x, 0.0)


def exprel(x: Any) -> Any:
    """(e^x - 1) / x, 1 at 0; the x/(1 - e^-x) of ion channels is 1/exprel(-x)."""
    bounded = np.minimum(x, 1000.0)  # e^x is infinite from there on, and inf/inf is no number
    zero = bounded == 0
    safe = np.where(zero, 1.0, bounded)
    return np.where(zero, 1.0, np.expm1(safe) / safe)


def clip(a: Any, b: Any, c: Any) -> Any:
    """min(max(a, b), c)."""
    return np.minimum(np.maximum(a, b), c)


def softmax(x: Any) -> Any:
    """exp(x_i) / sum_j exp(x_j) over units (the last axis), shifted by the largest."""
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def total(x: Any) -> Any:
    """sum_i x_i over units."""
    return np.sum(x, axis=-1, keepdims=True)


def mean(x: Any) -> Any:
    """(1/n) sum_i x_i over units."""
    return np.mean(x, axis=-1, keepdims=True)


def norm(x: Any) -> Any:
    """sqrt(sum_i x_i^2) over units."""
    return np.sqrt(np.sum(np.square(x), axis=-1, keepdims=True))


def largest(*arguments: Any) -> Any:
    """max_i x_i over units of one argument; the larger of two, elementwise."""
    if len(arguments) == 1:
        return np.max(arguments[0], axis=-1, keepdims=True)
    return np.maximum(*arguments)


def where(a: Any, b: Any, c: Any) -> Any:
    """B where a is not 0, else c; what is not taken may be anything, also infinite."""
    return np.where(np.asarray(a) != 0, b, c)


def _identity(x: Any) -> Any:
    return +np.asarray(x)


_TABLE = (
    Function("identity", (1, 1), "elementwise", _identity, "x"),
    Function("tanh", (1, 1), "elementwise", np.tanh, "(exp(x) - exp(-x)) / (exp(x) + exp(-x))"),
    Function("logistic", (1, 1), "elementwise", logistic, "1 / (1 + exp(-x))"),
    Function("relu", (1, 1), "elementwise", relu, "max(x, 0)"),
    Function("softplus", (1, 1), "elementwise", softplus, "log(1 + exp(x))"),
    Function("clip", (3, 3), "elementwise", clip, "min(max(a, b), c)"),
    Function("abs", (1, 1), "elementwise", np.abs, "|x|"),
    Function("sign", (1, 1), "elementwise", np.sign, "-1, 0 or 1"),
    Function("exp", (1, 1), "elementwise", np.exp, "e^x"),
    Function("exprel", (1, 1), "elementwise", exprel, "(exp(x) - 1) / x, 1 at 0"),
    Function("log", (1, 1), "elementwise", np.log, "natural logarithm"),
    Function("sqrt", (1, 1), "elementwise", np.sqrt, "x^(1/2)"),
    Function("sin", (1, 1), "elementwise", np.sin, "sine of radians"),
    Function("cos", (1, 1), "elementwise", np.cos, "cosine of radians"),
    Function("min", (2, 2), "elementwise", np.minimum, "the smaller of two"),
    Function("max", (1, 2), "elementwise", largest, "the larger of two; of one: over units"),
    Function("where", (3, 3), "elementwise", where, "b where a is not 0 (a condition), else c"),
    Function("round", (1, 1), "elementwise", np.round, "nearest integer, halves to even"),
    Function("floor", (1, 1), "elementwise", np.floor, "largest integer not above x"),
    Function("softmax", (1, 1), "vector", softmax, "exp(x_i) / sum_j exp(x_j) over units"),
    Function("sum", (1, 1), "reduction", total, "sum_i x_i over units"),
    Function("mean", (1, 1), "reduction", mean, "(1/n) sum_i x_i over units"),
    Function("norm", (1, 1), "reduction", norm, "sqrt(sum_i x_i^2) over units"),
    Function("len", (1, 1), "constant", len, "number of entries of a list parameter"),
)

NEAR = 0.5  # up to this |x| a series stands for (e^x - exprel(x)) / x, which cancels near 0


def _slope_of_exprel() -> str:
    """exprel'(x) = (e^x - exprel(x)) / x, or sum_k (k + 1) x^k / (k + 2)! where |x| < NEAR."""
    near = "0"
    for k in reversed(range(14)):
        near = f"({(k + 1) / factorial(k + 2)!r} + clip(x, -{NEAR}, {NEAR})*{near})"
    far = f"(exp(x) - exprel(x))/(x + (abs(x) < {NEAR}))"
    return f"(abs(x) < {NEAR})*{near} + (abs(x) >= {NEAR})*{far}"


FUNCTIONS: Mapping[str, Function] = MappingProxyType({f.name: f for f in _TABLE})

DERIVATIVES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "identity": ("1",),
        "tanh": ("1 - tanh(x)^2",),
        "logistic": ("logistic(x)*(1 - logistic(x))",),
        "relu": ("x > 0",),
        "softplus": ("logistic(x)",),
        "clip": (
            "(a > b)*(a < c)",
            "(a <= b)*(b < c)",
            "max(a, b) >= c",
        ),
        "abs": ("sign(x)",),
        "sign": ("0",),
        "exp": ("exp(x)",),
        "exprel": (_slope_of_exprel(),),
        "log": ("1/x",),
        "sqrt": ("1/(2*sqrt(x))",),
        "sin": ("cos(x)",),
        "cos": ("-sin(x)",),
        "min": ("a <= b", "a > b"),
        "max": ("a >= b", "a < b"),
        "where": ("0", "a != 0", "a == 0"),
        "round": ("0",),
        "floor": ("0",),
    }
)


def kind_of(name: str, count: int) -> str:
    """The kind of `name` when called with `count` arguments: `max(x)` is a reduction."""
    if name == "max" and count == 1:
        return "reduction"
    return FUNCTIONS[name].kind
