"""Names: everything that a file declares, and the constants worked out on the way."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .constants import NotConstantError, evaluate
from .definitions import Functions
from .expression import Expr, Reference, walk
from .parameters import ConstantScope, Parameters
from .parse import parse_expression
from .problems import Problems, Skip
from .read import Scalar
from .resolve import Scope, resolve

if TYPE_CHECKING:
    from .populations import Member
    from .synapses import Link

LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Latch:
    """One `@phase` as written: where, which phase, and who reads it (`reader`, `name`)."""

    scalar: Scalar
    offset: int
    phase: str
    reader: str  # equation | synapse | slow
    name: str


@dataclass(frozen=True)
class InputRead:
    """One `input` or `input.port` as written, in a compartment of a population."""

    scalar: Scalar
    node: Reference
    population: str
    compartment: str
    port: str | None


class Names:
    """What is declared, by kind; filled section by section while a file is loaded.

    `populations` and `synapses` map member names to what is known of them; `families` and
    `synapse_families` map a base name to member names by index (None: it is no family).
    """

    def __init__(self, problems: Problems):
        self.problems = problems
        self.parameters = Parameters(self)
        self.functions = Functions(self)
        self.streams: dict[str, int] = {}
        self.populations: dict[str, Member] = {}
        self.families: dict[str, dict[int | None, str]] = {}
        self.synapses: dict[str, Link] = {}
        self.synapse_families: dict[str, dict[int | None, str]] = {}
        self.broken: set[str] = set()  # populations and synapses whose declaration is wrong
        self.phases: tuple[str, ...] = ()
        self.latches: list[Latch] = []
        self.inputs: list[InputRead] = []
        self.equation_places: dict[tuple[str, str], Scalar] = {}
        self.set_places: dict[str, Scalar] = {}

    # --- constants ---

    def number(self, expr: Expr) -> float:
        """The value of a resolved constant expression; raises `NotConstantError`."""
        found = evaluate(expr, self.parameters.value)
        if isinstance(found, tuple):
            raise NotConstantError("a list stands where one number is needed", expr)
        return found

    def constant(
        self, scalar: Scalar, indices: Mapping[str, int] | None = None, where: str = "a constant"
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
        scalar: Scalar,
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

    def bound(self, expr: Expr, scalar: Scalar, indices: Mapping[str, int] | None = None) -> int:
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

    def reading(self, scalar: Scalar, expr: Expr, reader: str, name: str) -> None:
        """Note every `@phase` of an expression as written, to be compared with the protocols."""
        for node in walk(expr):
            if isinstance(node, Reference) and node.phase is not None:
                start, stop = node.span or (0, len(scalar.text))
                at = scalar.text.rfind("@", start, stop)
                offset = at if at >= 0 else start
                self.latches.append(Latch(scalar, offset, node.phase, reader, name))

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


def is_whole(value: float) -> bool:
    """Whether a number is finite and whole."""
    return math.isfinite(value) and value == round(value)


def member_list(members: Iterable[int | None]) -> str:
    """`members 0 to 3`, or the list of them."""
    found = sorted(i for i in members if i is not None)
    if not found:
        return "the family has no members"
    if len(found) == 1:
        return f"the only member is {found[0]}"
    if found == list(range(found[0], found[-1] + 1)):
        return f"members {found[0]} to {found[-1]}"
    return "members " + ", ".join(map(str, found))
