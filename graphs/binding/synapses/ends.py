"""The ends of a synapse: what joins which population to which compartment."""

from __future__ import annotations

from ....compartments.connectivity import weight_shape
from ...expressions.parser import parse_reference
from ...reading.keys import SYNAPSE
from ...reading.nodes import MappingNode, ScalarNode
from ...reading.problems import Skip, base_name
from ...wording import nearest
from ..constant_scope import ConstantScope
from ..declared import Link, Member
from ..families import declared
from ..names import Names
from .connections import kind_of_connection
from .windows import lay_windows


def declare(section: MappingNode, names: Names) -> None:
    """Fill `names.synapses` and `names.synapse_families`: ends and shapes, not yet the texts."""
    for key, node in section.entries:
        with names.problems.guard(names.broken, base_name(key)):
            table = names.synapse_families
            family, entry, every = declared(names, key, node, SYNAPSE, "synapse", table)
            for index, bound in every.items():
                name = family.name if index is None else f"{family.name}[{index}]"
                with names.problems.guard(names.broken, family.name):
                    if name in names.synapses:
                        names.problems.fail(key.place, f"the synapse '{name}' is declared twice")
                    names.synapses[name] = _link(key, entry, name, family.name, index, bound, names)
                    table[family.name][index] = name
    lay_windows(names)


def _link(
    key: ScalarNode,
    entry: MappingNode,
    name: str,
    base: str,
    index: int | None,
    bound: dict[str, int],
    names: Names,
) -> Link:
    start, stop = entry.get("from"), entry.get("to")
    if not isinstance(start, ScalarNode) or not isinstance(stop, ScalarNode):
        raise Skip
    before = names.problems.count
    source = variable = target = compartment = port = None
    with names.problems.guard():
        source, variable = _source(start, bound, names)
    with names.problems.guard():
        target, compartment, port = _target(stop, bound, names)
    connect = kind_of_connection(entry, names)
    if source is None or variable is None or target is None or compartment is None:
        raise Skip
    bias = _bias(entry, names)
    try:
        shape = weight_shape(connect, target.size, source.size, False)
        if bias:
            weight_shape(connect, target.size, source.size, True)
    except ValueError as error:
        where = entry.key("connect") or key
        names.problems.fail(where.place, f"synapse '{name}': {error}")
    if names.problems.count > before:
        raise Skip
    return Link(
        name, base, index, key, entry, bound, source, variable, target, compartment, port, connect,
        bias, shape,
    )  # fmt: skip


def _source(scalar: ScalarNode, bound: dict[str, int], names: Names) -> tuple[Member, str]:
    node = names.problems.parsed(scalar, parse_reference)
    scope = ConstantScope(names, scalar, bound, "`from`")
    member = names.population(node, scope)
    if len(node.attributes) != 1 or node.phase:
        names.problems.fail(
            scalar.place,
            "`from` is `population.variable`",
            suggestion=f"from: {scalar.text}." + next(iter(member.kinds), "x"),
        )
    variable = node.attributes[0]
    if variable not in member.kinds:
        if member.cell.broken:
            names.problems.echo()
        at = scalar.text.rfind(variable)
        place = scalar.place_at(at)
        near = nearest(variable, member.kinds)
        names.problems.fail(
            place,
            f"the population '{member.name}' has no variable '{variable}'",
            expected=", ".join(member.kinds) or "nothing: its cell has no variables",
            suggestion=names.problems.corrected(place, variable, near) if near else None,
        )
    return member, variable


def _target(
    scalar: ScalarNode, bound: dict[str, int], names: Names
) -> tuple[Member, str, str | None]:
    node = names.problems.parsed(scalar, parse_reference)
    scope = ConstantScope(names, scalar, bound, "`to`")
    member = names.population(node, scope)
    if not 1 <= len(node.attributes) <= 2 or node.phase:
        names.problems.fail(
            scalar.place,
            "`to` is `population.compartment` or `population.compartment.port`",
            suggestion=f"to: {scalar.text}." + next(iter(member.cell.compartments), "soma"),
        )
    compartment = node.attributes[0]
    if compartment not in member.cell.compartments:
        place = scalar.place_at(scalar.text.find("." + compartment) + 1)
        near = nearest(compartment, member.cell.compartments)
        names.problems.fail(
            place,
            f"the population '{member.name}' has no compartment '{compartment}'",
            expected=", ".join(member.cell.compartments) or "nothing",
            suggestion=names.problems.corrected(place, compartment, near) if near else None,
        )
    return member, compartment, node.attributes[1] if len(node.attributes) > 1 else None


def _bias(entry: MappingNode, names: Names) -> bool:
    node = entry.get("bias")
    if node is None:
        return False
    if not isinstance(node, ScalarNode) or not isinstance(node.value, bool):
        names.problems.fail(node.place, "`bias` is true or false")
    return node.value
