"""Where everything stands: cells in columns by level, interneurons between them, in units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..circuit import Circuit
from .cells import RISE, Shape, cell, dots, extent
from .levels import Levels, folded, levels

GAP, LOOP = 1.0, 0.55  # between columns; more of it where synapses loop back to their cell
BESIDE = 1.15  # from a cell to its interneurons, at the height of the apical dendrite
CAPTION = 0.75  # room for the lines below or above a cell


@dataclass(frozen=True)
class Layout:
    """Where the shapes are.

    shapes: Population -> compartment -> shape; of hidden members, those of the one that stands for
        them.
    captions: Population -> x, y of its caption, and whether it stands above (else below).
    hidden: Hidden population -> the one that stands for it.
    """

    levels: Levels
    shapes: Mapping[str, Mapping[str, Shape]]
    captions: Mapping[str, tuple[float, float, bool]]
    hidden: Mapping[str, str]

    def shape(self, population: str, compartment: str | None) -> Shape:
        """That of a compartment, of the soma where it is None or one of hidden members."""
        found = self.shapes[self.hidden.get(population, population)]
        return found.get(compartment or "") or next(iter(found.values()))

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top, with captions and loops."""
        left, right, bottom, top = extent(s for cell in self.shapes.values() for s in cell.values())
        lowest = min((y for _, y, over in self.captions.values() if not over), default=bottom)
        above = [y + CAPTION for _, y, over in self.captions.values() if over]
        return left, right, min(bottom, lowest - CAPTION), max([top + 0.05, *above])


def layout(circuit: Circuit, fold: bool = True) -> Layout:
    """The layout of a circuit; `fold`: whether members that are alike are folded."""
    found = levels(circuit)
    hidden = folded(circuit) if fold else {}
    own = {
        name: dots() if name in hidden.values() else cell(circuit, population)
        for name, population in circuit.populations.items()
        if hidden.get(name, name) == name
    }
    loops = {s.source[0] for s in circuit.synapses.values() if s.source[0] == s.target[0]}
    shapes: dict[str, dict[str, Shape]] = {}
    right = 0.0
    for column in _columns(found, own):
        main = [name for name in column if name not in found.beside]
        right = _stand(shapes, own, main, right + (LOOP if loops & {*main} else 0.0))
        between = [name for name in column if name in found.beside]
        if between:
            right = _stand(shapes, own, between, right - GAP + BESIDE, RISE)
    return Layout(found, shapes, _captions(shapes, found), hidden)


def _columns(found: Levels, own: Mapping[str, object]) -> list[list[str]]:
    """The populations that are shown, by level, in file order; empty levels are left out."""
    highest = max(found.level.values(), default=-1)
    columns = [[n for n in own if found.level[n] == level] for level in range(highest + 1)]
    return [column for column in columns if column]


def _stand(
    shapes: dict[str, dict[str, Shape]],
    own: Mapping[str, Mapping[str, Shape]],
    names: list[str],
    left: float,
    low: float = 0.0,
) -> float:
    """Puts cells one above the other, from `left` on; gives where the next column begins."""
    width = max((e[1] - e[0] for e in (extent(own[n].values()) for n in names)), default=0.0)
    y = low
    for number, name in enumerate(names):
        box = extent(own[name].values())
        if number:
            y += RISE * 0.6 + CAPTION - box[2]
        shapes[name] = {c: s.moved(left + width / 2, y) for c, s in own[name].items()}
        y += box[3]
    return left + width + GAP


def _captions(
    shapes: Mapping[str, Mapping[str, Shape]], found: Levels
) -> dict[str, tuple[float, float, bool]]:
    """Below the cells, of those of one row in one line; above interneurons."""
    boxes = {name: extent(own.values()) for name, own in shapes.items()}
    somas = {name: next(iter(own.values())) for name, own in shapes.items()}
    captions = {}
    for name, (_, _, bottom, top) in boxes.items():
        x, y = somas[name].x, somas[name].y
        if name in found.beside:
            captions[name] = (x, top + 0.1, True)
        else:
            row = [boxes[o][2] for o in boxes if o not in found.beside and somas[o].y == y]
            captions[name] = (x, min([bottom, *row]) - 0.1, False)
    return captions
