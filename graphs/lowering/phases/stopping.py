"""The stop rule of a phase: `until`, per sample."""

from __future__ import annotations

from collections.abc import Callable

from ...expressions.tree import (
    Binary,
    Call,
    Expr,
    Load,
    Number,
    Residual,
    Variable,
    transform,
    walk,
)
from ...instructions import Reduce
from ..emitter import Emitter, has_residual
from .stepping import Stepping
from .timing import plus


class StopRule:
    """Emits what a stop rule measures: `prepare` before the turns of a step, the rest after."""

    def __init__(self, at: Emitter, steps: Stepping, until: Expr):
        self.at, self.steps, self.until = at, steps, until

    def prepare(self) -> Callable[[], Expr]:
        """Keeps what `change` compares; the function returned emits and gives the condition."""
        until = self.until
        changing: dict[Expr, Expr] = {}
        for node in walk(until):
            if isinstance(node, Call) and node.function == "change":
                (argument,) = node.arguments
                assert isinstance(argument, Variable)
                now = self.at.variable(argument.population, argument.name)
                self.at.need(now)
                before = self.steps.copy(now, "before")
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
        """Max over the states that move of |dx/dt| / (1 + |x|), now.

        The derivative is that of the state beside it, so that every method stops at the same state;
        the next step of `euler` reads it again.
        """
        largest: Expr = Number(0.0)
        for population, variable in self.steps.states(tuple(self.at.circuit.populations)):
            rate = self.at.reading(Load(self.at.rate(population, variable)))
            state = Load(self.at.variable(population, variable))
            scaled = Binary("/", Call("abs", (rate,)), plus(Number(1.0), Call("abs", (state,))))
            name = self.at.made("residual", state.buffer, "sample")
            self.at.emit(Reduce(name, "max", scaled, self.at.population(population).size))
            largest = Call("max", (largest, Load(name)))
        return largest
