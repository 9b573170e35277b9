"""Presenting a few samples to a small circuit of a bundled file, on the referee."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ...engines.simulation.simulator import Simulator
    from ...graphs.circuit import Circuit
    from ...traces.traces import Traces

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Presented:
    """What was presented: the traces, and the simulator as it is afterwards."""

    traces: Traces
    sim: Simulator

    def path(self, name: str, phase: str | None = None) -> np.ndarray:
        """The rows (sample, row, unit) of a phase, row 0 its start, or all (the first replica)."""
        data = self.traces.dataset
        values = np.asarray(data[name].values[0], dtype=np.float64)
        return values if phase is None else values[:, data["phase"].values == phase]

    def end(self, name: str, phase: str | None = None) -> np.ndarray:
        """The last row (sample, unit)."""
        return self.path(name, phase)[:, -1]

    def weight(self, name: str) -> np.ndarray:
        """A copy of the weights (post, pre) as they are now."""
        return np.array(self.sim.weights[name], dtype=np.float64)

    def slow(self, name: str) -> np.ndarray:
        """A copy of a slow variable (unit,)."""
        return np.array(self.sim.slow[name], dtype=np.float64).reshape(-1)


def simulator(
    name: str,
    variants: Iterable[str] = (),
    *,
    changes: str = "",
    weights: Arrays | None = None,
    slow: Arrays | None = None,
    seed: int = 0,
    **settings: Any,
) -> Simulator:
    """The circuit of a bundled file in float64; `changes` is the text of a file that extends it."""
    from ...engines.simulation.simulator import Simulator

    made = circuit(name, tuple(variants), changes, json.dumps(settings))
    sim = Simulator(made, engine="numpy", seed=seed, dtype="float64")
    for key, value in (weights or {}).items():
        sim.weights[key] = value
    for key, value in (slow or {}).items():
        sim.slow[key] = value
    return sim


@cache
def circuit(name: str, variants: tuple[str, ...], changes: str, settings: str) -> Circuit:
    """A bundled circuit, or one that `changes` make of it; `settings` are JSON."""
    from ...graphs.load import load, load_text

    if changes:
        text = f"apical: 1\nname: heir\nextends: {name}\n{changes}"
        return load_text(text, "<claim>", variants, **json.loads(settings))
    return load(name, variants, **json.loads(settings))


def present(
    sim: Simulator,
    streams: Arrays,
    record: Sequence[str] = (),
    protocol: str = "train",
    learn: bool = True,
    **options: Any,
) -> Presented:
    """One call of `run`; samples are the rows of `streams`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a claim does on purpose
        traces = sim.run(protocol, learn=learn, record=list(record), **options, **streams)
    return Presented(traces, sim)


def apart(found: Any, expected: Any) -> float:
    """max |found - expected| / max(1, |expected|); infinite where shapes or NaNs differ."""
    a, b = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if a.shape != b.shape or not np.array_equal(np.isnan(a), np.isnan(b)):
        return float("inf")
    difference = np.abs(a - b) / np.maximum(1, np.abs(b))
    return float(np.nanmax(difference)) if difference.size else 0.0


def worst(pairs: Iterable[tuple[Any, Any]]) -> float:
    """The largest `apart` of all pairs (found, expected)."""
    return max(apart(found, expected) for found, expected in pairs)


def spread(weights: np.ndarray, low: float, high: float) -> float:
    """How far weights are from uniform in [low, high]: their extremes and mean, in its width.

    Of 10,000 numbers or more about .01; infinite where one lies outside.
    """
    w = np.ravel(weights)
    if np.min(w) < low or np.max(w) > high:
        return float("inf")
    off = (np.min(w) - low, high - np.max(w), 4 * (np.mean(w) - (low + high) / 2))
    return float(np.max(np.abs(off)) / (high - low))
