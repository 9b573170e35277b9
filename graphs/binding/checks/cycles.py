"""Cycles: algebraic variables that depend on each other have no value.

An algebraic variable always has the value that its equation gives for the current state, so the
equations are evaluated in an order; where there is none, the loop is printed. A clamped variable
keeps its value and cuts a loop.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from ...circuit import Population, Protocol, Synapse, Target, by_target
from ...expressions.tree import Expr, Input, Rate, Variable, walk
from ..names import Names

Node = tuple[str, str]  # population member, variable


def algebraic_cycle(
    populations: Mapping[str, Population],
    synapses: Mapping[str, Synapse],
    clamped: Collection[Node] = (),
) -> tuple[Node, ...] | None:
    """A loop of algebraic variables, each reading the next, the first again at the end; or None."""
    rights = {
        (p.name, e.variable): e.right
        for p in populations.values()
        for e in p.equations
        if e.kind == "algebraic" and (p.name, e.variable) not in clamped
    }
    rates = {(p.name, e.variable): e.right for p in populations.values() for e in p.equations}
    arriving = by_target(synapses.values())
    sorter: TopologicalSorter[Node] = TopologicalSorter()
    for node, right in rights.items():
        sorter.add(node, *(n for n in _reads(right, rates, arriving) if n in rights))
    try:
        sorter.prepare()
    except CycleError as error:
        return tuple(reversed(error.args[1]))
    return None


def _reads(
    right: Expr,
    rates: Mapping[Node, Expr],
    arriving: Mapping[Target, list[Synapse]],
) -> Iterator[Node]:
    """The variables that an expression reads, through synapses and `du/dt` too."""
    todo, seen = [right], set[Node]()
    while todo:
        for leaf in walk(todo.pop()):
            if isinstance(leaf, Variable) and leaf.phase is None:
                yield leaf.population, leaf.name
            elif isinstance(leaf, Rate) and (leaf.population, leaf.name) not in seen:
                seen.add((leaf.population, leaf.name))
                todo.append(rates[leaf.population, leaf.name])
            elif isinstance(leaf, Input):
                for synapse in arriving.get((leaf.population, leaf.compartment, leaf.port), ()):
                    if synapse.filter is None and not synapse.delay_steps:  # which are states
                        yield synapse.source
                    if synapse.current is not None:
                        todo.append(synapse.current)


def check_cycles(
    names: Names,
    populations: Mapping[str, Population],
    synapses: Mapping[str, Synapse],
    protocols: Mapping[str, Protocol],
) -> None:
    """Write down a loop that some phase with steps, with what it clamps, would run into."""
    tried: set[frozenset[Node]] = set()
    for clamped in _clamps(protocols):
        if clamped not in tried:
            tried.add(clamped)
            cycle = algebraic_cycle(populations, synapses, clamped)
            if cycle is not None:
                _report(names, cycle)


def _clamps(protocols: Mapping[str, Protocol]) -> Iterator[frozenset[Node]]:
    """What is clamped in each phase that has steps; nothing, if there is no such phase."""
    some = False
    for protocol in protocols.values():
        clamped: set[Node] = set()
        for phase in protocol.phases:
            clamped -= {(v.population, v.name) for v in phase.release}
            clamped |= {(v.population, v.name) for v, _ in phase.clamp}
            if phase.steps is not None or phase.duration is not None:
                some = True
                yield frozenset(clamped)
    if not some:
        yield frozenset()


def _report(names: Names, cycle: tuple[Node, ...]) -> None:
    inner = cycle[:-1]
    first = min(range(len(inner)), key=lambda i: (names.equation_places[inner[i]].place, inner[i]))
    loop = inner[first:] + inner[: first + 1]
    scalar = names.equation_places[loop[0]]
    start = scalar.place_at(0)
    variable = loop[0][1]
    names.problems.add(
        start,
        "an algebraic loop, each variable reads the next: "
        + " -> ".join(f"{population}.{name}" for population, name in loop),
        expected=f"a state somewhere on the loop, such as `tau * d{variable}/dt = ...`, or a clamp",
    )
