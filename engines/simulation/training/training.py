"""Training: epochs of presentations, each from its first sample, or from where it was left."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ....graphs.circuit import Circuit, Record, Snapshot
from ....traces.recording import (
    Line,
    RecordingError,
    between_presentations,
    in_presentations,
    recordings,
)
from ....traces.traces import Traces
from ...divergence import Divergence
from ...executable import Executable
from ..argument_checks import file_place, whole
from ..chunks import Chunks
from ..core import Core
from ..labelling import traced_training
from ..prediction import check_validation
from ..progress_bar import Bar, progress
from ..snapshots import Snapshots
from ..stability_warnings import instabilities
from ..streams import Streams, check_batch, in_batches
from .epoch_position import Position, digest_of
from .history import History, said
from .saving import Saving

LOG = logging.getLogger("apical")

LOOKED_AT = 20  # samples whose inference is looked at after an epoch


@dataclass
class Training:
    """One call of `fit`.

    validate: gives the scores after an epoch, or None. on_epoch: is called with the history's
    entry after each epoch, or None. snapshots: what is recorded between presentations.
    """

    core: Core
    executable: Executable
    streams: Streams
    asked: Position
    saving: Saving | None
    validate: Callable[[], Mapping[str, Any]] | None
    on_epoch: Callable[[dict[str, Any]], Any] | None
    snapshots: Snapshots

    def perform(self, epochs: int) -> History:
        """The epochs; Ctrl-C ends them.

        Raises:
            Divergence: A number is no longer finite.
        """
        history, at = History(), self.core.state
        if epochs and at.unfinished is not None:
            self._check_unfinished(at.unfinished)
            history.resumed = at.unfinished.done
        count = epochs * -(-self.asked.samples // self.asked.batch)
        self.snapshots.take(at.presentation, at.whole())
        try:
            with progress(count, "fit") as bar:
                for _ in range(epochs):
                    self._epoch(history, bar)
        except KeyboardInterrupt:
            history.interrupted = True
            self._leave()
        except Divergence as error:
            self._leave()
            error.traces = self._traces()
            self.core.watch.look(self.core.weights(), f"in epoch {at.epoch + 1}, which diverged")
            raise
        history.recorded = self._traces()
        return history

    def _traces(self) -> Traces | None:
        """What was recorded; None where nothing was to be."""
        if not self.snapshots:
            return None
        core, asked = self.core, self.asked
        said, own = core.facts(asked.protocol, learn=True, batch=asked.batch)
        return traced_training(core.settings.circuit, said, own, self.snapshots)

    def _epoch(self, history: History, bar: Bar) -> None:
        core, streams, at = self.core, self.streams, self.core.state
        place = at.unfinished or self.asked
        order = streams.places
        if place.shuffle:
            order = streams.shuffled(core.settings.seeds, at.epoch)
        began = time.perf_counter()
        for part in in_batches(order[:, place.done :], place.batch):
            work = core.work(part, streams, carry=place.carry)
            now = at.unfinished or self.asked
            events = (self.snapshots, now, self.saving)
            Chunks(core, self.executable, work, "fit", True, bar, *events).present()
        at.hold(epoch=at.epoch + 1, unfinished=None)  # both, or Ctrl-C was before
        if self.saving is not None:
            self.saving.write()
        core.watch.look(core.weights(), f"after epoch {at.epoch}")
        if not place.carry:
            self._look_at_inference(order[:, :LOOKED_AT])
        entry = {"epoch": at.epoch, "seconds": time.perf_counter() - began}
        history.epochs.append(entry)
        if self.validate is not None:
            scores = self.validate()
            shown = {"epoch": at.epoch} | dict(scores)
            bar.say(", ".join(f"{name} {np.round(v, 4)}" for name, v in shown.items()))
            entry |= scores
        told = ", ".join(f"{name} {said(value)}" for name, value in entry.items())
        LOG.info("%s: %s", core.settings.circuit.name, told)
        if self.on_epoch is not None:
            self.on_epoch(entry)

    def _look_at_inference(self, order: np.ndarray) -> None:
        """Warns where the inference of a circuit that declares an energy is unstable."""
        core, protocol = self.core, self.asked.protocol
        energies = core.settings.circuit.energies
        if not energies:
            return
        program = core.programs.plain(protocol, tuple(Record(name) for name in energies))
        few = order[:, None, :1] if program.single_sample else order[:, None]
        found = instabilities(program, core.state.arrays, core.work(few, self.streams))
        core.inference.look(found, protocol, core.state.epoch)

    # --- an epoch that is left in the middle ---------------------------------------------------

    def _check_unfinished(self, unfinished: Position) -> None:
        asked = self.asked
        if unfinished.streams is not None and asked.streams is None:
            asked = replace(asked, streams=self._digest())
        unfinished.check(asked)

    def _leave(self) -> None:
        """The position says what was presented; Ctrl-C also writes the checkpoint."""
        at = self.core.state
        if at.unfinished is not None and at.unfinished.streams is None:
            at.unfinished = replace(at.unfinished, streams=self._digest())

    def _digest(self) -> str:
        return digest_of(self.streams, self.executable.program.streams)


def train(
    core: Core,
    samples: Mapping[str, Any],
    *,
    epochs: int,
    batch: int,
    shuffle: bool,
    protocol: str,
    carry: bool,
    validate: Mapping[str, Any] | None,
    evaluate: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    on_epoch: Callable[[dict[str, Any]], Any] | None,
    checkpoint: str | os.PathLike[str] | None,
    every: int | None,
    save: Callable[[str | os.PathLike[str]], None],
    record: Iterable[Line] | Line | None,
    budget: int,
) -> History:
    """What `Simulator.fit` does; `evaluate` scores samples, `save` writes a checkpoint."""
    snapshots = Snapshots(core.settings.circuit, _of_training(record, core.settings.circuit))
    epochs, batch = whole("epochs", epochs, 0), whole("batch", batch, 1)
    every = None if every is None else whole("every", every, 1)
    if every is not None and checkpoint is None:
        raise ValueError(f"every={every}: expected `checkpoint`, too, the file that is written")
    if checkpoint is not None:
        file_place("checkpoint", checkpoint)
    executable = core.programs.executable(protocol, learn=True)
    streams = core.streams(executable.program, samples)
    check_batch(executable.program, streams.total, batch)
    if validate is not None:
        check_validation(core, validate)
    core.state.counters.check("fit", streams.total, batch, bool(carry))
    presentations = epochs * -(-streams.total // batch)
    core.programs.check_numbers(protocol, presentations)
    snapshots.check_budget(core.state.whole(), presentations, budget)
    asked = Position(protocol, streams.total, batch, bool(shuffle), bool(carry))
    saving = None
    if checkpoint is not None:
        saving = Saving(partial(save, checkpoint), every)
        asked = replace(asked, streams=digest_of(streams, executable.program.streams))
    scores = None if validate is None else partial(evaluate, validate)
    training = Training(core, executable, streams, asked, saving, scores, on_epoch, snapshots)
    history = training.perform(epochs)
    if history.interrupted and saving is not None:
        saving.write()
    return history


def _of_training(record: Iterable[Line] | Line | None, circuit: Circuit) -> tuple[Snapshot, ...]:
    """What a training records: of the file's lines those of what is learnt.

    Raises:
        RecordingError: A line was given that is taken step by step.
    """
    records = recordings(record, circuit)
    steps = in_presentations(records)
    if steps and record is not None:
        raise RecordingError(
            f"record: `fit` records what is learnt, between presentations, and "
            f"{steps[0].name!r} has a value at each step; run(..., learn=True, record=...) takes it"
        )
    return between_presentations(records)
