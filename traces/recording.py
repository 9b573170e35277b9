"""What to record: lines such as `layer[1].v_A in nudged every 5`, made into `Record` values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from ..graphs.circuit import Record
from ..graphs.expressions.parser import ParseProblem, RecordEntry, parse_record
from ..graphs.expressions.tree import Binary, Expr, Number, Range, Reference, Unary, Variable
from ..graphs.wording import meant

if TYPE_CHECKING:
    from ..graphs.circuit import Circuit, Population


class RecordingError(ValueError):
    """A line of `record=` cannot be recorded; the message names what there is."""


def recordings(wanted: Iterable[str | Record] | None, circuit: Circuit) -> tuple[Record, ...]:
    """The records of a run, each once: the lines given, or where None those of the circuit's file.

    A line is `VAR [for k = a..b] [in PHASE] [every n] [mean | norm]`; VAR is a variable of a
    population ("layer[1].v_A", "layer[1..L].x", "layer[1].x@free") or an energy ("F").

    Raises:
        RecordingError: A line that is not of this form, or names what the circuit does not have.
    """
    if wanted is None:
        return circuit.record
    if isinstance(wanted, (str, Record)):
        wanted = [wanted]
    if not isinstance(wanted, Iterable):
        raise RecordingError(f"record: expected lines such as 'layer[1].v_A', got {wanted!r}")
    found: dict[Record, None] = {}
    for line in wanted:
        if not isinstance(line, str | Record):
            raise RecordingError(f"record: expected lines such as 'layer[1].v_A', got {line!r}")
        for record in (line,) if isinstance(line, Record) else _line(line, circuit):
            found[record] = None
    return tuple(found)


def is_due(record: Record, phase: str, phase_step: int) -> bool:
    """Whether a record takes the row `phase_step` of `phase`; row 0 follows the phase's `begin`."""
    return record.phase in (None, phase) and phase_step % record.every == 0


def _line(line: str, circuit: Circuit) -> list[Record]:
    try:
        entry = parse_record(line)
    except ParseProblem as problem:
        _refuse(line, f"{problem.message} at character {problem.offset + 1}")
    values = {n: p.value for n, p in circuit.parameters.items() if not isinstance(p.value, tuple)}
    every = 1 if entry.every is None else _integer(entry.every, values, line)
    if every < 1:
        _refuse(line, f"every {every}: expected a whole number of steps, at least 1")
    phases = {phase.name for p in circuit.protocols.values() for phase in p.phases}
    if entry.phase is not None and entry.phase not in phases:
        _refuse(line, f"no phase {entry.phase!r}{meant(entry.phase, phases)}")
    rest = Record("", entry.phase, every, entry.reduce)
    return [replace(rest, what=what) for what in _targets(entry, circuit, values, line)]


def _targets(
    entry: RecordEntry, circuit: Circuit, values: Mapping[str, float], line: str
) -> list[Variable | str]:
    reference = entry.reference
    if not reference.attributes:
        return [_energy(reference, circuit, entry.reduce, line)]
    variable, *more = reference.attributes
    if more:
        _refuse(line, "expected POPULATION.VARIABLE")
    found: list[Variable | str] = []
    for member in _members(entry, values, line):
        if member not in circuit.populations:
            _refuse(line, f"no population {member!r}{meant(member, circuit.populations)}")
        known = _variables(circuit.populations[member])
        if variable not in known:
            _refuse(line, f"{member!r} has no variable {variable!r}{meant(variable, known)}")
        found.append(Variable(member, variable, reference.phase))
    return found


def _energy(reference: Reference, circuit: Circuit, reduce: str | None, line: str) -> str:
    name = reference.name
    if name in circuit.energies and reference.index is None:
        if reduce:
            _refuse(line, f"{name!r} is an energy and has no units to take the {reduce} of")
        return name
    if any(name in (s.base, s.name) for s in circuit.synapses.values()):
        _refuse(line, f"{name!r} is a synapse; its weights are read from `sim.weights`")
    if any(name in (p.base, p.name) for p in circuit.populations.values()):
        _refuse(line, f"{name!r} is a population; say which of its variables")
    _refuse(line, f"no energy {name!r}{meant(name, circuit.energies)}")


def _members(entry: RecordEntry, values: Mapping[str, float], line: str) -> list[str]:
    """The population members a line means: "layer[1]", "layer[2]", ..."""
    name, index = entry.reference.name, entry.reference.index
    if index is None:
        return [name]
    if isinstance(index, Range):
        start, stop = (_integer(e, values, line) for e in (index.start, index.stop))
        return [f"{name}[{k}]" for k in range(start, stop + 1)]
    if entry.loop is None:
        return [f"{name}[{_integer(index, values, line)}]"]
    start, stop = (_integer(e, values, line) for e in (entry.loop.start, entry.loop.stop))
    step = 1 if stop >= start else -1
    bound = [{**values, entry.loop.index: k} for k in range(start, stop + step, step)]
    return [f"{name}[{_integer(index, names, line)}]" for names in bound]


def _variables(population: Population) -> set[str]:
    return {
        *(e.variable for e in population.equations),
        *population.states,
        *population.slow,
        *(u.target for u in population.after_step),
    }


def _integer(node: Expr, values: Mapping[str, float], line: str) -> int:
    value = _number(node, values, line)
    if value != int(value):
        _refuse(line, f"expected a whole number, got {value:g}")
    return int(value)


def _number(node: Expr, values: Mapping[str, float], line: str) -> float:
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Reference) and not node.attributes and node.index is None:
        if node.name not in values:
            _refuse(line, f"no number {node.name!r}{meant(node.name, values)}")
        return values[node.name]
    if isinstance(node, Unary):
        return -_number(node.operand, values, line)
    if isinstance(node, Binary) and node.op in "+-*":
        left, right = (_number(e, values, line) for e in (node.left, node.right))
        return {"+": left + right, "-": left - right, "*": left * right}[node.op]
    _refuse(line, "an index is a whole number, a parameter, or a sum or product of these")


def _refuse(line: str, message: str) -> NoReturn:
    raise RecordingError(f"record {line!r}: {message}")
