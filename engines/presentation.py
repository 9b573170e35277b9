"""What an engine is given and gives back: presentations of batches, one after another.

All engines share one memory: a table of arrays by buffer name, in the axes of `graphs.program`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..graphs.program import Program

Arrays = dict[str, np.ndarray]


@dataclass
class Presentations:
    """`count` presentations of `batch` samples each, and what they leave behind.

    order: which sample of each stream stands where, (replica, presentation, batch).
    streams: name -> (sample, unit).
    total: samples of each replica; streams of several replicas may be laid end to end.
    initial: states that do not start at 0, name -> (replica | 1, sample, unit).
    carry: states and time go on where they were.
    records: per slot (replica, presentation, row, unit, batch); NaN where nothing was stored.
    output: (replica, presentation, unit, batch), or None.
    stopped: per phase with a stop rule, steps until each sample stopped, (replica, presentation,
        batch); -1 where it ran to the limit.
    done: presentations that are over and hold.
    """

    order: np.ndarray
    streams: Mapping[str, np.ndarray]
    seeds: tuple[int, ...]
    total: int = 1
    presentation: int = 0
    sample: int = 0
    epoch: int = 0
    initial: Mapping[str, np.ndarray] = field(default_factory=dict)
    carry: bool = False
    records: list[np.ndarray] = field(default_factory=list)
    output: np.ndarray | None = None
    stopped: dict[str, np.ndarray] = field(default_factory=dict)
    done: int = 0

    @property
    def count(self) -> int:
        """The number of presentations."""
        return self.order.shape[1]

    @property
    def batch(self) -> int:
        """Samples presented at once."""
        return self.order.shape[2]


@dataclass(frozen=True)
class Failure:
    """A number that is not finite: where and when."""

    replica: int
    presentation: int
    phase: str
    step: int | None = None


class Executable(Protocol):
    """A Program made ready by one engine; `alone`: no other process shares its presentations."""

    program: Program
    alone: bool

    def run(self, memory: Arrays, work: Presentations, start: int, stop: int) -> Failure | None:
        """Presents batches `start` to `stop`; changes `memory` and the results in `work`."""
        ...

    def settle(self, memory: Arrays) -> None:
        """Brings `memory` up to date after the last call of `run`."""
        ...

    def keep(self, memory: Arrays) -> Any:
        """A copy of all that a presentation changes and a later one reads."""
        ...

    def restore(self, memory: Arrays, kept: Any) -> None:
        """Everything as it was when `keep` made the copy."""
        ...

    def sound(self, memory: Arrays) -> bool:
        """Whether all that was learnt is finite."""
        ...


def row_map(program: Program, slot: int) -> np.ndarray:
    """Row of the traces -> row of a record, -1 where it takes none."""
    rows = np.full(program.rows, -1, dtype=np.int64)
    for number, row in enumerate(program.slots[slot].rows):
        rows[row] = number
    return rows


def allocate(program: Program, work: Presentations, dtype: np.dtype) -> None:
    """Gives `work` the arrays for its records, output and stops."""
    replicas, count, batch = work.order.shape
    for slot in program.slots:
        size = int(slot.shape[1]) if slot.shape[0] == "unit" else 1
        shape = (replicas, count, len(slot.rows), size, batch)
        work.records.append(np.full(shape, np.nan, dtype=dtype))
    if program.output is not None:
        size = program.buffers[program.output].size
        work.output = np.full((replicas, count, size, batch), np.nan, dtype=dtype)
    for phase in program.phases:
        if phase.loop and phase.loop.stops:
            work.stopped[phase.name] = np.full((replicas, count, batch), -1, dtype=np.int64)
