"""The state of a simulator: its arrays, how much it has learnt, the way back out of a chunk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from ...graphs.program import Program
from .. import aligned_memory
from ..executable import Restore
from ..presentation import Arrays, Presentations
from .draw_counters import Aside, Counters
from .replica_parameters import ReplicaParameters
from .training.epoch_position import Position


@dataclass(frozen=True)
class Undo:
    """What the arrays were when a chunk began; it may be called again where it was interrupted.

    restore: the way back (see `Executable.keep`).
    done: presentations of `work` that held when the chunk began.
    """

    restore: Restore
    work: Presentations
    done: int

    def __call__(self, arrays: Arrays) -> None:
        """Arrays and `work` as they were."""
        self.restore(arrays)
        self.work.done = self.done


@dataclass
class SimulatorState:
    """Where a simulator stands.

    arrays: what engines read and write, by buffer name (see `presentation`).
    presentation, sample, epoch: how many have been learnt.
    unfinished: an epoch that has begun and is not over.
    counters: what draws count.
    undo: the way back to before the chunk that runs; None where all holds.
    """

    arrays: Arrays = field(default_factory=dict)
    presentation: int = 0
    sample: int = 0
    epoch: int = 0
    unfinished: Position | None = None
    counters: Counters = field(default_factory=Counters)
    undo: Undo | None = None

    def begin(self, restore: Restore, work: Presentations) -> None:
        """A chunk of `work` begins."""
        self.undo = Undo(restore, work, work.done)

    def hold(self, **new: Any) -> None:
        """What has run is not taken back, and other attributes change.

        All in one call, between whose parts Ctrl-C does not fall.
        """
        vars(self).update(new, undo=None)

    def go_back(self) -> None:
        """Undoes a chunk that was begun and does not hold."""
        if self.undo is not None:
            self.undo(self.arrays)
            self.undo = None

    def whole(self) -> Arrays:
        """The arrays, none of them from the middle of a chunk."""
        self.go_back()
        return self.arrays

    def learnt(self, parameters: ReplicaParameters) -> Arrays:
        """All but the parameters: what a checkpoint holds."""
        given = parameters.held
        return {name: array for name, array in self.whole().items() if name not in given}

    def copied(self) -> SimulatorState:
        """The same, with arrays of its own."""
        arrays = {n: aligned_memory.copied(a, a.dtype) for n, a in self.whole().items()}
        counts = (self.presentation, self.sample, self.epoch)
        return SimulatorState(arrays, *counts, self.unfinished, deepcopy(self.counters))

    @contextmanager
    def aside(self, program: Program) -> Iterator[None]:
        """What is presented inside counts from 0, and leaves the batch that can go on as it is."""
        states = Aside(self.whole(), program)
        counters, self.counters = self.counters, Counters()
        try:
            yield
        finally:
            self.counters = counters
            states.put_back()
