"""Units: a part of an equation has one value for each unit of its population, or one for all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ...compartments.distributions import DISTRIBUTIONS
from ...compartments.functions import reduces
from ...compartments.place import PLACES
from ..expressions.numbered_draws import is_draw
from ..expressions.tree import (
    Binary,
    Call,
    Expr,
    Number,
    Parameter,
    Reference,
    Stream,
    UnitPlace,
    Variable,
    walk,
)
from ..reading.nodes import ScalarNode
from .constant_scope import ConstantScope
from .declared import Member
from .names import NOTHING, Names, Scope


class UnitScope(ConstantScope):
    """A parameter of a population: constants, and where a unit stands."""

    def __init__(
        self, names: Names, scalar: ScalarNode, member: Member, indices: Mapping[str, int]
    ):
        super().__init__(names, scalar, indices, "a parameter of a population")
        self.calls = {name: row.arity for name, row in DISTRIBUTIONS.items()}
        self.member = member

    def built_in(self, node: Reference) -> Expr | None:
        """Where a unit stands."""
        return place_of(node, node.name, self.member, self)


def differs(expr: Expr) -> bool:
    """Whether a parameter of a population has a value of its own for each unit."""
    places = (isinstance(n, Parameter) and n.name.rpartition(".")[2] in PLACES for n in walk(expr))
    return any(places) or any(is_draw(n) for n in walk(expr))


def place_of(
    node: Reference, name: str, member: Member, scope: Scope, side: str | None = None
) -> Expr | None:
    """`index`, `row`, ... of a unit: a list that belongs to its population; None if no word."""
    if name not in PLACES:
        return None
    place = PLACES[name]
    if not place.known(member.shape):
        numbers = 0 if member.shape is None else len(member.shape)
        scope.fail(
            node,
            f"the units of '{member.name}' have no {name}: "
            + (f"its `shape` has {numbers} numbers" if numbers else "it has no `shape`"),
            expected=f"`shape: [{'channels, ' * (place.axis == -3)}rows, columns]` of "
            f"'{member.name}'",
        )
        return NOTHING
    if name not in member.places:
        full = f"{member.name}.{name}"
        scope.names.parameters.add(full, UnitPlace(name, member.size, member.shape), member.size)
        member.places[name] = Parameter(full)
    return replace(member.places[name], side=side, span=node.span)


def check_units(expr: Expr, member: Member, scope: Scope) -> None:
    """Every leaf of an equation of a population has one value per unit of it, or one value."""
    names = scope.names
    for node in _outside_reductions(expr):
        size, what = None, ""
        if isinstance(node, Parameter):
            value = names.parameters.value(node.name)
            size = len(value) if isinstance(value, tuple) else None
            what = f"the list '{node.name}' has {size} values"
        elif isinstance(node, Variable):
            size = names.populations[node.population].size
            what = f"the population '{node.population}' has {size} units"
        elif isinstance(node, Stream):
            size = names.streams[node.name]
            what = f"the stream '{node.name}' has {size} values"
        same = size == member.size or (size == 1 and not isinstance(node, Parameter))
        if size is not None and not same:
            scope.fail(
                node if node.span and node.span[1] <= len(scope.scalar.text) else Number(0.0),
                f"{what}, '{member.name}' has {member.size} units",
            )


def _outside_reductions(expr: Expr) -> Iterable[Expr]:
    if isinstance(expr, Call):
        if reduces(expr.function, len(expr.arguments)):
            return
        for argument in expr.arguments:
            yield from _outside_reductions(argument)
        return
    if isinstance(expr, Binary):
        yield from _outside_reductions(expr.left)
        yield from _outside_reductions(expr.right)
        return
    yield from walk(expr)
