"""Experiment: what `apical run` does, as a value that a manifest can hold and that can be repeated.

Train on a task, score the test samples, run the first of them once more without learning and keep
the traces. All random numbers are counter-based, so the same experiment on the same engine and
machine gives the same numbers, bit for bit. Several seeds are replicas: weights, order of the
samples and noise of each are those of a run with that seed alone.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from ..engines.registry import find
from ..engines.simulation.simulator import Simulator
from ..graphs.circuit import Circuit
from ..graphs.load import rebuild
from ..traces.manifest import texts_hash, versions
from ..traces.recording import recordings
from ..traces.traces import Traces
from . import tasks
from .tasks.sizes import check_sizes
from .tasks.task import Task

IMAGES = ("digits", "fashion", "mnist")  # the tasks of `apical run`
OnEpoch = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Experiment:
    """The settings of one run.

    Args:
        task: "digits", "fashion" or "mnist".
        data: Folder of the files of the task; None: where the task looks by itself.
        epochs: Passes over the training samples.
        batch: Samples presented at once while learning.
        engine: "numba", "numpy" or "torch".
        seed: Seed of weights, shuffling and noise.
        seeds: How many seeds, from `seed` on, each a replica that learns from its own start, in
            its own order.
        dtype: "float64" or "float32"; None: what the engine takes by itself.
        record: What the traces hold; None: what the file's `record` says.
        trace_samples: Test samples in the traces.
        device: "cpu" or "cuda", for the engine "torch".
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
    seeds: int = 1
    device: str | None = None

    def perform(
        self, circuit: Circuit, traces: bool = True, on_epoch: OnEpoch | None = None
    ) -> tuple[dict[str, Any], Traces | None]:
        """The scores of the test samples, and the traces if they are wanted.

        A score is a number, or an array (seed,) where there are several seeds. `on_epoch` is
        called with the scores after each epoch, and its `epoch` and `seconds`.

        Raises:
            Divergence: A state is no longer finite.
            KeyboardInterrupt: Ctrl-C during the training: half an experiment is none.
            ValueError: The circuit and the task do not fit, a name is not known.
        """
        make = getattr(tasks, self.task)
        images = make() if self.data is None else make(self.data)
        check_sizes(circuit, images)
        records = recordings(self.record, circuit)
        simulator = Simulator(
            circuit,
            engine=self.engine,
            seed=self.seed,
            dtype=self.dtype,
            replicas=self.seeds,
            device=self.device,
        )
        score = self._train(simulator, images, on_epoch)
        if not traces:
            return score, None
        protocol = "train" if "train" in circuit.protocols else next(iter(circuit.protocols))
        few = images.test.first(self.trace_samples)
        facts = {"command": asdict(self)}
        found = simulator.run(protocol, **few, learn=False, record=records, facts=facts)
        return score, found

    def _train(
        self, simulator: Simulator, images: Task, on_epoch: OnEpoch | None
    ) -> dict[str, Any]:
        """The scores after the last epoch."""
        if not self.epochs:
            return simulator.evaluate(images.test)
        history = simulator.fit(
            images.train,
            epochs=self.epochs,
            batch=self.batch,
            validate=images.test,
            on_epoch=on_epoch and (lambda _, entry: on_epoch(entry)),
        )
        if history.interrupted:
            raise KeyboardInterrupt
        return {n: v for n, v in history.epochs[-1].items() if n not in ("epoch", "seconds")}


def spread(scores: Sequence[float]) -> dict[str, float]:
    """`mean`, `sd` and `median` of the scores of n > 1 seeds.

    sd = sqrt(sum (x - mean)^2 / (n - 1)), the sample standard deviation
    """
    return {
        "mean": statistics.fmean(scores),
        "sd": statistics.stdev(scores),
        "median": statistics.median(scores),
    }


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
    _check_hash(path, facts)
    circuit = rebuild(facts)
    score, traces = experiment.perform(circuit)
    assert traces is not None
    then, now = facts.get("versions", {}), versions((find(experiment.engine).package,))
    changed = {n: (str(then[n]), now.get(n, "")) for n in then if then[n] != now.get(n)}
    return Repetition(experiment, circuit, score, traces, _different(old, traces), changed)


def _experiment(path: str | os.PathLike[str], command: Mapping[str, Any]) -> Experiment:
    known = {f.name for f in fields(Experiment)}
    if set(command) - known:
        strange = ", ".join(sorted(set(command) - known))
        raise ValueError(f"{path} was written by another version of apical: {strange} is not known")
    settings = dict(command)
    for name, value in settings.items():
        if not _is_setting(name, value):
            raise ValueError(f"{path}: its manifest was changed: {name} is {value!r:.200}")
    if settings.get("record") is not None:
        settings["record"] = tuple(settings["record"])
    return Experiment(**settings)


def _is_setting(name: str, value: Any) -> bool:
    """Whether a setting can have this value, as JSON says it."""
    if name == "record":
        texts = isinstance(value, list) and all(isinstance(line, str) for line in value)
        return value is None or texts
    if name in ("epochs", "batch", "seed", "trace_samples", "seeds"):
        least = {"epochs": 0, "seed": None}.get(name, 1)
        return type(value) is int and (least is None or value >= least)
    if name == "task":
        return value in IMAGES
    return isinstance(value, str) or (value is None and name in ("data", "dtype", "device"))


def _check_hash(path: str | os.PathLike[str], facts: Mapping[str, Any]) -> None:
    """The texts are those that ran: their hash is the one in the manifest."""
    kinds = {
        "versions": Mapping,
        "texts": Mapping,
        "variants": list,
        "overrides": Mapping,
        "path": str,
        "hash": str,
    }
    for name, kind in kinds.items():
        if not isinstance(facts.get(name), kind):
            raise ValueError(f"{path}: its manifest was changed: it has no {name}")
    texts = facts["texts"]
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError(f"{path}: its manifest was changed: a text of the circuit is none")
    now = texts_hash(texts, facts["variants"], facts["overrides"])
    if now != facts["hash"]:
        raise ValueError(
            f"{path}: its manifest was changed after the run: the texts of {facts['path']!r}, the "
            f"variants and overrides have the hash {now[:12]}, the manifest says "
            f"{facts['hash']:.12}"
        )


def _different(old: Traces, new: Traces) -> tuple[str, ...]:
    """Names of variables that only one of the two has, or whose bits differ."""
    names = dict.fromkeys((*old.arrays, *new.arrays))
    return tuple(n for n in names if not _same(old.arrays.get(n), new.arrays.get(n)))


def _same(old: np.ndarray | None, new: np.ndarray | None) -> bool:
    if old is None or new is None or old.dtype != new.dtype or old.shape != new.shape:
        return False
    return bool(np.array_equal(old, new, equal_nan=True))
