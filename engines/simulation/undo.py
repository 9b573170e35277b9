"""Undo: the way back to the start of a chunk of presentations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..presentation import Arrays, Executable, Presentations


@dataclass(frozen=True)
class Undo:
    """What memory was when a chunk began; it may be called again where it was interrupted.

    kept: the copy (see `Executable.keep`).
    done: presentations of `work` that held when the chunk began.
    """

    executable: Executable
    kept: Any
    work: Presentations
    done: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "done", self.work.done)

    def __call__(self, memory: Arrays) -> None:
        """Memory and `work` as they were."""
        self.executable.restore(memory, self.kept)
        self.work.done = self.done
