"""The function table of the language and its primes, written from the definitions alone.

Every function takes complex numbers, too: a derivative is read off the imaginary part of
f(x + ih) with h so small that h^2 is nothing (the complex step; Squire & Trapp 1998). What decides
between branches looks at the real part, and at a kink takes the branch that docs/language.md and
the table of functions name: relu'(0) = 0, clip' is 0 on its bounds, abs'(0) = 0, and of two equal
numbers `min` and `max` take the first.
"""

from __future__ import annotations

import numpy as np


def logistic(u):
    """1 / (1 + e^-u), from the side on which the exponential is small."""
    e = np.exp(np.where(np.real(u) >= 0, -u, u))
    return np.where(np.real(u) >= 0, 1, e) / (1 + e)


def softplus(u):
    return np.where(np.real(u) > 0, u, 0) + np.log1p(np.exp(np.where(np.real(u) > 0, -u, u)))


def relu(u):
    return np.where(np.real(u) > 0, u, 0.0)


def sign(u):
    return np.sign(np.real(u))


def smaller(a, b):
    return np.where(np.real(a) <= np.real(b), a, b)


def larger(a, b):
    return np.where(np.real(a) >= np.real(b), a, b)


def clip(a, b, c):
    inside = (np.real(a) > np.real(b)) & (np.real(a) < np.real(c))
    bound = np.where(np.real(a) <= np.real(b), b, c)  # b first, then never more than c
    return np.where(inside, a, smaller(bound, c))


def exprel(u):
    """(e^u - 1) / u, which is 1 at 0."""
    near = np.abs(u) < 1e-5
    away = np.where(near, 1.0, u)
    return np.where(near, 1 + u / 2 + u * u / 6, np.expm1(away) / away)


def exprel_slope(u):
    """(u e^u - e^u + 1) / u^2; near 0 by its series, the sum of u^k / (k! (k + 2))."""
    near = np.abs(u) < 0.5
    away, term, series = np.where(near, 1.0, u), np.ones_like(u) * 1.0, 0.0
    for k in range(25):
        series, term = series + term / (k + 2), term * np.where(near, u, 0.0) / (k + 1)
    return np.where(near, series, (away * np.exp(away) - np.expm1(away)) / away**2)


ELEMENTWISE = {
    "identity": lambda u: u,
    "tanh": np.tanh,
    "logistic": logistic,
    "relu": relu,
    "softplus": softplus,
    "clip": clip,
    "abs": lambda u: u * sign(u),
    "sign": sign,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "where": lambda a, b, c: np.where(np.real(a) != 0, b, c),
    "min": smaller,
    "max": larger,
    "round": lambda u: np.rint(np.real(u)),
    "floor": lambda u: np.floor(np.real(u)),
    "exprel": exprel,
}
PRIMES = {  # of functions of one argument; `clip'`, `min'` and `max'` need one, and have more
    "identity": lambda u: np.ones_like(u) * 1.0,
    "tanh": lambda u: 1 / np.cosh(u) ** 2,
    "logistic": lambda u: logistic(u) * logistic(-u),
    "relu": lambda u: (np.real(u) > 0) * 1.0,
    "softplus": logistic,
    "abs": sign,
    "sign": lambda u: np.zeros_like(np.real(u)) * 1.0,
    "exp": np.exp,
    "log": lambda u: 1 / u,
    "sqrt": lambda u: 0.5 / np.sqrt(u),
    "sin": np.cos,
    "cos": lambda u: -np.sin(u),
    "round": lambda u: np.zeros_like(np.real(u)) * 1.0,
    "floor": lambda u: np.zeros_like(np.real(u)) * 1.0,
    "exprel": exprel_slope,
}
REDUCTIONS = {  # over the last axis, which stays; `there`: which of its entries exist
    "sum": lambda u, there: np.where(there, u, 0).sum(-1, keepdims=True),
    "mean": lambda u, there: (
        np.where(there, u, 0).sum(-1, keepdims=True)
        / np.broadcast_to(there, u.shape).sum(-1, keepdims=True)
    ),
    "max": lambda u, there: np.where(there, u, -np.inf).max(-1, keepdims=True),
    "norm": lambda u, there: np.sqrt((np.where(there, u, 0) ** 2).sum(-1, keepdims=True)),
}


def softmax(u, there):
    """e^u / sum of e^u over the entries that exist."""
    e = np.where(there, np.exp(u - REDUCTIONS["max"](u, there)), 0)
    return e / e.sum(-1, keepdims=True)


OPERATORS = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
    "<": lambda a, b: np.real(a) < np.real(b),
    "<=": lambda a, b: np.real(a) <= np.real(b),
    ">": lambda a, b: np.real(a) > np.real(b),
    ">=": lambda a, b: np.real(a) >= np.real(b),
    "==": lambda a, b: np.real(a) == np.real(b),
    "!=": lambda a, b: np.real(a) != np.real(b),
}
