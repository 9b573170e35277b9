"""What to record: lines such as `layer[1].v_A in nudged every 5`, made into values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NoReturn

from ..graphs.circuit import Record, Snapshot
from ..graphs.expressions.parser import ParseProblem, RecordEntry, parse_record
from ..graphs.expressions.tree import Binary, Expr, Number, Range, Reference, Unary, Variable
from ..graphs.record_lines import SnapshotError, check_steps, of_population, of_synapse
from ..graphs.wording import meant

if TYPE_CHECKING:
    from ..graphs.circuit import Circuit, Population, Synapse


class RecordingError(ValueError):
    """A line of `record=` cannot be recorded; the message names what there is."""


Line = str | Record | Snapshot


def recordings(
    wanted: Iterable[Line] | Line | None, circuit: Circuit
) -> tuple[Record | Snapshot, ...]:
    """The records of a run, each once: the lines given, or where None those of the circuit's file.

    A line is `WHAT [for k = a..b] [in PHASE] [every n [presentations]] [mean | norm]`; WHAT is a
    variable of a population ("layer[1].v_A", "layer[1..L].x", "layer[1].x@free"), an energy ("F"),
    or, between presentations, weights ("W[1]"), a trace of a synapse or a slow variable.

    Raises:
        RecordingError: A line that is not of this form, or names what the circuit does not have.
    """
    if wanted is None:
        return circuit.record
    if isinstance(wanted, Line):
        wanted = [wanted]
    if not isinstance(wanted, Iterable):
        raise RecordingError(f"record: expected lines such as 'layer[1].v_A', got {wanted!r}")
    found: dict[Record | Snapshot, None] = {}
    for line in wanted:
        if not isinstance(line, Line):
            raise RecordingError(f"record: expected lines such as 'layer[1].v_A', got {line!r}")
        for record in _line(line, circuit) if isinstance(line, str) else (line,):
            found[record] = None
    return tuple(found)


def in_presentations(records: Iterable[Record | Snapshot]) -> tuple[Record, ...]:
    """Those that are taken step by step."""
    return tuple(one for one in records if isinstance(one, Record))


def between_presentations(records: Iterable[Record | Snapshot]) -> tuple[Snapshot, ...]:
    """Those that are taken between presentations.

    Raises:
        RecordingError: One is asked for step by step as well.
    """
    found = tuple(one for one in records if isinstance(one, Snapshot))
    for name in {one.name for one in found} & {one.name for one in in_presentations(records)}:
        raise RecordingError(
            f"record: {name!r} stands in two lines, one of steps and one of presentations; the "
            f"traces hold one array of each name"
        )
    return found


def is_due(record: Record, phase: str, phase_step: int) -> bool:
    """Whether a record takes the row `phase_step` of `phase`; row 0 follows the phase's `begin`."""
    return record.phase in (None, phase) and phase_step % record.every == 0


def _line(line: str, circuit: Circuit) -> list[Record | Snapshot]:
    try:
        entry = parse_record(line)
    except ParseProblem as problem:
        _refuse(line, f"{problem.message} at character {problem.offset + 1}")
    values = {n: p.value for n, p in circuit.parameters.items() if not isinstance(p.value, tuple)}
    every = 1 if entry.every is None else _integer(entry.every, values, line)
    if every < 1:
        _refuse(line, f"every {every}: expected a whole number, at least 1")
    phases = {phase.name for p in circuit.protocols.values() for phase in p.phases}
    if entry.phase is not None and entry.phase not in phases:
        _refuse(line, f"no phase {entry.phase!r}{meant(entry.phase, phases)}")
    name = entry.reference.name
    try:
        if any(name in (synapse.base, synapse.name) for synapse in circuit.synapses.values()):
            return _of_synapses(line, entry, every, circuit, values)
        if entry.reference.attributes:
            return _of_populations(line, entry, every, circuit, values)
        return [_of_energy(line, entry, every, circuit)]
    except SnapshotError as error:
        said = [error.message]
        if error.expected:
            said.append(f"expected {error.expected}")
        if error.suggestion:
            said.append(f"try: {error.suggestion!r}")
        _refuse(line, "; ".join(said))


def _of_synapses(
    line: str, entry: RecordEntry, every: int, circuit: Circuit, values: Mapping[str, float]
) -> list[Record | Snapshot]:
    found: list[Record | Snapshot] = []
    for member in _members(entry, values, line, circuit.synapses):
        if member not in circuit.synapses:
            _refuse(line, f"no synapse {member!r}{meant(member, circuit.synapses)}")
        found.append(of_synapse(line, entry, circuit.synapses[member], every))
    return found


def _of_populations(
    line: str, entry: RecordEntry, every: int, circuit: Circuit, values: Mapping[str, float]
) -> list[Record | Snapshot]:
    variable, *more = entry.reference.attributes
    if more:
        _refuse(line, "expected POPULATION.VARIABLE")
    found: list[Record | Snapshot] = []
    for member in _members(entry, values, line, circuit.populations):
        if member not in circuit.populations:
            _refuse(line, f"no population {member!r}{meant(member, circuit.populations)}")
        population = circuit.populations[member]
        known = _variables(population)
        if variable not in known:
            _refuse(line, f"{member!r} has no variable {variable!r}{meant(variable, known)}")
        if entry.counted == "presentation":
            found.append(of_population(line, entry, member, every, population.slow))
        else:
            what = Variable(member, variable, entry.reference.phase)
            found.append(Record(what, entry.phase, every, entry.reduce))
    return found


def _of_energy(line: str, entry: RecordEntry, every: int, circuit: Circuit) -> Record:
    name = entry.reference.name
    if name in circuit.energies and entry.reference.index is None:
        if entry.reduce:
            _refuse(line, f"{name!r} is an energy and has no units to take the {entry.reduce} of")
        check_steps(line, entry, name)
        return Record(name, entry.phase, every)
    if any(name in (p.base, p.name) for p in circuit.populations.values()):
        _refuse(line, f"{name!r} is a population; say which of its variables")
    known = {*circuit.energies, *circuit.synapses}
    _refuse(line, f"no energy or synapse {name!r}{meant(name, known)}")


def _members(
    entry: RecordEntry,
    values: Mapping[str, float],
    line: str,
    known: Mapping[str, Population] | Mapping[str, Synapse],
) -> list[str]:
    """The members that a line means, "layer[1]", "layer[2]", ...: all where it says no index."""
    name, index = entry.reference.name, entry.reference.index
    if index is None:
        return [member.name for member in known.values() if member.base == name] or [name]
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
