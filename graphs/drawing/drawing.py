"""A picture of a circuit: cells, synapses, legend, and below or beside them a protocol."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..circuit import Circuit
from ..network import home
from ..reports.audit import audit
from ..reports.latex import symbol
from ..wording import meant
from .cells import Shape
from .labels import Box, caption, places, shown, synapse_label
from .layout import layout
from .levels import FEEDBACK, FEEDFORWARD, LATERAL
from .pen import INK, Pen
from .routes import Route, routes
from .timeline import AT_END, DURING, Timeline, timeline

WIDTH = 7.0  # inches: two columns of a journal; 3.4 is one
LARGEST = 0.62  # inches of a unit of the drawing
MARGIN, ROW = 0.08, 0.17  # inches: around all; of a row of the timeline
BESIDE = 2.6  # the least width of a timeline beside the cells
CHARACTER = 0.56  # of the size of the letters, about


def draw(
    circuit: Circuit,
    path: str | os.PathLike[str] | None = None,
    *,
    width: float = WIDTH,
    protocol: str | None = None,
    fold: bool = True,
) -> Any:
    """A picture of the circuit; gives a matplotlib figure.

    Args:
        circuit: What to draw.
        path: Where to save the picture (.svg, .pdf, .png), or None.
        width: In inches; 7 is two columns of a journal, 3.4 one.
        protocol: Which protocol stands beside it; None: `train`, else the first; "" none.
        fold: Whether of more than three members of a family that are alike the middle ones are
            drawn as dots.

    Raises:
        ImportError: matplotlib is not installed; the message says how to get it.
        ValueError: No such protocol.
    """
    known = circuit.protocols
    if protocol is None:
        protocol = "train" if "train" in known else next(iter(known), "")
    if protocol and protocol not in known:
        raise ValueError(f"no protocol {protocol!r}{meant(protocol, known)}")
    try:
        import matplotlib as _  # noqa: F401
    except ImportError as error:
        raise ImportError("drawing needs matplotlib: pip install 'apical[demo]'") from error
    told = timeline(circuit, protocol) if protocol else None
    figure = _Picture(circuit, width, told, fold).figure
    if path is not None:
        kept = io.BytesIO()  # a picture that cannot be made leaves no file behind
        figure.savefig(kept, format=Path(path).suffix.lstrip(".") or "png", dpi=300)
        Path(path).write_bytes(kept.getvalue())
    return figure


class _Picture:
    """The parts of a picture, and how large each is, in inches."""

    def __init__(self, circuit: Circuit, width: float, told: Timeline | None, fold: bool):
        self.circuit, self.width, self.told = circuit, width, told
        self.font = 7.5 if width > 5 else 6.5
        self.layout = layout(circuit, fold)
        left, right, _, _ = self.layout.extent
        roughly = min(LARGEST, (width - 2 * MARGIN) / (right - left + 0.6))
        self.routes = routes(circuit, self.layout, self.font * 1.15 / 72 / roughly)
        self.box = self._extent()
        units = self.box[1] - self.box[0]
        self.scale = min(LARGEST, (width - 2 * MARGIN) / units)
        tall = (self.box[3] - self.box[2]) * self.scale
        legend = _Legend(self.routes, self._transported(), self.font, width - 2 * MARGIN)
        rows = 0.0 if told is None else (2.6 + len(told.rows)) * ROW + 0.12
        beside = width - 5 * MARGIN - units * self.scale
        self.beside = told is not None and beside >= BESIDE
        below = 0.0 if self.beside else rows
        high = max(tall, rows) if self.beside else tall
        height = high + legend.height + below + 2 * MARGIN
        self.pen = Pen(width, height, self.font)
        self.origin = (
            MARGIN if self.beside else (width - units * self.scale) / 2,
            height - MARGIN - tall - (high - tall) / 2,
        )
        self.captioned: list[Box] = []
        self._cells()
        self._synapses()
        floor = height - MARGIN - high
        legend.draw(self.pen, MARGIN, floor)
        if told is not None and self.beside:
            left = 4 * MARGIN + units * self.scale
            middle = floor + (high + rows) / 2
            self._timeline(told, left, middle, width - MARGIN - left)
        elif told is not None:
            self._timeline(told, MARGIN, floor - legend.height, width - 2 * MARGIN)

    @property
    def figure(self) -> Any:
        return self.pen.figure

    def _extent(self) -> Box:
        """In units: shapes, captions and ways."""
        left, right, bottom, top = self.layout.extent
        for route in self.routes:
            along = np.array([route.at(t) for t in np.linspace(0, 1, 17)])
            left, right = min(left, along[:, 0].min()), max(right, along[:, 0].max())
            bottom, top = min(bottom, along[:, 1].min()), max(top, along[:, 1].max())
            if route.loop:
                wide = self._inches(synapse_label(route.synapse)) / LARGEST / 2
                left = min(left, along[8, 0] - wide)
        for name, (x, _, _) in self.layout.captions.items():
            half = max(map(self._inches, self._caption(name))) / LARGEST / 2 + 0.05
            left, right = min(left, x - half), max(right, x + half)
        return left, right, bottom, top

    def _inches(self, text: str) -> float:
        return len(shown(text)) * CHARACTER * self.font / 72

    def _place(self, x: float, y: float) -> tuple[float, float]:
        """Units as inches of the page."""
        return (
            self.origin[0] + (x - self.box[0]) * self.scale,
            self.origin[1] + (y - self.box[2]) * self.scale,
        )

    def _scaled(self, shape: Shape) -> Shape:
        x, y = self._place(shape.x, shape.y)
        size = {"width": shape.width * self.scale, "height": shape.height * self.scale}
        return replace(shape, x=x, y=y, **size)

    # --- cells ------------------------------------------------------------------------------------

    def _cells(self) -> None:
        for name, own in self.layout.shapes.items():
            scaled = {compartment: self._scaled(shape) for compartment, shape in own.items()}
            for compartment, shape in scaled.items():
                if shape.trunk in scaled:
                    self.pen.trunk(shape, scaled[shape.trunk])
                text = shape.text or self._sent(name, compartment)
                self.pen.shape(shape, text, f"{name}.{compartment}".rstrip("."))
            self._write_caption(name)

    def _sent(self, name: str, compartment: str) -> str:
        """The variables that synapses carry away from a compartment."""
        population = self.circuit.populations[name]
        found = {
            synapse.source[1]: None
            for synapse in self.circuit.synapses.values()
            if synapse.source[0] == name and home(population, synapse.source[1]) == compartment
        }
        return "$" + ", ".join(map(symbol, found)) + "$" if found else ""

    def _caption(self, name: str) -> list[str]:
        hidden = [one for one, stands in self.layout.hidden.items() if stands == name]
        return caption(self.circuit, name, hidden)

    def _write_caption(self, name: str) -> None:
        x, y, above = self.layout.captions[name]
        lines = self._caption(name)
        step = self.font * 1.15 / 72
        left, top = self._place(x, y)
        top += step * (len(lines) - 0.5) if above else -step / 2
        half = max(map(self._inches, lines)) / 2
        lowest = top - step * (len(lines) - 0.5)
        self.captioned.append((left - half, left + half, lowest, top + step / 2))
        for number, line in enumerate(lines):
            weight = "bold" if number == 0 and len(lines) > 1 else "normal"
            style = "italic" if number > 1 else "normal"
            at = top - step * number
            self.pen.write(left, at, line, 1.0 if number == 0 else 0.9, weight=weight, style=style)

    # --- synapses ---------------------------------------------------------------------------------

    def _transported(self) -> set[str]:
        verdicts = audit(self.circuit).verdicts
        return {name for name, verdict in verdicts.items() if verdict == "transport"}

    def _synapses(self) -> None:
        inches = [
            replace(
                route, points=np.array([self._place(float(x), float(y)) for x, y in route.points])
            )
            for route in self.routes
        ]
        texts = [synapse_label(route.synapse) for route in self.routes]
        widths = [self._inches(text) + 0.03 for text in texts]
        taken = [
            (s.x - s.width / 2, s.x + s.width / 2, s.y - s.height / 2, s.y + s.height / 2)
            for own in self.layout.shapes.values()
            for s in map(self._scaled, own.values())
        ]
        taken += self.captioned
        transported = self._transported()
        height = self.font * 1.2 / 72
        for route, text, spot in zip(
            inches, texts, places(inches, widths, height, taken), strict=True
        ):
            name = route.synapse.name
            self.pen.curve(route.points, route.direction, f"synapse {name}", **_marks(route))
            if name in transported:
                x, y = route.at(0.14)
                self.pen.mark(float(x), float(y), "T", f"transport {name}")
            behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
            self.pen.write(spot[0], spot[1], text, zorder=4.5, bbox=behind, gid=f"label {name}")

    # --- timeline ---------------------------------------------------------------------------------

    def _timeline(self, told: Timeline, left: float, top: float, width: float) -> None:
        pen, names = self.pen, [row.name for row in told.rows]
        label = max([self._inches(f"learn {name}") for name in names] + [0.5]) + 0.08
        weights = [0.6 if length == "a moment" else 1.0 for _, length in told.phases]
        edges = left + label + np.cumsum([0, *weights]) / sum(weights) * (width - label)
        y = top - ROW * 0.7
        pen.write(left, y, told.name, ha="left", weight="bold")
        for number, (phase, length) in enumerate(told.phases):
            middle = (edges[number] + edges[number + 1]) / 2
            pen.write(middle, y, phase, weight="bold", gid=f"phase {phase}")
            pen.write(middle, y - ROW * 0.85, length, 0.9, color="0.3")
        y -= ROW * 1.45
        floor = y - ROW * len(told.rows)
        for edge in edges:
            pen.panel.plot([edge, edge], [floor, top - 0.02], color="0.7", linewidth=0.6, zorder=1)
        pen.panel.plot([edges[0], edges[-1]], [y, y], color=INK, linewidth=0.8, zorder=1)
        for row in told.rows:
            y -= ROW
            pen.write(left, y + ROW / 2, f"{row.kind} {row.name}", 0.9, ha="left")
            for number, said in row.cells.items():
                self._bar(row.name, said, edges[number], edges[number + 1], y)

    def _bar(self, name: str, said: str, begin: float, end: float, y: float) -> None:
        pen, gid = self.pen, f"timeline {name}"
        if said == AT_END:
            size = ROW * 0.32
            pen.write(end - 2.4 * size, y + ROW / 2, "at end", 0.8, ha="right", color="0.3")
            pen.panel.plot(
                [end - size], [y + ROW / 2], marker="<", markersize=5, color=INK, gid=gid, zorder=3
            )
            return
        during = said == DURING
        style: dict[str, Any] = {"facecolor": "0.35"} if during else {}
        pen.bar(begin, y + ROW * 0.14, end - begin, ROW * 0.72, gid=gid, **style)
        room = int((end - begin) / (CHARACTER * 0.9 * self.font / 72))
        if not during:
            short = (
                said if len(said) <= room else said[: max(room - 1, 1)] + "\N{HORIZONTAL ELLIPSIS}"
            )
            pen.write((begin + end) / 2, y + ROW / 2, short, 0.85, zorder=3)


def _marks(route: Route) -> dict[str, bool]:
    """What line and head of a synapse show."""
    synapse = route.synapse
    return {
        "plastic": bool(synapse.rule),
        "negative": synapse.sign == "negative",
        "single": synapse.connection.elementwise,
    }


@dataclass(frozen=True)
class _Entry:
    """One word of the legend: a line with its `marks`, or a `letter`."""

    text: str
    direction: str = FEEDFORWARD
    marks: Mapping[str, bool] = field(default_factory=dict)
    letter: str = ""

    @property
    def line(self) -> float:
        return 0.14 if self.letter else 0.32


class _Legend:
    """What the lines and heads mean, of those that the picture has; in rows of a width."""

    def __init__(self, found: Sequence[Route], transported: set[str], font: float, width: float):
        there = {route.direction for route in found}
        order = (FEEDFORWARD, FEEDBACK, LATERAL)
        self.entries = [_Entry(one, one) for one in order if one in there]
        for text, mark, value in (
            ("plastic", "plastic", True),
            ("fixed", "plastic", False),
            ("negative", "negative", True),
            ("one to one", "single", True),
        ):
            if any(_marks(route)[mark] == value for route in found):
                self.entries.append(_Entry(text, marks={mark: value}))
        if transported & {route.synapse.name for route in found}:
            self.entries.append(_Entry("weight transport", letter="T"))
        self.font, self.width, self.gap = font, width, 0.14
        self.rows: list[list[_Entry]] = [[]]
        for entry in self.entries:
            if sum(map(self._wide, [*self.rows[-1], entry])) > width and self.rows[-1]:
                self.rows.append([])
            self.rows[-1].append(entry)

    @property
    def height(self) -> float:
        return len(self.rows) * self.font * 1.6 / 72 + 0.06 if self.entries else 0.0

    def _wide(self, entry: _Entry) -> float:
        return entry.line + 0.05 + len(entry.text) * 0.5 * self.font / 72 + self.gap

    def draw(self, pen: Pen, left: float, top: float) -> None:
        """In rows from `top` down."""
        for row, entries in enumerate(self.rows):
            y = top - 0.04 - (row + 0.5) * self.font * 1.6 / 72
            x = left + (self.width - sum(map(self._wide, entries)) + self.gap) / 2
            for entry in entries:
                if entry.letter:
                    pen.mark(x + entry.line / 2, y, entry.letter, "legend")
                else:
                    points = np.array([(x + f * entry.line, y) for f in (0, 1 / 3, 2 / 3, 1)])
                    pen.curve(points, entry.direction, f"legend {entry.text}", **entry.marks)
                pen.write(x + entry.line + 0.05, y, entry.text, 0.9, ha="left")
                x += self._wide(entry)
