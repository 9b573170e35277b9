"""Sweep: every combination of parameter values and seeds, in as few runs as there are programs.

Values that leave the program as it is become replicas of one simulator, side by side. Where sizes,
steps or variants differ, combinations are grouped by the hash of their programs, and the groups run
one after another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ...graphs.circuit import Circuit
from ...graphs.load import load
from ...graphs.lower import lower
from ...traces.row_reductions import reduced
from ...traces.traces import Traces
from .argument_checks import seeds_of, whole
from .simulator import Simulator
from .training.history import History


@dataclass(frozen=True)
class Point:
    """One combination: its values and seed, and which replica of which simulator it is."""

    values: Mapping[str, Any]
    seed: int
    simulator: Simulator
    replica: int

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The weight arrays of this combination."""
        many = self.simulator.replicas > 1
        found = self.simulator.weights.items()
        return {name: array[self.replica] if many else array for name, array in found}


class Sweep:
    """A circuit at every point of a grid, for every seed; `points` are in the order of the grid.

    Args:
        circuit: A bundled name or the path of a file.
        grid: parameter -> its values; "variants" -> lists of names of variants.
        seeds: How many, from 0 on; or which.
        options: What `Simulator` takes (engine, dtype, device, threads).

    Raises:
        CircuitError: The circuit is wrong at a point of the grid.
        ValueError: An unknown parameter, engine or dtype.
    """

    def __init__(
        self,
        circuit: str | Path,
        grid: Mapping[str, Sequence[Any]],
        seeds: int | Iterable[int] = 1,
        **options: Any,
    ):
        numbers = _seeds(seeds)
        combinations = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
        groups: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        circuits: dict[str, Circuit] = {}
        for place, values in enumerate(combinations):
            made, own = _split(circuit, values)
            key = _key(made)
            circuits.setdefault(key, made)
            groups.setdefault(key, []).append((place, own))
        points: dict[tuple[int, int], Point] = {}
        self.simulators: list[Simulator] = []
        for key, members in groups.items():
            replicas = [(place, own, seed) for place, own in members for seed in numbers]
            simulator = Simulator(
                circuits[key],
                seed=[seed for _, _, seed in replicas],
                replicas=len(replicas),
                parameters={n: [own[n] for _, own, _ in replicas] for n in members[0][1]},
                **options,
            )
            self.simulators.append(simulator)
            for replica, (place, _, seed) in enumerate(replicas):
                points[place, seed] = Point(combinations[place], seed, simulator, replica)
        self.points = [points[place, s] for place in range(len(combinations)) for s in numbers]

    def fit(self, samples: Mapping[str, Any], **options: Any) -> list[History]:
        """Trains group after group (see `Simulator.fit`); one history for each.

        Raises:
            ValueError: A `checkpoint`: there are several simulators, and one file.
        """
        if options.get("checkpoint") is not None and len(self.simulators) > 1:
            raise ValueError(
                f"checkpoint: one file cannot hold {len(self.simulators)} simulators; train each "
                f"of `sweep.simulators` with a file of its own"
            )
        return [simulator.fit(samples, **options) for simulator in self.simulators]

    def evaluate(self, samples: Mapping[str, Any], **options: Any) -> list[dict[str, Any]]:
        """For each point its values, seed and scores (see `Simulator.evaluate`)."""
        scores = {id(s): s.evaluate(samples, **options) for s in self.simulators}
        return [
            {
                **point.values,
                "seed": point.seed,
                **{n: _of(a, point.replica) for n, a in scores[id(point.simulator)].items()},
            }
            for point in self.points
        ]

    def run(self, protocol: str = "train", **options: Any) -> list[Traces]:
        """Runs a protocol at every point (see `Simulator.run`); the traces of each group.

        Replicas of the traces are points of the group; `rows` puts all into the order of the grid.
        """
        return [simulator.run(protocol, **options) for simulator in self.simulators]

    def rows(self, runs: Sequence[Traces], *reductions: str) -> list[dict[str, Any]]:
        """A row for each point and sample of what `run` gave: values, seed, reduced records.

        A record "E.r" reduced by `last` is "E.r last", a number, or a list where there are units.

        Args:
            runs: What `run` gave.
            reductions: `last`, `mean`, `min`, `max`, `sd`; default `last`.

        Raises:
            ValueError: Another reduction.
        """
        parts = {
            id(simulator): {how: reduced(traces, how) for how in reductions or ("last",)}
            for simulator, traces in zip(self.simulators, runs, strict=True)
        }
        found = []
        for point in self.points:
            held = parts[id(point.simulator)]
            samples = {
                len(array[point.replica]) for part in held.values() for array in part.values()
            }
            for sample in range(max(samples, default=0)):
                row = {**point.values, "seed": point.seed}
                if samples != {1}:
                    row["sample"] = sample
                for how, part in held.items():
                    for name, array in part.items():
                        values = np.atleast_1d(array[point.replica, sample])
                        row[f"{name} {how}"] = (
                            values.tolist() if len(values) > 1 else float(values[0])
                        )
                found.append(row)
        return found


def _seeds(given: Any) -> tuple[int, ...]:
    """How many seeds, from 0 on; or which."""
    if isinstance(given, Iterable) and np.ndim(given):  # type: ignore[arg-type]
        several = list(given)
        return seeds_of(several, len(several))[1]
    return tuple(range(whole("seeds", given, 1)))


def _split(circuit: str | Path, values: Mapping[str, Any]) -> tuple[Circuit, dict[str, Any]]:
    """The circuit at a point of the grid, and the values that replicas can differ in."""
    fixed = {name: value for name, value in values.items() if name != "variants"}
    variants = values.get("variants", ())
    whole = load(circuit, variants, **fixed)
    own = {name: fixed.pop(name) for name in list(fixed) if _is_free(whole, name, fixed[name])}
    return load(circuit, variants, **fixed), own


def _is_free(circuit: Circuit, name: str, value: Any) -> bool:
    """Whether replicas can differ in a parameter, or in all members of a family."""
    members = [p for n, p in circuit.parameters.items() if n.partition("[")[0] == name]
    numbers = np.ndim(value) == (1 if members and isinstance(members[0].value, tuple) else 0)
    return numbers and not isinstance(value, str) and not any(p.structural for p in members)


def _key(circuit: Circuit) -> str:
    """A hash of all that replicas share: programs, values in the file, and starts."""
    programs = [lower(circuit, protocol).digest for protocol in circuit.protocols]
    values = {name: p.value for name, p in circuit.parameters.items()}
    starts = [s.init for s in circuit.synapses.values()]
    starts += [dict(p.slow) for p in circuit.populations.values()]
    return hashlib.sha256(f"{programs}{values}{starts}".encode()).hexdigest()


def _of(scores: Any, replica: int) -> Any:
    return scores[replica] if np.ndim(scores) else scores
