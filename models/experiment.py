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
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from ..engines.registry import find
from ..engines.simulation.simulator import Simulator
from ..engines.simulation.training.history import History
from ..graphs.circuit import Circuit, Snapshot
from ..graphs.load import bundled, rebuild
from ..traces.manifest import plain, texts_hash, versions
from ..traces.recording import between_presentations, recordings
from ..traces.traces import Traces
from .published import published
from .saved_training import NOTE, SavedTraining
from .tasks.choice import check_choice, chosen
from .tasks.sizes import fitted
from .tasks.task import Task

DEFAULT_TASK = "digits"  # where neither the command nor the file says another
OnEpoch = Callable[[Mapping[str, Any]], None]
OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What an experiment found.

    circuit: What ran, with the sizes of the task.
    task: What it was shown.
    score: The scores of the test samples; each a number, or an array (seed,).
    traces: Of the first test samples, or None.
    predictions: Of all test samples, by stream.
    history: What each epoch of the training found; empty where there was none.
    """

    circuit: Circuit
    task: Task
    score: dict[str, Any]
    traces: Traces | None
    predictions: Mapping[str, np.ndarray]
    history: History

    @property
    def lines(self) -> tuple[str, ...]:
        """What the task reports beyond scores, and what was published."""
        own = self.task.report(self.predictions) if self.task.report else ()
        return (*own, *published(self.circuit, self.task))


@dataclass(frozen=True)
class Experiment:
    """The settings of one run.

    Args:
        task: As in "digits" or "separation(domain=sparse)"; None: that of the circuit's file, or
            the digits.
        data: Folder of the files of the task; None: where the task looks by itself.
        epochs: Passes over the training samples; None: as many as the task has by itself.
        batch: Samples presented at once while learning; None: as the task has by itself.
        engine: "numba", "numpy" or "torch".
        seed: Seed of weights, shuffling and noise, and of samples that the task draws.
        seeds: How many seeds, from `seed` on, each a replica that learns from its own start, in
            its own order.
        dtype: "float64" or "float32"; None: what the engine takes by itself.
        record: What the traces hold; None: what the file's `record` says.
        trace_samples: Test samples in the traces.
        device: "cpu" or "cuda", for the engine "torch".
        threads: How many may run; None: as many as there are cores. They change no result, and the
            manifest does not name them.
    """

    task: str | None = None
    data: str | None = None
    epochs: int | None = None
    batch: int | None = None
    engine: str = "numba"
    seed: int = 0
    dtype: str | None = None
    record: tuple[str, ...] | None = None
    trace_samples: int = 10
    seeds: int = 1
    device: str | None = None
    threads: int | None = None

    def settled(self, circuit: Circuit) -> tuple[Experiment, Task]:
        """The experiment with what circuit and task leave open, and the task.

        Raises:
            ValueError: There is no such task, or the circuit predicts nothing.
            FileNotFoundError: The files of the task are missing.
        """
        text = self.task or circuit.task or DEFAULT_TASK
        check_choice(text, self.data)
        if not circuit.predicts:
            raise ValueError(_predicts_nothing(circuit))
        task = chosen(text, self.data, range(self.seed, self.seed + self.seeds))
        epochs = task.epochs if self.epochs is None else self.epochs
        return replace(self, task=text, epochs=epochs, batch=self.batch or task.batch), task

    def perform(
        self,
        circuit: Circuit,
        traces: bool = True,
        on_epoch: OnEpoch | None = None,
        on_line: OnLine | None = None,
        task: Task | None = None,
        saved: SavedTraining | None = None,
    ) -> Outcome:
        """Trains and tests; `traces` says whether they are wanted, `task` is one already made.

        `saved` says where the training is saved, and whether it goes on from there.

        `on_epoch` is called with the scores after each epoch, and its `epoch` and `seconds`,
        `on_line` with what there is to say before the first.

        Raises:
            Divergence: A state is no longer finite.
            KeyboardInterrupt: Ctrl-C during the training: half an experiment is none.
            ValueError: The circuit and the task do not fit, a name is not known.
        """
        settled = self
        if task is None:
            settled, task = self.settled(circuit)
        circuit, changed = fitted(circuit, task)
        for line in (f"{circuit.name}: {task.about}", *changed):
            if on_line is not None:
                on_line(line)
        return settled.train_and_look(circuit, task, traces, on_epoch, saved)

    def train_and_look(
        self,
        circuit: Circuit,
        task: Task,
        traces: bool,
        on_epoch: OnEpoch | None,
        saved: SavedTraining | None = None,
    ) -> Outcome:
        """Of an experiment that leaves nothing open."""
        records = recordings(self.record, circuit)
        learnt = between_presentations(records) if traces else ()
        if saved is not None and learnt:
            raise ValueError(
                f"{saved.path}: what is recorded between presentations ({learnt[0]}) is not in a "
                f"checkpoint, so a training that goes on would lose it: leave it out of the record"
            )
        simulator = self._simulator(circuit, saved)
        score, history = self._train(simulator, task, on_epoch, learnt, saved)
        wanted = task.report or task.picture
        predictions = simulator.predict(task.test) if wanted else {}
        found = None
        if traces:
            protocol = "predict" if self._tested_alone(circuit, task) else "train"
            few = task.test.first(self.trace_samples)
            shown = {n: few[n] for n in few if n in circuit.streams}
            facts = {"command": {n: v for n, v in asdict(self).items() if n != "threads"}}
            found = simulator.run(protocol, streams=shown, learn=False, record=records, facts=facts)
            found.manifest["scores"] = plain(history.epochs)
            if history.recorded is not None:
                trained = history.recorded
                found.learnt, found.presentation = trained.learnt, trained.presentation
        return Outcome(circuit, task, score, found, predictions, history)

    def _simulator(self, circuit: Circuit, saved: SavedTraining | None) -> Simulator:
        """A new one, or the one that was saved."""
        where = {"engine": self.engine, "device": self.device, "threads": self.threads}
        decides = ("task", "data", "batch", "seed", "dtype", "seeds", "engine")
        command = {name: getattr(self, name) for name in decides}
        if saved is not None:
            assert self.epochs is not None
            saved.check()
            found = saved.simulator(circuit, command, self.epochs, **where)
            if found is not None:
                return found
        made = Simulator(circuit, seed=self.seed, dtype=self.dtype, replicas=self.seeds, **where)
        if saved is not None:
            made.notes[NOTE] = command
        return made

    def _tested_alone(self, circuit: Circuit, task: Task) -> bool:
        """Whether the test samples lack what a presentation of `train` shows."""
        return "train" not in circuit.protocols or not set(task.train) <= set(task.test)

    def _train(
        self,
        simulator: Simulator,
        task: Task,
        on_epoch: OnEpoch | None,
        record: tuple[Snapshot, ...],
        saved: SavedTraining | None,
    ) -> tuple[dict[str, Any], History]:
        """The scores after the last epoch, and what all epochs found."""
        assert self.epochs is not None and self.batch is not None
        if simulator.epoch == self.epochs:
            return simulator.evaluate(task.test), History()
        history = simulator.fit(
            task.train,
            epochs=self.epochs - simulator.epoch,
            batch=self.batch,
            shuffle=task.shuffle,
            validate=task.test,
            on_epoch=on_epoch and (lambda _, entry: on_epoch(entry)),
            record=record,
            checkpoint=saved.path if saved is not None else None,
            every=saved.every if saved is not None else None,
        )
        if history.interrupted:
            raise KeyboardInterrupt
        last = history.epochs[-1]
        return {n: v for n, v in last.items() if n not in ("epoch", "seconds")}, history


def _predicts_nothing(circuit: Circuit) -> str:
    """What to do instead with a circuit that no task can train."""
    path = circuit.source.path
    named = path.removesuffix(".yaml")
    options = [f"--variant {name}" for name in circuit.source.variants]
    words = ["apical simulate", named if named in bundled() else path, *options]
    return (
        f"{circuit.name} has no `predicts`, so no task can train and score it; its protocols "
        f"({', '.join(circuit.protocols)}) run with: {' '.join(words)}"
    )


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
    outcome = experiment.perform(circuit)
    traces = outcome.traces
    assert traces is not None
    then, now = facts.get("versions", {}), versions((find(experiment.engine).package,))
    changed = {n: (str(then[n]), now.get(n, "")) for n in then if then[n] != now.get(n)}
    return Repetition(experiment, circuit, outcome.score, traces, _different(old, traces), changed)


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
        return isinstance(value, str) and _is_task(value)
    return isinstance(value, str) or (value is None and name in ("data", "dtype", "device"))


def _is_task(text: str) -> bool:
    try:
        check_choice(text)
    except ValueError:
        return False
    return True


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
    arrays = facts.get("arrays", {})
    if not isinstance(arrays, Mapping) or not all(isinstance(a, str) for a in arrays.values()):
        raise ValueError(f"{path}: its manifest was changed: its arrays have no hashes")
    now = texts_hash(texts, facts["variants"], facts["overrides"], list(arrays.values()))
    if now != facts["hash"]:
        raise ValueError(
            f"{path}: its manifest was changed after the run: the texts of {facts['path']!r}, the "
            f"variants and overrides{', the arrays' if arrays else ''} have the hash {now[:12]}, "
            f"the manifest says {facts['hash']:.12}"
        )


def _different(old: Traces, new: Traces) -> tuple[str, ...]:
    """Names of variables that only one of the two has, or whose bits differ."""
    then, now = old.arrays | old.learnt, new.arrays | new.learnt
    return tuple(n for n in dict.fromkeys((*then, *now)) if not _same(then.get(n), now.get(n)))


def _same(old: np.ndarray | None, new: np.ndarray | None) -> bool:
    if old is None or new is None or old.dtype != new.dtype or old.shape != new.shape:
        return False
    return bool(np.array_equal(old, new, equal_nan=True))
