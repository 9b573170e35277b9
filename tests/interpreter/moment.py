"""What every text means at one moment: variables, currents, derivatives, weights.

Shapes: a population's expression is (sample, unit); a synapse's is (sample, post, pre), pre
counting the bias unit, and (sample, unit, 1) one to one, so that the last axis always runs over the
connections of one postsynaptic cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from apical.graphs.expressions import tree

from . import windows
from .functions import ELEMENTWISE, OPERATORS, PRIMES, REDUCTIONS, softmax

SMALL = 1e-30  # of the complex step: its square is nothing beside 1


class NoMeaningError(Exception):
    """A text that the language gives no meaning, and that the reader should have refused."""


class _EmptyError(Exception):
    """What an empty delay brings was asked for."""


@dataclass(frozen=True, eq=False)
class Given(tree.Weight):
    """`w` in a list of rules: as the line before left it."""

    value: Any


class Moment:
    """One replica and the samples presented at once; nothing is hoisted, fused or shared.

    `known` holds what was worked out since the last write; whoever writes clears it.
    """

    def __init__(self, circuit, constants, weights, slow, batch, exist=None):
        self.circuit, self.batch = circuit, batch
        self.constants = constants  # name -> number or list
        self.weights = weights  # name -> (post, pre) or (unit, 1)
        self.exist = exist or {}  # name -> (post, pre), of those that have some connections
        self.slow = slow  # (population, variable) -> (unit,)
        self.states = {}  # (population, variable) -> (sample, unit)
        self.filters = {}  # synapse -> s and p, (sample, 2, pre)
        self.held = {}  # (population, event) -> steps for which it still holds, (sample, unit)
        self.pasts = {}  # synapse -> what entered it, (step, sample, pre), the newest last
        self.stage = 0.0  # of a step, as a part of it
        self.traces = {}  # (synapse, variable) -> (sample, post, pre)
        self.set, self.clamped, self.latched, self.streams = {}, {}, {}, {}
        self.counters = dict.fromkeys(("t", "dt", "step", "presentation", "sample", "epoch"), 0.0)
        self.signals = None  # which rows of the streams with a time axis are read
        self.told_rows = {}  # name of a signal -> row -> prediction, (sample, unit)
        self.chance = None  # what a line of `after_step` draws
        self.noise = None  # (population, variable, number within its line) -> (sample, unit)
        self.known, self.lent, self.before = {}, {}, {}
        self.filling = None  # a delay that is being filled, and must not read an empty one
        self.sloping = ""  # a slope is being taken, of a state or of what a synapse holds

    def begin(self):
        """Every state, filter and trace at 0."""
        for population in self.circuit.populations.values():
            for name in population.states:
                self.states[population.name, name] = np.zeros((self.batch, population.size))
            for event in population.events:
                self.held[population.name, event.name] = np.zeros((self.batch, population.size))
        for synapse in self.circuit.synapses.values():
            if synapse.filter:
                shape = (self.batch, 2, self.size(synapse.source[0]))
                self.filters[synapse.name] = np.zeros(shape)
            if synapse.delay_steps:
                self.pasts[synapse.name] = None  # nothing has entered
            for line in synapse.trace:
                shape = (self.batch, *self.grid(synapse))
                self.traces[synapse.name, line.variable] = np.zeros(shape)

    def changed(self):
        """Something was written."""
        self.known.clear()

    def size(self, population):
        return self.circuit.populations[population].size

    # --- variables -----------------------------------------------------------------------------

    def parameter(self, name):
        value = self.set.get(name, self.constants[name])
        return np.array(value, float) if isinstance(value, tuple) else value

    def equation(self, population, name, kind):
        lines = self.circuit.populations[population].equations
        return next((e for e in lines if (e.variable, e.kind) == (name, kind)), None)

    def variable(self, population, name, phase=None):
        """(sample, unit)."""
        key, shape = (population, name), (self.batch, self.size(population))
        if phase is not None:
            return self.latched.get((*key, phase), np.full(shape, np.nan))
        if key in self.slow:
            return np.broadcast_to(self.slow[key], shape)
        if key not in self.known:
            if key in self.clamped:
                self.known[key] = self.unit(self.clamped[key], population)
            elif key in self.states:
                return self.states[key]
            else:
                right = self.equation(population, name, "algebraic").right
                self.known[key] = self.unit(right, population)
        return self.known[key]

    def unit(self, expression, population):
        """An expression of a population, (sample, unit)."""
        shape = (self.batch, self.size(population))
        return np.broadcast_to(self.value(expression), shape)

    def rate(self, population, name):
        """dx/dt now; `xi` is a standard normal number over sqrt(dt), the same in all stages."""
        line = self.equation(population, name, "state")
        draws = [node for node in tree.walk(line.right) if isinstance(node, tree.Noise)]
        places = list(dict.fromkeys(node.span for node in draws))  # a function may repeat one
        if draws:
            scale = 0 if self.sloping else 1 / np.sqrt(self.counters["dt"])
            drawn = [self.noise(population, name, i) * scale for i in range(len(places))]
            self.lent |= {id(node): drawn[places.index(node.span)] for node in draws}
        tau = 1 if line.tau is None else self.value(line.tau)
        return np.where(self.stands(population, name), 0, self.unit(line.right, population) / tau)

    def stands(self, population, name):
        """Where an event holds a variable, (sample, unit)."""
        found = np.zeros((self.batch, self.size(population)), bool)
        for event in self.circuit.populations[population].events:
            if name in event.hold:
                found |= self.held[population, event.name] > 0
        return found

    def slope(self, where, key, rate):
        """The total derivative of a rate by its own variable, unit by unit (complex step).

        What other cells send, sums and `xi` are held; for a trace or a weight, all currents are.
        """
        kept, self.sloping = where[key], "state" if where is self.states else "synapse"
        where[key] = kept + 1j * SMALL
        self.changed()
        found = np.imag(rate()) / SMALL
        where[key], self.sloping = kept, ""
        self.changed()
        return found

    def let_go(self, population, name, restored=False):
        """A clamp ends: an algebraic variable has its equation, a state stays where it was held.

        `restored`: `from` has just said where the state is.
        """
        held = np.array(self.variable(population, name))
        del self.clamped[population, name]
        if (population, name) in self.states and not restored:
            self.states[population, name] = held
        self.changed()

    # --- synapses ------------------------------------------------------------------------------

    def grid(self, synapse):
        """(post, pre) of the weight array, or (unit, 1) one to one."""
        if synapse.windows is not None:
            return (self.size(synapse.target[0]), self.size(synapse.source[0]) + synapse.bias)
        return synapse.shape if len(synapse.shape) == 2 else (*synapse.shape, 1)

    def there(self, synapse):
        """Which connections exist; a synapse whose weight is another's has the other's."""
        if synapse.windows is not None:
            return windows.there(synapse)
        exist = np.ones(self.grid(synapse), bool)
        some = self.some(synapse)
        if some is not None:
            exist &= some[: exist.shape[0], : exist.shape[1]]
        return exist & ~np.eye(*exist.shape, dtype=bool) if self.misses_self(synapse) else exist

    def some(self, synapse):
        """Which connections a seed or a condition has left, None for all."""
        if synapse.name in self.exist or synapse.weight is None:
            return self.exist.get(synapse.name)
        for node, turned in of_others(synapse.weight):
            found = self.some(self.circuit.synapses[node.synapse])
            return found.T if turned and found is not None else found
        return None

    def misses_self(self, synapse):
        return synapse.connection.off_diagonal

    def limited(self, name, array):
        """Weights put back to where `bounds` or `sign` keep them; a bias column is free."""
        synapse = self.circuit.synapses.get(name)
        if synapse is None:  # the bias of a convolution
            return array
        low, high = -np.inf, np.inf
        if synapse.bounds is not None:
            low, high = (self.value(end) for end in synapse.bounds)
        elif synapse.sign is not None:
            low, high = {"positive": (0, np.inf), "negative": (-np.inf, 0)}[synapse.sign]
        if synapse.windows is not None:
            return np.minimum(np.maximum(array, low), high)
        kept = np.where(self.there(synapse), np.minimum(np.maximum(array, low), high), array)
        if synapse.bias:
            kept[:, -1] = array[:, -1]
        return kept

    def sent(self, synapse):
        """What a synapse transmits, (sample, pre), after filter and delay; a bias unit sends 1."""
        signal = self.late(synapse) if synapse.name in self.pasts else self.entered(synapse)
        return self.with_bias(signal) if synapse.bias else signal

    def entered(self, synapse):
        """What goes into a synapse now, (sample, pre)."""
        filtered = self.filters.get(synapse.name)
        return self.variable(*synapse.source) if filtered is None else filtered[:, 1]

    def late(self, synapse):
        """What entered the delay ago, on a straight line between two steps."""
        past, steps = self.pasts[synapse.name], synapse.delay_steps
        if past is None:
            if self.filling is not None:
                raise _EmptyError
            return np.zeros((self.batch, self.size(synapse.source[0])))
        events = self.circuit.populations[synapse.source[0]].events
        pulse = synapse.filter is None and any(e.name == synapse.source[1] for e in events)
        if not self.stage or pulse:
            return past[-1 - steps]
        return past[-1 - steps] + self.stage * (past[-steps] - past[-1 - steps])

    def remember(self, active):
        """A step is over: what is sent now enters, for the samples that run.

        What is sent follows from what arrives now, which has entered at least one step ago.
        """
        before = self.pasts
        unknown = {n: np.full_like(past[:1], np.nan) for n, past in before.items()}
        self.pasts = {n: np.concatenate([p[1:], unknown[n]]) for n, p in before.items()}
        self.changed()
        now = {n: np.array(self.entered(self.circuit.synapses[n]))[None] for n in before}
        for name, past in before.items():
            later = np.concatenate([past[1:], now[name]])
            self.pasts[name] = np.where(active[:, None], later, past)
        self.changed()

    def remember_forever(self):
        """What is sent now has always been sent, where nothing was: first where that is known."""
        waiting = [name for name, past in self.pasts.items() if past is None]
        while waiting:
            known = [name for name in waiting if self._entered_before(name) is not None]
            name = known[0] if known else waiting[0]
            now = np.array(self.entered(self.circuit.synapses[name]))
            steps = self.circuit.synapses[name].delay_steps
            self.pasts[name] = np.stack([now] * (steps + 1))
            waiting.remove(name)
            self.changed()

    def _entered_before(self, name):
        """What enters a synapse, where it follows from no empty delay."""
        self.filling = name
        self.changed()
        try:
            return self.entered(self.circuit.synapses[name])
        except _EmptyError:
            return None
        finally:
            self.filling = None
            self.changed()

    def with_bias(self, signal):
        return np.concatenate([signal, np.ones((*signal.shape[:-1], 1))], axis=-1)

    def weight(self, synapse):
        """The weight array now; 0 where there is no connection."""
        if synapse.windows is not None:
            bias = self.weights.get(f"{synapse.name}.bias")
            return windows.laid(synapse, self.kernel(synapse), bias)
        if synapse.weight is None:
            return self.weights[synapse.name]
        live = np.broadcast_to(self.value(synapse.weight, synapse), self.grid(synapse))
        return np.where(self.there(synapse), live, 0)

    def kernel(self, synapse):
        """The weights that cells share, (out, in, row, column); of a transpose, not transposed."""
        if synapse.weight is None:
            return self.weights[synapse.name]
        return np.broadcast_to(self.of_kernels(synapse.weight), synapse.windows.kernel)

    def of_kernels(self, node):
        match node:
            case tree.WeightOf(synapse=name):
                return self.kernel(self.circuit.synapses[name])
            case tree.Call(function="transpose" | "copy", arguments=(inner,)):
                return self.of_kernels(inner)
            case tree.Unary(operand=operand):
                return -self.of_kernels(operand)
            case tree.Binary(op=op, left=left, right=right):
                return OPERATORS[op](self.of_kernels(left), self.of_kernels(right))
        return self.value(node)

    def pooled(self, synapse):
        """What a pooling brings, times the number before it."""
        owner, factor = synapse, 1.0
        while any(isinstance(n, tree.WeightOf) for n in tree.walk(owner.weight)):
            name = next(n.synapse for n in tree.walk(owner.weight) if isinstance(n, tree.WeightOf))
            one = tree.transform(
                owner.weight, lambda n: tree.Number(1.0) if isinstance(n, tree.WeightOf) else None
            )
            factor *= self.of_kernels(one)
            owner = self.circuit.synapses[name]
        return factor * windows.pooled(synapse, self.sent(synapse), self.sent(owner))

    def connections(self, expression, synapse, w=None):
        """An expression of a synapse, (sample, post, pre); 0 where there is no connection.

        `w`, where given, stands for the weight in this expression, and nowhere else.
        """
        if w is not None:
            given = Given(value=w)
            expression = tree.transform(
                expression, lambda n: given if isinstance(n, tree.Weight) else None
            )
        value = np.broadcast_to(self.value(expression, synapse), (self.batch, *self.grid(synapse)))
        return np.where(self.there(synapse), value, 0)

    def arriving(self, node):
        """The current of all synapses onto a port, (sample, unit)."""
        total = np.zeros((self.batch, self.size(node.population)))
        for synapse in self.circuit.synapses.values():
            if synapse.target == (node.population, node.compartment, node.port):
                if synapse.pool is not None:
                    total = total + self.pooled(synapse)
                    continue
                usual = tree.Binary("*", tree.Weight(), tree.Transmitted())
                total = total + self.connections(synapse.current or usual, synapse).sum(-1)
        return total

    # --- expressions ---------------------------------------------------------------------------

    def value(self, node, synapse=None):
        """An expression of units, or of the connections of a synapse; broadcasts to its shape."""
        match node:
            case tree.Number(value=number):
                return number
            case tree.Unary(operand=operand):
                return -self.value(operand, synapse)
            case (
                tree.Binary(op=op, left=left, right=right)
                | tree.Compare(op=op, left=left, right=right)
            ):
                return OPERATORS[op](self.value(left, synapse), self.value(right, synapse)) * 1.0
            case tree.Call():
                return self.call(node, synapse)
            case tree.Variable(population=population, name=name, phase=phase, side=side):
                value = self.variable(population, name, phase)
                return self.on_side(value, side, synapse, (population, name))
            case tree.Rate(population=population, name=name):
                return self.rate(population, name)
            case tree.Input():
                arriving = self.arriving(node)
                return np.real(arriving) if self.sloping == "synapse" else arriving
            case tree.Parameter(name=name, side=side):
                return self.on_side(self.parameter(name), side, synapse)
            case tree.Stream(name=name):
                if name in self.circuit.signals and name in self.streams:
                    return self.signals.value(name)
                return self.streams.get(name, 0.0)
            case tree.Counter(name=name):
                return self.counters[name]
            case tree.Noise():
                return self.lent[id(node)]
            case Given(value=w):
                return w
            case tree.Weight():
                return self.weight(synapse)
            case tree.Trace(name=name):
                return self.traces[synapse.name, name]
            case tree.Transmitted():
                return self.laid(self.sent(synapse), "pre", synapse)
            case tree.WeightOf(synapse=name):
                other = self.circuit.synapses[name]
                return self.weight(other)[:, :-1] if other.bias else self.weight(other)
            case tree.Residual():
                return self.residual()
        raise NotImplementedError(type(node).__name__)

    def on_side(self, value, side, synapse, variable=None):
        """A vector of one end of a synapse; at its bias unit the source is 1, others are not."""
        if synapse is None or side is None or np.ndim(value) == 0:
            return value
        if side == "pre" and synapse.bias:
            if variable != synapse.source:
                raise NoMeaningError(f"{synapse.name}: the bias unit has no {variable}")
            value = self.with_bias(value)
        return self.laid(value, side, synapse)

    def laid(self, value, side, synapse):
        if self.sloping and side == "pre":
            value = np.real(value)
        across = side == "post" or synapse.connection.elementwise
        return value[..., :, None] if across else value[..., None, :]

    def call(self, node, synapse):
        name, (first, *rest) = node.function, node.arguments
        if name == "change":
            now, key = self.variable(first.population, first.name), (first.population, first.name)
            return REDUCTIONS["norm"](now - self.before[key], True)
        if name == "copy":
            return self.value(first, synapse)
        if name == "transpose":
            other = self.value(first, synapse)
            return other if synapse.connection.elementwise else other.T
        if name == "product":
            return self.value(first, synapse) @ self.value(rest[0], synapse)
        if name == "softmax" or (name in REDUCTIONS and not rest):
            return self.reduced(softmax if name == "softmax" else REDUCTIONS[name], first, synapse)
        arguments = [self.value(a, synapse) for a in node.arguments]
        return (PRIMES if node.primed else ELEMENTWISE)[name](*arguments)

    def reduced(self, reduction, argument, synapse):
        """Over units; where w, a trace or a bare `pre` stands inside, over the connections."""
        own = (tree.Weight, tree.Trace, tree.Transmitted)
        nodes = list(tree.walk(argument))
        if synapse is None or not any(isinstance(n, own) for n in nodes):
            sides = {getattr(n, "side", None) for n in nodes} - {None}
            if synapse is not None and len(sides) > 1:
                raise NoMeaningError(f"{synapse.name}: a sum over which population?")
            units = self.vector(np.real(self.value(argument)), nodes)
            found = reduction(units, True)
            if synapse is None:
                return found
            side = sides.pop() if sides else "post"
            if found.shape[-1] == 1:
                return found[..., None]
            return self.on_side(found, side, synapse)
        shape = (self.batch, *self.grid(synapse))
        each = np.broadcast_to(np.real(self.value(argument, synapse)), shape)
        return reduction(each, self.there(synapse))

    def vector(self, value, nodes):
        """A number that is the same for all units of what a sum runs over, once for each."""
        sizes = [self.size(n.population) for n in nodes if isinstance(n, tree.Variable)]
        return np.broadcast_to(value, (self.batch, max((*sizes, *np.shape(value)[-1:], 1))))

    def residual(self):
        """max over the states that move of |dx/dt| / (1 + |x|) now, for each sample."""
        worst = np.zeros((self.batch, 1))
        for name, population in self.circuit.populations.items():
            for line in population.equations:
                key = (name, line.variable)
                if line.kind == "state" and key not in self.clamped:
                    size = np.abs(self.rate(*key)) / (1 + np.abs(self.states[key]))
                    worst = np.maximum(worst, size.max(-1, keepdims=True))
        return worst


def of_others(weight, turned=False):
    """The weights of others in an expression, and whether transposed; a product is a new one."""
    if isinstance(weight, tree.WeightOf):
        yield weight, turned
    elif isinstance(weight, tree.Call):
        for part in weight.arguments if weight.function != "product" else ():
            yield from of_others(part, turned ^ (weight.function == "transpose"))
    elif isinstance(weight, tree.Unary):
        yield from of_others(weight.operand, turned)
    elif isinstance(weight, tree.Binary):
        yield from of_others(weight.left, turned)
        yield from of_others(weight.right, turned)
