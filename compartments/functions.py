"""The closed table of functions of the circuit language, and their derivatives.

`FUNCTIONS` is everything a file may call by name; there is no other way to name a function.
A row has all that is said of a function but how an engine computes it; a `definition` says that,
too.

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
    r"""One function of the language.

    Texts are in the circuit language over the name `x` (one argument) or `a`, `b`, `c` (more).

    Attributes:
        name: The word of the language.
        arity: (fewest, most) arguments.
        kind: elementwise, reduction (over the last axis, units, which stays with length 1), vector
            (over units, keeps the shape) or constant (of parameters, evaluated at load).
        numpy: The reference implementation on arrays.
        text: What it is, for people.
        derivatives: One text per argument; none where there is no derivative.
        definition: A text that stands for a call before an engine sees it; without one, each engine
            has an implementation of its own.
        alone: The kind with one argument, where it is another.
        linear: Whether f(a x + b y) is a f(x) + b f(y).
        latex: A command to be called, `\tanh`, or a pattern, `\sqrt{%(x)s}`; else its name.
    """

    name: str
    arity: tuple[int, int]
    kind: str
    numpy: Callable[..., Any]
    text: str
    derivatives: tuple[str, ...] = ()
    definition: str | None = None
    alone: str | None = None
    linear: bool = False
    latex: str = ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of the arguments in the texts of this row."""
        return ("x",) if self.arity == (1, 1) else ("a", "b", "c")[: self.arity[1]]


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


NEAR = 0.5  # up to this |x| a series stands for (e^x - exprel(x)) / x, which cancels near 0


def _slope_of_exprel() -> str:
    """exprel'(x) = (e^x - exprel(x)) / x, or sum_k (k + 1) x^k / (k + 2)! where |x| < NEAR."""
    near = "0"
    for k in reversed(range(14)):
        near = f"({(k + 1) / factorial(k + 2)!r} + clip(x, -{NEAR}, {NEAR})*{near})"
    far = f"(exp(x) - exprel(x))/(x + (abs(x) < {NEAR}))"
    return f"(abs(x) < {NEAR})*{near} + (abs(x) >= {NEAR})*{far}"


def _elementwise(
    name: str,
    numpy: Callable[..., Any],
    text: str,
    *derivatives: str,
    fewest: int | None = None,
    **more: Any,
) -> Function:
    most = len(derivatives)
    return Function(name, (fewest or most, most), "elementwise", numpy, text, derivatives, **more)


_TABLE = (
    _elementwise("identity", _identity, "x", "1", definition="x", linear=True),
    _elementwise("tanh", np.tanh, "(exp(x) - exp(-x)) / (exp(x) + exp(-x))",
        "1 - tanh(x)^2", latex=r"\tanh"),
    _elementwise("logistic", logistic, "1 / (1 + exp(-x))", "logistic(x)*(1 - logistic(x))"),
    _elementwise("relu", relu, "max(x, 0)", "x > 0"),
    _elementwise("softplus", softplus, "log(1 + exp(x))", "logistic(x)"),
    _elementwise("clip", clip, "min(max(a, b), c)",
        "(a > b)*(a < c)", "(a <= b)*(b < c)", "max(a, b) >= c"),
    _elementwise("abs", np.abs, "|x|", "sign(x)", latex=r"\left|%(x)s\right|"),
    _elementwise("sign", np.sign, "-1, 0 or 1", "0"),
    _elementwise("exp", np.exp, "e^x", "exp(x)", latex=r"\exp"),
    _elementwise("exprel", exprel, "(exp(x) - 1) / x, 1 at 0", _slope_of_exprel()),
    _elementwise("log", np.log, "natural logarithm", "1/x", latex=r"\log"),
    _elementwise("sqrt", np.sqrt, "x^(1/2)", "1/(2*sqrt(x))", latex=r"\sqrt{%(x)s}"),
    _elementwise("sin", np.sin, "sine of radians", "cos(x)", latex=r"\sin"),
    _elementwise("cos", np.cos, "cosine of radians", "-sin(x)", latex=r"\cos"),
    _elementwise("min", np.minimum, "the smaller of two", "a <= b", "a > b", latex=r"\min"),
    _elementwise("max", largest, "the larger of two; of one: over units",
        "a >= b", "a < b", fewest=1, alone="reduction", latex=r"\max"),
    _elementwise("where", where, "b where a is not 0 (a condition), else c",
        "0", "a != 0", "a == 0",
        latex=r"\begin{cases}%(b)s & %(a)s \\ %(c)s & \text{else}\end{cases}"),
    _elementwise("round", np.round, "nearest integer, halves to even", "0"),
    _elementwise("floor", np.floor, "largest integer not above x", "0"),
    Function("softmax", (1, 1), "vector", softmax, "exp(x_i) / sum_j exp(x_j) over units"),
    Function("sum", (1, 1), "reduction", total, "sum_i x_i over units", linear=True),
    Function("mean", (1, 1), "reduction", mean, "(1/n) sum_i x_i over units", linear=True),
    Function("norm", (1, 1), "reduction", norm, "sqrt(sum_i x_i^2) over units",
        latex=r"\left\lVert %(x)s\right\rVert"),
    Function("len", (1, 1), "constant", len, "number of entries of a list parameter"),
)  # fmt: skip

FUNCTIONS: Mapping[str, Function] = MappingProxyType({f.name: f for f in _TABLE})


def kind_of(name: str, count: int) -> str:
    """The kind of `name` when called with `count` arguments: `max(x)` is a reduction."""
    row = FUNCTIONS[name]
    return row.alone if count == 1 and row.alone else row.kind


def reduces(name: str, count: int) -> bool:
    """Whether a call with `count` arguments is one number of many units: `sum(x)`."""
    return name in FUNCTIONS and kind_of(name, count) == "reduction"


def over_units(name: str, count: int) -> bool:
    """Whether a call with `count` arguments runs over units: `softmax(x)`, not `max(x, y)`."""
    return name in FUNCTIONS and kind_of(name, count) in ("reduction", "vector")
