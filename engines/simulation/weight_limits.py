"""Limits of weights: whether a start, or weights that are given, lie where they have to stay."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...compartments.signs import SIGNS
from ...graphs.circuit import Synapse
from ...graphs.expressions.constants import Value, evaluate
from ...graphs.expressions.text import text

ROUNDING = 1e-6  # of weights that were kept in float32, relative to their limit


def limits(synapse: Synapse, values: Mapping[str, Value]) -> tuple[float, float]:
    """The smallest and the largest weight, with these values of parameters; infinite if free."""
    low, high = synapse.limits
    first = -np.inf if low is None else evaluate(low, values.__getitem__)
    last = np.inf if high is None else evaluate(high, values.__getitem__)
    assert isinstance(first, float) and isinstance(last, float)
    return first, last


def check_limits(
    synapse: Synapse,
    weights: np.ndarray,
    exist: np.ndarray | None,
    values: Mapping[str, Value],
) -> None:
    """Whether weights (post, pre) lie within the limits, where they exist; the bias is free.

    Raises:
        ValueError: Some do not: how many of them, the worst, and what to write.
    """
    low, high = limits(synapse, values)
    if low == -np.inf and high == np.inf:
        return
    kept = weights[..., :-1] if synapse.bias and weights.ndim == 2 else weights
    found = kept.reshape(-1) if exist is None else kept[exist[..., : kept.shape[-1]]]
    near = ROUNDING * np.array([abs(low), abs(high)], np.float64)
    near[~np.isfinite(near)] = 0
    beyond = np.maximum(low - near[0] - found, found - high - near[1])
    count = int((beyond > 0).sum())
    if not count:
        return
    worst = found[int(np.argmax(beyond))]
    said = f"`sign: {synapse.sign}`" if synapse.sign else f"`bounds: [{low:g}, {high:g}]`"
    start = text(synapse.init) if synapse.init is not None else "W"
    mended = f"clip({start}, {low:g}, {high:g})"
    if synapse.sign:
        mended = SIGNS[synapse.sign].mended.format(start)
    raise ValueError(
        f"{synapse.name}: {count} of {found.size} weights are not within {said}, such as "
        f"{worst:.6g}; start within, as `init: {mended}`"
    )
