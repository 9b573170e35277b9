"""The time of every row of the traces: the clock of `lowering.phases.timing`, on the host.

    t = origin + n dt,  n counted since dt last changed, for each replica

An engine keeps a clock of its own only where a text of the circuit reads `t`. This one gives the
`time` coordinate; it goes on from presentation to presentation where they are carried.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from ..graphs.buffer import SLOT, STEP, TIME, TURN
from ..graphs.expressions.tree import Expr, Load, Number, walk
from ..graphs.instructions import Block, Draw, Instruction, loads
from ..graphs.program import PhaseProgram, Program
from .arithmetic import value
from .host_draws import moved, shared_draw

Scalars = dict[str, Any]  # buffer name -> (replica, 1, 1)


class PresentationFacts(Protocol):
    """What a clock knows of presentations: seeds, whether they are carried, and what they count."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """One for each replica."""
        ...

    @property
    def carry(self) -> bool:
        """Whether each goes on where the last one was."""
        ...

    def counters(self, number: int) -> Mapping[str, int]:
        """The counters of a presentation."""
        ...


@dataclass
class Clock:
    """`now`, and what it is counted from: arrays (replica,)."""

    now: np.ndarray
    origin: np.ndarray
    count: np.ndarray
    dt: np.ndarray

    @classmethod
    def zero(cls, replicas: int) -> Clock:
        """A clock that has not started."""
        return cls(*(np.zeros(replicas) for _ in range(4)))

    def copy(self) -> Clock:
        """One that goes on by itself."""
        return Clock(*(a.copy() for a in (self.now, self.origin, self.count, self.dt)))

    def stay(self) -> np.ndarray:
        """The time of a phase without steps: (replica, 1)."""
        return self.now[:, None].copy()

    def steps(self, dt: np.ndarray, steps: int) -> np.ndarray:
        """Takes steps; the time before them and after each, (replica, steps + 1).

        dt: (replica, 1), or (replica, steps) where it changes from step to step.
        """
        if dt.shape[1] == 1 or not np.any(np.diff(dt, axis=1)):
            return self._even(dt[:, 0], steps)
        start = self.now.copy()
        times = np.concatenate([start[:, None], np.zeros((len(start), steps))], axis=1)
        for step in range(steps):
            times[:, step + 1] = self._even(dt[:, step], 1)[:, 1]
        return times

    def skip(self, dt: np.ndarray, steps: int) -> None:
        """Takes steps, as `steps` does, and keeps none of their times."""
        if dt.shape[1] > 1:
            self.steps(dt, steps)
            return
        self._count_from(dt[:, 0])
        self._move(self.count + steps)

    def _even(self, dt: np.ndarray, steps: int) -> np.ndarray:
        self._count_from(dt)
        number = self.count[:, None] + np.arange(steps + 1)
        times = self.origin[:, None] + number * self.dt[:, None]
        self._move(number[:, -1])
        return times

    def _count_from(self, dt: np.ndarray) -> None:
        """The steps that follow have a length; if it is another one, they are counted from now."""
        same = dt == self.dt
        self.origin = np.where(same, self.origin, self.now)
        self.count = np.where(same, self.count, 0.0)
        self.dt = np.array(dt)

    def _move(self, count: np.ndarray) -> None:
        self.count, self.now = count, self.origin + count * self.dt


class Timekeeper:
    """Times of the rows of a Program, from what decides the dt of each phase.

    clock: the clock before the first presentation of `work`, where it is carried on.
    """

    def __init__(
        self,
        program: Program,
        memory: Mapping[str, np.ndarray],
        work: PresentationFacts,
        clock: Clock,
    ):
        self.program, self.work, self.start = program, work, clock
        self.replicas = len(work.seeds)
        self.parameters: Scalars = {
            name: memory[name]
            for name, buffer in program.buffers.items()
            if buffer.kind == "parameter" and buffer.shape == ("scalar",)
        }
        written = set().union(set(), *(i.writes for p in program.phases for i in p.enter))
        read = set().union(set(), *(loads(p.dt) for p in program.phases if p.dt is not None))
        self.steady = all(n == STEP or (n in self.parameters and n not in written) for n in read)
        self._known: dict[int, np.ndarray] = {}
        self._reached = (0, clock.copy())  # the clock before a presentation

    @cached_property
    def _uniform(self) -> Clock | None:
        """The clock at the start, with the one dt of all steps; None where there are several."""
        phases = [p for p in self.program.phases if p.steps]
        if not self.steady or not phases:
            return None
        lengths = [step_lengths(p, self.parameters, self.replicas) for p in phases]
        if any(n.shape[1] > 1 or np.any(n != lengths[0]) for n in lengths):
            return None
        clock = self.start.copy()
        clock.steps(lengths[0], 0)
        return clock

    def rows(self, start: int, stop: int) -> np.ndarray:
        """(replica, presentation, row); one presentation for all where they are the same."""
        if not self.work.carry:
            stop = min(stop, start + 1) if self.steady else stop
            zero = Clock.zero(self.replicas)
            found = [self._presentation(zero.copy(), n) for n in range(start, stop)]
            return np.stack(found, axis=1)
        clock = self._uniform
        if clock is not None:
            taken = [np.arange(p.steps + 1) for p in self.program.phases]
            before = np.cumsum([0, *(p.steps for p in self.program.phases)])
            within = np.concatenate([t + b for t, b in zip(taken, before, strict=False)])
            number = np.arange(start, stop)[:, None] * self.program.steps + within
            count = clock.count[:, None, None] + number
            return clock.origin[:, None, None] + count * clock.dt[:, None, None]
        clock = self._before(start)
        return np.stack([self._presentation(clock, n) for n in range(start, stop)], axis=1)

    def after(self, stop: int) -> Clock:
        """The clock after the presentations before `stop`, at least one."""
        if not self.work.carry:
            clock = Clock.zero(self.replicas)
            self._pass(clock, stop - 1)
            return clock
        clock = self._uniform
        if clock is None:
            return self._before(stop)
        count = clock.count + stop * self.program.steps
        return Clock(clock.origin + count * clock.dt, clock.origin, count, clock.dt)

    def _before(self, number: int) -> Clock:
        """The clock before a presentation, where they are carried on."""
        reached, clock = self._reached
        if number < reached:
            reached, clock = 0, self.start
        clock = clock.copy()
        for n in range(reached, number):
            self._pass(clock, n)
        self._reached = (number, clock.copy())
        return clock

    def _presentation(self, clock: Clock, number: int) -> np.ndarray:
        """The rows of one presentation, (replica, row); moves the clock."""
        times = [
            clock.stay() if dt is None else clock.steps(dt, phase.steps)
            for phase, dt in self._phases(clock, number)
        ]
        return np.concatenate(times, axis=1)

    def _pass(self, clock: Clock, number: int) -> None:
        """Moves the clock by one presentation."""
        for phase, dt in self._phases(clock, number):
            if dt is not None:
                clock.skip(dt, phase.steps)

    def _phases(
        self, clock: Clock, number: int
    ) -> Iterator[tuple[PhaseProgram, np.ndarray | None]]:
        """The phases of a presentation with dt, or None where there are no steps (see `steps`).

        `clock` is read at each: it must have been moved through those before.
        """
        counters = self.work.counters(number)
        scalars: Scalars = {} if self.steady else {**self.parameters, **counters}
        for place, phase in enumerate(self.program.phases):
            if not self.steady:
                scalars[TIME] = clock.now[:, None, None]
                with np.errstate(all="ignore"):
                    self._enter(phase.enter, scalars, counters)
            if not phase.steps:
                yield phase, None
                continue
            if not self.steady or place not in self._known:
                known = self.parameters if self.steady else scalars
                self._known[place] = step_lengths(phase, known, self.replicas)
            yield phase, self._known[place]

    def _enter(
        self, code: tuple[Instruction, ...], scalars: Scalars, counters: Mapping[str, int]
    ) -> None:
        """What a phase sets on entering, as far as numbers of the host decide it."""
        for instruction in code:
            match instruction:
                case Block(maps=maps, shape=("scalar",)):
                    for m in maps:
                        if m.target not in counters and m.target != TIME:
                            _put(scalars, m.target, m.value)
                case Draw(target=target, kind=kind, name=name, arguments=arguments):
                    if self.program.buffers[target].shape[0] != "scalar":
                        continue
                    turn, slot = counters[TURN], counters[SLOT]
                    number = shared_draw(kind, name, self.work.seeds, turn, slot)[:, None, None]
                    given = [scalar_value(a, scalars) for a in arguments]
                    scalars[target] = moved(kind, number, given)


def _put(scalars: Scalars, target: str, expr: Expr) -> None:
    if loads(expr) <= scalars.keys():
        scalars[target] = scalar_value(expr, scalars)
    else:
        scalars.pop(target, None)


def scalar_value(expr: Expr, scalars: Mapping[str, Any]) -> Any:
    """The value of an expression over scalars."""
    return value(expr, lambda node: scalars[node.buffer])


def step_lengths(phase: PhaseProgram, scalars: Mapping[str, Any], replicas: int) -> np.ndarray:
    """dt of a phase: (replica, 1), or (replica, step) where it depends on the step."""
    dt = phase.dt or Number(1.0)
    varying = any(isinstance(n, Load) and n.buffer == STEP for n in walk(dt))
    steps = np.arange(phase.steps if varying else 1, dtype=np.float64)
    with np.errstate(all="ignore"):
        lengths = np.asarray(scalar_value(dt, {**scalars, STEP: steps}), dtype=np.float64)
    return np.broadcast_to(lengths, (replicas, 1, len(steps)))[:, 0]
