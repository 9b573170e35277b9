"""Own slopes of states, which `exponential_euler` needs: d(dx/dt)/dx.

    slope = sum over what the rate reads of  d(rate)/d(y) dy/dx,    y = x: dy/dx = 1

y runs over the algebraic variables and the derivatives (`du/dt`) of the same cell, and over
`post.y` in the `current` of synapses that arrive there. Held over the step, dy/dx = 0: what
synapses transmit (an autapse, too), reductions over units and `softmax`, noise, other states.
"""

from __future__ import annotations

from dataclasses import replace

from ....compartments.functions import kind_of
from ...circuit import Synapse
from ...expressions.derivative import differentiate, expand_primes, is_number, simplify, summed
from ...expressions.tree import (
    Binary,
    Call,
    Expr,
    Load,
    Number,
    Reference,
    Variable,
    transform,
    walk,
)
from ...instructions import Draw, Map
from ..emitter import Emitter
from ..transmission import Transmission

ZERO, ONE = Number(0.0), Number(1.0)


class Slopes:
    """The slope of one state's rate, by the chain rule, over buffers; `own` is the state."""

    def __init__(self, at: Emitter, transmission: Transmission, population: str, variable: str):
        self.at, self.transmission, self.size = at, transmission, at.population(population).size
        self.own = at.variable(population, variable)
        self.rate = at.rate(population, variable)
        self.known: dict[str, Expr] = {self.own: ONE}
        equations = at.population(population).equations
        self.cell = {at.variable(population, e.variable) for e in equations}
        self.cell |= {at.rate(population, e.variable) for e in equations if e.kind == "state"}
        self.currents = {
            at.arrival(s): s
            for s in at.circuit.synapses.values()
            if s.target[0] == population and s.current is not None
        }

    def value(self) -> Expr:
        """The slope; intermediate derivatives have buffers of their own."""
        recipe = self.at.recipe(self.rate)[0]
        return self._total(recipe.value) if isinstance(recipe, Map) else ZERO

    def _total(self, value: Expr) -> Expr:
        """The derivative of a value by the state, through all that it reads."""
        drift = simplify(transform(value, self._silent))
        reads = dict.fromkeys(n for n in walk(drift) if isinstance(n, Load))
        return simplify(summed(_chain(drift, n, self._through(n.buffer)) for n in reads))

    def _silent(self, node: Expr) -> Expr | None:
        """Noise is no part of the drift: 0."""
        if isinstance(node, Load):
            recipe = self.at.recipe(node.buffer)
            if len(recipe) == 1 and isinstance(recipe[0], Draw):
                return ZERO
        return None

    def _through(self, name: str) -> Expr:
        """The derivative of a buffer by the state; 0 for what is held over the step."""
        if name not in self.known:
            self.known[name] = ZERO
            if self.own in self.at.reach(name):
                self.known[name] = self._derivative(name)
        return self.known[name]

    def _derivative(self, name: str) -> Expr:
        if name in self.currents:
            return self._current(name, self.currents[name])
        recipe = self.at.recipe(name)
        if name not in self.cell or len(recipe) != 1 or not isinstance(recipe[0], Map):
            return ZERO
        total = self._total(recipe[0].value)
        if not any(isinstance(n, Load) for n in walk(total)) or isinstance(total, Load):
            return total
        of = (name, self.own)
        return self.at.computed("slope", of, total, self.size, lambda to: (Map(to, total),))

    def _current(self, name: str, synapse: Synapse) -> Expr:
        """That of a stated current, sum over pre of d(current)/d(post.y) dy/dx."""
        assert synapse.current is not None
        current = expand_primes(synapse.current)
        posts = (n for n in walk(current) if isinstance(n, Variable) and n.side == "post")
        elementwise, held = _without_reductions(current)
        slope = summed(
            _chain(elementwise, n, self._through(self.at.variable(n.population, n.name)))
            for n in dict.fromkeys(posts)
            if n.phase is None
        )
        if is_number(slope := simplify(slope), 0):
            return ZERO
        slope = transform(slope, held.get)
        changed = replace(synapse, current=slope)
        of, key = (name, self.own), (slope, self.at.view.zeros)
        return self.at.computed(
            "slope", of, key, self.size, lambda to: self.transmission.current(changed, to)
        )


def _without_reductions(expr: Expr) -> tuple[Expr, dict[Expr, Expr]]:
    """An expression with a name for every reduction over units, and what the names stand for."""
    names: dict[Expr, Expr] = {}

    def each(node: Expr) -> Expr | None:
        if isinstance(node, Call) and kind_of(node.function, len(node.arguments)) != "elementwise":
            return names.setdefault(node, Reference(f"held {len(names)}"))
        return None

    over = transform(expr, each)
    return over, {name: node for node, name in names.items()}


def _chain(outer: Expr, by: Expr, inner: Expr) -> Expr:
    """d(outer)/d(by) times the derivative of `by`."""
    return ZERO if is_number(inner, 0) else Binary("*", differentiate(outer, by), inner)
