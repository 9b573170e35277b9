"""Shared arrays: rules of synapses whose weight is the array of another, or its transpose.

    change of A = what its own rule adds + what each rule of `weight: A` adds
                  + the transpose of what each rule of `weight: transpose(A)` adds

A rule of the transpose is one of A with its ends exchanged: f(post) g(pre) is then g(post) f(pre).
"""

from __future__ import annotations

from dataclasses import replace

from ...circuit import Circuit, LearnItem, Synapse, Update
from ...expressions.tree import Expr, Parameter, Transmitted, Variable, transform, walk
from ..reductions import over_connections
from ..refusal import LoweringError, Subject

EXCHANGED = {"pre": "post", "post": "pre", None: None}


def array_of(circuit: Circuit, item: LearnItem) -> str:
    """The array that an item of `learn` changes, by name."""
    if item.variable is not None:
        return str(item)
    shares = circuit.synapses[item.name].shares
    return item.name if shares is None else shares[0]


def gathered(circuit: Circuit, items: tuple[LearnItem, ...]) -> list[tuple[LearnItem, ...]]:
    """The items in order; those that change one array for several synapses stand together."""
    shared = {array_of(circuit, one) for one in items if _shares(circuit, one)}
    found: dict[object, list[LearnItem]] = {}
    for number, one in enumerate(items):
        array = array_of(circuit, one)
        found.setdefault(array if array in shared else number, []).append(one)
    return [tuple(group) for group in found.values()]


def _shares(circuit: Circuit, item: LearnItem) -> bool:
    return item.variable is None and circuit.synapses[item.name].shares is not None


def as_own_rule(circuit: Circuit, synapse: Synapse) -> Synapse:
    """The synapse that has the array, with the rule, and the ends, of one that shares it.

    Raises:
        LoweringError: Its rule sums over the connections of a cell, or it has a filter.
    """
    assert synapse.shares is not None
    name, turned = synapse.shares
    owner, subject = circuit.synapses[name], Subject(synapse.name, "rule")
    if any(over_connections(node) for line in synapse.rule for node in walk(line.right)):
        raise LoweringError(
            f"{synapse.name}: a rule that adds to the array of {name} cannot sum over the "
            f"connections of a cell; such a rule stands at {name}, where w is its own",
            subject,
        )
    if synapse.filter is not None:
        raise LoweringError(
            f"{synapse.name}: a rule that adds to the array of {name} has no `filter` beside it; a "
            f"state of the cell before it, t*ds/dt = -s + r, may be sent instead",
            subject,
        )
    lines = [line for line in synapse.rule if isinstance(line, Update)]
    source, target = synapse.source, synapse.target
    if turned:
        lines = [replace(line, right=_turned(line.right, synapse)) for line in lines]
        source, target = (synapse.target[0], ""), (synapse.source[0], "", None)
    return replace(
        owner, source=source, target=target, rule=tuple(lines), batch=synapse.batch,
        bias=False, filter=None, current=None, trace=(), optimizer=None, windows=synapse.windows,
    )  # fmt: skip


def _turned(right: Expr, synapse: Synapse) -> Expr:
    def each(node: Expr) -> Expr | None:
        match node:
            case Transmitted():
                return Variable(*synapse.source, side="post")
            case Variable(side=side) | Parameter(side=side) if side:
                return replace(node, side=EXCHANGED[side])
        return None

    return transform(right, each)
