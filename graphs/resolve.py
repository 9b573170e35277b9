"""Resolving: names as written become leaves that say what is meant; user functions are inlined.

A `Scope` is what a piece of text may name. Look-up is innermost first: bound index, what the scope
itself has (a cell's variables, `pre` and `post`, ...), parameters, streams, built-ins.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..compartments.functions import DERIVATIVES, FUNCTIONS
from .expression import (
    Call,
    Counter,
    Expr,
    Noise,
    Number,
    Range,
    RateReference,
    Reference,
    Stream,
    transform,
)
from .read import Scalar

if TYPE_CHECKING:
    from .names import Names

COUNTERS = ("t", "dt", "step", "presentation", "sample", "epoch")
NOTHING = Number(0.0)  # stands for what could not be resolved, so that the rest is still looked at


class Scope(ABC):
    """What a piece of text may name; `scalar` is that text, for the places of problems."""

    where = "here"
    lists = "none"  # bare list parameters: "unit" (one value per unit), "constant", "none"
    streams = False
    counters = True
    noise = False
    calls: Mapping[str, tuple[int, int]] = {}

    def __init__(self, names: Names, scalar: Scalar, indices: Mapping[str, int] | None = None):
        self.names = names
        self.scalar = scalar
        self.indices = dict(indices or {})

    @abstractmethod
    def own(self, reference: Reference) -> Expr | None:
        """What a reference means in this scope before parameters are asked; None if nothing."""

    def own_names(self) -> Iterable[str]:
        """The names of this scope, for suggestions."""
        return ()

    def rate(self, node: RateReference) -> Expr:
        """What `dx/dt` on a right side means."""
        self.fail(node, f"d{node.name}/dt stands only in the equations of a cell")
        return NOTHING

    def call(self, node: Call) -> Expr | None:
        """A call that means something of its own in this scope; None if it does not."""
        return None

    def fail(
        self,
        node: Expr,
        message: str,
        expected: str | None = None,
        suggestion: str | None = None,
        offset: int = 0,
    ) -> None:
        """Write a problem down at the place of a node; resolving goes on."""
        start = node.span[0] if node.span else 0
        self.names.problems.add(
            self.scalar.place_at(start + offset),
            message,
            expected=expected,
            suggestion=suggestion,
        )

    def unknown(self, node: Expr, what: str, name: str, known: Iterable[str]) -> None:
        """Write down that a name is not known, with the nearest one."""
        start = node.span[0] if node.span else 0
        if isinstance(node, RateReference):
            start += 1
        self.names.problems.unknown(self.scalar.place_at(start), what, name, known)


def resolve(expr: Expr, scope: Scope) -> Expr:
    """The expression with every name resolved in a scope and every user function inlined."""

    def each(node: Expr) -> Expr | None:
        if isinstance(node, Reference):
            return _reference(node, scope)
        if isinstance(node, RateReference):
            return scope.rate(node)
        if isinstance(node, Call):
            return _call(node, scope)
        if isinstance(node, Range):
            scope.fail(node, "a range stands only in an index inside `sum` and `mean`")
            return NOTHING
        return None

    return transform(expr, each)


def spelled(reference: Reference) -> str:
    """A reference without its index, for messages."""
    index = "[...]" if reference.index is not None else ""
    phase = f"@{reference.phase}" if reference.phase else ""
    return ".".join((reference.name + index, *reference.attributes)) + phase


def _bare(reference: Reference) -> bool:
    return reference.index is None and not reference.attributes and reference.phase is None


def _reference(node: Reference, scope: Scope) -> Expr:
    if _bare(node) and node.name in scope.indices:
        return Number(float(scope.indices[node.name]), span=node.span)
    own = scope.own(node)
    if own is not None:
        return own
    names = scope.names
    if names.parameters.has(node.name):
        return names.parameters.refer(node, scope)
    if node.name in names.streams:
        return _stream(node, scope)
    if _bare(node):
        if node.name in COUNTERS:
            if not scope.counters:
                scope.fail(node, f"'{node.name}' changes during a run; {scope.where} is a constant")
                return NOTHING
            return Counter(node.name, span=node.span)
        if node.name == "pi":
            return Number(math.pi, span=node.span)
        if node.name == "xi":
            if not scope.noise:
                scope.fail(node, "noise `xi` stands only on the right of a `d/dt` equation")
                return NOTHING
            return Noise(span=node.span)
    known = [*scope.own_names(), *scope.indices, *names.parameters.bases()]
    known += [
        *(names.streams if scope.streams else ()),
        *(COUNTERS if scope.counters else ()),
        "pi",
    ]
    scope.unknown(node, f"{scope.where} does not know the name", node.name, known)
    return NOTHING


def _stream(node: Reference, scope: Scope) -> Expr:
    if not scope.streams:
        scope.fail(node, f"{scope.where} cannot read the stream '{node.name}'")
        return NOTHING
    if not _bare(node):
        scope.fail(node, f"the stream '{node.name}' has no parts and no @phase")
        return NOTHING
    return Stream(node.name, span=node.span)


def _call(node: Call, scope: Scope) -> Expr:
    special = scope.call(node)
    if special is not None:
        return special
    names = scope.names
    if node.function == "len":
        return names.parameters.length(node, scope)
    arguments = tuple(resolve(a, scope) for a in node.arguments)
    call = Call(node.function, arguments, node.primed, span=node.span)
    if names.functions.has(node.function):
        return names.functions.inline(call, scope)
    if node.function in scope.calls and not node.primed:
        return call if arity_holds(call, scope.calls[node.function], scope) else NOTHING
    if node.function in FUNCTIONS:
        if not arity_holds(call, FUNCTIONS[node.function].arity, scope):
            return NOTHING
        if node.primed and node.function not in DERIVATIVES:
            scope.fail(node, f"'{node.function}' has no derivative")
            return NOTHING
        return call
    known = [*names.functions.names(), *scope.calls, *FUNCTIONS]
    what = "there is no function"
    if names.parameters.has(node.function):
        what = "this is a parameter, not a function:"
    scope.unknown(node, what, node.function, known)
    return NOTHING


def arity_holds(
    call: Call, arity: tuple[int, int], scope: Scope, signature: str | None = None
) -> bool:
    """Whether a call has as many arguments as its function takes; written down if not."""
    few, most = arity
    if few <= len(call.arguments) <= most:
        return True
    count = f"{few}" if few == most else f"{few} to {most}"
    scope.fail(
        call,
        f"'{call.function}' takes {count} argument{'s' if count != '1' else ''}, "
        f"not {len(call.arguments)}",
        expected=signature,
    )
    return False
