"""The paper that all pictures are drawn on: an empty figure, and how it becomes a file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ..atomic import replacing

WIDTH = 7.0  # inches
SMALL = 8.0  # points of everything that is written beside a panel
MARKED = 40  # a line of so few points shows them
COLOURS = "viridis"  # what is only positive, and lines in an order
BOTH_SIGNS = "RdBu_r"  # what is positive and negative, white at 0


def blank(height: float, width: float = WIDTH) -> Any:
    """An empty matplotlib figure, in inches.

    Raises:
        ImportError: matplotlib is not installed; the message says how to get it.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'apical[demo]'") from error
    return Figure(figsize=(width, height), layout="constrained")


def finished(figure: Any, path: str | os.PathLike[str] | None) -> Any:
    """The figure, written to `path` (its ending says the format) unless that is None."""
    if path is not None:
        with replacing(path) as draft:
            figure.savefig(draft, dpi=150)
    return figure


def tidy(panel: Any) -> None:
    """Small numbers, and no frame above and to the right."""
    panel.tick_params(labelsize=SMALL)
    panel.spines[["top", "right"]].set_visible(False)


def count_on(panels: Iterable[Any], axis: str = "x") -> None:
    """Whole numbers along the horizontal axis, or both."""
    for panel in panels:
        panel.locator_params(axis=axis, integer=True)


def shades(count: int) -> list[Any]:
    """`count` colours in an order that also shows in grey, none too pale; one alone is black."""
    from matplotlib import colormaps

    if count == 1:
        return ["black"]
    return [colormaps[COLOURS](0.88 * i / max(count - 1, 1)) for i in range(count)]
