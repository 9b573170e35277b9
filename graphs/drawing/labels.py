"""What is written in a drawing: names of synapses as formulas, captions of populations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import product

from ..circuit import Circuit, Synapse
from ..expressions.tree import Stream, walk
from ..reports.latex import symbol, weight
from .routes import Route

Box = tuple[float, float, float, float]  # left, right, bottom, top
PLACES = (0.5, 0.4, 0.6, 0.32, 0.68, 0.25, 0.75)
ASIDE = (0.0, 0.95, -0.95)  # of its height: on the way, above it, below it


def synapse_label(synapse: Synapse) -> str:
    """The weight as a formula; a plain name where that cannot be set or is long."""
    live = synapse.weight is not None
    written = weight(synapse) if live else symbol(synapse.name)
    written = re.sub(r"\\,\[|\[", r"\\,", written).replace("]", "").replace(r"_{\,", "_{")
    written = written.replace(r"\top", r"\mathrm{T}")
    return f"${written}$" if _is_formula(f"${written}$") else synapse.name


@cache
def _is_formula(text: str) -> bool:
    """Whether matplotlib can set it; a long one is no label."""
    from matplotlib.mathtext import MathTextParser

    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return False
    return len(shown(text)) <= 12


def shown(text: str) -> str:
    """What is left of a formula when its marks are taken away; for its width."""
    bare = re.sub(r"\\mathrm|\\,|[${}_^]", "", text)
    return re.sub(r"\\[a-z]+", "T", bare)


def caption(circuit: Circuit, name: str, hidden: Sequence[str]) -> list[str]:
    """Name, units, and the streams that its equations read."""
    if hidden:
        return [f"{len(hidden)} more"]
    population = circuit.populations[name]
    streams = {
        node.name: None
        for one in population.equations
        for node in walk(one.right)
        if isinstance(node, Stream)
    }
    units = "1 unit" if population.size == 1 else f"{population.size} units"
    lines = [name, units]
    if streams:
        lines.append(f"reads {', '.join(streams)}")
    return lines


def places(
    found: Sequence[Route], widths: Sequence[float], height: float, taken: Iterable[Box]
) -> list[tuple[float, float]]:
    """Where the label of each route stands: on it, where it covers least of what else there is."""
    boxes = list(taken)
    curves = [[tuple(route.at(k / 24)) for k in range(2, 23)] for route in found]
    chosen = []
    for number, (route, width) in enumerate(zip(found, widths, strict=True)):
        best: tuple[float, Box] | None = None
        for place, aside in product(PLACES, ASIDE):
            x, y = route.at(place) + (0.0, aside * height)
            box = (x - width / 2, x + width / 2, y - height / 2, y + height / 2)
            cost = sum(3 * _shared(box, other) for other in boxes) / (width * height)
            cost += 0.1 * sum(
                _inside(point, box)
                for other, curve in enumerate(curves)
                if other != number
                for point in curve
            )
            cost += abs(place - 0.5) + 0.3 * (aside != 0)
            if best is None or cost < best[0]:
                best = cost, box
        assert best is not None
        boxes.append(best[1])
        chosen.append(((best[1][0] + best[1][1]) / 2, (best[1][2] + best[1][3]) / 2))
    return chosen


def _shared(a: Box, b: Box) -> float:
    """The area that two boxes share."""
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[2], b[2]))


def _inside(point: tuple[float, ...], box: Box) -> bool:
    return box[0] <= point[0] <= box[1] and box[2] <= point[1] <= box[3]
