"""Curves of a training: each score over the epochs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .canvas import MARKED, SMALL, blank, count_on, finished, tidy

APART = ("epoch", "seconds")  # of an entry; the rest are scores


def curves(
    epochs: Sequence[Mapping[str, Any]],
    path: str | os.PathLike[str] | None = None,
    title: str = "",
) -> Any:
    """A panel for each score over the epochs; gives a matplotlib figure.

    Of several replicas each has a pale line, and their mean is bold. Without scores, the seconds
    that each epoch took.

    Args:
        epochs: An entry per epoch: `epoch`, `seconds` and scores, numbers or arrays (replica,).
        path: Where to save the picture, or None.
        title: What stands above it.

    Raises:
        ValueError: There is no epoch.
    """
    if not epochs:
        raise ValueError("no epoch is over, so there is no curve to draw")
    names = [name for name in epochs[0] if name not in APART] or ["seconds"]
    figure = blank(0.8 + 1.9 * len(names))
    if title:
        figure.suptitle(title, fontsize=SMALL + 2, x=0.01, ha="left")
    panels = list(figure.subplots(len(names), 1, squeeze=False, sharex=True)[:, 0])
    there = [entry for entry in epochs if all(name in entry for name in names)]
    for panel, name in zip(panels, names, strict=True):
        at = [entry["epoch"] for entry in there]
        values = np.array([np.atleast_1d(entry[name]) for entry in there], dtype=float)
        _curve(panel, at, values)
        panel.set_ylabel(name, fontsize=SMALL + 1)
        tidy(panel)
    panels[-1].set_xlabel("epoch", fontsize=SMALL + 1)
    count_on(panels[-1:])
    return finished(figure, path)


def _curve(panel: Any, at: Sequence[int], values: np.ndarray) -> None:
    """`values` (epoch, replica): a line each, and their mean."""
    count = values.shape[1]
    marker = "." if len(at) < MARKED else None
    if count > 1:
        panel.plot(at, values, color="0.7", linewidth=0.8)
    label = f"mean of {count} replicas" if count > 1 else None
    panel.plot(at, values.mean(axis=1), color="black", linewidth=1.5, marker=marker, label=label)
    if count > 1:
        panel.legend(fontsize=SMALL, frameon=False)
