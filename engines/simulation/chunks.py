"""Chunks: presentations in pieces of about a tenth of a second, each of which holds or does not."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ..divergence import diverged
from ..executable import Executable
from ..presentation import Presentations, allocate
from .core import Core
from .position import Position
from .saving import Saving
from .undo import Undo

CHUNK_SECONDS = 0.1


@dataclass(frozen=True)
class Chunks:
    """The presentations of a call. Where Ctrl-C stops a chunk, memory goes back to before it.

    simulator: Whose memory and counters change.
    executable, work: What runs, on what.
    call: "fit" or "run": whose counter goes on.
    learning: Whether presentations are counted.
    bar: What shows progress, or None.
    place: Where in an epoch `work` begins, or None.
    saving: When a checkpoint is written, or None.
    """

    simulator: Core
    executable: Executable
    work: Presentations
    call: str
    learning: bool = False
    bar: Any = None
    place: Position | None = None
    saving: Saving | None = None

    def present(self) -> None:
        """Runs them all.

        Raises:
            Divergence: One of them broke; those before it hold.
        """
        sim, executable, work, saving = self.simulator, self.executable, self.work, self.saving
        sim._go_back()
        allocate(executable.program, work, sim.dtype)
        work.learning = self.learning
        sim.counters.open(work, self.call, sim._memory, executable.program)
        chunk = 1
        try:
            while (at := work.done) < work.count:
                stop = min(work.count, at + chunk)
                if saving is not None and (room := saving.room(sim.presentation)):
                    stop = min(stop, at + room)
                began = time.perf_counter()
                sim._undo = Undo(executable.keep(sim._memory), work)
                self._run(at, stop)
                spent = time.perf_counter() - began
                if saving is not None and saving.due(sim.presentation):
                    executable.settle(sim._memory)
                    sim.save(saving.path)
                if self.bar is not None:
                    self.bar.advance(stop - at)
                chunk = max(1, min(chunk * 8, int((stop - at) * CHUNK_SECONDS / max(spent, 1e-9))))
        finally:
            sim._go_back()
            executable.settle(sim._memory)

    def _run(self, at: int, stop: int) -> None:
        """Presentations `at` to `stop`."""
        executable, memory, work = self.executable, self.simulator._memory, self.work
        failure = executable.run(memory, work, at, stop)
        if failure is None and (not executable.program.learnt or executable.sound(memory)):
            self._hold(stop)
            return
        undo = self.simulator._undo
        assert undo is not None
        number, error = diverged(executable, memory, work, (at, stop), failure, undo.restore)
        self._hold(number)
        raise error

    def _hold(self, stop: int) -> None:
        """From here on the presentations before `stop` are not taken back.

        All counters in one call, between whose parts Ctrl-C does not fall.
        """
        sim, work = self.simulator, self.work
        new: dict[str, Any] = {"_undo": None, "counters": sim.counters.after(work, stop)}
        if self.learning:
            new["presentation"] = work.presentation + stop
            new["sample"] = work.sample + stop * work.batch
        if self.place is not None and stop:
            new["unfinished"] = self.place.after(stop * work.batch)
        work.done = stop
        vars(sim).update(new)
