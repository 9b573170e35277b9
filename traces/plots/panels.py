"""The panels of a picture of traces: lines, a heat map, a raster, an energy, weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .canvas import BOTH_SIGNS, COLOURS, MARKED, SMALL, count_on, shades, tidy
from .times import Times, recorded

COLUMNS = 4000  # a heat map has at most so many, evenly spaced
POINTS = 20_000  # a line of more is stored as pixels in files of shapes


def lines(panel: Any, name: str, at: np.ndarray, values: np.ndarray, units: int) -> None:
    """A line for each unit of `values` (row[, unit]), at most `units` of them, evenly spaced."""
    rows = recorded(values)
    values = values[rows].reshape(len(rows), -1)
    count = values.shape[1]
    shown = np.arange(count)
    if count > units:
        shown = np.linspace(0, count - 1, units).round().astype(int)
    marker = "." if len(rows) < MARKED else None
    style: dict[str, Any] = {"linewidth": 1.1, "marker": marker, "rasterized": len(rows) > POINTS}
    for unit, colour in zip(shown, shades(len(shown)), strict=True):
        panel.plot(at[rows], values[:, unit], color=colour, label=str(unit), **style)
    panel.set_ylabel(name, fontsize=SMALL + 1)
    if count > 1:
        title = "unit" if count == len(shown) else f"{len(shown)} of\n{count} units"
        _legend(panel, title, len(shown))


def _legend(panel: Any, title: str, entries: int) -> None:
    panel.legend(
        title=title,
        title_fontsize=SMALL,
        fontsize=SMALL - 1,
        frameon=False,
        ncols=1 + (entries > 6),
        loc="upper left",
        bbox_to_anchor=(1.0, 1.05),
        borderaxespad=0.3,
        handlelength=1.2,
        columnspacing=0.8,
        labelspacing=0.25,
    )


def heatmap(panel: Any, name: str, times: Times, values: np.ndarray, units: str = "unit") -> None:
    """Colours over time and unit, of `values` (row, unit); a column for each row recorded."""
    rows = recorded(values)
    rows = rows[:: -(-len(rows) // COLUMNS)]
    edges = np.arange(values.shape[1] + 1) - 0.5
    colours, mesh = _colours(values[rows]), None
    for own, columns in times.parts(rows):
        mesh = panel.pcolormesh(columns, edges, values[own].T, rasterized=True, **colours)
    panel.set_ylabel(units, fontsize=SMALL + 1)
    count_on([panel], "y")
    if mesh is not None:
        bar(panel, mesh, name)


def learnt_heatmap(panel: Any, name: str, at: np.ndarray, values: np.ndarray) -> None:
    """Colours over presentations and unit or connection, of `values` (presentation, number)."""
    middles = (at[1:] + at[:-1]) / 2
    columns = np.concatenate([[at[0]], middles, [at[-1] if len(at) > 1 else at[0] + 1]])
    edges = np.arange(values.shape[1] + 1) - 0.5
    mesh = panel.pcolormesh(columns, edges, values.T, rasterized=True, **_colours(values))
    bar(panel, mesh, name)


def raster(panel: Any, name: str, at: np.ndarray, values: np.ndarray) -> None:
    """A tick for each unit and row where `values` (row, unit) is neither 0 nor missing."""
    events = np.nan_to_num(values) != 0
    ticks = [at[rows] for rows in events.T]
    few = events.shape[1] <= 100
    panel.eventplot(ticks, colors="black", linelengths=0.8, linewidths=0.9 if few else 0.5)
    panel.set_ylim(-0.5, max(events.shape[1], 1) - 0.5)
    panel.set_ylabel(f"{name}\nunit", fontsize=SMALL + 1)


def energy(panel: Any, name: str, at: np.ndarray, values: np.ndarray) -> None:
    """`values` (sample, row): each sample pale, their mean bold. `at`: (sample, row)."""
    rows = recorded(values.T)
    for sample in range(len(values) if len(values) > 1 else 0):
        panel.plot(at[sample, rows], values[sample, rows], color="0.75", linewidth=0.6)
    label = f"mean of {len(values)} samples"
    mean = values[:, rows].mean(axis=0)
    panel.plot(at[:, rows].mean(axis=0), mean, color="black", linewidth=1.6, label=label)
    panel.set_ylabel(name, fontsize=SMALL + 1)
    if len(values) > 1:
        panel.legend(fontsize=SMALL, frameon=False)


def weights(
    panels: Sequence[Any], name: str, said: Sequence[str], matrices: Sequence[np.ndarray]
) -> None:
    """Matrices (post, pre) side by side, in one scale of colours."""
    colours, image = _colours(np.stack(matrices)), None
    for panel, text, matrix in zip(panels, said, matrices, strict=True):
        image = panel.imshow(matrix, aspect="auto", interpolation="nearest", **colours)
        panel.set_title(text, fontsize=SMALL, loc="left")
        panel.set_xlabel("presynaptic unit", fontsize=SMALL + 1)
        panel.tick_params(labelsize=SMALL)
    count_on(panels, "both")
    panels[0].set_ylabel("postsynaptic unit", fontsize=SMALL + 1)
    bar(panels[-1], image, name)


def bar(panel: Any, mesh: Any, name: str) -> None:
    """The scale of the colours, named by the variable."""
    beside = panel.figure.colorbar(mesh, ax=panel, pad=0.01, fraction=0.05)
    beside.set_label(name, fontsize=SMALL + 1)
    beside.ax.tick_params(labelsize=SMALL)
    beside.outline.set_visible(False)


def _colours(values: np.ndarray) -> dict[str, Any]:
    """Red and blue around 0 where there are both signs; else from the smallest to the largest."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if low < 0 < high:
        high = max(-low, high)
        return {"cmap": BOTH_SIGNS, "vmin": -high, "vmax": high}
    return {"cmap": COLOURS, "vmin": low, "vmax": high}


def name_phases(panel: Any, times: Times) -> None:
    """Every other phase shaded, and above the panel the name of each where it begins."""
    begin, end = times.at[0], times.at[-1]
    room = panel.figure.get_figwidth() * 0.75 * 72  # points, about
    ends: list[float] = []  # of the last name in each row of names
    named: dict[float, list[str]] = {}
    for number, span in enumerate(times.spans):
        named.setdefault(span.begin, []).append(span.phase)
        if number % 2:
            panel.axvspan(span.begin, span.end, color="0.94", zorder=0, linewidth=0)
        if number:
            panel.axvline(span.begin, color="0.5", linewidth=0.7, linestyle="--", zorder=3)
    for at, phases in named.items():
        text = " \N{RIGHTWARDS ARROW} ".join(phases)  # those before the last take no time
        left = (at - begin) / max(end - begin, 1e-300) * room
        row = next((r for r, last in enumerate(ends) if last <= left), len(ends))
        ends[row : row + 1] = [left + len(text) * SMALL * 0.55 + 6]
        panel.annotate(
            text,
            (at, 1.0),
            (2, 2 + row * (SMALL + 1)),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            fontsize=SMALL,
            color="0.35",
        )


def over_time(panels: Sequence[Any], times: Times) -> None:
    """The panels share the axis of time; the lowest one says what it is."""
    for panel in panels:
        panel.set_xlim(times.at[0], max(times.at[-1], times.at[0] + 1e-12))
        name_phases(panel, times)
    share(panels, times.label)


def share(panels: Sequence[Any], label: str) -> None:
    """One horizontal axis for all; its label stands below the last panel."""
    for panel in panels:
        tidy(panel)
    for panel in panels[:-1]:
        panel.sharex(panels[-1])
        panel.tick_params(labelbottom=False)
    if panels:
        panels[-1].set_xlabel(label, fontsize=SMALL + 1)
