"""The clock of a protocol: origin + n dt, n counted since dt last changed, never a sum.

    t = origin + (n + step + c) dt        in a step; c is the offset of a stage of the method

Where a phase has another dt than the one before, its time starts anew: origin := t, n := 0. Where
dt depends on `step`, that is looked at in every step; a dt that changes all the time is then a sum
of its values, each rounded once, since no closed form exists. n, origin and dt go on from phase to
phase and, where a presentation is carried on, from presentation to presentation.

A phase takes all its steps, whether its samples stop before or not: no sample's time depends on
its neighbours in the batch. Nothing of this is emitted where no text of the circuit reads `t`.

Signals count the time of each presentation on a timeline of its own, which starts at 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...buffer import BEGUN, COUNT, DT, ELAPSED, ORIGIN, STEP, TAKEN, TIME
from ...circuit import Circuit, Equation
from ...expressions.derivative import simplify
from ...expressions.tree import Binary, Call, Compare, Counter, Expr, Load, Number, walk
from ..emitter import Emitter

STEP_NOW, DT_NOW = Load(STEP), Load(DT)


@dataclass(frozen=True)
class ClockNames:
    """A time, and what it is counted from: the names of three scalars.

    `moving`: stages and steps read the time; else only phases do, when they begin.
    """

    time: str
    origin: str
    count: str
    moving: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """All three."""
        return (self.time, self.origin, self.count)


RUN = ClockNames(TIME, ORIGIN, COUNT)  # goes on where presentations are carried on
PRESENTATION = ClockNames(ELAPSED, BEGUN, TAKEN)


def plus(left: Expr, right: Expr) -> Expr:
    """Left + right, simplified."""
    return simplify(Binary("+", left, right))


def times(left: Expr, right: Expr) -> Expr:
    """Left * right, simplified."""
    return simplify(Binary("*", left, right))


def reads_time(circuit: Circuit) -> bool:
    """Whether some text of the circuit reads `t`."""
    return any(node == Counter("t") for e in _expressions(circuit) for node in walk(e))


def _expressions(circuit: Circuit) -> Iterator[Expr]:
    for population in circuit.populations.values():
        for equation in population.equations:
            yield from (equation.right, *((equation.tau,) if equation.tau else ()))
        yield from (u.right for u in (*population.after_step, *population.rules))
        yield from (text for event in population.events for text in event.expressions)
    for synapse in circuit.synapses.values():
        yield from (e for e in (synapse.weight, synapse.current) if e is not None)
        yield from synapse.filter or ()
        yield from synapse.optimizer.arguments if synapse.optimizer else ()
        for line in (*synapse.rule, *synapse.trace):
            yield line.right
            if isinstance(line, Equation) and line.tau is not None:
                yield line.tau
    yield from circuit.energies.values()
    for protocol in circuit.protocols.values():
        for phase in protocol.phases:
            yield from (e for _, e in (*phase.clamp, *phase.set, *phase.begin))
            yield from (e for e in (phase.dt, phase.until) if e is not None)
            yield from (when for _, when in phase.learn_each_step if when is not None)


def declare(at: Emitter) -> None:
    """Declares what outlives a presentation."""
    for name in ("t", "origin", "n", "dt"):
        at.counter(name)


class PhaseClock:
    """The clock of one phase.

    Args:
        at: Where instructions are emitted.
        dt: The length of a step, over buffers.
        timelines: Those that something of the circuit reads; where none, only dt is made.
        stops: Whether the samples of the phase may stop before its end.
    """

    def __init__(self, at: Emitter, dt: Expr, timelines: tuple[ClockNames, ...], stops: bool):
        self.at, self.dt, self.timelines, self.stops = at, dt, timelines, stops
        self.varying = any(n == STEP_NOW for n in walk(dt))

    @property
    def _again(self) -> bool:
        """Whether steps have to be counted once more, after samples stopped."""
        return bool(self.timelines) and self.varying and self.stops

    def now(self, line: ClockNames, offset: float = 0.0) -> Expr:
        """The time in this step, at an offset in units of dt."""
        count = Load(line.count) if self.varying else plus(Load(line.count), STEP_NOW)
        return Call("clock", (Load(line.origin), plus(count, Number(offset)), DT_NOW))

    def enter(self) -> None:
        """On entering the phase, before `begin`."""
        for name in ("step", "dt"):
            self.at.counter(name)
        if self._again:
            for name in self._names:
                self.at.assign(self._start(name), Load(name))
        if not self.varying:
            self._change()

    @property
    def _names(self) -> tuple[str, ...]:
        return (*(name for line in self.timelines for name in line.names), DT)

    def _start(self, name: str) -> str:
        return self.at.beside(name, "start", "counter")

    def begin_step(self) -> None:
        """At the start of a step."""
        if self.varying:
            self._change()

    def move(self, offset: float) -> None:
        """To the time of a stage."""
        for line in self.timelines:
            if line.moving:
                self.at.assign(line.time, self.now(line, offset))

    def end_step(self) -> None:
        """At the end of a step, before what is recorded."""
        for line in self.timelines:
            if self.varying:
                self.at.assign(line.count, plus(Load(line.count), Number(1.0)))
            if self.varying or line.moving:
                self.at.assign(line.time, self.now(line, 0.0 if self.varying else 1.0))

    def again(self) -> None:
        """One step of the clock alone, from the start of the phase where the step is the first."""
        if not self._again:
            return
        first = Compare("==", STEP_NOW, Number(0.0))
        for name in self._names:
            start = Load(self._start(name))
            self.at.assign(name, _either(first, start, Load(name)))
        self._change()
        self.end_step()

    def leave(self) -> None:
        """After all steps; `#step` is the last one's, also where samples stopped before."""
        if self.stops:
            self.at.write(STEP)
        if self.varying:
            if self.stops:
                self.at.assign(DT, self.dt)  # `again` left it so, where time is kept
            return
        for line in self.timelines:
            count = Load(line.count)
            self.at.assign(line.count, plus(count, plus(STEP_NOW, Number(1.0))))
            if self.stops or not line.moving:
                self.at.assign(line.time, Call("clock", (Load(line.origin), count, DT_NOW)))

    def _change(self) -> None:
        """The dt that holds from now on; another one than before starts a new count."""
        at = self.at
        if not self.timelines:
            at.assign(DT, self.dt)
            return
        next_dt, same = at.counter("next"), at.counter("same")
        at.assign(next_dt, self.dt)
        at.assign(same, Compare("==", Load(next_dt), DT_NOW))
        for line in self.timelines:
            at.assign(line.origin, _either(Load(same), Load(line.origin), Load(line.time)))
            at.assign(line.count, Binary("*", Load(same), Load(line.count)))
        at.assign(DT, Load(next_dt))


def _either(holds: Expr, yes: Expr, no: Expr) -> Expr:
    """One of two numbers; `holds` is 1 or 0."""
    return Call("where", (holds, yes, no))
