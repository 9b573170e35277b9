"""Precision: whether what a rule adds to a weight can be seen at all by floats of a given width.

Two ways to see it. `hazards` needs no run: it compares what a rule does to a weight when nobody is
active (decay, growth, a leak) with the spacing of floats at that weight,

    |rule(w, activity 0) - w|  <  spacing(w) / 2      then the weight stands still

`lost` compares the weights before and after a run in wider floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .circuit import Circuit, Synapse, Update
from .constants import NotConstantError, Value, evaluate
from .expression import Expr, Number, Parameter, Trace, Transmitted, Variable, Weight, transform

MANY = 64  # weights of an array that are looked at


class PrecisionWarning(UserWarning):
    """A rule learns nothing in floats of the width that was asked for."""


@dataclass(frozen=True)
class Hazard:
    """A rule whose changes vanish: medians of |w|, change and float spacing."""

    synapse: str
    dtype: str
    weight: float
    change: float
    spacing: float

    def __str__(self) -> str:
        return (
            f"{self.synapse}: its rule changes a weight of {self.weight:.3g} by {self.change:.1e}, "
            f"but the next {self.dtype} is {self.spacing:.1e} away, so the weight stands still; "
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
    if synapse.optimizer is not None and synapse.optimizer.kind != "sgd":
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
    for rule in synapse.rule:
        if not isinstance(rule, Update):
            raise NotConstantError("a differential equation has no single change", rule.right)
        right = evaluate(_at_rest(rule.right, weight), lambda name: values[name])
        if isinstance(right, tuple):
            raise NotConstantError("a list stands where one number is needed", rule.right)
        weight = {":=": right, "+=": weight + right, "-=": weight - right}[rule.kind]
    if synapse.optimizer is not None:
        rate = evaluate(synapse.optimizer.arguments[0], lambda name: values[name])
        weight = start + (weight - start) * (rate if isinstance(rate, float) else 1.0)
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
