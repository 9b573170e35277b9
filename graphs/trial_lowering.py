"""Trial: every protocol is lowered once at load, so that what cannot run is told with its place."""

from __future__ import annotations

from .binding.names import Names
from .circuit import Circuit
from .diagnostics import Place
from .expressions.constants import evaluate
from .expressions.derivative import simplify
from .expressions.tree import Expr, Number
from .lower import lower, probe
from .lowering.refusal import LoweringError, Subject
from .program import Program
from .reading.expansion_budget import LOWERED
from .reading.nodes import MappingNode


def check_lowering(circuit: Circuit, protocols: MappingNode, names: Names) -> None:
    """Write down why a protocol cannot be lowered, where the thing that it is about stands."""
    try:
        probe(circuit)
    except LoweringError as error:
        names.problems.add(_place(error, "train", protocols, names), str(error))
        return
    parts = sum(
        len(p.equations) + len(p.after_step) + 3 * len(p.events) + 1
        for p in circuit.populations.values()
    )
    parts += len(circuit.synapses)
    for protocol in circuit.protocols:
        key = protocols.key(protocol)
        phases = len(circuit.protocols[protocol].phases)
        names.problems.spend(LOWERED * parts * phases, (key or protocols).place)
        try:
            _check_rows(circuit, protocol, lower(circuit, protocol), names)
        except LoweringError as error:
            place = _place(error, protocol, protocols, names)
            names.problems.add(place, _said(error, protocol))
        except ArithmeticError as error:
            place = _place(None, protocol, protocols, names)
            names.problems.add(place, f"the protocol '{protocol}' cannot be run: {error}")


def _check_rows(circuit: Circuit, protocol: str, program: Program, names: Names) -> None:
    """Write down a held signal whose rows last no whole number of steps."""
    for axis in program.signals:
        every = circuit.signals[axis.stream].every
        if every is None or axis.linear:
            continue
        for phase in circuit.protocols[protocol].phases:
            if phase.steps is None and phase.duration is None:
                continue
            row, dt = (_number(e, circuit) for e in (every, phase.dt or Number(1.0)))
            steps = row / dt
            if abs(steps - round(steps)) <= 1e-9 * max(steps, 1.0):
                continue
            scalar = names.signal_places[axis.stream]
            better = f"{max(round(steps), 1) * dt:.10g}"
            names.problems.add(
                scalar.place,
                f"a row of the signal '{axis.stream}' lasts {row:g}, which is {steps:g} steps of "
                f"the phase '{phase.name}' of '{protocol}'",
                expected=f"a whole number of steps of {dt:g}; `between: linear` needs none",
                suggestion=names.problems.corrected(scalar.place, scalar.text, better),
            )


def _number(expr: Expr, circuit: Circuit) -> float:
    value = evaluate(simplify(expr), lambda name: circuit.parameters[name].value)
    assert not isinstance(value, tuple)
    return value


def _said(error: LoweringError, protocol: str) -> str:
    where = f"in the phase '{error.phase}' of '{protocol}'" if error.phase else f"in '{protocol}'"
    return f"{error} ({where})"


def _place(
    error: LoweringError | None, protocol: str, protocols: MappingNode, names: Names
) -> Place:
    """Where the thing stands that an error is about, else the phase, else the protocol."""
    found = error and error.about and _subject(error.about, names)
    if found is not None:
        return found
    entries = protocols.get(protocol)
    if not isinstance(entries, MappingNode):
        entries = protocols.get("train")  # a list of phases of `train`
    phase = error and error.phase
    key = entries.key(phase) if isinstance(entries, MappingNode) and phase else None
    key = key or protocols.key(protocol)
    return key.place if key is not None else protocols.place


def _subject(about: Subject, names: Names) -> Place | None:
    """Where a rule, a synapse, an equation or a population stands in the file."""
    if about.owner in names.synapses:
        link = names.synapses[about.owner]
        return ((link.entry.key("rule") if about.part == "rule" else None) or link.key).place
    if (about.owner, about.part) in names.equation_places:
        return names.equation_places[about.owner, about.part].place
    if about.owner in names.populations:
        return names.populations[about.owner].key.place
    return None
