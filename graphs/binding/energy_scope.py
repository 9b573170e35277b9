"""What an energy may name: variables by their population, and ranges inside `sum` and `mean`."""

from __future__ import annotations

from collections.abc import Iterable

from ..expressions.tree import Binary, Call, Expr, Number, Range, Reference, transform, walk
from ..reading.problems import Skip
from .names import NOTHING, Scope
from .resolve import resolve
from .scopes import qualified


class EnergyScope(Scope):
    """Energies: variables by their population; ranges inside `sum` and `mean`."""

    where = "an energy"
    streams = False

    def own_names(self) -> Iterable[str]:
        """Populations."""
        return self.names.families

    def own(self, node: Reference) -> Expr | None:
        """A variable by its population."""
        if node.name in self.names.families and node.attributes:
            return qualified(node, self)
        return None

    def call(self, node: Call) -> Expr | None:
        """`sum` and `mean` over the members of a range."""
        if node.function not in ("sum", "mean") or len(node.arguments) != 1 or node.primed:
            return None
        ranges = [
            part
            for part in walk(node.arguments[0])
            if isinstance(part, Reference) and isinstance(part.index, Range)
        ]
        if not ranges:
            return None
        try:
            return self._over_members(node, ranges)
        except Skip:
            return NOTHING

    def _over_members(self, node: Call, ranges: list[Reference]) -> Expr:
        bounds: set[tuple[int, int]] = set()
        for part in ranges:
            assert isinstance(part.index, Range)
            start, stop = (self.names.index(e, self) for e in (part.index.start, part.index.stop))
            bounds.add((start, stop))
        if len(bounds) > 1:
            self.fail(ranges[-1], f"the ranges inside one `{node.function}` are the same range")
            raise Skip
        start, stop = bounds.pop()
        terms: list[Expr] = []
        units = 0
        for i in range(start, stop + 1):
            inner = resolve(_at(node.arguments[0], i), self)
            terms.append(Call("sum", (inner,)))
            units += max((self._units(part, i) for part in ranges), default=0)
        if not terms:
            return Number(0.0)
        total = terms[0]
        for term in terms[1:]:
            total = Binary("+", total, term)
        return total if node.function == "sum" else Binary("/", total, Number(float(units)))

    def _units(self, part: Reference, index: int) -> int:
        name = self.names.families.get(part.name, {}).get(index)
        return self.names.populations[name].size if name is not None else 0


def _at(expr: Expr, index: int) -> Expr:
    """An expression with every range index replaced by one member's."""

    def each(node: Expr) -> Expr | None:
        if isinstance(node, Reference) and isinstance(node.index, Range):
            at = Number(float(index), span=node.index.span)
            return Reference(node.name, at, node.attributes, node.phase, span=node.span)
        return None

    return transform(expr, each)
