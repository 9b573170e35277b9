"""Units: a part of an equation has one value for each unit of its population, or one for all."""

from __future__ import annotations

from collections.abc import Iterable

from ...compartments.functions import reduces
from ..expressions.tree import Binary, Call, Expr, Number, Parameter, Stream, Variable, walk
from .declared import Member
from .names import Scope


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
