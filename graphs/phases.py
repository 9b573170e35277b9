"""The lowering of one phase: enter, the loop over steps with its turns, and leave."""

from __future__ import annotations

from collections.abc import Callable

from .circuit import Circuit, Phase, Record, Update
from .derivative import differentiate, simplify
from .evaluation import Evaluator, LoweringError, View, has_residual
from .expression import (
    Binary,
    Call,
    Compare,
    Counter,
    Expr,
    Load,
    Number,
    Residual,
    Variable,
    transform,
    walk,
)
from .plasticity import RuleCompiler
from .program import (
    Branch,
    Draw,
    Instruction,
    Loop,
    Map,
    Output,
    PhaseProgram,
    Rank,
    Reduce,
    Stop,
    Store,
    writes,
)
from .tableaux import TABLEAUX, Tableau

STEP, TIME, DT = Load("#step"), Load("#t"), Load("#dt")
DRAWS = ("random_sign", "uniform", "normal")


def plus(left: Expr, right: Expr) -> Expr:
    """Left + right, simplified."""
    return simplify(Binary("+", left, right))


def times(left: Expr, right: Expr) -> Expr:
    """Left * right, simplified."""
    return simplify(Binary("*", left, right))


def reads_time(circuit: Circuit) -> bool:
    """Whether an equation reads `t`; else the time of a step need not be known inside a loop."""
    expressions = [e.right for p in circuit.populations.values() for e in p.equations]
    expressions += [u.right for p in circuit.populations.values() for u in p.after_step]
    expressions += [s.current for s in circuit.synapses.values() if s.current]
    expressions += [e for p in circuit.protocols.values() for f in p.phases for _, e in f.clamp]
    expressions += [r.right for s in circuit.synapses.values() for r in (*s.rule, *s.trace)]
    return any(n == Counter("t") for e in expressions for n in walk(e))


class PhaseLowering:
    """Lowers the phases of one protocol in order; what one leaves current the next may use."""

    def __init__(
        self,
        evaluator: Evaluator,
        rules: RuleCompiler,
        records: tuple[Record, ...],
        latches: set[tuple[str, str, str]],
        learn: bool,
        number: Callable[[Expr], float],
    ):
        self.at = evaluator
        self.rules = rules
        self.records = records
        self.latches = latches
        self.learn = learn
        self.number = number
        self.timed = reads_time(evaluator.circuit)
        self.first_row = 0

    def lower(self, phase: Phase, keep_end: bool, output: str | None) -> PhaseProgram:
        """One phase as a `PhaseProgram`; `keep_end`: a later phase starts from its end."""
        self.phase = phase
        self._enter()
        steps = self._steps()
        dt = self._dt()
        self._record(Number(0.0), 0)
        loop = self._loop(steps, dt) if steps else None
        enter = self._entered if loop else self.at.take()
        if loop and not self.timed:
            self.at.assign("#t", plus(Load("#t0"), Load("#elapsed")))
        self._leave(keep_end, output)
        first, self.first_row = self.first_row, self.first_row + steps + 1
        return PhaseProgram(phase.name, enter, loop, self.at.take(), first, dt)

    # --- enter ---------------------------------------------------------------------------------

    def _enter(self) -> None:
        phase, at = self.phase, self.at
        if phase.start_from is not None:
            self._restore(phase.start_from)
        clamps = dict(at.view.clamps)
        for variable in phase.release:
            clamps.pop((variable.population, variable.name), None)
        for variable, value in phase.clamp:
            clamps[variable.population, variable.name] = value
        zeros = set(at.view.zeros)
        for name, value in phase.set:
            zeros.discard(name)
            if simplify(value) == Number(0.0):
                zeros.add(name)
        at.look(View(clamps, frozenset(zeros)))
        for name, value in phase.set:
            self._set(name, value)
        for population, variable in clamps:
            at.need(at.variable(population, variable))
        for variable, value in phase.begin:
            target = at.variable(variable.population, variable.name)
            at.assign(target, at.translate(value))

    def _restore(self, earlier: str) -> None:
        if earlier not in self.at.ended:
            raise LoweringError(
                f"`from: {earlier}`: that phase has not ended before {self.phase.name}"
            )
        for state in self.at.buffers.copy().values():
            saved = f"{state.name}@end {earlier}"
            if saved in self.at.buffers:
                self.at.assign(state.name, Load(saved))

    def _set(self, name: str, value: Expr) -> None:
        def draw(node: Expr) -> Expr | None:
            if isinstance(node, Call) and node.function in DRAWS:
                buffer = self.at.scalar(f"{node.function}({self.phase.name}.{name})", "scratch")
                arguments = tuple(self.at.translate(a) for a in node.arguments)
                self.at.emit(Draw(buffer, node.function, buffer, arguments))
                return Load(buffer)
            return None

        slot = self.at.scalar(f"${name}", "parameter")
        self.at.assign(slot, self.at.translate(transform(value, draw)))

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

    def _loop(self, steps: int, dt: Expr) -> Loop:
        at = self.at
        for name in ("#step", "#t", "#t0", "#elapsed", "#dt"):
            at.scalar(name)
        at.assign("#t0", TIME)
        at.assign("#elapsed", Number(0.0))
        varying = any(isinstance(n, Load) and n.buffer == "#step" for n in walk(dt))
        if not varying:
            at.assign("#dt", dt)

        def body() -> None:
            at.write("#step")
            if varying:
                at.assign("#dt", dt)
            self._step(varying)

        moved = self._written(body)
        invariants = self._invariants(body, moved)
        at.need(*invariants)
        self._entered = at.take()
        entry = set(at.valid)
        while True:
            at.valid = set(entry)
            body()
            code, end = at.take(), set(at.valid)
            if entry <= end:
                break
            entry &= end
        return Loop(steps, code, self.phase.until is not None)

    def _written(self, body: Callable[[], None]) -> set[str]:
        """The sources that the loop writes."""
        code, _ = self._dry(body, None)
        made = {w for i in code for w in writes(i)}
        return {w for w in made if not self.at.recipe(w)} | {"#step", "#t"}

    def _invariants(self, body: Callable[[], None], moved: set[str]) -> list[str]:
        """What the loop reads that depends on nothing it writes: made once, before it."""
        _, asked = self._dry(body, moved)
        return asked

    def _dry(
        self, body: Callable[[], None], assumed: set[str] | None
    ) -> tuple[tuple[Instruction, ...], list[str]]:
        at = self.at
        emitted, valid, count = at.emitted, set(at.valid), self.rules._count
        at.emitted, at.asked, at.assumed = [], [], assumed
        if assumed is None:
            at.valid = set()
        else:
            at.valid = {v for v in sorted(valid) if not (at.reach(v) & assumed)}
        body()
        code, asked = tuple(at.emitted), at.asked
        at.emitted, at.valid, at.assumed, self.rules._count = emitted, valid, None, count
        return code, asked

    def _step(self, varying: bool) -> None:
        at, phase = self.at, self.phase
        if self.timed:
            at.assign("#t", plus(Load("#t0"), Load("#elapsed") if varying else times(STEP, DT)))
        kept = self._read_kept()
        test = self._prepare_until()
        turns = phase.order if phase.order is not None else (tuple(at.circuit.populations),)
        self._check_turns(turns)
        for number, turn in enumerate(turns):
            self._turn(turn, last=number == len(turns) - 1)
        for apply in kept:
            apply()
        if varying:
            at.assign("#elapsed", plus(Load("#elapsed"), DT))
        else:
            at.assign("#elapsed", times(plus(STEP, Number(1.0)), DT))
        if self.timed:
            at.assign("#t", plus(Load("#t0"), Load("#elapsed")))
        self._record(plus(STEP, Number(1.0)), None)
        if test is not None:
            at.emit(Stop(at.reading(test())))

    def _check_turns(self, turns: tuple[tuple[str, ...], ...]) -> None:
        named = {name for turn in turns for name in turn}
        for name in self.at.circuit.populations:
            if name not in named and (self._states((name,)) or self.at.population(name).after_step):
                raise LoweringError(
                    f"phase {self.phase.name!r}: {name} has states but no turn in `order`"
                )

    def _states(self, turn: tuple[str, ...]) -> list[tuple[str, str]]:
        """The unclamped states with an equation, of the populations of a turn."""
        found = []
        for name in turn:
            for equation in self.at.population(name).equations:
                key = (name, equation.variable)
                if equation.kind == "state" and key not in self.at.view.clamps:
                    found.append(key)
        return found

    @property
    def _masked(self) -> bool:
        return self.phase.until is not None

    def _turn(self, turn: tuple[str, ...], last: bool) -> None:
        tableau = TABLEAUX.get(self.phase.method)
        if tableau is None:
            raise LoweringError(
                f"phase {self.phase.name!r}: no method {self.phase.method!r}; "
                f"there are {', '.join(TABLEAUX)}"
            )
        self._integrate(self._states(turn), last, tableau)
        self._after_step(turn)

    def _integrate(self, states: list[tuple[str, str]], last: bool, tableau: Tableau) -> None:
        """One step of the method for the states of a turn; all stages read before they write."""
        at = self.at
        stages: list[list[tuple[str, str, Expr]]] = []
        starts: dict[str, Expr] = {}
        single = len(tableau.b) == 1
        for row, offset in zip(tableau.a, tableau.c, strict=True):
            if stages:
                self._move(starts, stages, row)
                if offset != tableau.c[len(stages) - 1]:
                    at.assign(
                        "#t", plus(plus(Load("#t0"), self._elapsed()), times(Number(offset), DT))
                    )
            stages.append(self._rates(states, last, len(stages) if not single else None))
            if not single and not starts:
                starts = {target: self._copy(target, "start") for target, _, _ in stages[0]}
        if tableau.exponential:
            for target, rate, slope in stages[0]:
                gain = Call("phi1", (times(DT, slope),))
                self._advance(target, None, times(times(DT, gain), Load(rate)))
        elif single:
            for target, rate, _ in stages[0]:
                self._advance(target, None, times(DT, Load(rate)))
        else:
            self._move(starts, stages, tableau.b, last=True)

    def _elapsed(self) -> Expr:
        step_dependent = any(isinstance(n, Load) and n.buffer == "#step" for n in walk(self._dt()))
        return Load("#elapsed") if step_dependent else times(STEP, DT)

    def _rates(
        self, states: list[tuple[str, str]], last: bool, stage: int | None
    ) -> list[tuple[str, str, Expr]]:
        """(buffer, buffer of its rate, own slope) of everything that moves in this turn."""
        at = self.at
        found: list[tuple[str, str, Expr]] = []
        for population, variable in states:
            rate = at.rate(population, variable)
            at.need(rate)
            target = at.variable(population, variable)
            recipe = at.recipe(rate)[0]
            slope = Number(0.0)
            if isinstance(recipe, Map) and self.phase.method == "exponential_euler":
                slope = simplify(differentiate(recipe.value, Load(target)))
                at.reading(slope)
            found.append((target, rate, slope))
        if last:
            found += self._filter_rates()
            if self.learn and self.phase.plasticity:
                for synapse in at.circuit.synapses.values():
                    found += self.rules.rates(synapse)
        if stage is None:
            return found
        return [(t, self._copy_rate(t, r, stage), s) for t, r, s in found]

    def _filter_rates(self) -> list[tuple[str, str, Expr]]:
        at = self.at
        found: list[tuple[str, str, Expr]] = []
        for synapse in at.circuit.synapses.values():
            if synapse.filter is None:
                continue
            size = at.population(synapse.source[0]).size
            p = at.sent(synapse)
            s = at.buffer(f"{synapse.name}.s", "state", "unit", size)
            for target, arrives, tau in (
                (s, at.variable(*synapse.source), synapse.filter[0]),
                (p, s, synapse.filter[1]),
            ):
                slope = simplify(Binary("/", Number(-1.0), at.translate(tau)))
                value = Binary("/", Binary("-", Load(arrives), Load(target)), at.translate(tau))
                rate = at.buffer(f"d({target})", "scratch", "unit", size)
                at.assign(rate, value)
                found.append((target, rate, slope))
        return found

    def _copy(self, source: str, label: str) -> Expr:
        name = self.at.buffer(f"{source}~{label}", "scratch", *self.at.buffers[source].shape)
        self._put(name, Load(source), masked=False)
        return Load(name)

    def _copy_rate(self, target: str, rate: str, stage: int) -> str:
        copy = self._copy(rate, f"k{stage}")
        assert isinstance(copy, Load)
        return copy.buffer

    def _put(self, target: str, value: Expr, masked: bool | None = None) -> None:
        """Emits target := value on whatever shape target has, and notes that it changed."""
        buffer = self.at.buffers[target]
        if buffer.shape[0] == "matrix":
            self.at.emit(Rank(target, value))
        else:
            masks = self._masked if masked is None else masked
            self.at.emit(Map(target, value, masks and buffer.shape[0] == "unit"))
        self.at.write(target)

    def _move(
        self,
        starts: dict[str, Expr],
        stages: list[list[tuple[str, str, Expr]]],
        weights: tuple[float, ...],
        last: bool = False,
    ) -> None:
        """Puts every state at start + dt * sum of weights * rates; `last`: where the step ends."""
        for number, (target, start) in enumerate(starts.items()):
            total: Expr = Number(0.0)
            for stage, weight in zip(stages, weights, strict=False):
                total = plus(total, times(Number(weight), Load(stage[number][1])))
            if last:
                self._advance(target, start, times(DT, total))
            else:
                self._put(target, plus(start, times(DT, total)))

    def _advance(self, target: str, start: Expr | None, change: Expr) -> None:
        """Target := start + change, or itself + change; compensated where that is asked for."""
        sums = self.rules.sums
        if target not in sums.names:
            self._put(target, plus(start or Load(target), change))
            return
        matrix = self.at.buffers[target].shape[0] == "matrix"

        def less(name: str, lost: Expr) -> None:
            value = Binary("-", change, lost)
            self.at.emit(Rank(name, value) if matrix else Map(name, value))

        sums.add(target, less, start)
        self.at.write(target)

    def _after_step(self, turn: tuple[str, ...]) -> None:
        at = self.at
        lines = max((len(at.population(name).after_step) for name in turn), default=0)
        for line in range(lines):
            updates: list[tuple[str, str, Update]] = []
            for name in turn:
                steps = at.population(name).after_step
                if line < len(steps) and (name, steps[line].target) not in at.view.clamps:
                    updates.append((name, at.variable(name, steps[line].target), steps[line]))
            values = []
            for _, target, update in updates:
                right = at.translate(update.right)
                value = (
                    right if update.kind == ":=" else Binary(update.kind[0], Load(target), right)
                )
                values.append(at.reading(simplify(value)))
            if len(updates) > 1:
                values = [
                    self._scratch_value(u[1], v) for u, v in zip(updates, values, strict=True)
                ]
            for (_, target, _), value in zip(updates, values, strict=True):
                self._put(target, value)

    def _scratch_value(self, target: str, value: Expr) -> Expr:
        name = self.at.buffer(f"{target}~new", "scratch", *self.at.buffers[target].shape)
        self.at.emit(Map(name, value))
        return Load(name)

    # --- rules that act each step --------------------------------------------------------------

    def _read_kept(self) -> list[Callable[[], None]]:
        if not self.learn or not self.phase.plasticity:
            return []
        kept = []
        for item, when in self.phase.learn_each_step:
            condition = None if when is None else self.at.reading(self.at.translate(when))
            apply = self.rules.read(item, keep=True)
            kept.append(apply if condition is None else self._branched(condition, apply))
        return kept

    def _branched(self, condition: Expr, apply: Callable[[], None]) -> Callable[[], None]:
        def inside() -> None:
            before, self.at.emitted = self.at.emitted, []
            apply()
            body, self.at.emitted = tuple(self.at.emitted), before
            self.at.emit(Branch(condition, body))

        return inside

    # --- stopping ------------------------------------------------------------------------------

    def _prepare_until(self) -> Callable[[], Expr] | None:
        until = self.phase.until
        if until is None:
            return None
        changing: dict[Expr, Expr] = {}
        for node in walk(until):
            if isinstance(node, Call) and node.function == "change":
                (argument,) = node.arguments
                assert isinstance(argument, Variable)
                now = self.at.variable(argument.population, argument.name)
                self.at.need(now)
                before = self._copy(now, "before")
                changing[node] = Binary("-", Load(now), before)

        def test() -> Expr:
            residual = self._residual() if has_residual(until) else None

            def leaf(node: Expr) -> Expr | None:
                if node in changing:
                    return Call("norm", (changing[node],))
                return residual if isinstance(node, Residual) else None

            return self.at.translate(transform(until, leaf))

        return test

    def _residual(self) -> Expr:
        """Max over states of |dx/dt| / (1 + |x|), with the derivatives of the step just taken."""
        largest: Expr = Number(0.0)
        for population, variable in self._states(tuple(self.at.circuit.populations)):
            rate = Load(self.at.rate(population, variable))
            state = Load(self.at.variable(population, variable))
            scaled = Binary("/", Call("abs", (rate,)), plus(Number(1.0), Call("abs", (state,))))
            name = self.at.buffer(f"residual({population}.{variable})", "scratch", "sample")
            self.at.emit(Reduce(name, "max", scaled, self.at.population(population).size))
            largest = Call("max", (largest, Load(name)))
        return largest

    # --- recording and leaving -----------------------------------------------------------------

    def _record(self, step: Expr, fixed: int | None) -> None:
        """Stores what is due after `begin` (step 0) or after a step."""
        row = plus(Number(float(self.first_row)), step)
        for slot, record in enumerate(self.records):
            if record.phase not in (None, self.phase.name):
                continue
            if record.every == 1 or fixed is not None:
                self._store(slot, record, row)
            else:
                before, self.at.emitted, valid = self.at.emitted, [], set(self.at.valid)
                self._store(slot, record, row)
                body, self.at.emitted, self.at.valid = tuple(self.at.emitted), before, valid
                every = Number(float(record.every))
                rest = Binary("-", step, times(every, Call("floor", (Binary("/", step, every),))))
                self.at.emit(Branch(Compare("==", rest, Number(0.0)), body))

    def _store(self, slot: int, record: Record, row: Expr) -> None:
        at = self.at
        if isinstance(record.what, str):
            source = at.energy(record.what)
        elif record.what.phase is not None:
            if record.what.phase not in at.ended:
                return
            source = at.latch(record.what.population, record.what.name, record.what.phase)
        else:
            source = at.variable(record.what.population, record.what.name)
        if record.reduce is not None:
            reduced = at.translate(Call(record.reduce, (Load(source),)))
            assert isinstance(reduced, Load)
            source = reduced.buffer
        if not at.readable(source):
            return  # the row stays NaN
        at.need(source)
        at.emit(Store(slot, source, row))

    def _leave(self, keep_end: bool, output: str | None) -> None:
        at, name = self.at, self.phase.name
        for population, variable, phase in sorted(self.latches):
            if phase == name:
                source = at.variable(population, variable)
                at.need(source)
                at.emit(Map(at.latch(population, variable, phase), Load(source)))
        if keep_end:
            for buffer in list(at.buffers.values()):
                if buffer.kind == "state":
                    saved = at.buffer(f"{buffer.name}@end {name}", "latch", *buffer.shape)
                    at.emit(Map(saved, Load(buffer.name)))
        at.ended.add(name)
        if output is not None:
            at.need(output)
            at.emit(Output(output))
        if not self.learn:
            return
        for group in self.phase.learn:
            applied = [self.rules.read(item) for item in group]
            for apply in applied:
                apply()
