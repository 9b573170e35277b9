"""`learn` and `learn_each_step` of a phase: what learns, in which groups, and when."""

from __future__ import annotations

from collections.abc import Iterator

from ..circuit import LearnItem
from ..expressions.parser import LearnEntry, parse_learn
from ..expressions.tree import Expr, Reference, Variable
from ..reading.nodes import MappingNode, ScalarNode
from .families import Indices, repeat
from .names import Names
from .resolve import resolve
from .scopes import ProtocolScope, member_variable


def learn(entry: MappingNode, names: Names) -> tuple[tuple[LearnItem, ...], ...]:
    """The groups of `learn`, in order; what stands in one group happens at once."""
    scalar = entry.scalar("learn")
    if scalar is None:
        return ()
    groups: list[tuple[LearnItem, ...]] = []
    with names.problems.guard():
        for group in names.problems.parsed(scalar, parse_learn):
            items: list[LearnItem] = []
            for one in group:
                if one.when is not None:
                    start = one.when.span[0] if one.when.span else 0
                    names.problems.add(
                        scalar.place_at(start),
                        "`when` belongs to `learn_each_step`; `learn` acts once, at the end",
                    )
                with names.problems.guard():
                    items += [item for item, _ in _items(scalar, one, names)]
            groups.append(tuple(items))
    return tuple(groups)


def learn_each_step(entry: MappingNode, names: Names) -> list[tuple[LearnItem, Expr | None]]:
    """What learns after every step, each with its `when` if it has one."""
    scalar = entry.scalar("learn_each_step")
    found: list[tuple[LearnItem, Expr | None]] = []
    if scalar is None:
        return found
    with names.problems.guard():
        for group in names.problems.parsed(scalar, parse_learn):
            for one in group:
                with names.problems.guard():
                    for item, bound in _items(scalar, one, names):
                        when = None
                        if one.when is not None:
                            scope = ProtocolScope(names, scalar, bound, "`when`")
                            when = resolve(one.when, scope)
                        found.append((item, when))
    return found


def _items(
    scalar: ScalarNode, one: LearnEntry, names: Names
) -> Iterator[tuple[LearnItem, Indices]]:
    """What one entry of `learn` names, each with the indices that are bound for it."""
    node = one.reference
    for bound in repeat(names, scalar, one.loop):
        for inner in _unbound(node, bound, names):
            scope = ProtocolScope(names, scalar, inner, "`learn`")
            if not node.attributes:
                yield from ((item, inner) for item in _learnt_synapses(node, scope, names))
            else:
                yield from ((item, inner) for item in _learnt_slow(node, scope, names))


def _unbound(node: Reference, bound: Indices, names: Names) -> list[Indices]:
    """An index that nothing binds runs over the members."""
    index = node.index
    if not isinstance(index, Reference) or index.name in bound or index.index is not None:
        return [bound]
    if index.attributes or names.parameters.has(index.name):
        return [bound]
    families = names.synapse_families if not node.attributes else names.families
    members = families.get(node.name, {})
    found = [{**bound, index.name: i} for i in members if i is not None]
    return found or [bound]


def _learnt_synapses(node: Reference, scope: ProtocolScope, names: Names) -> Iterator[LearnItem]:
    if node.name in names.families and node.name not in names.synapse_families:
        names.problems.fail(
            scope.scalar.place_at(node.span[0] if node.span else 0),
            f"'{node.name}' is a population; which slow variable of it?",
            expected="a synapse, or `population.variable`",
        )
    for link in names.synapse_members(node, scope):
        if not link.event:
            names.problems.fail(
                scope.scalar.place_at(node.span[0] if node.span else 0),
                f"the synapse '{link.name}' has no rule to learn by"
                if not link.plastic
                else f"the rule of '{link.name}' is `dw/dt`, it acts all the time; "
                "`learn` is for `w += E`",
            )
        yield LearnItem(link.name)


def _learnt_slow(node: Reference, scope: ProtocolScope, names: Names) -> Iterator[LearnItem]:
    for member in names.population_members(node, scope):
        found = member_variable(node, member, scope)
        name = node.attributes[0]
        ruled = {line.statement.target.name for line in member.cell.rules}
        if not isinstance(found, Variable) or name not in ruled:
            if member.cell.broken:
                names.problems.echo()
            names.problems.fail(
                scope.scalar.place_at(node.span[0] if node.span else 0),
                f"'{name}' of '{member.name}' has no line under `rules` to learn by",
                expected=", ".join(sorted(ruled)) or None,
            )
        yield LearnItem(member.name, name)
