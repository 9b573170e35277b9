"""Saving: when a training writes its checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Saving:
    """A checkpoint is written whenever the presentations so far are a multiple of `every`."""

    write: Callable[[], None]
    every: int | None = None

    def room(self, presentation: int) -> int | None:
        """Presentations until the next time; None: as many as there are."""
        return None if self.every is None else self.every - presentation % self.every

    def due(self, presentation: int) -> bool:
        """Whether it is time."""
        return self.every is not None and presentation % self.every == 0
