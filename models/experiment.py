"""Experiment: what `apical run` does, as a value that a manifest can hold and that can be repeated.

Train on a task, score the test samples, run the first of them once more without learning and keep
the traces. All random numbers are counter-based, so the same experiment on the same engine and
machine gives the same numbers, bit for bit.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from ..engines.simulator import Simulator
from ..graphs.circuit import Circuit
from ..graphs.load import rebuild
from ..traces.manifest import versions
from ..traces.recording import recordings
from ..traces.traces import Traces
from . import tasks
from .tasks.sizes import check_sizes


@dataclass(frozen=True)
class Experiment:
    """The settings of one run.

    Args:
        task: "digits", "fashion" or "mnist".
        data: Folder of the files of the task; None: where the task looks by itself.
        epochs: Passes over the training samples.
        batch: Samples presented at once while learning.
        engine: "numba", "numpy", ...
        seed: Seed of weights, shuffling and noise.
        dtype: "float64" or "float32"; None: what the engine takes by itself.
        record: What the traces hold; None: what the file's `record` says.
        trace_samples: Test samples in the traces.
    """

    task: str = "digits"
    data: str | None = None
    epochs: int = 1
    batch: int = 20
    engine: str = "numba"
    seed: int = 0
    dtype: str | None = None
    record: tuple[str, ...] | None = None
    trace_samples: int = 10

    def perform(
        self, circuit: Circuit, traces: bool = True
    ) -> tuple[dict[str, Any], Traces | None]:
        """The scores of the test samples, and the traces if they are wanted.

        Raises:
            Divergence: A state is no longer finite.
            ValueError: The circuit and the task do not fit, a name is not known.
        """
        make = getattr(tasks, self.task)
        images = make() if self.data is None else make(self.data)
        check_sizes(circuit, images)
        records = recordings(self.record, circuit)
        simulator = Simulator(circuit, engine=self.engine, seed=self.seed, dtype=self.dtype)
        if self.epochs:
            simulator.fit(images.train, epochs=self.epochs, batch=self.batch, validate=images.test)
        score = simulator.evaluate(images.test)
        if not traces:
            return score, None
        protocol = "train" if "train" in circuit.protocols else next(iter(circuit.protocols))
        few = images.test.first(self.trace_samples)
        facts = {"command": asdict(self)}
        found = simulator.run(protocol, **few, learn=False, record=records, facts=facts)
        return score, found


@dataclass(frozen=True)
class Repetition:
    """A run made again. `different` names the variables whose arrays are not the same bits."""

    experiment: Experiment
    circuit: Circuit
    score: Mapping[str, Any]
    traces: Traces
    different: tuple[str, ...]
    versions: Mapping[str, tuple[str, str]]  # package -> then, now; those that changed


def repeat(path: str | os.PathLike[str]) -> Repetition:
    """Makes the run again whose traces a file holds, from the manifest in that file alone.

    Raises:
        ValueError: The file holds no manifest, or that of a run which Python code made: what was
            learnt before it, and the streams it was given, are not in the file.
        CircuitError: The circuit of the manifest is no circuit of this version.
    """
    old = Traces.open(path)
    facts = old.manifest
    if "texts" not in facts:
        raise ValueError(f"{path} has no manifest of a run")
    command = facts.get("command")
    if not isinstance(command, Mapping):
        raise ValueError(
            f"{path} was written by Simulator.run, not by `apical run`: its manifest does "
            f"not say what was learnt before, nor which samples were shown; it cannot be run again"
        )
    experiment = _experiment(path, command)
    circuit = rebuild(facts)
    score, traces = experiment.perform(circuit)
    assert traces is not None
    then, now = facts.get("versions", {}), versions()
    changed = {n: (str(then[n]), now.get(n, "")) for n in then if then[n] != now.get(n)}
    return Repetition(experiment, circuit, score, traces, _different(old, traces), changed)


def _experiment(path: str | os.PathLike[str], command: Mapping[str, Any]) -> Experiment:
    known = {f.name for f in fields(Experiment)}
    if set(command) - known:
        strange = ", ".join(sorted(set(command) - known))
        raise ValueError(f"{path} was written by another version of apical: {strange} is not known")
    settings = dict(command)
    if settings.get("record") is not None:
        settings["record"] = tuple(settings["record"])
    return Experiment(**settings)


def _different(old: Traces, new: Traces) -> tuple[str, ...]:
    """Names of variables that only one of the two has, or whose bits differ."""
    names = dict.fromkeys((*old.arrays, *new.arrays))
    return tuple(n for n in names if not _same(old.arrays.get(n), new.arrays.get(n)))


def _same(old: np.ndarray | None, new: np.ndarray | None) -> bool:
    if old is None or new is None or old.dtype != new.dtype or old.shape != new.shape:
        return False
    return bool(np.array_equal(old, new, equal_nan=True))
