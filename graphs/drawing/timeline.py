"""The protocol as rows over its phases: what is clamped, what is set, what learns and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..circuit import Circuit, Equation, Phase
from ..expressions.text import text
from ..reports.notation import value

DURING, AT_END = "during", "at the end"


@dataclass(frozen=True)
class Row:
    """One thing over the phases: phase number -> what the bar says, or DURING, AT_END."""

    name: str
    kind: str  # clamp | set | learn
    cells: dict[int, str]


@dataclass(frozen=True)
class Timeline:
    """The phases with their lengths, and the rows below them."""

    name: str
    phases: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]


def timeline(circuit: Circuit, protocol: str) -> Timeline:
    """The timeline of a protocol.

    Raises:
        KeyError: The circuit has no such protocol.
    """
    phases = circuit.protocols[protocol].phases
    rows: dict[tuple[str, str], dict[int, str]] = {}
    for number, phase in enumerate(phases):
        for kind, name, said in _happens(circuit, phase):
            rows.setdefault((kind, name), {})[number] = said
    return Timeline(
        protocol,
        tuple((phase.name, _length(circuit, phase)) for phase in phases),
        tuple(Row(name, kind, cells) for (kind, name), cells in rows.items()),
    )


def _happens(circuit: Circuit, phase: Phase) -> Iterator[tuple[str, str, str]]:
    """Kind, name and text of what happens in a phase; members of families in one row."""
    for variable, expr in phase.clamp:
        base = circuit.populations[variable.population].base
        own = variable.population if len({v.population for v, _ in phase.clamp}) < 4 else base
        yield "clamp", f"{own}.{variable.name}", text(expr)
    for name, expr in phase.set:
        yield "set", name, text(expr)
    if phase.plasticity and (phase.steps is not None or phase.duration is not None):
        for synapse in circuit.synapses.values():
            if any(isinstance(one, Equation) for one in synapse.rule):
                yield "learn", synapse.base, DURING
    for item, when in phase.learn_each_step:
        yield (
            "learn",
            _base(circuit, item.name, item.variable),
            f"when {text(when)}" if when else DURING,
        )
    for group in phase.learn:
        for item in group:
            yield "learn", _base(circuit, item.name, item.variable), AT_END


def _base(circuit: Circuit, name: str, variable: str | None) -> str:
    if variable is not None:
        return f"{circuit.populations[name].base}.{variable}"
    return circuit.synapses[name].base


def _length(circuit: Circuit, phase: Phase) -> str:
    most = "at most " if phase.until is not None else ""
    if phase.steps is not None:
        return f"{most}{value(circuit, phase.steps)} steps"
    if phase.duration is not None:
        unit = f" {circuit.time_unit}" if circuit.time_unit else ""
        return f"{most}{value(circuit, phase.duration)}{unit}"
    return "a moment"
