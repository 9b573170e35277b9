"""The ways of synapses: curves from compartment to compartment that leave and arrive squarely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..circuit import Circuit, Synapse
from ..network import home
from .cells import Shape
from .layout import Layout

OUTWARD = {"left": (-1, 0), "right": (1, 0), "top": (0, 1), "bottom": (0, -1)}


@dataclass(frozen=True)
class Route:
    """One synapse: a cubic curve through four control `points`, (4, 2), in units.

    members: The synapses that it stands for, where members of a family are folded.
    """

    synapse: Synapse
    direction: str
    loop: bool
    points: np.ndarray
    members: int = 1

    def at(self, t: float) -> np.ndarray:
        """The point at 0 <= t <= 1."""
        a, b, c, d = self.points
        s = 1 - t
        return s**3 * a + 3 * s * s * t * b + 3 * s * t * t * c + t**3 * d


@dataclass(frozen=True)
class _End:
    """One end of a synapse at a shape: its side, and where the other end is."""

    shape: Shape
    side: str
    other: Shape
    loop: bool

    @property
    def rank(self) -> tuple[float, float]:
        """Ends of one side stand in this order, from the bottom or from the left."""
        if self.side in ("left", "right"):
            up = 1 if self.other.y >= self.shape.y else -1
            lean = self.other.y + (9.0 * up if self.loop else 0.0)  # loops stand outermost
            return lean, abs(self.other.x - self.shape.x)
        return self.other.x, self.other.y


def routes(circuit: Circuit, layout: Layout, line: float = 0.2) -> list[Route]:
    """A route for each synapse that is to be seen; of folded families one for several.

    line: The height of a line of a caption, in units; ways pass above those of interneurons.
    """
    ends: dict[str, tuple[_End, _End]] = {}
    members: dict[str, int] = {}
    first: dict[tuple, str] = {}
    for synapse in circuit.synapses.values():
        pair = _shapes(circuit, layout, synapse)
        hidden = {synapse.source[0], synapse.target[0]} & layout.hidden.keys()
        if pair[0] is pair[1] and len(hidden) == 2:
            continue  # between members that are not shown
        key = (synapse.base, *(id(shape) for shape in pair)) if hidden else (synapse.name,)
        name = first.setdefault(key, synapse.name)
        members[name] = members.get(name, 0) + 1
        if name == synapse.name:
            loop = synapse.source[0] == synapse.target[0]
            sides = _sides(*pair, loop, _between(layout, synapse))
            ends[name] = (
                _End(pair[0], sides[0], pair[1], loop),
                _End(pair[1], sides[1], pair[0], loop),
            )
    along = _along(ends)
    found = []
    for name, (start, stop) in ends.items():
        synapse = circuit.synapses[name]
        tips = np.array([end.shape.at(end.side, along[id(end)]) for end in (start, stop)])
        curve = _curve(tips, start, stop)
        if not start.loop:
            curve = _around(curve, stop.side, _between(layout, synapse), 2 * line + 0.2)
        direction = layout.levels.direction(synapse)
        found.append(Route(synapse, direction, start.loop, curve, members[name]))
    return found


def _shapes(circuit: Circuit, layout: Layout, synapse: Synapse) -> tuple[Shape, Shape]:
    source, variable = synapse.source
    target, compartment, _ = synapse.target
    place = home(circuit.populations[source], variable)
    return layout.shape(source, place), layout.shape(target, compartment)


def _sides(start: Shape, stop: Shape, loop: bool, between: list[Shape]) -> tuple[str, str]:
    """The side where a synapse leaves, and the one where it arrives."""
    x, y = stop.x - start.x, stop.y - start.y
    facing = "bottom" if y > 0 else "top"
    if loop:
        side = "right" if x > 0.3 else "left"
        return side, facing if abs(x) > 0.3 else side
    if abs(y) > 1.6 * abs(x):
        return ("top", "bottom") if y > 0 else ("bottom", "top")
    sides = ("right", "left") if x > 0 else ("left", "right")
    if x > 0 and y > 0.5 * x:
        return sides[0], facing
    if y > 0 and any(shape.y + shape.height / 2 > stop.y for shape in between):
        return sides[0], "top"
    return sides


def _along(ends: Mapping[str, tuple[_End, _End]]) -> dict[int, float]:
    """Where each end stands on its side: evenly, in an order in which few ways cross."""
    sides: dict[tuple[int, str], list[_End]] = {}
    for pair in ends.values():
        for end in pair:
            sides.setdefault((id(end.shape), end.side), []).append(end)
    found = {}
    for several in sides.values():
        several.sort(key=lambda end: end.rank)
        for number, end in enumerate(several):
            found[id(end)] = 0.8 * ((number + 1) / (len(several) + 1) - 0.5)
    return found


def _between(layout: Layout, synapse: Synapse) -> list[Shape]:
    """The shapes of other cells that stand between the ends of a synapse."""
    ends = {layout.hidden.get(name, name) for name in (synapse.source[0], synapse.target[0])}
    places = [shape.x for name in ends for shape in layout.shapes[name].values()]
    return [
        shape
        for name, own in layout.shapes.items()
        if name not in ends
        for shape in own.values()
        if min(places) < shape.x < max(places)
    ]


def _around(points: np.ndarray, side: str, between: list[Shape], captions: float) -> np.ndarray:
    """A way that passes above other cells where it goes left, and below them where it goes right.

    y(1/2) = (y0 + 3 y1 + 3 y2 + y3) / 8 is where it has to clear them.
    """
    if not between:
        return points
    (x0, y0), _, second, (x3, y3) = points
    if x3 < x0:
        clear = max(shape.y + shape.height / 2 for shape in between) + captions
        if side == "top":
            high = max((8 * clear - y0 - y3) / 6, y3 + 0.6)
            return np.array([points[0], (x0 - 0.5, high), (x3 + 0.2, high), points[3]])
        high = max((8 * clear - y0 - 3 * second[1] - y3) / 3, y3)
        return np.array([points[0], (x0 - 1.5, high), second, points[3]])
    clear = min(shape.y - shape.height / 2 for shape in between) - 0.3
    low = min((8 * clear - y0 - 3 * second[1] - y3) / 3, y3)
    return np.array([points[0], (x0 + 0.4, low), second, points[3]])


def _curve(points: np.ndarray, start: _End, stop: _End) -> np.ndarray:
    """Control points: straight out of the one side and straight into the other."""
    (x0, y0), (x3, y3) = points
    reach = 0.45 * float(np.hypot(x3 - x0, y3 - y0)) + 0.1
    if start.loop:
        reach = 0.5 + 0.22 * abs(y3 - y0)
    leave, arrive = (np.array(OUTWARD[end.side]) * reach for end in (start, stop))
    return np.array([points[0], points[0] + leave, points[1] + arrive, points[1]])
