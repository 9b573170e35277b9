"""Who stands above whom: levels of populations, interneurons beside them, directions of synapses.

Levels follow the synapses: a population is above those that it hears, apart from dendrites for
what comes from above. Where that goes in a circle, the order of the file decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ...compartments.roles import role_of
from ..circuit import Circuit, Synapse

FEEDFORWARD, FEEDBACK, LATERAL = "feedforward", "feedback", "lateral"


@dataclass(frozen=True)
class Levels:
    """`level` of each population, from 0; `beside`: interneuron -> whom it stands beside."""

    level: Mapping[str, int]
    beside: Mapping[str, str]

    def direction(self, synapse: Synapse) -> str:
        """FEEDFORWARD, FEEDBACK, or LATERAL where both ends are on one level."""
        low, high = self.level[synapse.source[0]], self.level[synapse.target[0]]
        if low == high:
            return LATERAL
        return FEEDFORWARD if low < high else FEEDBACK


def levels(circuit: Circuit) -> Levels:
    """The levels of a circuit."""
    import networkx

    order = {name: number for number, name in enumerate(circuit.populations)}
    beside = _interneurons(circuit, order)
    above = networkx.DiGraph()  # from a population to those above it
    above.add_nodes_from(name for name in order if name not in beside)
    for synapse in circuit.synapses.values():
        source, (target, compartment, _) = synapse.source[0], synapse.target
        if source != target and not {source, target} & beside.keys():
            low, high = source, target
            if role_of(compartment).from_above:
                low, high = target, source
            above.add_edge(low, high)
    for group in list(networkx.strongly_connected_components(above)):
        inside = above.subgraph(group).edges
        above.remove_edges_from([(a, b) for a, b in inside if order[a] > order[b]])
    level: dict[str, int] = {}
    for name in networkx.topological_sort(above):
        level[name] = 1 + max((level[one] for one in above.predecessors(name)), default=-1)
    return Levels(level | {name: level[one] for name, one in beside.items()}, beside)


def _interneurons(circuit: Circuit, order: Mapping[str, int]) -> dict[str, str]:
    """Populations without a place among the levels, and whom they stand beside.

    They hear and reach cells with apical or basal dendrites, and have none; or, where nobody has
    such dendrites, they send only to those that they hear.
    """
    sent: dict[str, set[str]] = {name: set() for name in order}
    heard: dict[str, set[str]] = {name: set() for name in order}
    for synapse in circuit.synapses.values():
        source, target = synapse.source[0], synapse.target[0]
        if circuit.populations[source].base != circuit.populations[target].base:
            sent[source].add(target)
            heard[target].add(source)
        elif source != target:
            sent[source].add(source)  # within a family there are levels
    pyramidal = {
        n for n, p in circuit.populations.items() if {"apical", "basal"} & {*p.compartments}
    }
    free = [n for n in reversed(list(order)) if n not in pyramidal and n not in sent[n]]
    near = {name: sent[name] & heard[name] & pyramidal for name in free}
    found = {n: min(some, key=lambda one: order[one]) for n, some in near.items() if some}
    for name in free:
        partners = sent[name] & heard[name]
        if name not in found and partners and sent[name] <= heard[name]:
            first = min(partners, key=lambda one: order[one])
            if found.get(first) != name:
                found[name] = found.get(first, first)  # beside whom an interneuron stands
    return found


# --- families folded ------------------------------------------------------------------------------

SHOWN = 3  # of members that are alike, so many stand one by one


def folded(circuit: Circuit) -> dict[str, str]:
    """Hidden population -> the one that stands for it: itself alike, and in the middle.

    Of more than three members of a family in a row that are alike, with the same equations and
    synapses, the first and the last one are shown, and one between them stands for the rest.
    """
    found: dict[str, str] = {}
    run: list[str] = []
    members = sorted(
        (p for p in circuit.populations.values() if p.index is not None),
        key=lambda p: (p.base, p.index),
    )
    looks = {p.name: _look(circuit, p.name) for p in members}
    for before, after in pairwise([*members, None]):
        assert before is not None
        run.append(before.name)
        if after is None or looks[after.name] != looks[before.name]:
            if len(run) > SHOWN:
                found |= dict.fromkeys(run[1:-1], run[1])
            run = []
    return found


def _look(circuit: Circuit, name: str) -> Any:
    """What two members share that are drawn alike."""
    population = circuit.populations[name]
    ends = set()
    for synapse in circuit.synapses.values():
        sides = (synapse.source[0], synapse.target[0])
        for own, other in (sides, sides[::-1]):
            if own == name:
                there = circuit.populations[other]
                ends.add((synapse.base, own == sides[0], there.base, synapse.target[1]))
    return population.base, population.cell, population.compartments, frozenset(ends)
