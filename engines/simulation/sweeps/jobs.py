"""What is done at the points of a sweep: train and score, or simulate and reduce.

A job is called with a simulator, here or in another process, and gives the rows of each replica.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, as_completed
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np

from ....traces.row_reductions import reduced
from ....traces.traces import Traces
from ..simulator import Simulator

Row = dict[str, Any]


class Job(Protocol):
    """What is done with a simulator, and with what."""

    def __call__(self, simulator: Simulator) -> list[list[Row]]:
        """The rows of each replica."""
        ...

    @property
    def given(self) -> tuple[Any, ...]:
        """All that decides what comes out, beside the simulator."""
        ...


@dataclass(frozen=True)
class TrainingJob:
    """Trains a simulator, and scores it."""

    train: Mapping[str, Any]
    test: Mapping[str, Any]
    options: Mapping[str, Any]

    def __call__(self, simulator: Simulator) -> list[list[Row]]:
        """A row of scores for each replica."""
        if simulator.fit(self.train, **self.options).interrupted:
            raise KeyboardInterrupt
        return [[row] for row in scored(simulator, self.test)]

    @property
    def given(self) -> tuple[Any, ...]:
        """What it learns from, what it is scored by, and how."""
        return "training", self.train, self.test, self.options


@dataclass(frozen=True)
class Simulation:
    """Runs a protocol, and reduces what it records."""

    protocol: str
    reductions: Sequence[str]
    options: Mapping[str, Any]

    def __call__(self, simulator: Simulator) -> list[list[Row]]:
        """A row for each replica and sample."""
        return summaries(simulator.run(self.protocol, **self.options), self.reductions)

    @property
    def given(self) -> tuple[Any, ...]:
        """The protocol, how records are reduced, and what `run` takes."""
        return "simulation", self.protocol, tuple(self.reductions), self.options


@dataclass(frozen=True)
class Failed:
    """Why there are no rows."""

    why: str


def scored(simulator: Simulator, samples: Mapping[str, Any], **options: Any) -> list[Row]:
    """The scores of each replica (see `Simulator.evaluate`)."""
    scores = simulator.evaluate(samples, **options)
    return [
        {name: score[replica] if np.ndim(score) else score for name, score in scores.items()}
        for replica in range(simulator.replicas)
    ]


def summaries(traces: Traces, reductions: Sequence[str]) -> list[list[Row]]:
    """For each replica a row for each sample: "E.r last" is a number, or a list of units."""
    parts = {how: reduced(traces, how) for how in reductions or ("last",)}
    lengths = [len(array[0]) for part in parts.values() for array in part.values()]
    samples = range(max(lengths, default=0))
    found = []
    for replica in range(len(traces.replica)):
        rows: list[Row] = [{"sample": sample} if len(samples) > 1 else {} for sample in samples]
        for how, part in parts.items():
            for name, array in part.items():
                for sample, row in enumerate(rows):
                    values = np.atleast_1d(array[replica, sample])
                    row[f"{name} {how}"] = values.tolist() if len(values) > 1 else float(values[0])
        found.append(rows)
    return found


def finished(
    job: Job, simulators: Sequence[Simulator], executor: Executor | None
) -> Iterator[tuple[int, list[list[Row]] | Failed]]:
    """The number of each simulator and its rows, as they are there."""
    if executor is None:
        for number, simulator in enumerate(simulators):
            yield number, attempt(job, simulator)
        return
    futures = {executor.submit(attempt, job, one): n for n, one in enumerate(simulators)}
    try:
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except BrokenExecutor as error:
                yield futures[future], Failed(f"its process ended: {error}")
    finally:
        for future in futures:
            future.cancel()


def attempt(job: Job, simulator: Simulator) -> list[list[Row]] | Failed:
    """The rows of a job, or why a simulator has none: what is wrong with all of them is raised."""
    try:
        return job(simulator)
    except (ArithmeticError, MemoryError) as error:
        return Failed(str(error) or type(error).__name__)


def digest(*parts: Any) -> str:
    """16 hexadecimal digits of what decides a result: texts, numbers, arrays by their bytes."""
    made = blake2b(digest_size=8)
    for part in parts:
        _add(made, part)
    return made.hexdigest()


def _add(made: Any, part: Any) -> None:
    if isinstance(part, Mapping):
        for name in sorted(part):
            _add(made, name)
            _add(made, part[name])
    elif hasattr(part, "__array__"):
        array = np.ascontiguousarray(part)
        made.update(f"{array.dtype}{array.shape}".encode())
        made.update(array.tobytes())
    elif isinstance(part, list | tuple):
        made.update(f"{len(part)} of:".encode())
        for one in part:
            _add(made, one)
    else:
        made.update(f"{part!r};".encode())
