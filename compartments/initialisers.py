"""Initialisers: the words for a weight's first value.

`n_pre` and `n_post` are unit counts; a bias column makes the array one column wider than `n_pre`
and does not count. The column is drawn like the weights, except that `eye` leaves it 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from .distributions import DISTRIBUTIONS, Distribution
from .intervals import Interval


class RandomStream(Protocol):
    """Where random numbers come from; each call gives new ones."""

    def uniform(self, shape: tuple[int, ...]) -> np.ndarray:
        """Uniform in [0, 1)."""
        ...

    def normal(self, shape: tuple[int, ...]) -> np.ndarray:
        """Standard normal."""
        ...


@dataclass(frozen=True)
class WeightShape:
    """What an initialiser is told: the shape of the array and the unit counts of both ends."""

    shape: tuple[int, ...]
    n_pre: int
    n_post: int


@dataclass(frozen=True)
class Initialiser:
    """One initialiser: `arguments` are names, all required; `random` says whether it draws.

    `ranges` maps expressions over the arguments to what their values may be. `square`: only for a
    square weight array without a bias.
    """

    name: str
    arguments: tuple[str, ...]
    random: bool
    draw: Callable[[Sequence[float], WeightShape, RandomStream], np.ndarray]
    text: str
    ranges: Mapping[str, Interval] = field(default_factory=dict)
    square: bool = False


def _uniform(a: float, b: float, shape: tuple[int, ...], stream: RandomStream) -> np.ndarray:
    return a + (b - a) * stream.uniform(shape)


def _of(distribution: Distribution) -> Initialiser:
    """A number of a distribution for each connection."""

    def draw(args: Sequence[Any], to: WeightShape, stream: RandomStream) -> np.ndarray:
        return distribution.of(getattr(stream, distribution.standard)(to.shape), *args)

    row = distribution
    return Initialiser(row.name, row.arguments, True, draw, row.text, row.ranges)


def _draw_xavier_uniform(
    args: Sequence[float], to: WeightShape, stream: RandomStream
) -> np.ndarray:
    bound = float(np.sqrt(6.0 / (to.n_pre + to.n_post)))
    return _uniform(-bound, bound, to.shape, stream)


def _draw_xavier_normal(args: Sequence[float], to: WeightShape, stream: RandomStream) -> np.ndarray:
    return float(np.sqrt(2.0 / (to.n_pre + to.n_post))) * stream.normal(to.shape)


def _draw_wishart(args: Sequence[float], to: WeightShape, stream: RandomStream) -> np.ndarray:
    if to.shape != (to.n_post, to.n_pre) or to.n_post != to.n_pre:
        raise ValueError(
            f"init: wishart needs a square weight array without a bias, not {to.shape}"
        )
    q = _draw_xavier_uniform((), to, stream)
    return q @ q.T


def _draw_eye(args: Sequence[float], to: WeightShape, stream: RandomStream) -> np.ndarray:
    if len(to.shape) == 1:
        return np.ones(to.shape)
    weights = np.zeros(to.shape)
    diagonal = np.arange(min(to.n_post, to.n_pre))
    weights[diagonal, diagonal] = 1.0
    return weights


_TABLE = (
    *(_of(row) for row in DISTRIBUTIONS.values() if row.arguments),
    Initialiser(
        "xavier_uniform", (), True, _draw_xavier_uniform,
        "uniform in [-c, c), c = sqrt(6/(n_pre + n_post)); Glorot & Bengio 2010, eq. 16",
    ),
    Initialiser(
        "xavier_normal", (), True, _draw_xavier_normal,
        "normal, mean 0, variance 2/(n_pre + n_post); Glorot & Bengio 2010, eq. 12",
    ),
    Initialiser(
        "wishart", (), True, _draw_wishart, "Q Q^T with Q (n, n) xavier_uniform", square=True,
    ),
    Initialiser("eye", (), False, _draw_eye, "1 on the main diagonal, else 0"),
)  # fmt: skip

INITIALISERS: Mapping[str, Initialiser] = MappingProxyType({init.name: init for init in _TABLE})


def draw(
    name: str,
    arguments: Sequence[Any],
    shape: tuple[int, ...],
    n_pre: int,
    n_post: int,
    stream: RandomStream,
) -> np.ndarray:
    """An array of `shape`, float64, by the initialiser `name`.

    `shape` is (post, pre), with one more column for a bias, or (n,) for a one-to-one synapse.
    Raises KeyError for an unknown name, ValueError for a wrong number of arguments or shape.
    """
    initialiser = INITIALISERS[name]
    if len(arguments) != len(initialiser.arguments):
        wanted = f"{name}({', '.join(initialiser.arguments)})" if initialiser.arguments else name
        raise ValueError(f"init: expected {wanted}, got {len(arguments)} arguments")
    return initialiser.draw(arguments, WeightShape(tuple(shape), n_pre, n_post), stream)
