"""What the expressions of a rule read, and where in the circuit it stands."""

from __future__ import annotations

from collections.abc import Iterator

from ...compartments.functions import over_units
from ...compartments.roles import role_of
from ..circuit import Circuit, Equation, Synapse, Update
from ..expressions.text import text
from ..expressions.tree import (
    Call,
    Counter,
    Expr,
    Input,
    Noise,
    Number,
    Parameter,
    Rate,
    Stream,
    Trace,
    Transmitted,
    Variable,
    Weight,
    WeightOf,
    children,
    walk,
)
from ..network import home
from .findings import Read


def reads_of(
    circuit: Circuit, expr: Expr, synapse: Synapse | None, own: str | None
) -> Iterator[Read]:
    """Every leaf of a rule, and the population sums behind the variables it names."""
    for node in walk(expr):
        match node:
            case Weight():
                yield Read("w", "weight")
            case WeightOf():
                yield Read(node.synapse, "other-weight")
            case Trace():
                yield Read(node.name, "trace")
            case Transmitted():
                yield Read("pre", "pre", *_place(circuit, *_sent(synapse)))
            case Parameter():
                kind = "broadcast" if _base(node.name) in _broadcast(circuit) else "constant"
                yield Read(text(node), kind)
            case Counter():
                yield Read(node.name, "clock")
            case Stream():
                yield Read(node.name, "teacher")
            case Noise():
                yield Read("xi", "noise")
            case Variable() | Rate():
                yield from _variable(circuit, node, synapse, own)
            case Call() if over_units(node.function, len(node.arguments)):
                yield Read(text(node), "population")
            case _:
                pass


def _variable(
    circuit: Circuit, node: Variable | Rate, synapse: Synapse | None, own: str | None
) -> Iterator[Read]:
    phase = getattr(node, "phase", None) or ""
    side = getattr(node, "side", None)
    place = _place(circuit, node.population, node.name)
    kind = "third-cell"
    if own == node.population or side == "post":
        kind = "post"
    elif side == "pre" and synapse is not None:
        kind = "pre" if _derivable(circuit, node, synapse) else "pre-cell"
    yield Read(text(node), kind, *place, phase)
    for found in _sums(circuit, node.population, node.name):
        yield Read(f"{text(node)} = {found[1]}", "population", found[0])


def _sums(circuit: Circuit, population: str, variable: str) -> Iterator[tuple[str, str]]:
    """Reductions over a population in the algebraic chain behind a variable."""
    for name, equation in _chain(circuit, population, variable):
        for node in walk(equation.right):
            if isinstance(node, Call) and over_units(node.function, len(node.arguments)):
                yield population, f"{text(node)} in {name}"


def _chain(circuit: Circuit, population: str, variable: str) -> Iterator[tuple[str, Equation]]:
    """The algebraic equations behind a variable, itself first."""
    equations = {e.variable: e for e in circuit.populations[population].equations}
    todo, seen = [variable], set()
    while todo:
        name = todo.pop(0)
        equation = equations.get(name)
        if name in seen or equation is None or equation.kind != "algebraic":
            continue
        seen.add(name)
        yield name, equation
        todo += [n.name for n in walk(equation.right) if isinstance(n, Variable)]


def _derivable(circuit: Circuit, node: Variable | Rate, synapse: Synapse) -> bool:
    """Whether a presynaptic variable follows from what the synapse transmits."""
    if isinstance(node, Rate):
        return False
    equations = {e.variable: e for e in circuit.populations[node.population].equations}
    sent = {synapse.source[1]}
    alias = equations.get(synapse.source[1])
    while alias is not None and isinstance(alias.right, Variable) and alias.kind == "algebraic":
        if alias.right.name in sent:
            break
        sent.add(alias.right.name)
        alias = equations.get(alias.right.name)

    def known(name: str, depth: int = 0) -> bool:
        if name in sent:
            return True
        equation = equations.get(name)
        if equation is None or equation.kind != "algebraic" or depth > len(equations):
            return False
        leaves = [n for n in walk(equation.right) if not children(n)]
        return all(
            isinstance(n, Number | Parameter | Counter)
            or (isinstance(n, Variable) and n.phase is None and known(n.name, depth + 1))
            for n in leaves
        )

    return known(node.name)


def live_weights(
    circuit: Circuit, synapse: Synapse, rules: list[Update | Equation]
) -> tuple[str, ...]:
    """Live weights on the way to what the rule reads, inside the cells at both ends."""
    found: dict[str, None] = {}
    for rule in rules:
        for node in walk(rule.right):
            if isinstance(node, Variable | Rate):
                for name in _inputs(circuit, node.population, node.name):
                    weight = circuit.synapses[name].weight
                    if name != synapse.name and weight is not None and weights_of(weight):
                        found[name] = None
    return tuple(found)


def _inputs(circuit: Circuit, population: str, variable: str) -> Iterator[str]:
    """Synapses whose currents a variable depends on, through equations of its own cell."""
    cell = circuit.populations[population]
    equations = {e.variable: e for e in cell.equations}
    updates: dict[str, list[Expr]] = {}
    for update in cell.after_step:
        updates.setdefault(update.target.rpartition(".")[2], []).append(update.right)
    for event in cell.events:
        for name in (event.name, *(line.target for line in event.do)):
            updates.setdefault(name, []).extend(event.expressions)
    todo, seen = [variable], set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        rights = updates.get(name, []) + ([equations[name].right] if name in equations else [])
        for node in (n for right in rights for n in walk(right)):
            if isinstance(node, Variable | Rate):
                todo.append(node.name)
            elif isinstance(node, Input):
                yield from (s.name for s in circuit.arriving(node))


def _base(name: str) -> str:
    return name.partition("[")[0]


def _broadcast(circuit: Circuit) -> frozenset[str]:
    return frozenset(_base(name) for name in circuit.set_names)


def _sent(synapse: Synapse | None) -> tuple[str, str]:
    assert synapse is not None, "`pre` can be used only in the rules of synapses"
    return synapse.source


def _place(circuit: Circuit, population: str, variable: str) -> tuple[str, str]:
    place = home(circuit.populations[population], variable) or ""
    return place, role_of(place).part if place else ""


def weights_of(expr: Expr) -> tuple[str, ...]:
    """The synapses whose weights an expression reads."""
    return tuple(dict.fromkeys(n.synapse for n in walk(expr) if isinstance(n, WeightOf)))
