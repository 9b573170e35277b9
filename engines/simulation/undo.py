"""Undo: the way back to the start of a chunk of presentations."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..executable import Restore
from ..presentation import Arrays, Presentations


@dataclass(frozen=True)
class Undo:
    """What memory was when a chunk began; it may be called again where it was interrupted.

    restore: the way back (see `Executable.keep`).
    done: presentations of `work` that held when the chunk began.
    """

    restore: Restore
    work: Presentations
    done: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "done", self.work.done)

    def __call__(self, memory: Arrays) -> None:
        """Memory and `work` as they were."""
        self.restore(memory)
        self.work.done = self.done
