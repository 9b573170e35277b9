"""Sweep: every combination of parameter values and seeds, in as few runs as there are programs.

Values that leave the program as it is become replicas of one simulator, side by side. Where sizes,
steps or variants differ, combinations are grouped by the hash of their programs, and the groups run
one after another.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ....graphs.circuit import Circuit
from ....graphs.load import load
from ....graphs.lower import lower
from ....traces.traces import Traces
from ..argument_checks import seeds_of, whole
from ..simulator import Simulator
from ..training.history import History
from .jobs import Failed, Job, Row, Simulation, TrainingJob, digest, finished, scored, summaries
from .table import Table


@dataclass(frozen=True)
class Point:
    """One combination: its values and seed, and which replica of which simulator it is.

    `own`: the values in which replicas of one simulator differ.
    """

    values: Mapping[str, Any]
    seed: int
    simulator: Simulator
    replica: int
    own: Mapping[str, Any] = field(repr=False)

    def row(self, found: Row) -> Row:
        """What was found, behind the values and the seed."""
        facts = {**self.values, "seed": self.seed}
        return facts | {name: value for name, value in found.items() if name not in facts}

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
        self._options = options
        groups: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        circuits: dict[str, Circuit] = {}
        for place, values in enumerate(combinations):
            made, own = _split(circuit, values)
            key = _key(made)
            circuits.setdefault(key, made)
            groups.setdefault(key, []).append((place, own))
        points: dict[tuple[int, int], Point] = {}
        self.simulators: list[Simulator] = []
        self._keys = list(groups)
        for key, members in groups.items():
            replicas = [(place, own, seed) for place, own in members for seed in numbers]
            simulator = self._simulator(circuits[key], [(own, seed) for _, own, seed in replicas])
            self.simulators.append(simulator)
            for replica, (place, own, seed) in enumerate(replicas):
                points[place, seed] = Point(combinations[place], seed, simulator, replica, own)
        self.points = [points[place, s] for place in range(len(combinations)) for s in numbers]

    def _simulator(
        self, circuit: Circuit, replicas: Sequence[tuple[Mapping[str, Any], int]]
    ) -> Simulator:
        """A simulator with a replica for each pair of values and seed."""
        return Simulator(
            circuit,
            seed=[seed for _, seed in replicas],
            replicas=len(replicas),
            parameters={name: [own[name] for own, _ in replicas] for name in replicas[0][0]},
            **self._options,
        )

    # --- all points, results in rows -----------------------------------------------------------

    def score(
        self,
        train: Mapping[str, Any],
        test: Mapping[str, Any],
        table: str | os.PathLike[str] | None = None,
        executor: Executor | None = None,
        **options: Any,
    ) -> list[Row]:
        """Trains every point and scores it: a row of values, seed and scores for each.

        Points that share a program are replicas of one simulator. Where one of them diverges, each
        is trained alone; a row of one that failed has an `error` instead of scores.

        Args:
            train: What is learnt (see `Simulator.fit`).
            test: What is predicted (see `Simulator.evaluate`).
            table: A .csv or .parquet file that is written anew, in one piece, after each
                simulator. Points that stand there are not trained again.
            executor: Where simulators are trained: anything with the `submit` of
                `concurrent.futures`, in threads, processes or on other machines; they are copied
                there, and the sweep's own stay untrained. None: here, one after another.
            options: What `Simulator.fit` takes.

        Raises:
            ValueError: Samples or options that the circuit cannot be given, or a table of another
                sweep.
            KeyboardInterrupt: Ctrl-C; `table` holds what was finished.
        """
        return self._rows(TrainingJob(train, test, options), table, executor)

    def measure(
        self,
        protocol: str = "train",
        reductions: Sequence[str] = ("last",),
        table: str | os.PathLike[str] | None = None,
        executor: Executor | None = None,
        **options: Any,
    ) -> list[Row]:
        """Runs a protocol at every point: values, seed and reduced records, a row for each sample.

        A record "E.r" reduced by `last` is "E.r last", a number, or a list where there are units.

        Args:
            protocol: Name of the protocol.
            reductions: `last`, `mean`, `min`, `max`, `sd`.
            table: As in `score`.
            executor: As in `score`.
            options: What `Simulator.run` takes.

        Raises:
            ValueError: Streams or options that the circuit cannot be given, another reduction, or
                a table of another sweep.
            KeyboardInterrupt: Ctrl-C; `table` holds what was finished.
        """
        return self._rows(Simulation(protocol, tuple(reductions), options), table, executor)

    def _rows(
        self, job: Job, table: str | os.PathLike[str] | None, executor: Executor | None
    ) -> list[Row]:
        """The rows of all points; what stands in the table is not made again."""
        runs = {id(p): str(number) for number, p in enumerate(self.points)}
        if table is not None:  # what stands there was found by another process
            runs = self._digests(job)
        results = Table(table, list(runs.values()))

        def keep(point: Point, rows: list[Row]) -> None:
            results.add(runs[id(point)], [point.row(row) for row in rows])

        groups = [[p for p in self.points if p.simulator is one] for one in self.simulators]
        groups = [g for g in groups if any(runs[id(p)] not in results.rows for p in g)]
        alone: list[Point] = []
        for number, found in finished(job, [group[0].simulator for group in groups], executor):
            for point in groups[number]:
                if not isinstance(found, Failed):
                    keep(point, found[point.replica])
                elif len(groups[number]) > 1:
                    alone.append(point)
                else:
                    keep(point, [{"error": found.why}])
            results.write()
        again = [self._simulator(p.simulator.circuit, [(p.own, p.seed)]) for p in alone]
        for number, found in finished(job, again, executor):
            rows = [{"error": found.why}] if isinstance(found, Failed) else found[0]
            keep(alone[number], rows)
            results.write()
        return [p.row(row) for p in self.points for row in results.rows[runs[id(p)]]]

    def _digests(self, job: Job) -> dict[int, str]:
        """What decides the rows of each point, by its identity."""
        same = digest(job.given, self._options.get("engine"), self._options.get("dtype"))
        keys = {id(s): key for s, key in zip(self.simulators, self._keys, strict=True)}
        return {id(p): digest(same, keys[id(p.simulator)], p.values, p.seed) for p in self.points}

    # --- group after group ---------------------------------------------------------------------

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

    def evaluate(self, samples: Mapping[str, Any], **options: Any) -> list[Row]:
        """For each point its values, seed and scores (see `Simulator.evaluate`)."""
        scores = {id(s): scored(s, samples, **options) for s in self.simulators}
        return [point.row(scores[id(point.simulator)][point.replica]) for point in self.points]

    def run(self, protocol: str = "train", **options: Any) -> list[Traces]:
        """Runs a protocol at every point (see `Simulator.run`); the traces of each group.

        Replicas of the traces are points of the group; `rows` puts all into the order of the grid.
        """
        return [simulator.run(protocol, **options) for simulator in self.simulators]

    def rows(self, runs: Sequence[Traces], *reductions: str) -> list[Row]:
        """A row for each point and sample of what `run` gave (see `measure`).

        Raises:
            ValueError: Another reduction than `last`, `mean`, `min`, `max` and `sd`.
        """
        parts = {
            id(simulator): summaries(traces, reductions)
            for simulator, traces in zip(self.simulators, runs, strict=True)
        }
        return [
            point.row(row)
            for point in self.points
            for row in parts[id(point.simulator)][point.replica]
        ]


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
