"""What each kind of text may name: equations of a cell, rules, weights, protocols, energies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ...compartments.distributions import DISTRIBUTIONS
from ...compartments.place import PLACES
from ..expressions.tree import (
    Expr,
    Input,
    Parameter,
    Range,
    Rate,
    RateReference,
    Reference,
    Residual,
    Trace,
    Transmitted,
    Variable,
    Weight,
    transform,
)
from ..reading.problems import Skip
from ..wording import nearest
from .declared import InputRead
from .names import NOTHING, Names, Scope
from .per_unit import place_of

if TYPE_CHECKING:
    from ..reading.nodes import ScalarNode
    from .declared import Member

DRAWS = {name: row.arity for name, row in DISTRIBUTIONS.items()}


def variable_of(
    node: Reference, name: str, member: Member, scope: Scope, side: str | None = None
) -> Expr | None:
    """The variable or the parameter `name` of a population member; None if it has neither."""
    if name in member.kinds:
        _check_phase(node, scope)
        return Variable(member.name, name, node.phase, side, span=node.span)
    if name in member.own:
        if node.phase:
            scope.fail(node, f"'{name}' is a parameter, it has no @phase")
        own = member.own[name]
        return own if side is None else sided(own, side, scope)
    return None


def sided(expr: Expr, side: str, scope: Scope) -> Expr:
    """A population's parameter in a rule: a list is one value per unit of that side."""
    parameters = scope.names.parameters

    def each(node: Expr) -> Expr | None:
        if isinstance(node, Parameter) and isinstance(parameters.value(node.name), tuple):
            return Parameter(node.name, side)
        return None

    return transform(expr, each)


def _check_phase(node: Reference, scope: Scope) -> None:
    if node.phase is not None and node.phase not in scope.names.phases:
        start, stop = node.span or (0, 0)
        at = scope.scalar.text.rfind("@", start, stop) + 1
        place = scope.scalar.place_at(max(at, start))
        scope.names.problems.unknown(place, "there is no phase", node.phase, scope.names.phases)


class CellScope(Scope):
    """Equations, `after_step`, `rules` of a cell, and the right sides of `begin` and `clamp`."""

    lists = "unit"
    streams = True

    def __init__(
        self,
        names: Names,
        scalar: ScalarNode,
        member: Member,
        compartment: str | None = None,
        noise: bool = False,
        outside: bool = False,
        indices: Mapping[str, int] | None = None,
        draws: bool = False,
    ):
        super().__init__(names, scalar, indices)
        self.calls = DRAWS if draws else {}
        self.member = member
        self.compartment = compartment
        self.noise = noise
        self.outside = outside
        self.where = f"the cell '{member.cell.name}'"

    def own_names(self) -> Iterable[str]:
        """Variables and parameters of the population."""
        return (*self.member.kinds, *self.member.own, "input")

    def own(self, node: Reference) -> Expr | None:
        """A variable, a parameter of the population, `input`."""
        if node.name == "input":
            return self._input(node)
        found = variable_of(node, node.name, self.member, self)
        if found is not None:
            if node.attributes or node.index is not None:
                self.fail(node, f"'{node.name}' is one variable, it has no parts and no members")
            return found
        if self.member.cell.broken and not self.names.parameters.has(node.name):
            self.names.problems.count += 1
            return NOTHING
        if node.name in ("w", "pre", "post"):
            self.fail(node, f"'{node.name}' can be used only in a synapse")
            return NOTHING
        if node.name in self.names.synapse_families and not self.names.parameters.has(node.name):
            self.fail(
                node,
                "a cell cannot read a synapse",
                expected="`input`: what all synapses bring that end at this compartment",
            )
            return NOTHING
        if node.name in self.names.families and node.attributes:
            if self.outside:
                return qualified(node, self)
            self.fail(
                node,
                "a cell cannot read another population",
                expected="a synapse that brings it here, read as `input` or `input.port`",
            )
            return NOTHING
        return None

    def built_in(self, node: Reference) -> Expr | None:
        """Where a unit stands."""
        return place_of(node, node.name, self.member, self)

    def _input(self, node: Reference) -> Expr:
        if self.compartment is None:
            self.fail(
                node,
                "`input` is used outside a compartment",
                expected="a variable of a compartment: `total = input` there, `total` here",
            )
            return NOTHING
        if len(node.attributes) > 1 or node.index is not None or node.phase:
            self.fail(node, "`input` is written `input` or `input.port`")
            return NOTHING
        port = node.attributes[0] if node.attributes else None
        read = InputRead(self.scalar, node, self.member.name, self.compartment, port)
        self.names.inputs.append(read)
        return Input(self.member.name, self.compartment, port, span=node.span)

    def rate(self, node: RateReference) -> Expr:
        """The derivative of a state of this cell."""
        kind = self.member.kinds.get(node.name)
        if kind != "state":
            states = [n for n, k in self.member.kinds.items() if k == "state"]
            self.unknown(node, "there is no `d/dt` equation of", node.name, states)
            return NOTHING
        return Rate(self.member.name, node.name, span=node.span)


class RuleScope(Scope):
    """Rule, trace and current of a synapse: `w`, `pre`, `pre.x`, `post.x`, its traces."""

    where = "a rule"

    def __init__(
        self,
        names: Names,
        scalar: ScalarNode,
        indices: Mapping[str, int],
        source: Member,
        target: Member,
        traces: Iterable[str],
        where: str,
    ):
        super().__init__(names, scalar, indices)
        self.source, self.target, self.traces, self.where = source, target, tuple(traces), where

    def own_names(self) -> Iterable[str]:
        """What a rule may name."""
        return ("w", "pre", "post", *self.traces)

    def own(self, node: Reference) -> Expr | None:
        """`w`, `pre`, `pre.x`, `post.x` or a trace."""
        if node.name in ("pre", "post") and node.index is None and len(node.attributes) == 1:
            return self._side(node)
        if node.name in ("w", "pre", "post", *self.traces):
            if node.name == "post" or node.attributes or node.index is not None or node.phase:
                better = {"pre": "`pre`, `pre.x` or `pre.x@phase`", "post": "`post.x`"}
                self.fail(
                    node,
                    f"'{node.name}' cannot be written like this",
                    expected=better.get(node.name, f"`{node.name}` alone"),
                )
                return NOTHING
            if node.name == "w":
                return Weight(span=node.span)
            return Transmitted(span=node.span) if node.name == "pre" else Trace(node.name)
        for side, member in (("post", self.target), ("pre", self.source)):
            if node.name in member.kinds and not self.names.parameters.has(node.name):
                place = self.scalar.place_at(node.span[0] if node.span else 0)
                self.fail(
                    node,
                    f"{self.where} is written for one synapse: say whose '{node.name}' it is",
                    expected=f"`{side}.{node.name}`",
                    suggestion=self.names.problems.corrected(
                        place, node.name, f"{side}.{node.name}"
                    ),
                )
                return NOTHING
        if node.name in self.names.families and not self.names.parameters.has(node.name):
            self.fail(
                node,
                f"{self.where} can name only its own two ends",
                expected="`w`, `pre`, `pre.x`, `post.x`, its traces and parameters",
            )
            return NOTHING
        return None

    def built_in(self, node: Reference) -> Expr | None:
        """Where a unit stands is refused: a rule knows what its cells have."""
        if node.name not in PLACES:
            return None
        return self._no_place(node, node.name, "post")

    def _no_place(self, node: Reference, name: str, side: str) -> Expr:
        self.fail(
            node,
            f"{self.where} knows what its two cells have, and not where they stand",
            expected=f"a parameter of the population, `place: {name}`, read as {side}.place",
        )
        return NOTHING

    def _side(self, node: Reference) -> Expr:
        member = self.source if node.name == "pre" else self.target
        name = node.attributes[0]
        found = variable_of(node, name, member, self, node.name)
        if found is not None:
            return found
        if member.cell.broken:
            self.names.problems.count += 1
            return NOTHING
        if name in PLACES:
            return self._no_place(node, name, node.name)
        start = (node.span[0] if node.span else 0) + len(node.name) + 1
        if name.startswith("d") and name[1:] in member.kinds:
            self.names.problems.add(
                self.scalar.place_at(start),
                f"{self.where} reads variables, and '{name}/dt' is none",
                expected=f"a variable of the cell, `rate = {name}/dt`, read as `{node.name}.rate`",
            )
            return NOTHING
        self.names.problems.unknown(
            self.scalar.place_at(start),
            f"the population '{member.name}' has no variable",
            name,
            [*member.kinds, *member.own],
        )
        return NOTHING


class ProtocolScope(Scope):
    """What a protocol names: parameters, counters, draws, and variables by their population."""

    def __init__(
        self,
        names: Names,
        scalar: ScalarNode,
        indices: Mapping[str, int] | None = None,
        where: str = "a protocol",
        draws: bool = False,
        stop: bool = False,
    ):
        super().__init__(names, scalar, indices)
        self.where, self.stop = where, stop
        self.calls = dict(DRAWS) if draws else {"change": (1, 1)} if stop else {}

    def own_names(self) -> Iterable[str]:
        """Populations, where variables may be named."""
        return (*self.names.families, "residual") if self.stop else ()

    def own(self, node: Reference) -> Expr | None:
        """In a stop rule: a variable, `residual`."""
        if self.names.parameters.has(node.name):
            return None
        if self.stop and node.name == "residual" and not node.attributes:
            return Residual(span=node.span)
        if node.name in self.names.families and node.attributes:
            if self.stop:
                return qualified(node, self)
            self.fail(node, f"{self.where} cannot read a variable")
            return NOTHING
        return None


def qualified(node: Reference, scope: Scope) -> Expr:
    """`population[k].variable`, as a leaf."""
    if isinstance(node.index, Range):
        scope.fail(
            node, "a range is possible only in an index inside `sum` and `mean` of an energy"
        )
        return NOTHING
    try:
        member = scope.names.population(node, scope)
        return member_variable(node, member, scope)
    except Skip:
        return NOTHING


def member_variable(node: Reference, member: Member, scope: Scope) -> Expr:
    """The variable that `population.variable` names, the population being known."""
    if len(node.attributes) != 1:
        scope.fail(
            node,
            f"'{node.name}' is a population; which variable of it?",
            expected=f"{member.name}." + next(iter(member.kinds), "x"),
        )
        raise Skip
    found = variable_of(node, node.attributes[0], member, scope)
    if found is None:
        problems = scope.names.problems
        if member.cell.broken:
            problems.echo()
        name = node.attributes[0]
        start, stop = node.span or (0, len(scope.scalar.text))
        at = scope.scalar.text.find("." + name, start, stop)
        place = scope.scalar.place_at(at + 1 if at >= 0 else start)
        near = nearest(name, member.kinds)
        problems.add(
            place,
            f"the population '{member.name}' has no variable '{name}'",
            expected=", ".join(member.kinds) or "nothing: its cell has no variables",
            suggestion=problems.corrected(place, name, near) if near else None,
        )
        raise Skip
    return found
