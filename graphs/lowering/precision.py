"""Precision: whether what a rule adds to a weight can be seen at all by floats of a given width.

Three ways to see it. `small_sums` bounds what one update adds where everything is as active as it
can be; a sum whose small updates floats would swallow is compensated (see `compensation`),

    SMALL * |largest update|  <  spacing(w) / 2

`hazards` compares what a rule does to a weight when nobody is active (decay, growth, a leak) with
the spacing of floats at that weight; where the rule puts a new value in place, nothing can be kept,

    |rule(w, activity 0) - w|  <  spacing(w) / 2      then the weight stands still

`lost` compares the weights before and after a run in wider floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..buffer import variable
from ..circuit import Circuit, Equation, Synapse, Update
from ..expressions.constants import NotConstantError, Value, evaluate
from ..expressions.parser import parse_statement
from ..expressions.tree import (
    Binary,
    Expr,
    Number,
    Parameter,
    Trace,
    Transmitted,
    Variable,
    Weight,
    named,
    transform,
)
from .magnitude import Magnitude

MANY = 64  # weights of an array that are looked at
SMALL = 1e-4  # an update as much smaller than the largest possible one must still be seen


class PrecisionWarning(UserWarning):
    """A rule learns nothing in floats of the width that was asked for."""


@dataclass(frozen=True)
class Small:
    """What a rule changes too little: its typical size, the change, and the spacing of floats."""

    name: str
    dtype: str
    weight: float
    change: float
    spacing: float


class Hazard(Small):
    """A weight that stands still."""

    def __str__(self) -> str:
        return (
            f"{self.name}: its rule changes a weight of {self.weight:.3g} by {self.change:.1e}, "
            f"but the next {self.dtype} is {self.spacing:.1e} away, so the weight never changes; "
            f"use dtype='float64', or store the weight without its constant part"
        )


def hazards(
    circuit: Circuit,
    weights: Mapping[str, Any],
    parameters: Mapping[str, Value] | None = None,
    dtype: str = "float32",
) -> tuple[Hazard, ...]:
    """The rules of a circuit that floats of `dtype` would swallow, at these weights.

    `weights` maps names to arrays; `parameters` to the values of one replica (default: the
    circuit's). Rules that have no value without activity (a division by it) are passed over.
    """
    values = dict(parameters or {n: p.value for n, p in circuit.parameters.items()})
    found = (
        _hazard(synapse, np.asarray(weights[name], dtype=np.float64), values, dtype)
        for name, synapse in circuit.synapses.items()
        if synapse.rule and synapse.weight is None and name in weights
    )
    return tuple(hazard for hazard in found if hazard is not None)


class SmallSum(Small):
    """A weight or slow variable that is to be compensated."""

    def __str__(self) -> str:
        return (
            f"{self.name}: one update adds at most {self.change:.1e} to about {self.weight:.2g}, "
            f"where {self.dtype} is spaced {self.spacing:.1e}: what rounding takes is kept beside"
        )


def small_sums(
    circuit: Circuit,
    weights: Mapping[str, Any],
    parameters: Mapping[str, Value] | None = None,
    dtype: str = "float32",
) -> tuple[SmallSum, ...]:
    """The weights and slow variables to be compensated in floats of `dtype`; none in float64.

    `weights` maps names to arrays, slow variables as "population.variable". A weight that starts
    at 0 is taken to become about 1. Rules with an optimizer, or that put a value in place
    (`w := E`), are passed over, and so are states and traces, which forget.
    """
    if dtype == "float64":
        return ()
    values = dict(parameters or {n: p.value for n, p in circuit.parameters.items()})
    found: list[SmallSum] = []
    for name, array in weights.items():
        numbers = np.abs(np.asarray(array, np.float64))
        typical = float(np.median(numbers[numbers > 0])) if numbers.any() else 1.0
        change = _largest(circuit, name, values, typical)
        spacing = float(np.spacing(np.dtype(dtype).type(typical)))
        if change is not None and SMALL * change < spacing / 2:
            found.append(SmallSum(name, dtype, typical, change, spacing))
    return tuple(found)


def _largest(
    circuit: Circuit, name: str, values: Mapping[str, Value], weight: float
) -> float | None:
    """A bound of what one update adds; None where nothing is added."""
    if name not in circuit.synapses:
        rules = [
            rule
            for population in circuit.populations.values()
            for rule in population.rules
            if variable(population.name, rule.target).name == name
        ]
        return _added([r.right for r in rules if r.kind != ":="], Magnitude(None, values))
    synapse = circuit.synapses[name]
    size = Magnitude(synapse, values, weight)
    events = [r for r in synapse.rule if isinstance(r, Update)]
    if synapse.optimizer is None and events:
        return _added([r.right for r in events if r.kind != ":="], size)
    rates = [
        r.right if r.tau is None else Binary("/", r.right, r.tau)
        for r in synapse.rule
        if isinstance(r, Equation)
    ]
    change = _added(rates, size)
    return None if change is None else change * _step(circuit, size)


def _added(rights: list[Expr], size: Magnitude) -> float | None:
    return sum(size.of(right) for right in rights) if rights else None


def _step(circuit: Circuit, size: Magnitude) -> float:
    """The shortest step of the protocols that learn in continuous time."""
    phases = [f for p in circuit.protocols.values() for f in p.phases if f.plasticity]
    return min((size.of(f.dt) for f in phases if f.dt is not None), default=1.0)


def lost(before: np.ndarray, after: np.ndarray, dtype: str = "float32") -> float:
    """The fraction of changed weights whose change is below half the spacing of `dtype`."""
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    change = np.abs(after - before)
    moved = change > 0
    if not moved.any():
        return 0.0
    spacing = np.abs(np.spacing(before.astype(dtype)).astype(np.float64))
    return float(np.mean(change[moved] < spacing[moved] / 2))


def _hazard(
    synapse: Synapse, weights: np.ndarray, values: Mapping[str, Value], dtype: str
) -> Hazard | None:
    if synapse.optimizer is not None and not synapse.optimizer.rule.plain:
        return None
    some = weights[weights != 0].reshape(-1)
    some = some[:: max(1, len(some) // MANY)]
    try:
        after = np.array([_rested(synapse, float(w), values) for w in some])
    except (NotConstantError, KeyError):
        return None
    change = np.abs(after - some)
    real = change > 8 * np.abs(np.spacing(some))  # else it is rounding, not a rule
    if not real.any():
        return None
    spacing = np.abs(np.spacing(some.astype(dtype)).astype(np.float64))
    if np.mean(change[real] < spacing[real] / 2) <= 0.5:
        return None
    middle = (float(np.median(a[real])) for a in (np.abs(some), change, spacing))
    return Hazard(synapse.name, dtype, *middle)


def _rested(synapse: Synapse, weight: float, values: Mapping[str, Value]) -> float:
    """The weight after its rules have acted once with every activity at 0."""
    start = weight

    def number(expr: Expr) -> float:
        found = evaluate(expr, lambda name: values[name])
        if isinstance(found, tuple):
            raise NotConstantError("a list is given where one number is needed", expr)
        return found

    for rule in synapse.rule:
        if not isinstance(rule, Update):
            raise NotConstantError("a differential equation has no single change", rule.right)
        right = number(_at_rest(rule.right, weight))
        weight = {":=": right, "+=": weight + right, "-=": weight - right}[rule.kind]
    if synapse.optimizer is not None:
        names = {"w": Number(start), "g": Number(weight - start), **synapse.optimizer.parameters}
        for line in synapse.optimizer.rule.statements:
            right = named(parse_statement(line).right, names)
            weight = number(right)
    return weight


def _at_rest(expr: Expr, weight: float) -> Expr:
    def leaf(node: Expr) -> Expr | None:
        match node:
            case Weight():
                return Number(weight)
            case Variable() | Transmitted() | Trace():
                return Number(0.0)
            case Parameter():
                return Parameter(node.name)
        return None

    return transform(expr, leaf)
