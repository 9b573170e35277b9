"""One step of a phase: what moves, by which method, in which turn."""

from __future__ import annotations

from ....compartments.integrators import TABLEAUX, Tableau
from ...circuit import Equation, Phase, Update
from ...expressions.derivative import simplify
from ...expressions.tree import Binary, Call, Compare, Expr, Load, Number, walk
from ...instructions import Map
from ..chance import of_after_step
from ..delays import Delays
from ..emitter import Emitter
from ..refusal import LoweringError, Subject
from ..rules.compiler import RuleCompiler
from .slopes import Slopes
from .timing import DT_NOW, PhaseClock, plus, times


class Stepping:
    """Emits the turns of one phase; `learn`: weights with a rate of their own move, too."""

    def __init__(
        self,
        at: Emitter,
        rules: RuleCompiler,
        phase: Phase,
        clock: PhaseClock,
        delays: Delays,
        learn: bool,
    ):
        self.at, self.rules, self.phase, self.clock = at, rules, phase, clock
        self.delays = delays
        self.learn = learn and phase.plasticity

    def check(self, turns: tuple[tuple[str, ...], ...]) -> None:
        """Raises LoweringError for a population that has states and never a turn."""
        named = {name for turn in turns for name in turn}
        for name in self.at.circuit.populations:
            if name not in named and (self.states((name,)) or self.at.population(name).after_step):
                raise LoweringError(
                    f"phase {self.phase.name!r}: {name} has states but no turn in `order`",
                    about=Subject(name),
                )

    def states(self, turn: tuple[str, ...]) -> list[tuple[str, str]]:
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

    def take(self, turn: tuple[str, ...], last: bool) -> None:
        """One step of the method for the states of some populations, then their `after_step`."""
        tableau = TABLEAUX.get(self.phase.method)
        if tableau is None:
            raise LoweringError(
                f"phase {self.phase.name!r}: no method {self.phase.method!r}; "
                f"there are {', '.join(TABLEAUX)}"
            )
        self._integrate(self.states(turn), last, tableau)
        self._after_step(turn)

    def _integrate(self, states: list[tuple[str, str]], last: bool, tableau: Tableau) -> None:
        """One step of the method for the states of a turn; all stages read before they write."""
        stages: list[list[tuple[str, str, Expr]]] = []
        starts: dict[str, Expr] = {}
        single = len(tableau.b) == 1
        for row, offset in zip(tableau.a, tableau.c, strict=True):
            if stages:
                self._move(starts, stages, row)
                if offset != tableau.c[len(stages) - 1]:
                    self._at_stage(offset)
            stages.append(self._rates(states, last, len(stages) if not single else None))
            if not single and not starts:
                starts = {target: self.copy(target, "start") for target, _, _ in stages[0]}
        if tableau.exponential:
            gains = [self._gain(target, slope) for target, _, slope in stages[0]]
            for (target, rate, _), gain in zip(stages[0], gains, strict=True):
                self._advance(target, None, times(gain, Load(rate)))
        elif single:
            for target, rate, _ in stages[0]:
                self._advance(target, None, times(DT_NOW, Load(rate)))
        else:
            self._move(starts, stages, tableau.b, last=True)
        if tableau.c[-1] != tableau.c[0]:
            self._at_stage(tableau.c[0])  # the next turn reads its first stage there
        if last and self.learn:
            for synapse in self.at.circuit.synapses.values():
                if any(isinstance(line, Equation) for line in synapse.rule):
                    self.rules.limits.keep(synapse)

    def _at_stage(self, offset: float) -> None:
        """To a stage of the step, at an offset in units of dt."""
        self.clock.move(offset)
        self.delays.move(offset)

    def _gain(self, target: str, slope: Expr) -> Expr:
        """Dt exprel(dt slope), read before any state of the turn is written.

        Where the slope is infinite (of sqrt(x) at 0) exprel is 0, and x would stay there: dt.
        """
        at = self.at
        if slope == Number(0.0):
            return DT_NOW
        relative = Call("exprel", (times(DT_NOW, slope),))
        shapes = {at.buffers[n.buffer].shape[0] for n in walk(slope) if isinstance(n, Load)}
        if shapes <= {"scalar"}:
            return times(DT_NOW, relative)
        name = at.beside(target, "gain")
        self._put(name, relative, masked=False)
        moving = plus(Load(name), Compare("==", Load(name), Number(0.0)))
        self._put(name, times(DT_NOW, moving), masked=False)
        return Load(name)

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
            slope: Expr = Number(0.0)
            if TABLEAUX[self.phase.method].exponential:
                slope = at.reading(self._slope(population, variable))
            found.append((target, rate, slope))
        if last:
            found += self._filter_rates()
            if self.learn:
                for synapse in at.circuit.synapses.values():
                    found += self.rules.rates.of(synapse)
        if stage is None:
            return found
        return [(t, self._copy_rate(t, r, stage), s) for t, r, s in found]

    def _slope(self, population: str, variable: str) -> Expr:
        return Slopes(self.at, self.rules.transmission, population, variable).value()

    def _filter_rates(self) -> list[tuple[str, str, Expr]]:
        at = self.at
        found: list[tuple[str, str, Expr]] = []
        for synapse in at.circuit.synapses.values():
            if synapse.filter is None:
                continue
            p, s = at.filtered(synapse, "p"), at.filtered(synapse, "s")
            for target, arrives, tau in (
                (s, at.variable(*synapse.source), synapse.filter[0]),
                (p, s, synapse.filter[1]),
            ):
                slope = simplify(Binary("/", Number(-1.0), at.translate(tau)))
                value = Binary("/", Binary("-", Load(arrives), Load(target)), at.translate(tau))
                rate = at.made("d", target, *at.buffers[target].shape)
                at.assign(rate, value)
                found.append((target, rate, slope))
        return found

    def copy(self, source: str, label: str) -> Expr:
        """What a buffer holds now, in one of its own."""
        name = self.at.beside(source, label)
        self._put(name, Load(source), masked=False)
        return Load(name)

    def _copy_rate(self, target: str, rate: str, stage: int) -> str:
        copy = self.copy(rate, f"k{stage}")
        assert isinstance(copy, Load)
        return copy.buffer

    def _put(self, target: str, value: Expr, masked: bool | None = None) -> None:
        """Emits target := value on whatever shape target has, and notes that it changed."""
        masks = self._masked if masked is None else masked
        self.at.put(target, value, masks and self.at.buffers[target].shape[0] == "unit")
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
                self._advance(target, start, times(DT_NOW, total))
            else:
                self._put(target, plus(start, times(DT_NOW, total)))

    def _advance(self, target: str, start: Expr | None, change: Expr) -> None:
        """Target := start + change, or itself + change; compensated where that is asked for."""
        sums = self.rules.sums
        if target not in sums.names:
            self._put(target, plus(start or Load(target), change))
            return

        def less(name: str, lost: Expr) -> None:
            self.at.put(name, Binary("-", change, lost))

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
            for name, target, update in updates:
                drawn = of_after_step(at, at.population(name).after_step, line, name)
                right = at.translate(drawn)
                value = (
                    right if update.kind == ":=" else Binary(update.kind[0], Load(target), right)
                )
                value = at.moving(name, update.target, simplify(value), Load(target))
                values.append(at.reading(value))
            if len(updates) > 1:
                values = [
                    self._scratch_value(u[1], v) for u, v in zip(updates, values, strict=True)
                ]
            for (_, target, _), value in zip(updates, values, strict=True):
                self._put(target, value)

    def _scratch_value(self, target: str, value: Expr) -> Expr:
        name = self.at.beside(target, "new")
        self.at.emit(Map(name, value))
        return Load(name)
