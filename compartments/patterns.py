"""Patterns: which sources a target has, where chance decides it, at the cost of what is found.

Numbers are asked for by (number of the draw, target), so that the sources of a target depend on
nothing but the seed, the synapse and the target.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Uniform = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (draw, target) -> in [0, 1)
Pairs = tuple[np.ndarray, np.ndarray]  # targets and sources, sorted by both


def each_with_probability(p: float, targets: np.ndarray, n_pre: int, uniform: Uniform) -> Pairs:
    """Every source with probability p: from one to the next there is a geometric gap.

    gap = floor(log(1 - u) / log(1 - p)) sources are passed over
    """
    if p == 0:
        return targets[:0], targets[:0]
    drawn = int(n_pre * p + 6 * np.sqrt(n_pre * p * (1 - p))) + 8
    with np.errstate(divide="ignore"):
        scale = 1 / np.log1p(-np.float64(p))
    while True:
        gaps = np.floor(np.log1p(-uniform(np.arange(drawn)[None, :], targets[:, None])) * scale)
        at = np.cumsum(gaps + 1, axis=1) - 1
        if (at[:, -1] >= n_pre).all():
            row, column = np.nonzero(at < n_pre)
            return targets[row], at[row, column].astype(np.int64)
        drawn *= 2


def so_many(k: float, targets: np.ndarray, n_pre: int, uniform: Uniform) -> Pairs:
    """k different sources, each set as likely as any other.

    Sources floor(u n_pre) are drawn, and those that have come before passed over; of more than half
    of them those that are left out are drawn.
    """
    k = int(k)
    few = min(k, n_pre - k)
    drawn = few + few // 2 + 8
    while True:
        u = uniform(np.arange(drawn)[None, :], targets[:, None])
        found = np.minimum((u * n_pre).astype(np.int64), n_pre - 1)
        order = np.argsort(found, axis=1, kind="stable")
        alike = np.diff(np.take_along_axis(found, order, 1), axis=1, prepend=-1) == 0
        new = np.empty(found.shape, dtype=bool)
        np.put_along_axis(new, order, ~alike, 1)
        count = np.cumsum(new, axis=1)
        if (count[:, -1] >= few).all():
            break
        drawn *= 2
    sources = np.sort(found[new & (count <= few)].reshape(len(targets), few), axis=1)
    if few < k:
        rest = np.ones((len(targets), n_pre), dtype=bool)
        np.put_along_axis(rest, sources, False, 1)
        sources = np.nonzero(rest)[1].reshape(len(targets), k)
    return np.repeat(targets, k), sources.reshape(-1)
