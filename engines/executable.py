"""Executable: a Program made ready by one engine. Every engine has a class of this interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from ..graphs.program import Program
from .presentation import Arrays, Failure, Presentations

Restore = Callable[[Arrays], None]


class Executable(ABC):
    """A Program made ready by one engine; `alone`: no other process shares its presentations."""

    program: Program
    alone: bool = True

    @classmethod
    @abstractmethod
    def make(
        cls, program: Program, dtype: np.dtype, device: str | None, activity: str | None
    ) -> Executable:
        """A Program made ready.

        dtype: of weights and states. device: None is the CPU. activity: a narrower dtype of
        activity; None: `dtype`. Both are among what the engine's row of the registry says.
        """

    @classmethod
    @abstractmethod
    def check_device(cls, device: str | None) -> None:
        """Whether there is such a device here.

        Raises:
            ValueError: There is none.
        """

    @classmethod
    def devices_here(cls) -> list[str]:
        """The devices of this machine beside its CPU, in words."""
        return []

    @abstractmethod
    def run(self, memory: Arrays, work: Presentations, start: int, stop: int) -> Failure | None:
        """Presents batches `start` to `stop`; changes `memory` and the results in `work`."""

    @abstractmethod
    def settle(self, memory: Arrays) -> None:
        """Brings `memory` up to date after the last call of `run`."""

    @abstractmethod
    def keep(self, memory: Arrays) -> Restore:
        """Copies all that a presentation changes and a later one reads; calling it restores it."""

    @abstractmethod
    def sound(self, memory: Arrays) -> bool:
        """Whether all that was learnt is finite."""
