"""What to record: lines such as `layer[1].v_A in nudged every 5`, made into values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NoReturn

from ..graphs.circuit import Record, Snapshot
from ..graphs.expressions.parser import Loop, ParseProblem, parse_record
from ..graphs.expressions.tree import Binary, Expr, Number, Reference, Unary
from ..graphs.record_lines import Families, Recordable, RecordLineError, recorded
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
    try:
        return list(recorded(line, entry, _recordable(line, circuit)))
    except RecordLineError as error:
        message = error.message
        if error.unknown is not None:
            message += f" {error.unknown!r}{meant(error.unknown, error.known)}"
        said = [message]
        if error.expected:
            said.append(f"expected: {error.expected}")
        if error.suggestion:
            said.append(f"try: {error.suggestion!r}")
        _refuse(line, "; ".join(said))


def _recordable(line: str, circuit: Circuit) -> Recordable:
    values = {n: p.value for n, p in circuit.parameters.items() if not isinstance(p.value, tuple)}

    def whole(expr: Expr, bound: Mapping[str, int]) -> int:
        return _integer(expr, {**values, **bound}, line)

    def repeat(loop: Loop | None) -> list[dict[str, int]]:
        if loop is None:
            return [{}]
        start, stop = whole(loop.start, {}), whole(loop.stop, {})
        step = 1 if stop >= start else -1
        return [{loop.index: k} for k in range(start, stop + step, step)]

    return Recordable(
        populations=_families(circuit.populations.values()),
        variables={name: _variables(one) for name, one in circuit.populations.items()},
        connections=_families(circuit.synapses.values()),
        synapses=circuit.synapses,
        energies=circuit.energies,
        phases=dict.fromkeys(p.name for one in circuit.protocols.values() for p in one.phases),
        whole=whole,
        repeat=repeat,
    )


def _families(members: Iterable[Population] | Iterable[Synapse]) -> Families:
    found: dict[str, dict[int | None, str]] = {}
    for one in members:
        found.setdefault(one.base, {})[one.index] = one.name
    return found


def _variables(population: Population) -> dict[str, str]:
    """What can be recorded of a population, with the kind of each."""
    return {
        **{e.variable: e.kind for e in population.equations},
        **dict.fromkeys((u.target for u in population.after_step), "state"),
        **dict.fromkeys(population.states, "state"),
        **dict.fromkeys(population.slow, "slow"),
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
