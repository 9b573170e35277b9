"""Resolving: names as written become leaves that say what is meant; user functions are inlined.

A `Scope` is what a piece of text may name. Look-up is innermost first: bound index, what the scope
itself has (a cell's variables, `pre` and `post`, ...), parameters, streams, built-ins.
"""

from __future__ import annotations

import math

from ...compartments.distributions import DISTRIBUTIONS
from ...compartments.functions import FUNCTIONS
from ...compartments.initialisers import INITIALISERS
from ..expressions.tree import (
    Call,
    Counter,
    Expr,
    Noise,
    Number,
    Quoted,
    Range,
    RateReference,
    Reference,
    Stream,
    transform,
)
from ..reading.expansion_budget import NODE, TEXT
from .names import NOTHING, Scope

COUNTERS = ("t", "dt", "step", "presentation", "sample", "epoch")


def resolve(expr: Expr, scope: Scope) -> Expr:
    """The expression with every name resolved in a scope and every user function inlined."""
    spend, place = scope.names.problems.spend, scope.scalar.place
    spend(TEXT, place)

    def each(node: Expr) -> Expr | None:
        spend(NODE, place)
        if isinstance(node, Reference):
            return _reference(node, scope)
        if isinstance(node, RateReference):
            return scope.rate(node)
        if isinstance(node, Call):
            return _call(node, scope)
        if isinstance(node, Quoted):
            scope.fail(
                node,
                "a text in quotation marks says nothing here",
                expected='a name without them, or `file("W.npz")` in `init`',
            )
            return NOTHING
        if isinstance(node, Range):
            scope.fail(node, "a range is possible only in an index inside `sum` and `mean`")
            return NOTHING
        return None

    return transform(expr, each)


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
        built_in = scope.built_in(node)
        if built_in is not None:
            return built_in
        if node.name == "xi":
            if not scope.noise:
                scope.fail(
                    node, "noise `xi` can be used only on the right side of a `d/dt` equation"
                )
                return NOTHING
            return Noise(span=node.span)
    known = [*scope.own_names(), *scope.indices, *names.parameters.bases()]
    known += [
        *(names.streams if scope.streams else ()),
        *(COUNTERS if scope.counters else ()),
        "pi",
    ]
    if node.name in known and not _bare(node):
        part = "." + ".".join(node.attributes) if node.attributes else "parts or phases"
        scope.fail(node, f"'{node.name}' has no {part} in {scope.where}")
        return NOTHING
    scope.unknown(node, f"{scope.where} does not know the name", node.name, known)
    return NOTHING


def _stream(node: Reference, scope: Scope) -> Expr:
    if not scope.streams:
        scope.fail(node, f"{scope.where} cannot read the stream '{node.name}'")
        return NOTHING
    if not _bare(node):
        _no_part(node, scope)
        return NOTHING
    return Stream(node.name, span=node.span)


def _no_part(node: Reference, scope: Scope) -> None:
    """A stream is named whole; `stim[step]` asks for a signal."""
    names, name = scope.names, node.name
    if node.index is None:
        scope.fail(node, f"the stream '{name}' has no parts and no @phase")
    elif name in names.signals:
        scope.fail(
            node,
            f"the signal '{name}' has no parts: it is read at its own time",
            expected="its name alone, which is the row that a step starts in",
            suggestion=_with(node, name, scope),
        )
    else:
        scope.fail(
            node,
            f"the stream '{name}' has one row for each sample, and no parts",
            expected=f"`{name}` alone; with another row in every step it is a signal, in `data`",
            suggestion=f"{name}: {{size: {names.streams[name]}, every: step}}",
        )


def _with(node: Reference, better: str, scope: Scope) -> str:
    """The line with other words for a reference."""
    written = scope.scalar.text[slice(*node.span)] if node.span else node.name
    place = scope.scalar.place_at(node.span[0] if node.span else 0)
    return scope.names.problems.corrected(place, written, better)


def _call(node: Call, scope: Scope) -> Expr:
    special = scope.call(node)
    if special is not None:
        return special
    names = scope.names
    if node.function == "len":
        return names.parameters.length(node, scope)
    if node.function in ("file", "array") and not names.functions.has(node.function):
        scope.fail(
            node,
            f"`{node.function}` says how the weights of a synapse start, and can be used only in "
            "`init`",
        )
        return NOTHING
    arguments = tuple(resolve(a, scope) for a in node.arguments)
    call = Call(node.function, arguments, node.primed, span=node.span)
    if names.functions.has(node.function):
        return names.functions.inline(call, scope)
    if node.function in scope.calls and not node.primed:
        return call if arity_holds(call, scope.calls[node.function], scope) else NOTHING
    if node.function in FUNCTIONS:
        if not arity_holds(call, FUNCTIONS[node.function].arity, scope):
            return NOTHING
        if node.primed and not FUNCTIONS[node.function].derivatives:
            scope.fail(node, f"'{node.function}' has no derivative")
            return NOTHING
        return call
    known = [*names.functions.names(), *scope.calls, *FUNCTIONS]
    if node.function in DISTRIBUTIONS:
        scope.fail(
            node,
            f"'{node.function}' cannot be drawn here, in {scope.where}",
            expected="`xi`, a normal number for each unit and step, as in dV/dt = -V + sigma*xi; "
            "or a draw in `begin`, `after_step`, `set`, `init` or a parameter of a population",
        )
        return NOTHING
    if node.function in INITIALISERS:
        scope.fail(
            node,
            f"'{node.function}' says how the weights of a synapse start, and can be used only in "
            "`init`",
        )
        return NOTHING
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
