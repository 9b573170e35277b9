"""Dale's law: the signs of weights, and of what a population does to its targets."""

from __future__ import annotations

from collections.abc import Iterator

from ..circuit import Circuit, Synapse
from ..expressions.tree import (
    Array,
    Binary,
    Call,
    Expr,
    Input,
    Number,
    Parameter,
    Unary,
    WeightOf,
    walk,
)
from .findings import Dale


def dale(circuit: Circuit) -> Iterator[Dale]:
    """Per population: the effective signs of its synapses, weight times use in the target."""
    for population in circuit.populations.values():
        signs = {
            s.name: _times(_sign(circuit, s), _use(circuit, s))
            for s in circuit.synapses.values()
            if s.source[0] == population.name
        }
        if not signs:
            continue
        kinds = set(signs.values()) - {"0"}
        verdict = "mixed"
        if kinds <= {"+"} or kinds <= {"-"}:
            verdict = "obeys"
        elif "?" in kinds:
            verdict = "may change"
        yield Dale(population.name, verdict, signs)


def sign_text(circuit: Circuit, synapse: Synapse) -> str:
    """What is known of the sign of a synapse's weights, in words."""
    words = {"+": "positive", "-": "negative", "0": "zero", "?": "not bounded"}
    return words[_sign(circuit, synapse)]


def _sign(circuit: Circuit, synapse: Synapse) -> str:
    """+ or - where it is so at all times; a plastic weight is not bounded, so it is "?"."""
    if synapse.current is not None:
        return "?"
    kept = _kept(circuit, synapse)
    if synapse.weight is not None:
        return _sign_of(circuit, synapse.weight)
    if synapse.name in circuit.plastic or kept != "?":
        return kept
    assert synapse.init is not None  # of a weight of its own
    return _sign_of(circuit, synapse.init)


def _kept(circuit: Circuit, synapse: Synapse) -> str:
    """The side of 0 on which `bounds` or `sign` keep the weights."""
    low, high = synapse.limits
    if low is not None and _sign_of(circuit, low) in ("+", "0"):
        return "+"
    return "-" if high is not None and _sign_of(circuit, high) in ("-", "0") else "?"


def _sign_of(circuit: Circuit, expr: Expr) -> str:
    match expr:
        case Number():
            return "+" if expr.value > 0 else "-" if expr.value < 0 else "0"
        case Parameter():
            value = circuit.parameters[expr.name].value
            numbers = value if isinstance(value, tuple) else (value,)
            kinds = {"+" if v > 0 else "-" if v < 0 else "0" for v in numbers}
            return kinds.pop() if len(kinds) == 1 else "?"
        case Unary():
            return _times("-", _sign_of(circuit, expr.operand))
        case Binary(op="*" | "/"):
            return _times(_sign_of(circuit, expr.left), _sign_of(circuit, expr.right))
        case Binary(op="+" | "-"):
            left, right = _sign_of(circuit, expr.left), _sign_of(circuit, expr.right)
            right = _times("-", right) if expr.op == "-" else right
            return left if right in ("0", left) else right if left == "0" else "?"
        case Array():
            low, high = expr.values.min(), expr.values.max()
            return "0" if low == high == 0 else "+" if low >= 0 else "-" if high <= 0 else "?"
        case WeightOf():
            other = circuit.synapses[expr.synapse]
            return _sign(circuit, other)
        case Call(function="transpose" | "copy", arguments=(inner,)):
            return _sign_of(circuit, inner)
        case Call(function="abs" | "exp"):
            return "+"
    return "?"


def _use(circuit: Circuit, synapse: Synapse) -> str:
    """The sign with which the target's equations use the current of this port."""
    population, compartment, port = synapse.target
    node = Input(population, compartment, port)
    signs = set()
    for equation in circuit.populations[population].equations:
        if node in walk(equation.right):
            signs.add(_factor(circuit, equation.right, node))
    return signs.pop() if len(signs) == 1 else "?"


def _factor(circuit: Circuit, expr: Expr, node: Expr) -> str:
    """The sign of d(expr)/d(node) where sums and products of known signs tell it."""
    if expr == node:
        return "+"
    if node not in walk(expr):
        return "0"
    match expr:
        case Unary():
            return _times("-", _factor(circuit, expr.operand, node))
        case Binary(op="+" | "-"):
            left, right = (_factor(circuit, e, node) for e in (expr.left, expr.right))
            right = _times("-", right) if expr.op == "-" else right
            return left if right in ("0", left) else right if left == "0" else "?"
        case Binary(op="*") if node in walk(expr.right) and node not in walk(expr.left):
            return _times(_sign_of(circuit, expr.left), _factor(circuit, expr.right, node))
        case Binary(op="*" | "/") if node not in walk(expr.right):
            return _times(_factor(circuit, expr.left, node), _sign_of(circuit, expr.right))
    return "?"


def _times(left: str, right: str) -> str:
    if "0" in (left, right):
        return "0"
    if "?" in (left, right):
        return "?"
    return "+" if left == right else "-"
