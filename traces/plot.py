"""A first plot of traces: one panel per variable, phases shaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .atomic import replacing

if TYPE_CHECKING:
    from .traces import Traces


def plot(
    traces: Traces,
    path: str | os.PathLike[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    sample: int = 0,
    replica: int = 0,
    units: int = 10,
) -> Any:
    """One panel per variable over the rows of a presentation; gives a matplotlib figure.

    What was recorded between presentations has panels of its own below, over their number.

    Args:
        traces: What to draw.
        path: Where to save the picture (its ending says the format), or None.
        names: Which variables; default all.
        sample: Position of the sample shown.
        replica: Position of the replica shown.
        units: At most so many units of a population, evenly spaced.

    Raises:
        ImportError: matplotlib is not installed; the message says how to get it.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'apical[demo]'") from error
    chosen = list(traces if names is None else names)
    between = [name for name in chosen if name in traces.learnt]
    steps = [name for name in chosen if name not in between]
    figure = Figure(figsize=(7, 1 + 1.8 * max(1, len(chosen))), layout="constrained")
    panels = figure.subplots(max(1, len(chosen)), 1, squeeze=False)[:, 0]
    rows = np.arange(len(traces.phase))
    for panel, name in zip(panels, steps, strict=False):
        _draw(panel, name, rows, traces.arrays[name][replica, sample], units)
        _shade(panel, traces.phase)
    for panel, name in zip(panels[len(steps) :], between, strict=False):
        values = traces.learnt[name][replica].reshape(len(traces.presentation), -1)
        there = ~np.isnan(values).all(axis=1)  # each record has presentations of its own
        _draw(panel, name, traces.presentation[there], values[there], units)
    for group, label in (
        (panels[: len(steps)], "row: " + ", then ".join(dict.fromkeys(traces.phase.tolist()))),
        (panels[len(steps) : len(chosen)], "presentation"),
    ):
        for panel in group[:-1]:
            panel.sharex(group[-1])
            panel.tick_params(labelbottom=False)
        if len(group):
            group[-1].set_xlabel(label)
    if path is not None:
        with replacing(path) as draft:
            figure.savefig(draft, dpi=120)
    return figure


def _draw(panel: Any, name: str, rows: np.ndarray, values: np.ndarray, units: int) -> None:
    """The values of at most `units` units, evenly spaced, (row, unit) or (row,)."""
    if values.ndim == 2 and values.shape[1] > units:
        values = values[:, np.linspace(0, values.shape[1] - 1, units).astype(int)]
    panel.plot(rows, values, linewidth=1, marker="." if len(rows) < 40 else None)
    panel.set_title(name, loc="left", fontsize="small")


def _shade(panel: Any, phase: np.ndarray) -> None:
    """Shades every other phase."""
    starts = [0, *(np.flatnonzero(phase[1:] != phase[:-1]) + 1), len(phase)]
    for first, stop in zip(starts[1:-1:2], starts[2::2], strict=False):
        panel.axvspan(first - 0.5, stop - 0.5, color="0.93", zorder=0)
