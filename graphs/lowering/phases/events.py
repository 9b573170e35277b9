"""Events: what happens at the end of a step, in the units where a condition holds.

    fired = (when) and (left = 0)
    x := E where fired, for each line of `do`
    left := round(for / dt) where fired, else max(left - 1, 0);   the event's variable := fired

First events of all populations come first: their conditions, then their first lines, and so on; of
each line all populations read, then write. `left` counts the steps for which the event holds what
it holds (see `Emitter.moving`); with it the event's own variable changes, once all have acted.
"""

from __future__ import annotations

from ...circuit import Event, Update
from ...expressions.derivative import simplify
from ...expressions.tree import Binary, Call, Compare, Expr, Load, Number
from ..chance import of_event
from ..emitter import Emitter
from .timing import DT_NOW

ZERO, ONE = Number(0.0), Number(1.0)


class Events:
    """Emits the events of one step; `masked`: only for samples that still run."""

    def __init__(self, at: Emitter, masked: bool):
        self.at, self.masked = at, masked
        self.populations = [p for p in at.circuit.populations.values() if p.events]

    def act(self) -> None:
        """All of them."""
        for number in range(max((len(p.events) for p in self.populations), default=0)):
            here = {p.name: p.events[number] for p in self.populations if number < len(p.events)}
            for name, event in here.items():
                self._test(name, event)
            for row in range(max(len(event.do) for event in here.values())):
                self._lines({n: e for n, e in here.items() if row < len(e.do)}, row)
        for population in self.populations:
            for event in population.events:
                self._count(population.name, event)
                if (population.name, event.name) not in self.at.view.clamps:
                    fired = Load(self._fired(population.name, event))
                    self._put(self.at.variable(population.name, event.name), fired)

    def _fired(self, population: str, event: Event) -> str:
        return self.at.beside(self.at.variable(population, event.name), "fired")

    def _test(self, population: str, event: Event) -> None:
        at = self.at
        when = at.translate(of_event(at, event, 0, population))
        fires = when if isinstance(when, Compare) else Compare("!=", when, ZERO)
        if event.duration is not None:
            ready = Compare("==", Load(at.hold(population, event.name)), ZERO)
            fires = Binary("*", fires, ready)
        at.assign(self._fired(population, event), at.fitted(fires, at.population(population).size))

    def _lines(self, events: dict[str, Event], row: int) -> None:
        """One line of the events of several populations: all read, then write."""
        at, values = self.at, dict[str, Expr]()
        for name, event in events.items():
            line = event.do[row]
            if (name, line.target) in at.view.clamps:
                continue
            target = at.variable(name, line.target)
            right = at.translate(of_event(at, event, 1 + row, name))
            value = self._where(name, event, _updated(line, Load(target), right), Load(target))
            values[target] = at.reading(at.fitted(value, at.population(name).size))
        for target, value in values.items() if len(values) > 1 else ():
            new = at.beside(target, "new")
            at.assign(new, value)
            values[target] = Load(new)
        for target, value in values.items():
            self._put(target, value)

    def _count(self, population: str, event: Event) -> None:
        """For how many steps it holds from now on."""
        if event.duration is None:
            return
        at, left = self.at, self.at.hold(population, event.name)
        steps = Call("round", (Binary("/", at.translate(event.duration), DT_NOW),))
        fewer = Call("max", (Binary("-", Load(left), ONE), ZERO))
        value = self._where(population, event, simplify(steps), fewer)
        self._put(left, at.reading(at.fitted(value, at.population(population).size)))

    def _where(self, population: str, event: Event, yes: Expr, no: Expr) -> Expr:
        fired = Compare("!=", Load(self._fired(population, event)), ZERO)
        return Call("where", (fired, yes, no))

    def _put(self, target: str, value: Expr) -> None:
        self.at.put(target, value, self.masked)
        self.at.write(target)


def _updated(line: Update, old: Expr, right: Expr) -> Expr:
    return right if line.kind == ":=" else simplify(Binary(line.kind[0], old, right))
