"""Delays in steps: where a synapse has one, all phases have one dt, which divides it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ...circuit import Phase, Protocol, Synapse
from ...expressions.constants import NotConstantError
from ...reading.nodes import MappingNode, ScalarNode
from ..names import Names
from .stated_numbers import entry_of

NEAR = 1e-9  # of a step: what rounding may take
EXAMPLE = 0.1


def counted(
    synapses: Mapping[str, Synapse],
    protocols: Mapping[str, Protocol],
    section: MappingNode,
    names: Names,
) -> dict[str, Synapse]:
    """The synapses with their delays in steps; what is no whole number of them is written down."""
    if all(synapse.delay is None for synapse in synapses.values()):
        return dict(synapses)
    dt = _one_dt(protocols, section, names)
    found = dict(synapses)
    for name, synapse in synapses.items():
        if synapse.delay is not None and dt is not None:
            found[name] = replace(synapse, delay_steps=_steps(synapse, dt, names))
    return found


def _one_dt(protocols: Mapping[str, Protocol], section: MappingNode, names: Names) -> float | None:
    """The dt of every step of a file; None where there is none, or a problem."""
    first: tuple[float, str, str] | None = None  # its value, text and phase
    wrong = False
    for phase, scalar in _stepped(protocols, section):
        if scalar is None or phase.dt is None:
            wrong = True
            _without(phase, section, names)
            continue
        names.parameters.mark_structural(phase.dt)
        try:
            dt = names.number(phase.dt)
        except NotConstantError:
            wrong = True
            names.problems.add(
                scalar.place,
                "a `delay` is a number of steps: then `dt` is a constant, and the same in all "
                "phases",
                got=scalar.text,
            )
            continue
        first = first or (dt, scalar.text, phase.name)
        if abs(dt - first[0]) > NEAR * abs(first[0]):
            wrong = True
            names.problems.add(
                scalar.place,
                f"a `delay` is a number of steps: then all phases have the same `dt`, and that of "
                f"'{first[2]}' is {first[0]:g}",
                got=f"{dt:g}",
                suggestion=names.problems.corrected(scalar.place, scalar.text, first[1]),
            )
    return None if wrong or first is None or first[0] <= 0 else first[0]


def _stepped(
    protocols: Mapping[str, Protocol], section: MappingNode
) -> Iterator[tuple[Phase, ScalarNode | None]]:
    """Each phase with steps, once, and where its dt stands."""
    seen: list[Phase] = []
    for protocol in protocols.values():
        for phase in protocol.phases:
            if (phase.steps is None and phase.duration is None) or phase in seen:
                continue
            seen.append(phase)
            entry = entry_of(protocol.name, phase, section)
            yield phase, entry.scalar("dt") if entry is not None else None


def _without(phase: Phase, section: MappingNode, names: Names) -> None:
    """A phase with steps and without dt; where something moves it has been written down."""
    if any(kind == "state" for m in names.populations.values() for kind in m.kinds.values()):
        return
    for _, phases in section.entries:
        entry = phases.get(phase.name) if isinstance(phases, MappingNode) else None
        if isinstance(entry, MappingNode):
            key = entry.key("steps") or entry.key("for")
            assert key is not None
            names.problems.add(
                key.place,
                f"a `delay` is a number of steps; the phase '{phase.name}' has steps but no `dt`",
                suggestion=f"dt: {EXAMPLE}",
            )
            return


def _steps(synapse: Synapse, dt: float, names: Names) -> int:
    assert synapse.delay is not None
    scalar = names.synapses[synapse.name].entry.scalar("delay")
    delay = names.number(synapse.delay)
    steps = delay / dt
    if abs(steps - round(steps)) > NEAR * max(steps, 1.0) and scalar is not None:
        better = max(round(steps), 1)
        names.problems.add(
            scalar.place,
            f"the delay of '{synapse.name}' is {delay:g}, which is {steps:g} steps of {dt:g}",
            expected=f"a whole number of steps: `delay: {better * dt:.10g}`, or "
            f"`dt: {delay / better:.10g}`",
        )
    return round(steps)
