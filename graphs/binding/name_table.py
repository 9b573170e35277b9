"""Naming: the table of names of one file, and the constants worked out on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..expressions.constants import LARGEST, NotConstantError, evaluate, is_whole
from ..expressions.parser import parse_expression
from ..expressions.tree import Expr, Reference
from ..reading.arrays import Arrays
from ..reading.nodes import ScalarNode
from ..reading.problems import Problems, Skip
from ..wording import member_list
from .constant_scope import ConstantScope
from .declared import Link, Member
from .names import Names, Scope
from .parameters import FileParameters
from .resolve import resolve
from .user_functions import Functions


class FileNames(Names):
    """The names of one file; `parameters` and `functions` are filled by their sections."""

    parameters: FileParameters
    functions: Functions

    def __init__(self, problems: Problems, arrays: Arrays):
        super().__init__(problems, arrays)
        self.parameters = FileParameters(self)
        self.functions = Functions(self)

    # --- constants ---

    def number(self, expr: Expr) -> float:
        """The value of a resolved constant expression; raises `NotConstantError`."""
        found = evaluate(expr, self.parameters.value)
        if isinstance(found, tuple):
            raise NotConstantError("a list is given where one number is needed", expr)
        return found

    def constant(
        self,
        scalar: ScalarNode,
        indices: Mapping[str, int] | None = None,
        where: str = "a constant",
    ) -> tuple[Expr, float]:
        """The resolved expression and the value of a constant."""
        expr = self.problems.parsed(scalar, parse_expression)
        return self.resolved_constant(expr, ConstantScope(self, scalar, indices, where))

    def resolved_constant(self, expr: Expr, scope: Scope) -> tuple[Expr, float]:
        """`expr` resolved in a scope, and its value."""
        before = self.problems.count
        resolved = resolve(expr, scope)
        if self.problems.count > before:
            raise Skip
        try:
            return resolved, self.number(resolved)
        except NotConstantError as error:
            start = error.node.span[0] if error.node.span else 0
            start = start if start <= len(scope.scalar.text) else 0
            self.problems.fail(scope.scalar.place_at(start), error.message)

    def integer(
        self,
        scalar: ScalarNode,
        indices: Mapping[str, int] | None = None,
        what: str = "a size",
        least: int = 1,
    ) -> int:
        """A whole number that is fixed at lowering: what it is made of becomes structural."""
        expr, value = self.constant(scalar, indices, what)
        self.parameters.mark_structural(expr)
        if not is_whole(value) or not least <= value <= LARGEST:
            self.problems.fail(
                scalar.place, f"{what} is a whole number from {least}", got=f"{value:g}"
            )
        return int(value)

    def bound(
        self, expr: Expr, scalar: ScalarNode, indices: Mapping[str, int] | None = None
    ) -> int:
        """The whole number of an index or an index bound."""
        scope = ConstantScope(self, scalar, indices, "an index")
        resolved, value = self.resolved_constant(expr, scope)
        self.parameters.mark_structural(resolved)
        if not is_whole(value) or abs(value) > LARGEST:
            start = expr.span[0] if expr.span else 0
            self.problems.fail(
                scalar.place_at(start), "an index is a whole number", got=f"{value:g}"
            )
        return int(value)

    def index(self, expr: Expr, scope: Scope) -> int:
        """The whole number of the index of a reference."""
        return self.bound(expr, scope.scalar, scope.indices)

    # --- members ---

    def no_member(
        self, node: Reference, scope: Scope, index: int, members: Iterable[int | None]
    ) -> None:
        """Write down that a family has no such member."""
        if node.name in self.broken:
            self.problems.echo()
        scope.fail(node, f"there is no {node.name}[{index}]", expected=member_list(members))

    def population(self, node: Reference, scope: Scope) -> Member:
        """The one population member that a reference starts with."""
        members = self._family(node, scope, self.families, "population")
        if node.index is None:
            if None not in members:
                if node.name in self.broken:
                    self.problems.echo()
                scope.fail(
                    node,
                    f"'{node.name}' is a family of populations",
                    expected=f"one of them, such as {node.name}[{next(iter(members), 0)}]",
                )
                raise Skip
            return self.populations[members[None]]
        return self.populations[self._one(node, scope, members)]

    def population_members(self, node: Reference, scope: Scope) -> list[Member]:
        """The members that a reference starts with: one, or all of a family by its base name."""
        members = self._family(node, scope, self.families, "population")
        if node.index is None:
            return [self.populations[name] for name in members.values()]
        return [self.populations[self._one(node, scope, members)]]

    def synapse_members(self, node: Reference, scope: Scope) -> list[Link]:
        """The synapses that a reference names: one, or all of a family by its base name."""
        members = self._family(node, scope, self.synapse_families, "synapse")
        if node.index is None:
            return [self.synapses[name] for name in members.values()]
        return [self.synapses[self._one(node, scope, members)]]

    def _family(
        self,
        node: Reference,
        scope: Scope,
        families: Mapping[str, dict[int | None, str]],
        what: str,
    ) -> dict[int | None, str]:
        if node.name not in families:
            if node.name in self.broken:
                self.problems.echo()
            scope.unknown(node, f"there is no {what}", node.name, families)
            raise Skip
        return families[node.name]

    def _one(self, node: Reference, scope: Scope, members: Mapping[int | None, str]) -> str:
        assert node.index is not None
        if None in members:
            scope.fail(node, f"'{node.name}' is no family, it has no index", suggestion=node.name)
            raise Skip
        index = self.index(node.index, scope)
        if index not in members:
            self.no_member(node, scope, index, members)
            raise Skip
        return members[index]
