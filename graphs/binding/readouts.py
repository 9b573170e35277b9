"""Readouts: what a circuit predicts, what it records, its energies."""

from __future__ import annotations

from ..circuit import Record
from ..expressions.parser import parse_expression, parse_record, parse_reference
from ..expressions.tree import Expr, Variable
from ..reading.nodes import MappingNode, Node, ScalarNode, texts
from ..reading.problems import Skip
from .constant_scope import ConstantScope
from .energy_scope import EnergyScope
from .families import repeat
from .names import Names
from .resolve import resolve
from .scopes import ProtocolScope, member_variable


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


def records(section: Node | None, energy: dict[str, Expr], names: Names) -> tuple[Record, ...]:
    """The section `record`, expanded over members."""
    found: list[Record] = []
    for scalar in texts(section):
        with names.problems.guard():
            found += record(scalar, energy, names)
    return tuple(found)


def record(scalar: ScalarNode, energy: dict[str, Expr], names: Names) -> list[Record]:
    """One statement of `record`."""
    entry = names.problems.parsed(scalar, parse_record)
    problems, node = names.problems, entry.reference
    if entry.phase is not None and entry.phase not in names.phases:
        at = max(scalar.text.rfind(entry.phase), 0)
        problems.unknown(scalar.place_at(at), "there is no phase", entry.phase, names.phases)
        raise Skip
    every = 1
    if entry.every is not None:
        every = names.bound(entry.every, scalar)
        if every < 1:
            problems.fail(scalar.place, "`every` is a whole number from 1", got=str(every))
    if not node.attributes:
        if node.name not in energy:
            known = [*energy, *(f"{name}.x" for name in names.families)]
            problems.unknown(scalar.place, "there is no variable or energy", node.name, known)
            raise Skip
        return [Record(node.name, entry.phase, every, entry.reduce)]
    found: list[Record] = []
    for bound in repeat(names, scalar, entry.loop):
        scope = ProtocolScope(names, scalar, bound, "`record`")
        for member in names.population_members(node, scope):
            variable = member_variable(node, member, scope)
            if isinstance(variable, Variable):
                found.append(Record(variable, entry.phase, every, entry.reduce))
    return found
