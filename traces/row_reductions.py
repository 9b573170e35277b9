"""Reductions: what is left of recorded rows when one number per unit is asked for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .traces import Traces


def _last(array: np.ndarray) -> np.ndarray:
    """The last row in which each number was recorded."""
    there = ~np.isnan(array)
    rows = array.shape[2] - 1 - np.argmax(there[:, :, ::-1], axis=2)
    return np.take_along_axis(array, np.expand_dims(rows, 2), axis=2)[:, :, 0]


REDUCTIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "last": _last,
    "mean": lambda array: np.nanmean(array, axis=2),
    "min": lambda array: np.nanmin(array, axis=2),
    "max": lambda array: np.nanmax(array, axis=2),
    "sd": lambda array: np.nanstd(array, axis=2),
}


def reduced(traces: Traces, reduction: str) -> dict[str, np.ndarray]:
    """Each recorded variable, (replica, sample, row[, unit]), without its rows.

    What was recorded between presentations is the same for all samples.

    `last` is the last value, `mean`, `min`, `max` and `sd` run over all recorded rows alike. Rows
    in which a variable was not recorded do not count; a variable without any is NaN.

    Args:
        traces: What a run gave.
        reduction: One of `last`, `mean`, `min`, `max`, `sd`.

    Raises:
        ValueError: Another reduction.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction {reduction!r}: expected one of {', '.join(REDUCTIONS)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, of rows that are all NaN
        found = {name: REDUCTIONS[reduction](array) for name, array in traces.arrays.items()}
        samples = max(len(traces.sample), 1)
        for name, array in traces.learnt.items():
            one = REDUCTIONS[reduction](array[:, None])
            found[name] = np.broadcast_to(one, (len(one), samples, *one.shape[2:]))
        return found
