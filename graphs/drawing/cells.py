"""Cells as shapes: where the compartments of one cell stand, around the soma at (0, 0).

Lengths are units of the drawing; a dendrite is a box, the soma of a cell with an apical or basal
dendrite a triangle, that of another cell a circle.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ...compartments.roles import role_of
from ..circuit import Circuit, Population
from ..network import node_name

SOMA, BOX_WIDTH, BOX_HEIGHT = 0.62, 0.92, 0.34
RISE, SPREAD = 0.9, 1.02  # from a compartment to the next one, upward and sideways
TRIANGLE, CIRCLE, BOX, DOTS = "triangle", "circle", "box", "dots"


@dataclass(frozen=True)
class Shape:
    """One compartment: its middle, width, height, form; the text in it; what it joins (`trunk`)."""

    x: float
    y: float
    width: float
    height: float
    form: str
    role: str
    text: str = ""
    trunk: str = ""  # the compartment nearer to the soma

    def moved(self, x: float, y: float) -> Shape:
        """The same somewhere else."""
        return replace(self, x=self.x + x, y=self.y + y)

    def at(self, side: str, along: float = 0.0) -> tuple[float, float]:
        """A point on a side (left, right, top, bottom), `along` it from -0.5 to 0.5."""
        half, tall = self.width / 2, self.height / 2
        if side in ("left", "right"):
            sign = -1 if side == "left" else 1
            if self.form == TRIANGLE:  # its sides lean inward
                return self.x + sign * half * (0.5 - along), self.y + along * self.height
            if self.form == CIRCLE:
                lean = (1 - (2 * along) ** 2) ** 0.5
                return self.x + sign * half * lean, self.y + along * self.height
            return self.x + sign * half, self.y + along * self.height
        sign = 1 if side == "top" else -1
        if self.form == TRIANGLE and side == "top":
            return self.x, self.y + tall
        lean = (1 - (2 * along) ** 2) ** 0.5 if self.form == CIRCLE else 1.0
        return self.x + along * self.width, self.y + sign * tall * lean


def cell(circuit: Circuit, population: Population) -> dict[str, Shape]:
    """Compartment -> its shape, in a tree that grows from the soma along the couplings."""
    names = population.compartments
    root = next((n for n in names if role_of(n).part == "soma"), next(iter(names), "soma"))
    pyramidal = any(role_of(n).name in ("apical", "basal") for n in names)
    form = TRIANGLE if pyramidal else CIRCLE
    found = {root: Shape(0.0, 0.0, SOMA, SOMA, form, role_of(root).part)}
    _grow(found, root, _trunks(circuit, population, root))
    return found


def dots() -> dict[str, Shape]:
    """What stands for the members of a family that are not shown."""
    return {"": Shape(0.0, 0.0, 0.7, 0.5, DOTS, "soma", "\N{MIDLINE HORIZONTAL ELLIPSIS}")}


def extent(shapes: Iterable[Shape]) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of shapes."""
    several = list(shapes)
    return (
        min(s.x - s.width / 2 for s in several),
        max(s.x + s.width / 2 for s in several),
        min(s.y - s.height / 2 for s in several),
        max(s.y + s.height / 2 for s in several),
    )


def _grow(found: dict[str, Shape], near: str, trunks: dict[str, str]) -> None:
    """Places the compartments that join `near`, then those that join them."""
    own = [name for name, trunk in trunks.items() if trunk == near]
    for up in (True, False):
        side = [name for name in own if role_of(name).upward == up]
        side.sort(key=lambda name: (role_of(name).from_above, role_of(name).name == "basal"))
        base = found[near]
        for place, name in enumerate(side):
            x, y = base.x, base.y + (RISE if up else -RISE * (place + 1))
            if up:  # branches side by side, what hears from above on the right
                x += (place - (len(side) - 1) / 2) * SPREAD
            role = role_of(name)
            found[name] = Shape(x, y, BOX_WIDTH, BOX_HEIGHT, BOX, role.name, name, near)
    for name in own:
        _grow(found, name, trunks)


def _trunks(circuit: Circuit, population: Population, root: str) -> dict[str, str]:
    """Compartment -> the one that it joins: the first that reads it, from the soma on.

    Other dendrites above the soma are branches of the apical one; what nobody reads joins the soma.
    """
    left = [name for name in population.compartments if name != root]
    found: dict[str, str] = {}
    if "apical" in left:
        branches = [n for n in left if role_of(n).upward and n != "apical"]
        found = dict.fromkeys(branches, "apical")
    reached = [root]
    for near in reached:
        for name in left:
            alike = near == root or role_of(near).upward == role_of(name).upward
            if name not in found and alike and near in _readers(circuit, population.name, name):
                found[name] = near
                reached.append(name)
    return {name: found.get(name, root) for name in left}


def _readers(circuit: Circuit, population: str, compartment: str) -> set[str]:
    """The compartments of the cell whose equations read a compartment."""
    edges = circuit.graph.out_edges(node_name(population, compartment), data="kind")
    nodes = circuit.graph.nodes
    return {nodes[target]["compartment"] for _, target, kind in edges if kind == "coupling"}
