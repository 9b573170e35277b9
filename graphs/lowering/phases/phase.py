"""The lowering of one phase: enter, the loop over steps with its turns, and leave."""

from __future__ import annotations

import collections
from collections.abc import Callable

from ...buffer import STEP, Beside
from ...circuit import Phase, Record
from ...expressions.derivative import simplify
from ...expressions.numbered_draws import is_draw
from ...expressions.tree import Expr, Load, Noise, Number, walk
from ...instructions import Map, Output, Stop
from ...program import PhaseProgram, StepLoop
from ..chance import of_begin, of_set
from ..delays import Delays
from ..emitter import Emitter, PhaseView
from ..refusal import LoweringError, Subject
from ..rules.compiler import RuleCompiler
from ..rules.shared_arrays import gathered
from .events import Events
from .signal_rows import SignalRows
from .stepping import Stepping
from .stopping import StopRule
from .storing import Storing
from .timing import RUN, STEP_NOW, PhaseClock, plus, reads_time


class PhaseLowering:
    """Lowers the phases of one protocol in order; what one leaves current the next may use."""

    def __init__(
        self,
        evaluator: Emitter,
        rules: RuleCompiler,
        delays: Delays,
        records: tuple[Record, ...],
        latches: set[tuple[str, str, str]],
        learn: bool,
        number: Callable[[Expr], float],
        predicted: tuple[str, str] | None = None,
    ):
        """`predicted`: the signal whose rows are put out, and the buffer that says what it is."""
        self.at = evaluator
        self.rules = rules
        self.delays = delays
        self.storing = Storing(evaluator, records)
        self.latches = latches
        self.learn = learn
        self.number = number
        self.signals = SignalRows(evaluator, predicted)
        self.timelines = (RUN,) * reads_time(evaluator.circuit)
        self.timelines += self.signals.timelines
        equations = [e for p in evaluator.circuit.populations.values() for e in p.equations]
        updates = [u for p in evaluator.circuit.populations.values() for u in p.after_step]
        self.noisy = any(isinstance(n, Noise) for e in equations for n in walk(e.right))
        self.noisy |= any(is_draw(n) for u in updates for n in walk(u.right))
        events = [e for p in evaluator.circuit.populations.values() for e in p.events]
        texts = [text for event in events for text in event.expressions]
        self.noisy |= any(is_draw(n) for text in texts for n in walk(text))
        self.first_row = 0

    def lower(self, phase: Phase, keep_end: bool, output: str | None) -> PhaseProgram:
        """One phase as a `PhaseProgram`; `keep_end`: a later phase starts from its end."""
        self.phase = phase
        steps = self._enter()
        self.stepping = Stepping(self.at, self.rules, phase, self.clock, self.delays, self.learn)
        self.storing.store(phase, self.first_row, Number(0.0), fixed=True)
        if not self.first_row:
            self.signals.put_out(phase, first=True)
        loop = self._loop(steps) if steps else None
        enter = self._entered if loop else self.at.take()
        if loop:
            self._count()
        self.signals.leave(steps)
        self._leave(keep_end, output)
        first, self.first_row = self.first_row, self.first_row + steps + 1
        return PhaseProgram(phase.name, enter, loop, self.at.take(), first, self.clock.dt)

    # --- enter ---------------------------------------------------------------------------------

    def _enter(self) -> int:
        """What happens before the first step; the number of steps."""
        phase, at = self.phase, self.at
        clamps = dict(at.view.clamps)
        for variable in phase.release:
            at.need(at.variable(variable.population, variable.name))  # what it is left with
            clamps.pop((variable.population, variable.name), None)
        if phase.start_from is not None:  # which says it of released variables, too
            self._restore(phase.start_from)
        for variable, value in phase.clamp:
            clamps[variable.population, variable.name] = value
        zeros = set(at.view.zeros)
        for name, value in phase.set:
            zeros.discard(name)
            if simplify(value) == Number(0.0):
                zeros.add(name)
        self.delays.look(phase)
        at.look(PhaseView(clamps, frozenset(zeros), phase.name))
        for name, value in phase.set:
            self._set(name, value)
        steps = self._steps()
        self.clock = PhaseClock(at, self._dt(), self.timelines, phase.until is not None)
        if not self.first_row:
            self.signals.begin()
        self.delays.move(0.0)
        if steps:
            self.clock.enter()
            self.signals.enter(self.clock)
            if self.noisy:
                at.assign(STEP, Number(0.0))  # for a derivative that `begin` or a record reads
        for population, variable in clamps:
            at.need(at.variable(population, variable))
        for row, (variable, _) in enumerate(phase.begin):
            target = at.variable(variable.population, variable.name)
            size = at.population(variable.population).size
            value = of_begin(at, phase.begin, row, phase.name)
            at.assign(target, at.fitted(at.translate(value), size))
        if not self.first_row:
            self.delays.fill()
        return steps

    def _restore(self, earlier: str) -> None:
        if earlier not in self.at.ended:
            raise LoweringError(
                f"`from: {earlier}`: that phase has not ended before {self.phase.name}"
            )
        for saved in list(self.at.buffers.values()):
            match saved.identity:
                case Beside(of=state, what="end", phase=phase) if phase == earlier:
                    self.at.assign(state.name, Load(saved.name))

    def _set(self, name: str, value: Expr) -> None:
        drawn = of_set(self.at, value, self.phase.name, name)
        target = self.at.parameter_buffer(name)
        self.at.assign(target, self.at.translate(drawn))

    def _steps(self) -> int:
        phase = self.phase
        if phase.duration is not None:
            if phase.dt is None:
                raise LoweringError(f"phase {phase.name!r}: `for` needs `dt`")
            return round(self.number(phase.duration) / self.number(phase.dt))
        if phase.steps is None:
            return 0
        steps = self.number(phase.steps)
        if steps != int(steps) or steps < 0:
            raise LoweringError(
                f"phase {phase.name!r}: steps must be a whole number, got {steps:g}"
            )
        return int(steps)

    def _dt(self) -> Expr:
        return self.at.translate(self.phase.dt) if self.phase.dt is not None else Number(1.0)

    # --- the loop ------------------------------------------------------------------------------

    def _loop(self, steps: int) -> StepLoop:
        at, clock = self.at, self.clock
        held: list[str] = []

        def body() -> None:
            at.write(STEP)
            clock.begin_step()
            self.signals.begin_step(clock, held)
            self._step()

        moved = self._written(body)
        at.need(*self._invariants(body, moved))
        rows = self.signals.rows & moved
        held += [n for n in self._invariants(body, moved - rows) if at.reach(n) & rows]
        at.need(*held)
        at.need(*self._carried(body))
        self._entered = at.take()
        entry = set(at.valid)
        while True:
            at.valid = set(entry)
            body()
            code, end = at.take(), set(at.valid)
            if entry <= end:
                break
            entry &= end
        clock.again()
        return StepLoop(steps, code, self.phase.until is not None, at.take())

    def _count(self) -> None:
        """After the loop: the rows of its last step, the clock and the number of steps so far."""
        if self.phase.until is not None:
            self.at.write(STEP)
            self.signals.begin_step(self.clock)
        self.clock.leave()
        if self.noisy:
            before = self.at.counter("before")  # what draws may be clamped until now
            self.at.assign(before, plus(Load(before), plus(STEP_NOW, Number(1.0))))

    def _written(self, body: Callable[[], None]) -> set[str]:
        """The sources that the loop writes."""
        with self.at.dry_run(set()) as found:
            body()
        made = {w for i in found.code for w in i.writes}
        return {w for w in made if not self.at.recipe(w)} | {STEP}

    def _invariants(self, body: Callable[[], None], moved: set[str]) -> list[str]:
        """What the loop reads that depends on nothing it writes: made once, before it."""
        still = {v for v in self.at.valid if not (self.at.reach(v) & moved)}
        with self.at.dry_run(still, moved) as found:
            body()
        return found.asked

    def _carried(self, body: Callable[[], None]) -> list[str]:
        """What a step makes at its start and again at its end: for the first it is made before."""
        entry = set(self.at.valid)
        with self.at.dry_run(entry) as found:
            body()
        made = collections.Counter(w for i in found.code for w in i.writes)
        return sorted(v for v in found.valid - entry if made[v] > 1 and self.at.recipe(v))

    def _step(self) -> None:
        at, phase = self.at, self.phase
        kept = self._read_kept()
        test = StopRule(at, self.stepping, phase.until).prepare() if phase.until else None
        turns = phase.order if phase.order is not None else (tuple(at.circuit.populations),)
        self.stepping.check(turns)
        for number, turn in enumerate(turns):
            self.stepping.take(turn, last=number == len(turns) - 1)
        for apply in kept:
            apply()
        self.clock.end_step()
        Events(at, masked=phase.until is not None).act()
        self.delays.push(masked=phase.until is not None)
        self.storing.store(phase, self.first_row, plus(STEP_NOW, Number(1.0)))
        self.signals.put_out(phase)
        if test is not None:
            at.emit(Stop(at.reading(test())))

    # --- rules that act each step --------------------------------------------------------------

    def _read_kept(self) -> list[Callable[[], None]]:
        if not self.learn or not self.phase.plasticity:
            return []
        kept, each = [], self.phase.learn_each_step
        for group in gathered(self.at.circuit, tuple(item for item, _ in each)):
            when, *others = (condition for item, condition in each if item in group)
            if any(other != when for other in others):
                raise LoweringError(
                    f"phase {self.phase.name!r}: {', '.join(map(str, group))} change one array in "
                    f"`learn_each_step`, so they have the same `when`",
                    about=Subject(group[0].name, "rule"),
                )
            condition = None if when is None else self.at.reading(self.at.translate(when))
            apply = self.rules.read_group(group, keep=True)
            kept.append(apply if condition is None else self._branched(condition, apply))
        return kept

    def _branched(self, condition: Expr, apply: Callable[[], None]) -> Callable[[], None]:
        def inside() -> None:
            with self.at.branch(condition):
                apply()

        return inside

    # --- leaving -------------------------------------------------------------------------------

    def _leave(self, keep_end: bool, output: str | None) -> None:
        at, name = self.at, self.phase.name
        for population, variable, phase in sorted(self.latches):
            if phase == name:
                source = at.variable(population, variable)
                at.need(source)
                at.emit(Map(at.latch(population, variable, phase), Load(source)))
        if keep_end:
            for buffer in list(at.buffers.values()):
                if buffer.kind == "state" and not buffer.of_each_sample:
                    at.need(buffer.name)  # a clamp may follow a signal
                    saved = at.beside(buffer.name, "end", "latch", phase=name)
                    at.emit(Map(saved, Load(buffer.name)))
        at.ended.add(name)
        if output is not None and not (self.signals.predicted and self.signals.steps):
            output = at.sampled(output)
            at.need(output)
            at.emit(Output(output, Number(0.0) if self.signals.predicted else None))
        if not self.learn:
            return
        for group in self.phase.learn:
            applied = [self.rules.read_group(one) for one in gathered(at.circuit, group)]
            for apply in applied:
                apply()
        for population, variable in at.view.clamps:  # what is carried on, where this phase is last
            at.need(at.variable(population, variable))
