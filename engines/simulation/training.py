"""Training: epochs of presentations, each from its first sample, or from where it was left."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..divergence import Divergence
from ..executable import Executable
from .chunks import Chunks
from .core import Core
from .given import file_place, whole
from .history import History
from .position import Position, digest_of
from .progress import progress
from .saving import Saving
from .streams import Streams, check_batch, in_batches


@dataclass
class Training:
    """One call of `fit`."""

    simulator: Core
    executable: Executable
    streams: Streams
    asked: Position
    saving: Saving | None
    validate: Mapping[str, Any] | None
    on_epoch: Any

    def perform(self, epochs: int) -> History:
        """The epochs; Ctrl-C ends them.

        Raises:
            Divergence: A number is no longer finite.
        """
        history, sim = History(), self.simulator
        if epochs and sim.unfinished is not None:
            self._check_unfinished(sim.unfinished)
            history.resumed = sim.unfinished.done
        count = epochs * -(-self.asked.samples // self.asked.batch)
        try:
            with progress(count, "fit") as bar:
                for _ in range(epochs):
                    self._epoch(history, bar)
        except KeyboardInterrupt:
            history.interrupted = True
            self._leave()
        except Divergence:
            self._leave()
            sim._look_at_weights(f"in epoch {sim.epoch + 1}, which diverged")
            raise
        return history

    def _epoch(self, history: History, bar: Any) -> None:
        sim, streams = self.simulator, self.streams
        place = sim.unfinished or self.asked
        order = streams.shuffled(sim.seeds, sim.epoch) if place.shuffle else streams.places
        began = time.perf_counter()
        for part in in_batches(order[:, place.done :], place.batch):
            work = sim._work(part, streams, carry=place.carry)
            at = sim.unfinished or self.asked
            Chunks(sim, self.executable, work, "fit", True, bar, at, self.saving).present()
        vars(sim).update(epoch=sim.epoch + 1, unfinished=None)  # both, or Ctrl-C was before
        if self.saving is not None:
            sim.save(self.saving.path)
        sim._look_at_weights(f"after epoch {sim.epoch}")
        entry = {"epoch": sim.epoch, "seconds": time.perf_counter() - began}
        history.epochs.append(entry)
        if self.validate is not None:
            scores = sim.evaluate(self.validate)
            shown = {"epoch": sim.epoch} | scores
            bar.say(", ".join(f"{name} {np.round(v, 4)}" for name, v in shown.items()))
            entry |= scores
        if self.on_epoch is not None:
            self.on_epoch(sim, entry)

    # --- an epoch that is left in the middle ---------------------------------------------------

    def _check_unfinished(self, unfinished: Position) -> None:
        asked = self.asked
        if unfinished.streams is not None and asked.streams is None:
            asked = replace(asked, streams=self._digest())
        unfinished.check(asked)

    def _leave(self) -> None:
        """The position says what was presented; Ctrl-C also writes the checkpoint."""
        sim = self.simulator
        if sim.unfinished is not None and sim.unfinished.streams is None:
            sim.unfinished = replace(sim.unfinished, streams=self._digest())

    def _digest(self) -> str:
        return digest_of(self.streams, self.executable.program.streams)


def train(
    simulator: Core,
    samples: Mapping[str, Any],
    *,
    epochs: int,
    batch: int,
    validate: Mapping[str, Any] | None,
    shuffle: bool,
    protocol: str,
    on_epoch: Any,
    checkpoint: str | os.PathLike[str] | None,
    every: int | None,
    carry: bool,
) -> History:
    """What `Core.fit` does."""
    epochs, batch = whole("epochs", epochs, 0), whole("batch", batch, 1)
    every = None if every is None else whole("every", every, 1)
    if every is not None and checkpoint is None:
        raise ValueError(f"every={every}: expected `checkpoint`, too, the file that is written")
    if checkpoint is not None:
        file_place("checkpoint", checkpoint)
    if on_epoch is not None and not callable(on_epoch):
        raise ValueError(f"on_epoch: expected a function of (simulator, entry), got {on_epoch!r}")
    executable = simulator._executable(protocol, True, (), None)
    streams = simulator._streams(executable.program, samples)
    check_batch(executable.program, streams.total, batch)
    if validate is not None:
        simulator._check_validation(validate)
    simulator.counters.check("fit", streams.total, batch, bool(carry))
    simulator._check_numbers(protocol, epochs * -(-streams.total // batch))
    asked = Position(protocol, streams.total, batch, bool(shuffle), bool(carry))
    saving = None
    if checkpoint is not None:
        saving = Saving(checkpoint, every)
        asked = replace(asked, streams=digest_of(streams, executable.program.streams))
    training = Training(simulator, executable, streams, asked, saving, validate, on_epoch)
    history = training.perform(epochs)
    if history.interrupted and saving is not None:
        simulator.save(saving.path)
    return history
