"""What draws count, and where a batch can go on: the samples that `fit` and `run` have presented.

    a draw = f(seed, place in the file, unit, sample, step)

Samples are counted as they are presented, each kind of call for itself, so that batches of every
size draw the same. Steps count from the start of a presentation. Where one is carried on, slot b
keeps its number and goes on counting steps; it is no new sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...graphs.buffer import BEFORE, CLOCK, SLOT, TIME, TURN
from ...graphs.program import Program
from ..presentation import Arrays, Presentations
from ..row_times import Clock, Timekeeper

LARGEST = 2**48 - 1  # see `philox.counter`


@dataclass
class Going:
    """The batch presented last: `slots` of them, numbers from `first` on, and what is behind them.

    steps, turns: how many steps and presentations; clock: the time now. traces: whether synaptic
    traces have moved; else those in memory are of a batch before, and start at 0.
    """

    slots: int
    first: int
    steps: int
    turns: int
    clock: Clock
    traces: bool = False


@dataclass
class Counters:
    """Samples presented so far by `fit` and by `run`, and the batch that can go on."""

    samples: dict[str, int] = field(default_factory=lambda: {"fit": 0, "run": 0})
    going: Going | None = None

    def check(self, call: str, total: int, batch: int, carry: bool) -> None:
        """Whether batches of `batch` out of `total` samples can be carried on.

        Raises:
            ValueError: They cannot; nothing has run.
        """
        if not carry:
            return
        if self.going is not None and batch != self.going.slots:
            raise ValueError(
                f"{call}(carry=True): slot b of a batch goes on where slot b of the last one was; "
                f"expected batches of {self.going.slots}, as in the last presentation, got "
                f"{batch}; give batch={self.going.slots}, or leave carry out to begin anew"
            )
        if total % batch:
            fits = max(n for n in range(1, batch + 1) if total % n == 0)
            raise ValueError(
                f"{call}(carry=True): slot b of a batch goes on where slot b of the last one was; "
                f"expected whole batches, got {total} samples in batches of {batch}, the last of "
                f"{total % batch}; batch={fits} divides {total}"
            )

    def begin_at(self, first: int | None, carry: bool) -> None:
        """Counts the samples of `run` from a number on; None goes on.

        Raises:
            ValueError: A number below 0, or one for samples that are carried on.
        """
        if first is None:
            return
        if isinstance(first, bool) or not isinstance(first, int | np.integer):
            raise ValueError(f"run(first={first!r}): expected a whole number, 0 or more, or None")
        if not 0 <= first <= LARGEST:
            raise ValueError(f"run(first={first}): expected a number from 0 to {LARGEST}, or None")
        if carry and self.going is not None:
            raise ValueError(
                f"run(carry=True, first={first}): samples that go on keep their numbers, here from "
                f"{self.going.first} on; leave out `first`, or `carry` to begin anew"
            )
        self.samples["run"] = int(first)

    def open(self, work: Presentations, call: str, memory: Arrays, program: Program) -> None:
        """Says from where the draws of `work` count, and the clock.

        Where there is nothing to go on from, states and traces begin at 0.
        """
        going = self.going if work.carry else None
        work.call, work.goes_on = call, going is not None
        clock = Clock.zero(len(work.seeds))
        if going is not None:
            work.first, work.before, work.turn = going.first, going.steps, going.turns
            clock = going.clock.copy()
        else:
            work.first = self.samples[call]
        work.keeper = Timekeeper(program, memory, work, clock)
        each = [name for name in program.traces_of_samples if name in memory]
        for name in each:
            if memory[name].shape[1] != work.batch:
                del memory[name]
        if work.carry and going is None:
            for name in _going_on(memory, program):
                del memory[name]
        if work.carry and not (going and going.traces) and _moves_traces(program):
            for name in each:
                memory.pop(name, None)
            for name in program.traces:
                memory[name][...] = 0

    def after(self, work: Presentations, done: int) -> Counters:
        """The counters after `done` presentations of what `open` has begun."""
        if not done:
            return self
        assert work.keeper is not None
        last = work.counters(done - 1)
        samples = dict(self.samples)
        if not work.goes_on:
            samples[work.call] = last[SLOT] + work.batch
        going = Going(
            slots=work.batch,
            first=last[SLOT],
            steps=last[BEFORE] + work.steps,
            turns=last[TURN] + 1,
            clock=work.keeper.after(done),
            traces=_moves_traces(work.keeper.program)
            or (work.goes_on and self.going is not None and self.going.traces),
        )
        return Counters(samples, going)

    # --- checkpoints ---------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """All of it, in the words of JSON."""
        if self.going is None:
            return {"samples": self.samples, "going": None}
        clock = {name: array.tolist() for name, array in vars(self.going.clock).items()}
        return {"samples": self.samples, "going": vars(self.going) | {"clock": clock}}

    @classmethod
    def of(cls, facts: Any, replicas: int) -> Counters:
        """From what `facts` gave.

        Raises:
            ValueError: It is not what `facts` gives for so many replicas.
        """
        try:
            samples = {call: _count(facts["samples"][call]) for call in ("fit", "run")}
            going = facts["going"]
            if going is None:
                return cls(samples)
            counts = {name: _count(going[name]) for name in ("slots", "first", "steps", "turns")}
            traces = going["traces"]
            if not isinstance(traces, bool):
                raise ValueError(f"got {traces!r}")
            arrays = {n: _row(going["clock"][n], replicas) for n in vars(Clock.zero(replicas))}
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise ValueError(
                f"the checkpoint does not say what draws count: expected whole numbers from 0 to "
                f"{LARGEST} and a clock for each of {replicas} replicas ({error})"
            ) from error
        return cls(samples, Going(**counts, clock=Clock(**arrays), traces=traces))


def _count(number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= LARGEST:
        raise ValueError(f"got {number!r}")
    return number


def _row(numbers: Any, replicas: int) -> np.ndarray:
    row = np.array(numbers, dtype=np.float64)
    if row.shape != (replicas,) or not np.isfinite(row).all():
        raise ValueError(f"got {numbers!r}")
    return row


def former_counters(
    arrays: Mapping[str, np.ndarray], states: Iterable[str], replicas: int
) -> Counters:
    """For a checkpoint from before samples were counted: the batch in it goes on from its time."""
    slots = next((arrays[name].shape[1] for name in states if name in arrays), None)
    if slots is None:
        return Counters()
    clock = Clock.zero(replicas)
    if TIME in arrays:
        now = np.broadcast_to(arrays[TIME].reshape(-1), (replicas,))
        clock.now, clock.origin = now.copy(), now.copy()
    return Counters(going=Going(slots, 0, 0, 0, clock, traces=True))


class Aside:
    """The states and the clock of a memory, out of the way while something else is presented."""

    def __init__(self, memory: Arrays, program: Program):
        self.memory, self.program = memory, program
        self.kept = {name: memory.pop(name) for name in _going_on(memory, program)}

    def put_back(self) -> None:
        """As they were, and nothing else."""
        for name in _going_on(self.memory, self.program):
            self.memory.pop(name)
        self.memory.update(self.kept)


def _going_on(memory: Arrays, program: Program) -> list[str]:
    """What of a memory a presentation goes on from: states, traces of samples, the clock."""
    names = {*program.reset, *CLOCK, *program.traces_of_samples}
    return [name for name in memory if name in names]


def _moves_traces(program: Program) -> bool:
    """Whether synaptic traces move in a presentation."""
    return bool(program.traces) or not set(program.reset).isdisjoint(program.traces_of_samples)
