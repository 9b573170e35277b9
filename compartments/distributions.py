"""Distributions: the words for chance. Each makes its number of one that has no parameters.

uniform(a, b) = a + (b - a) u,  normal(m, s) = m + s z,  bernoulli(p) = u < p,
poisson(l) = the least k for which e^-l (1 + l + ... + l^k / k!) > u;  u uniform in [0, 1), z normal
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from .intervals import NOT_NEGATIVE, ORDERED, Interval

MOST_EVENTS = 700.0  # e^-l of more is no number of full precision
PROBABILITY = Interval(0, 1, high_in=True, example=0.5)
EVENTS = Interval(0, MOST_EVENTS, high_in=True)


@dataclass(frozen=True)
class Distribution:
    """One word: its arguments, of what a number of it is made, and how.

    standard: "uniform", "normal" or "random_sign", drawn from a counter.
    of: (standard number, arguments) -> the number; NaN where an argument cannot be.
    mean: arguments -> the expected number.
    ranges: expressions over the arguments -> what their values may be.
    """

    name: str
    arguments: tuple[str, ...]
    standard: str
    text: str
    of: Callable[..., Any]
    mean: Callable[..., Any]
    ranges: Mapping[str, Interval] = field(default_factory=dict)

    @property
    def arity(self) -> tuple[int, int]:
        """How many arguments it takes, at least and at most."""
        return len(self.arguments), len(self.arguments)


def bernoulli(u: Any, p: Any) -> np.ndarray:
    """1 where u < p, else 0; NaN where p is no probability."""
    p = np.asarray(p, dtype=np.float64)
    return np.where((p >= 0) & (p <= 1), np.less(u, p), np.nan)


def poisson(u: Any, l: Any) -> np.ndarray:  # noqa: E741
    """The least k whose cumulated probability is above u; NaN where l is no number of events."""
    u, l = np.broadcast_arrays(np.asarray(u, np.float64), np.asarray(l, np.float64))  # noqa: E741
    k, valid = np.zeros(u.shape), (l >= 0) & (l <= MOST_EVENTS)
    probability = np.exp(-np.where(valid, l, 0.0))
    below = probability.copy()
    while (more := valid & (u >= below) & (probability > 0)).any():
        k += more
        probability = np.where(more, probability * (l / np.maximum(k, 1.0)), probability)
        below = np.where(more, below + probability, below)
    return np.where(valid, k, np.nan)


_TABLE = (
    Distribution(
        "uniform", ("a", "b"), "uniform", "uniform in [a, b)",
        lambda u, a, b: a + (b - a) * u, lambda a, b: (a + b) / 2, {"b - a": ORDERED},
    ),
    Distribution(
        "normal", ("m", "s"), "normal", "normal, mean m, standard deviation s",
        lambda z, m, s: m + s * z, lambda m, s: m + 0 * s, {"s": NOT_NEGATIVE},
    ),
    Distribution(
        "bernoulli", ("p",), "uniform", "1 with probability p, else 0",
        bernoulli, lambda p: p, {"p": PROBABILITY},
    ),
    Distribution(
        "poisson", ("l",), "uniform", "a number of events, l on average",
        poisson, lambda l: l, {"l": EVENTS},  # noqa: E741
    ),
    Distribution(
        "random_sign", (), "random_sign", "-1 or 1", lambda sign: sign, lambda: 0.0,
    ),
)  # fmt: skip
DISTRIBUTIONS: Mapping[str, Distribution] = MappingProxyType({row.name: row for row in _TABLE})
