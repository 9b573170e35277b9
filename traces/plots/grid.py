"""The table of a sweep as a picture: what was found over the values that were tried."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .canvas import SMALL, blank, finished, shades, tidy

MOST_LINES = 12  # combinations of the other parameters


def grid(
    rows: Sequence[Mapping[str, Any]],
    tried: Sequence[str],
    path: str | os.PathLike[str] | None = None,
    title: str = "",
) -> Any:
    """A panel for each column found, over the parameter with the most values; gives a figure.

    A line for each combination of the other parameters; points are means over seeds, samples and
    units, bars their standard deviation.

    Args:
        rows: The table: a mapping of columns for each point, seed and sample.
        tried: The columns that are parameters of the grid.
        path: Where to save the picture, or None.
        title: What stands above it.

    Raises:
        ValueError: The table is empty, or more combinations than lines can be told apart.
    """
    apart = {*tried, "seed", "sample"}
    found = [name for name in (rows[0] if rows else ()) if name not in apart]
    if not found:
        raise ValueError("the table has no results to draw")
    values = {name: list(dict.fromkeys(_said(row[name]) for row in rows)) for name in tried}
    over = max(tried, key=lambda name: len(values[name]))
    others = [name for name in tried if name != over and len(values[name]) > 1]
    lines = list(dict.fromkeys(tuple(_said(row[name]) for name in others) for row in rows))
    if len(lines) > MOST_LINES:
        raise ValueError(
            f"the picture would have {len(lines)} lines, one for each value of "
            f"{', '.join(others)}: try at most {MOST_LINES}, or write the table"
        )
    figure = blank(0.8 + 2.1 * len(found))
    if title:
        figure.suptitle(title, fontsize=SMALL + 2, x=0.01, ha="left")
    panels = list(figure.subplots(len(found), 1, squeeze=False, sharex=True)[:, 0])
    for panel, name in zip(panels, found, strict=True):
        for line, colour in zip(lines, shades(len(lines)), strict=True):
            own = [row for row in rows if tuple(_said(row[other]) for other in others) == line]
            label = ", ".join(f"{n} {v}" for n, v in zip(others, line, strict=True))
            _line(panel, own, over, values[over], name, {"color": colour, "label": label or None})
        panel.set_ylabel(name, fontsize=SMALL + 1)
        tidy(panel)
    if others:
        panels[0].legend(fontsize=SMALL, frameon=False)
    panels[-1].set_xlabel(over, fontsize=SMALL + 1)
    return finished(figure, path)


def _line(
    panel: Any, rows: list[Any], over: str, order: list[str], name: str, style: dict[str, Any]
) -> None:
    """Mean and standard deviation of one column, at each value of one parameter."""
    at: dict[str, list[float]] = {}
    for row in rows:
        at.setdefault(_said(row[over]), []).extend(np.ravel(row[name]).tolist())
    numbers = all(isinstance(row[over], int | float) for row in rows)
    places = [float(text) if numbers else order.index(text) for text in at]
    means = [float(np.mean(held)) for held in at.values()]
    sd = [float(np.std(held, ddof=1)) if len(held) > 1 else 0.0 for held in at.values()]
    bars = sd if any(sd) else None
    panel.errorbar(places, means, yerr=bars, marker=".", linewidth=1.2, capsize=2, **style)
    if not numbers:
        panel.set_xticks(range(len(order)), order)
    elif min(places) > 0 and max(places) >= 20 * min(places):
        panel.set_xscale("log")


def _said(value: Any) -> str:
    return str(value)
