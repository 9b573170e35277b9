"""What an engine is given and gives back: presentations of batches, one after another.

All engines share one memory: a table of arrays by buffer name, in the axes of `graphs.program`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..graphs.buffer import BEFORE, EPOCH, PRESENTATION, SAMPLE, SLOT, TURN
from ..graphs.program import Program
from .row_times import Timekeeper

Arrays = dict[str, np.ndarray]


@dataclass
class Presentations:
    """`count` presentations of `batch` samples each, and what they leave behind.

    order: which sample of each stream stands where, (replica, presentation, batch).
    streams: name -> (sample, unit), of a signal (sample, row, unit). Where streams of several
        replicas are laid end to end, a signal may be the same for all: sample modulo its number.
    output_rows: of a prediction that is a signal.
    total: samples of each replica; streams of several replicas may be laid end to end.
    initial: states that do not start at 0, name -> (replica | 1, sample, unit).
    carry: slot b of every batch goes on where slot b was: states, time and draws.
    first: what draws count: the number of slot 0 in the first presentation.
    before: steps that the slots had taken before the first presentation.
    turn: presentations that the slots had been in before the first presentation.
    steps: steps of one presentation.
    goes_on: whether there was something to carry on.
    learning: whether rules act: `presentation` and `sample` count only what is learnt.
    call: "fit" or "run": whose samples draws count.
    threads: how many threads may present what does not depend on each other.
    seconds: what one presentation took until now, 0 before the first.
    keeper: the times of the rows of the traces.
    records: per slot (replica, presentation, row, unit, batch); NaN where nothing was stored.
    output: (replica, presentation, unit, batch), of a signal with its rows before the units; or
        None.
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
    first: int = 0
    before: int = 0
    turn: int = 0
    steps: int = 0
    goes_on: bool = False
    learning: bool = False
    call: str = "run"
    threads: int = 1
    seconds: float = 0.0
    output_rows: int = 1
    keeper: Timekeeper | None = None
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

    def starts(self, number: int, replica: int) -> dict[str, np.ndarray]:
        """The states at which a presentation starts in a replica, (sample, unit), where not at 0.

        None where it goes on from the one before.
        """
        if self.carry and number:
            return {}
        return {
            name: start[replica if len(start) > 1 else 0][self.order[replica, number]]
            for name, start in self.initial.items()
        }

    def counters(self, number: int) -> dict[str, int]:
        """The counters of one presentation, by buffer name.

        SLOT is the number of slot 0 among the samples that draws count, BEFORE and TURN
        the steps and presentations that the slots have behind them.
        """
        gone, new = (number, 0) if self.carry else (0, number)
        learnt = number if self.learning else 0
        return {
            PRESENTATION: self.presentation + learnt,
            SAMPLE: self.sample + learnt * self.batch,
            EPOCH: self.epoch,
            SLOT: self.first + new * self.batch,
            BEFORE: self.before + gone * self.steps,
            TURN: self.turn + gone,
        }


@dataclass(frozen=True)
class Failure:
    """A number that is not finite: where and when."""

    replica: int
    presentation: int
    phase: str
    step: int | None = None


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
        shape = (replicas, count, len(slot.rows), slot.size, batch)
        work.records.append(np.full(shape, np.nan, dtype=dtype))
    if program.output is not None:
        size = program.buffers[program.output].size
        rows = () if program.output_axis is None else (work.output_rows,)
        work.output = np.full((replicas, count, *rows, size, batch), np.nan, dtype=dtype)
    work.steps = program.steps
    for phase in program.phases:
        if phase.loop and phase.loop.stops:
            work.stopped[phase.name] = np.full((replicas, count, batch), -1, dtype=np.int64)
