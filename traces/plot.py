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
    chosen = list(traces.arrays if names is None else names)
    figure = Figure(figsize=(7, 1 + 1.8 * max(1, len(chosen))), layout="constrained")
    panels = figure.subplots(max(1, len(chosen)), 1, sharex=True, squeeze=False)[:, 0]
    rows = np.arange(len(traces.phase))
    for panel, name in zip(panels, chosen, strict=False):
        values = traces.arrays[name][replica, sample]
        if values.ndim == 2 and values.shape[1] > units:
            values = values[:, np.linspace(0, values.shape[1] - 1, units).astype(int)]
        panel.plot(rows, values, linewidth=1, marker="." if len(rows) < 40 else None)
        panel.set_title(name, loc="left", fontsize="small")
        _shade(panel, traces.phase)
    panels[-1].set_xlabel("row: " + ", then ".join(dict.fromkeys(traces.phase.tolist())))
    if path is not None:
        with replacing(path) as draft:
            figure.savefig(draft, dpi=120)
    return figure


def _shade(panel: Any, phase: np.ndarray) -> None:
    """Shades every other phase."""
    starts = [0, *(np.flatnonzero(phase[1:] != phase[:-1]) + 1), len(phase)]
    for first, stop in zip(starts[1:-1:2], starts[2::2], strict=False):
        panel.axvspan(first - 0.5, stop - 0.5, color="0.93", zorder=0)
