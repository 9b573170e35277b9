"""Reductions of arrays: over units, and over the connections of a postsynaptic cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...graphs.instructions import PairwiseSum, RowReduce

REDUCE: dict[str, Callable[..., Any]] = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "norm": lambda x, axis, keepdims=False: np.sqrt(
        np.sum(np.square(x), axis=axis, keepdims=keepdims)
    ),
}


def of_connections(
    values: np.ndarray, how: PairwiseSum | RowReduce, only: np.ndarray | None
) -> np.ndarray:
    """Values (..., post, pre), of connections that are not there what the reduction passes over."""
    nothing = -np.inf if how.op == "max" else 0
    if how.off_diagonal:
        values = np.where(np.eye(values.shape[-1], dtype=bool), nothing, values)
    return values if only is None else np.where(only != 0, values, nothing)
