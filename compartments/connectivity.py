"""Connectivity kinds: which units a synapse connects, and the shape of its weight array.

An autapse is a connection of a unit with itself: `one_to_one` (or the diagonal of `dense`) within
one population. `all_but_self` is dense without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from .patterns import Pairs, Uniform, each_with_probability, so_many

Find = Callable[[float, np.ndarray, int, Uniform], Pairs]


@dataclass(frozen=True)
class Connectivity:
    """One kind of connection.

    Attributes:
        name: The word of the file.
        init: The initialiser where the file states none, or a number.
        text: Which units are joined, in words.
        refuse: `refuse(n_post, n_pre)` says what is wrong with these unit counts, or None.
        elementwise: Unit i is joined to unit i alone, and the weights are a row, (n,); otherwise
            they are a matrix, (post, pre).
        off_diagonal: No unit is joined to the one of its own number; the diagonal is 0.
        bias: Whether there can be a bias, a last column.
        given: What stands behind the word: "E", a condition, or the name of a number in brackets.
        find: Where a number is given: (number, targets, n_pre, uniform) -> the connections.
        fits: Where a number is given: (number, n_pre) -> what is wrong with it, or None.
        example: One that fits.
        windows: "kernel" or "pool" where units see windows of an image (see `windows`): with
            weights that they share, (out, in, rows, columns), or without any.
    """

    name: str
    init: str
    text: str
    refuse: Callable[[int, int], str | None]
    elementwise: bool = False
    off_diagonal: bool = False
    bias: bool = False
    given: str = ""
    find: Find | None = None
    fits: Callable[[float, int], str | None] = lambda number, n_pre: None
    example: str = ""
    windows: str = ""

    @property
    def some(self) -> bool:
        """Whether a seed or a condition decides which connections there are."""
        return bool(self.given) and not self.windows

    @property
    def form(self) -> str:
        """How it is written: "dense", "sparse(p)", "when E"."""
        return self.written(self.given)

    def written(self, given: str) -> str:
        """The same with what stands behind the word."""
        if not given:
            return self.name
        return f"{self.name}({given})" if self.find or self.windows else f"{self.name} {given}"

    def shape(self, n_post: int, n_pre: int) -> tuple[int, ...]:
        """The shape of the weight array, the bias counted as presynaptic unit."""
        return (n_post,) if self.elementwise else (n_post, n_pre)

    def connections(self, n_pre: int) -> int:
        """How many connections reach one postsynaptic unit from `n_pre` units, bias counted."""
        return 1 if self.elementwise else n_pre - self.off_diagonal


def _any(n_post: int, n_pre: int) -> str | None:
    return None


def _equal(n_post: int, n_pre: int) -> str | None:
    if n_post == n_pre:
        return None
    return f"needs as many presynaptic as postsynaptic units, not {n_pre} and {n_post}"


def _one_post(n_post: int, n_pre: int) -> str | None:
    return None if n_post == 1 else f"needs one postsynaptic unit, not {n_post}"


def _one_pre(n_post: int, n_pre: int) -> str | None:
    return None if n_pre == 1 else f"needs one presynaptic unit, not {n_pre}"


def _probability(p: float, n_pre: int) -> str | None:
    return None if 0 <= p <= 1 else f"p is a probability, from 0 to 1, not {p:g}"


def _count(k: float, n_pre: int) -> str | None:
    if k == round(k) and 1 <= k <= n_pre:
        return None
    return f"k is a whole number of sources, from 1 to {n_pre}, not {k:g}"


_TABLE = (
    Connectivity("dense", "xavier_uniform", "every unit to every unit", _any, bias=True),
    Connectivity("one_to_one", "1", "unit i to unit i", _equal, elementwise=True),
    Connectivity(
        "all_but_self", "0", "every unit to every other; diagonal 0", _equal, off_diagonal=True
    ),
    Connectivity("all_to_one", "1", "every unit to the only target", _one_post),
    Connectivity("one_to_all", "1", "the only source to every unit", _one_pre),
    Connectivity(
        "when", "xavier_uniform", "where a condition holds", _any, bias=True, given="E",
        example="uniform(0, 1) < 0.1",
    ),
    Connectivity(
        "sparse", "xavier_uniform", "each with probability p", _any, bias=True, given="p",
        find=each_with_probability, fits=_probability, example="0.1",
    ),
    Connectivity(
        "indegree", "xavier_uniform", "k sources to every unit", _any, bias=True, given="k",
        find=so_many, fits=_count, example="1",
    ),
    Connectivity(
        "convolution", "xavier_uniform",
        "a window of all channels to each unit; the units of a channel share weights", _any,
        bias=True, given="size, stride, padding", example="1", windows="kernel",
    ),
    Connectivity(
        "pooling", "1", "a window of one channel to each unit", _any, given="max or mean, size",
        example="mean, 1", windows="pool",
    ),
)  # fmt: skip
DEFAULT_CONNECTION = "dense"
LATER = ("indices",)  # reserved words of the language

CONNECTIVITY: Mapping[str, Connectivity] = MappingProxyType({kind.name: kind for kind in _TABLE})
CONDITION = next(kind.name for kind in _TABLE if kind.some and kind.find is None)


def weight_shape(kind: str, n_post: int, n_pre: int, bias: bool = False) -> tuple[int, ...]:
    """The shape of the weight array: (post, pre), a bias adding a last column; (n,) one to one.

    Raises ValueError with the reason when the counts do not fit the kind, or when a bias is asked
    of a kind that has none.
    """
    connectivity = CONNECTIVITY[kind]
    reason = connectivity.refuse(n_post, n_pre)
    if reason is not None:
        raise ValueError(f"connect: {kind} {reason}")
    if bias and not connectivity.bias:
        *some, last = (other.name for other in _TABLE if other.bias)
        biased = f"{', '.join(some)} or {last}" if some else last
        raise ValueError(f"bias: true needs connect: {biased}, not {kind}")
    return connectivity.shape(n_post, n_pre + bias)


def weight_mask(kind: str, n_post: int, n_pre: int) -> np.ndarray | None:
    """Where a weight may differ from 0, as (post, pre); None where it may everywhere."""
    if CONNECTIVITY[kind].off_diagonal:
        return ~np.eye(n_post, n_pre, dtype=bool)
    return None


def is_autapse(kind: str, source: str, target: str) -> bool:
    """Whether this is a population's connection of each unit with itself alone."""
    return CONNECTIVITY[kind].elementwise and source == target
