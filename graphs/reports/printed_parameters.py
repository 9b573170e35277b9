"""The parameters of a circuit that is printed: those of its populations get names of their own."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from ..circuit import Circuit, Population, Synapse
from ..expressions.text import text
from ..expressions.tree import (
    Call,
    Expr,
    Input,
    Parameter,
    Rate,
    RateReference,
    Reference,
    Variable,
    transform,
)


class Own:
    """The parameters of populations: `own1` and so on, and lists, which keep their names."""

    def __init__(self, circuit: Circuit):
        self.circuit = circuit
        self.lists: dict[str, dict[str, list[str]]] = {name: {} for name in circuit.populations}
        self.values: dict[str, dict[str, str]] = {name: {} for name in circuit.populations}
        for name, entry in circuit.parameters.items():
            population, dot, own = name.rpartition(".")
            if dot and isinstance(entry.expression, tuple):
                self.lists[population][own] = [text(e) for e in entry.expression]
        self._taken = {*circuit.parameters, *circuit.streams, "pi", "xi"}
        for p in circuit.populations.values():
            self._taken |= {*p.states, *p.slow, *(e.variable for e in p.equations)}
        self._made: dict[tuple[tuple[str, str], ...], str] = {}
        for name, entry in circuit.stated.items():
            if entry.units and isinstance(entry.expression, Expr):
                owner, _, own = name.rpartition(".")
                said = text(self.local(circuit.populations[owner], entry.expression))
                self.values[owner][own] = said

    def name(self, values: dict[str, Expr]) -> str:
        """The parameter that has these values (population -> expression), made if there is none."""
        written = {population: text(expr) for population, expr in values.items()}
        key = tuple(written.items())
        if key not in self._made:
            number = len(self._made) + 1
            while f"own{number}" in self._taken:
                number += 1
            self._made[key] = f"own{number}"
            self._taken.add(f"own{number}")
            for population, said in written.items():
                self.values[population][f"own{number}"] = said
        return self._made[key]

    def local(self, population: Population, expr: Expr) -> Expr:
        """An expression with the names that it has inside a population."""
        names = {*population.states, *population.slow, *(e.variable for e in population.equations)}

        def leaf(node: Expr) -> Expr | None:
            if isinstance(node, Variable) and node.population == population.name:
                return Reference(node.name, phase=node.phase)
            if isinstance(node, Rate) and node.population == population.name:
                return RateReference(node.name)
            if isinstance(node, Input):
                return Reference("input", attributes=() if node.port is None else (node.port,))
            if isinstance(node, Parameter):
                owner, dot, own = node.name.rpartition(".")
                if dot and owner == population.name:
                    return Reference(own)
                if node.name in names:  # a function or the population's text reads past the cell
                    return Reference(self.name({population.name: node}))
            return None

        return transform(expr, leaf)

    def sided(self, synapse: Synapse, expr: Expr) -> Expr:
        """An expression of a synapse: lists of an end stand as parameters of that population."""
        ends = {"pre": synapse.source[0], "post": synapse.target[0]}

        def leaf(node: Expr) -> Expr | None:
            if not isinstance(node, Parameter) or node.side is None:
                return None
            owner, dot, own = node.name.rpartition(".")
            if not dot or owner != ends[node.side]:
                own = self.name({ends[node.side]: Parameter(node.name)})
            return Reference(node.side, attributes=(own,))

        return transform(expr, leaf)


def together(own: Own, values: dict[str, Expr]) -> Expr:
    """One expression for all members of a cell; where they differ, a parameter of theirs."""
    first, *others = values.values()
    if all(other == first for other in others):
        return first
    shape = [_shape(e) for e in values.values()]
    parts = [_parts(e) for e in values.values()]
    if any(s != shape[0] for s in shape) or not parts[0]:
        return Reference(own.name(values))
    made = [
        together(own, dict(zip(values, column, strict=True))) for column in zip(*parts, strict=True)
    ]
    replaced = iter(made)
    changes: dict[str, Any] = {}
    for item in fields(first):
        value = getattr(first, item.name)
        if isinstance(value, Expr):
            changes[item.name] = next(replaced)
        elif isinstance(value, tuple) and any(isinstance(v, Expr) for v in value):
            changes[item.name] = tuple(next(replaced) for _ in value)
    return replace(first, **changes)


def _parts(expr: Expr) -> list[Expr]:
    found: list[Expr] = []
    for item in fields(expr):
        value = getattr(expr, item.name)
        if isinstance(value, Expr):
            found.append(value)
        elif isinstance(value, tuple):
            found += [v for v in value if isinstance(v, Expr)]
    return found


def _shape(expr: Expr) -> tuple[Any, ...]:
    """What a node is, apart from the expressions in it."""
    rest = (
        getattr(expr, item.name)
        for item in fields(expr)
        if item.compare and not isinstance(getattr(expr, item.name), Expr)
    )
    kept = (v for v in rest if not (isinstance(v, tuple) and any(isinstance(x, Expr) for x in v)))
    return (type(expr), len(_parts(expr)), *kept)


# --- sections ------------------------------------------------------------------------------------


def is_item(expression: Expr | tuple[Expr, ...]) -> bool:
    """Whether a parameter is an entry of a list."""
    return isinstance(expression, Call) and expression.function == "item"
