"""Valid circuits, drawn by Hypothesis: one to three populations, synapses of every kind, learning.

A circuit is drawn as sections of entries, so that a test can put them in another order or add one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from apical.compartments.integrators import TABLEAUX

FUNCTIONS = ("tanh", "logistic", "relu", "softplus", "identity", "sin")
METHODS = [name for name, tableau in TABLEAUX.items() if not tableau.exponential]
NUMBERS = st.sampled_from(["0.5", "1", "2", "0.25", "1e-1", "3.5"])


@dataclass
class Draft:
    """Sections of a file: name -> entry, each entry a list of lines."""

    size: int
    sizes: dict[str, int]
    sections: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    learns: list[str] = field(default_factory=list)

    def text(self, order=None) -> str:
        """The file; `order(names)` says in which order entries stand."""
        order = order or list
        lines = ["apical: 1", "name: drawn"]
        for section in order(list(self.sections)):
            if self.sections[section]:
                lines.append(f"{section}:")
            for name in order(list(self.sections[section])):
                first, *rest = self.sections[section][name]
                lines.append(f"  {name}: {first}".rstrip())
                lines += [f"    {line}" for line in rest]
        return "\n".join(lines) + "\n"


def terms(names: list[str]) -> st.SearchStrategy[str]:
    """Expressions over names that stay small where the names do."""
    leaves = st.one_of(st.sampled_from(names), NUMBERS)

    def bigger(inner):
        return st.one_of(
            st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(
                lambda t: f"tanh({t[0]} {t[1]} {t[2]})"
            ),
            st.tuples(st.sampled_from(FUNCTIONS), inner).map(lambda t: f"{t[0]}({t[1]})"),
            st.tuples(st.sampled_from(["tanh", "logistic"]), inner).map(
                lambda t: f"{t[0]}'({t[1]})"
            ),
            inner.map(lambda t: f"clip({t}, -1, 1)"),
            inner.map(lambda t: f"-({t})"),
            st.tuples(inner, inner).map(lambda t: f"({t[0]}) / (1 + ({t[1]})^2)"),
        )

    return st.recursive(leaves, bigger, max_leaves=4)


@st.composite
def drafts(draw) -> Draft:
    """One circuit."""
    count = draw(st.integers(1, 3))
    size = draw(st.integers(1, 4))
    names = [f"p{i}" for i in range(count)]
    sizes = {"inp": size} | {name: draw(st.sampled_from([1, 2, 3, size])) for name in names}
    draft = Draft(size, sizes)
    parameters = {
        "tau": [draw(NUMBERS)],
        "h": ["0.1"],
        "a": [draw(NUMBERS)],
        "bb": [f"a*{draw(NUMBERS)}"],
        "eta": ["0.05"],
        "T": [str(draw(st.integers(1, 5)))],
        "three": ["[0.5, -0.25, 1]"],
    }
    cells: dict[str, list[str]] = {"sensory": ["", "soma: x = image"]}
    populations = {"inp": ["", "cell: sensory", f"size: {size}"]}
    begins: list[str] = []
    for name in names:
        cells[f"c{name}"] = draw(_cell(name, sizes[name], begins))
        populations[name] = ["", f"cell: c{name}", f"size: {sizes[name]}"]
    draft.sections = {
        "parameters": parameters,
        "functions": {"f": [draw(st.sampled_from(FUNCTIONS))], "g(s, q)": ["a*s / (1 + q^2)"]},
        "data": {"image": [str(size)]},
        "cells": cells,
        "populations": populations,
        "synapses": {},
        "energy": {"F": [f"sum({names[0]}.x^2) / 2"]},
    }
    sources = ["inp", *names]
    for number in range(draw(st.integers(1, 4))):
        source, target = draw(st.sampled_from(sources)), draw(st.sampled_from(names))
        draft.sections["synapses"][f"W{number}"] = draw(
            _synapse(f"W{number}", source, target, sizes, draft.learns)
        )
    phase = ["", "run:", "  steps: T", "  dt: h"]
    phase.append(f"  method: {draw(st.sampled_from(METHODS))}")
    if begins:
        phase += ["  begin:", *(f"    - {line}" for line in begins)]
    if draft.learns:
        between = draw(st.sampled_from(["; ", ", "]))
        phase.append(f"  learn: {between.join(draft.learns)}")
    moving = draw(st.booleans())
    if moving:
        phase.append(f"  order: {', '.join(draw(st.permutations(names)))}")
    draft.sections["protocols"] = {"train": phase}
    return draft


@st.composite
def _cell(draw, name: str, size: int, begins: list[str]) -> list[str]:
    own = ["x", "u", "tau", "a"] + (["three"] if size == 3 else [])
    lines = ["", "basal: u = input", "soma:"]
    lines.append(f"  - tau * dx/dt = -x + f(u) + {draw(terms(own))}")
    local = [name for name in own if name != "u"]  # through `u` synapses could close a loop
    lines.append(f"  - r = g({draw(terms([*local, 'bb']))}, x)")
    if draw(st.booleans()):
        lines.append(f"  - q = sum(r) - {draw(terms(['x', 'r']))}")
    if draw(st.booleans()):
        lines.append("after_step: x := clip(x, -3, 3)")
    if draw(st.booleans()):
        begins.append(f"{name}.x := {draw(terms(['a', 'u']))}")
    return lines


@st.composite
def _synapse(draw, name, source, target, sizes, learns) -> list[str]:
    variable = "x" if source == "inp" else draw(st.sampled_from(["x", "r"]))
    lines = ["", f"from: {source}.{variable}", f"to: {target}.basal"]
    kinds = ["dense", "dense", "sparse(0.6)", "when pre.index <= post.index"]
    if sizes[source] == sizes[target]:
        kinds.append("one_to_one")
    if source == target:
        kinds.append("all_but_self")
    kinds += ["all_to_one"] * (sizes[target] == 1) + ["one_to_all"] * (sizes[source] == 1)
    kind = draw(st.sampled_from(kinds))
    lines.append(f"connect: {kind}")
    lines.append(f"init: {draw(st.sampled_from(['normal(0, 0.3)', 'uniform(-0.5, 0.5)', '0.2']))}")
    if kind == "dense" and draw(st.booleans()):
        lines.append("bias: true")
    if draw(st.booleans()):
        lines.append(f"filter: [{draw(NUMBERS)}, 2]")
    rule = draw(st.sampled_from([None, "post.x * pre", f"post.r * pre.{variable}", "-a * w"]))
    if rule is not None:
        lines.append(f"rule: w += eta * {rule}")
        learns.append(name)
    return lines
