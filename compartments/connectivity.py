"""Connectivity kinds: which units a synapse connects, and the shape of its weight array.

An autapse is a connection of a unit with itself: `one_to_one` (or the diagonal of `dense`) within
one population. `all_but_self` is dense without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np


@dataclass(frozen=True)
class Connectivity:
    """One kind of connection.

    `shape(n_post, n_pre)` is the shape of the weight array without a bias; `refuse(n_post, n_pre)`
    says what is wrong with these unit counts, or None. `init` is the initialiser when the file
    states none.
    """

    name: str
    init: str
    shape: Callable[[int, int], tuple[int, ...]]
    refuse: Callable[[int, int], str | None]
    text: str


def _matrix(n_post: int, n_pre: int) -> tuple[int, ...]:
    return (n_post, n_pre)


def _row(n_post: int, n_pre: int) -> tuple[int, ...]:
    return (n_post,)


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


_TABLE = (
    Connectivity("dense", "xavier_uniform", _matrix, _any, "every unit to every unit"),
    Connectivity("one_to_one", "1", _row, _equal, "unit i to unit i"),
    Connectivity("all_but_self", "0", _matrix, _equal, "every unit to every other; diagonal 0"),
    Connectivity("all_to_one", "1", _matrix, _one_post, "every unit to the only target"),
    Connectivity("one_to_all", "1", _matrix, _one_pre, "the only source to every unit"),
)

CONNECTIVITY: Mapping[str, Connectivity] = MappingProxyType({kind.name: kind for kind in _TABLE})


def weight_shape(kind: str, n_post: int, n_pre: int, bias: bool = False) -> tuple[int, ...]:
    """The shape of the weight array: (post, pre), a bias adding a last column; (n,) one to one.

    Raises ValueError with the reason when the counts do not fit the kind, or when a bias is asked
    of a kind other than dense.
    """
    connectivity = CONNECTIVITY[kind]
    reason = connectivity.refuse(n_post, n_pre)
    if reason is not None:
        raise ValueError(f"connect: {kind} {reason}")
    if bias and kind != "dense":
        raise ValueError(f"bias: true needs connect: dense, not {kind}")
    return connectivity.shape(n_post, n_pre + bias)


def weight_mask(kind: str, n_post: int, n_pre: int) -> np.ndarray | None:
    """Where a weight may differ from 0, as (post, pre); None where it may everywhere."""
    if kind == "all_but_self":
        return ~np.eye(n_post, n_pre, dtype=bool)
    return None


def is_autapse(kind: str, source: str, target: str) -> bool:
    """Whether this is a population's one-to-one connection with itself."""
    return kind == "one_to_one" and source == target
