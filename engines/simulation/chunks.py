"""The runner: presentations in chunks of about a tenth of a second; each holds or does not."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ..divergence import diverged
from ..executable import Executable
from ..presentation import Presentations, allocate
from ..threads import one_library_thread
from .core import Core
from .progress_bar import Bar
from .snapshots import Snapshots
from .training.epoch_position import Position
from .training.saving import Saving

CHUNK_SECONDS = 0.1


@dataclass(frozen=True)
class Chunks:
    """The presentations of a call. Where Ctrl-C stops a chunk, memory goes back to before it.

    core: whose memory and counters change.
    executable, work: what runs, on what.
    call: "fit" or "run": whose counter goes on.
    learning: whether presentations are counted.
    bar: what shows progress, or None.
    snapshots: what is recorded between presentations, or None.
    place: where in an epoch `work` begins, or None.
    saving: when a checkpoint is written, or None.
    """

    core: Core
    executable: Executable
    work: Presentations
    call: str
    learning: bool = False
    bar: Bar | None = None
    snapshots: Snapshots | None = None
    place: Position | None = None
    saving: Saving | None = None

    def present(self) -> None:
        """Runs them all.

        Raises:
            Divergence: One of them broke; those before it hold.
        """
        with one_library_thread():
            self._present()

    def _present(self) -> None:
        executable, work, saving = self.executable, self.work, self.saving
        at = self.core.state
        at.go_back()
        allocate(executable.program, work, self.core.settings.dtype)
        work.learning = self.learning
        at.counters.open(work, self.call, at.arrays, executable.program)
        chunk = 1
        try:
            while (start := work.done) < work.count:
                stop = min(work.count, start + min(chunk, self._room()))
                began = time.perf_counter()
                self._run(start, stop)
                spent = time.perf_counter() - began
                work.seconds = spent / (stop - start)
                if saving is not None and saving.due(at.presentation):
                    executable.settle(at.arrays)
                    saving.write()
                self._look()
                if self.bar is not None:
                    self.bar.advance(stop - start)
                fits = int(CHUNK_SECONDS / max(work.seconds, 1e-9))
                chunk = max(1, min(chunk * 8, fits))
        finally:
            at.go_back()
            executable.settle(at.arrays)
            self._look()

    def _room(self) -> int:
        """Presentations until one after which something is saved or recorded."""
        number = self.core.state.presentation
        events = (self.saving, self.snapshots) if self.learning else ()
        rooms = [event.room(number) for event in events if event is not None]
        return min((room for room in rooms if room is not None), default=self.work.count)

    def _look(self) -> None:
        """Takes the snapshots that are due."""
        at, snapshots = self.core.state, self.snapshots
        if snapshots is not None and snapshots.due(at.presentation):
            self.executable.settle(at.arrays)
            snapshots.take(at.presentation, at.arrays)

    def _run(self, start: int, stop: int) -> None:
        """Presentations `start` to `stop`."""
        executable, work, at = self.executable, self.work, self.core.state
        restore = executable.keep(at.arrays)
        at.begin(restore, work)
        failure = executable.run(at.arrays, work, start, stop)
        if failure is None and (not executable.program.learnt or executable.sound(at.arrays)):
            self._hold(stop)
            return
        number, error = diverged(executable, at.arrays, work, (start, stop), failure, restore)
        self._hold(number)
        raise error

    def _hold(self, stop: int) -> None:
        """From here on the presentations before `stop` are not taken back."""
        at, work = self.core.state, self.work
        new: dict[str, Any] = {"counters": at.counters.after(work, stop)}
        if self.learning:
            new["presentation"] = work.presentation + stop
            new["sample"] = work.sample + stop * work.batch
        if self.place is not None and stop:
            new["unfinished"] = self.place.after(stop * work.batch)
        work.done = stop
        at.hold(**new)
