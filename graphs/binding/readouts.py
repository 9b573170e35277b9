"""Streams and readouts: what a circuit is shown, what it predicts and records, its energies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from ..circuit import Record, Signal, Snapshot, Synapse
from ..expressions.parser import parse_expression, parse_record, parse_reference
from ..expressions.tree import Expr, Variable
from ..reading.keys import SIGNAL
from ..reading.nodes import MappingNode, Node, ScalarNode, texts
from ..reading.problems import Skip
from ..reading.schema import chosen, required
from ..record_lines import Recordable, RecordLineError, recorded
from .constant_scope import ConstantScope
from .energy_scope import EnergyScope
from .families import repeat
from .names import Names
from .resolve import resolve
from .scopes import member_variable


def streams(section: MappingNode, names: Names) -> None:
    """The section `data`: the size of each stream, and the time axis of those that are signals."""
    for key, node in section.entries:
        with names.problems.guard():
            if not key.text.isidentifier():
                names.problems.fail(key.place, f"'{key.text}' cannot name a stream")
            if names.parameters.has(key.text):
                names.problems.fail(key.place, f"'{key.text}' is a parameter as well")
            size: Node | None = node
            if isinstance(node, MappingNode):
                size = node.get("size") if required(node, SIGNAL, key, names.problems) else None
            names.streams[key.text] = 1
            if not isinstance(size, ScalarNode):
                raise Skip
            names.streams[key.text] = names.integer(size, None, "the size of a stream")
            if isinstance(node, MappingNode):
                _signal(key, node, names)


def _signal(key: ScalarNode, entry: MappingNode, names: Names) -> None:
    """`every` and `between` of a stream with a time axis."""
    every, between = entry.scalar("every"), entry.scalar("between")
    if every is None:
        raise Skip
    linear = chosen(entry, SIGNAL.known["between"], names.problems) == "linear"
    if every.text == "step" and not names.parameters.has("step"):
        names.signals[key.text] = Signal(None)
        if linear and between is not None:
            names.problems.add(
                between.place,
                f"'{key.text}' has a row each step: there is nothing between two rows",
                expected="a time: `linear` joins rows that are `every: 0.5` time units apart",
                suggestion=names.problems.corrected(between.place, "linear", "hold"),
            )
        return
    if every.text.isidentifier() and not names.parameters.has(every.text):
        known = ("step", *names.parameters.bases())
        what = "`every` of a signal is a time, or `step`; there is no"
        names.problems.unknown(every.place, what, every.text, known)
        raise Skip
    expr, _ = names.constant(every, None, "`every` of a signal")
    names.signals[key.text] = Signal(expr, linear)
    names.signal_places[key.text] = every


def energies(section: Node | None, names: Names) -> dict[str, Expr]:
    """The section `energy`."""
    found: dict[str, Expr] = {}
    for key, node in section.entries if isinstance(section, MappingNode) else ():
        with names.problems.guard():
            if isinstance(node, ScalarNode):
                expr = names.problems.parsed(node, parse_expression)
                names.reading(node, expr, "energy", key.text)
                found[key.text] = resolve(expr, EnergyScope(names, node))
    return found


def predicts(section: Node | None, names: Names) -> dict[str, Variable]:
    """The section `predicts`: a stream, and the variable that says what it is."""
    found: dict[str, Variable] = {}
    for key, node in section.entries if isinstance(section, MappingNode) else ():
        with names.problems.guard():
            if not isinstance(node, ScalarNode):
                raise Skip
            if key.text not in names.streams:
                names.problems.unknown(
                    key.place, "`predicts` names a stream; there is no stream", key.text,
                    names.streams, f"a name of `data`, declared with its size: `{key.text}: n`",
                )  # fmt: skip
            reference = names.problems.parsed(node, parse_reference)
            scope = ConstantScope(names, node, None, "`predicts`")
            member = names.population(reference, scope)
            variable = member_variable(reference, member, scope)
            if not isinstance(variable, Variable):
                names.problems.fail(node.place, "`predicts` names a variable")
            size = names.streams.get(key.text, member.size)
            if size != member.size:
                names.problems.fail(
                    node.place,
                    f"'{member.name}' has {member.size} units, the stream '{key.text}' has {size}",
                )
            found[key.text] = variable
    return found


Records = tuple[Record | Snapshot, ...]


def records(
    section: Node | None,
    energy: Mapping[str, Expr],
    synapses: Mapping[str, Synapse],
    names: Names,
) -> Records:
    """The section `record`, expanded over members."""
    found: list[Record | Snapshot] = []
    for scalar in texts(section):
        with names.problems.guard():
            entry = names.problems.parsed(scalar, parse_record)
            try:
                found += recorded(scalar.text, entry, _recordable(scalar, energy, synapses, names))
            except RecordLineError as error:
                _refuse(scalar, error, synapses, names)
    return tuple(found)


def _recordable(
    scalar: ScalarNode,
    energy: Mapping[str, Expr],
    synapses: Mapping[str, Synapse],
    names: Names,
) -> Recordable:
    return Recordable(
        populations=names.families,
        variables={name: member.kinds for name, member in names.populations.items()},
        connections=names.synapse_families,
        synapses=synapses,
        energies=energy,
        phases=names.phases,
        whole=lambda expr, bound: names.bound(expr, scalar, bound),
        repeat=lambda loop: repeat(names, scalar, loop),
    )


def _refuse(
    scalar: ScalarNode, error: RecordLineError, synapses: Mapping[str, Synapse], names: Names
) -> NoReturn:
    """Writes down what is wrong with a line; nothing where it follows from another mistake."""
    problems, owner = names.problems, error.owner
    member = names.populations.get(owner or "")
    unfinished = owner in names.synapses and owner not in synapses
    if owner in names.broken or unfinished or (member is not None and member.cell.broken):
        problems.echo()
    place = scalar.place_at(error.at)
    if error.unknown is not None:
        problems.unknown(place, error.message, error.unknown, error.known)
        raise Skip
    line = error.suggestion and problems.corrected(place, scalar.text, error.suggestion)
    problems.fail(place, error.message, expected=error.expected, suggestion=line)
