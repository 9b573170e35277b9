"""A circuit interpreted directly, without lowering: slow, and sharing nothing with the engines.

It walks the trees of a `Circuit` as they stand. An algebraic variable is worked out anew whenever
something was written, a rule is evaluated for each sample, postsynaptic and presynaptic unit,
and nothing is hoisted, fused or separated. It shares the reader with the engines; what it checks is
everything after that.
"""

from __future__ import annotations

import numpy as np

from apical.graphs import expression as tree
from apical.graphs.circuit import Update


def logistic(u):
    return 1 / (1 + np.exp(-u))


def softmax(u):
    e = np.exp(u - u.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


FUNCTIONS = {
    "identity": lambda u: u,
    "tanh": np.tanh,
    "logistic": logistic,
    "relu": lambda u: np.maximum(u, 0),
    "softplus": lambda u: np.logaddexp(0, u),
    "softmax": softmax,
    "clip": np.clip,
    "abs": np.abs,
    "sign": np.sign,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "min": np.minimum,
    "max": np.maximum,
    "sum": lambda u: u.sum(-1, keepdims=True),
    "mean": lambda u: u.mean(-1, keepdims=True),
    "norm": lambda u: np.sqrt((u**2).sum(-1, keepdims=True)),
}
DERIVATIVES = {
    "identity": np.ones_like,
    "tanh": lambda u: 1 - np.tanh(u) ** 2,
    "logistic": lambda u: logistic(u) * (1 - logistic(u)),
    "relu": lambda u: (u > 0) * 1.0,
}
OPERATORS = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
TABLEAUX = {  # coefficients of the stages, weights, times
    "euler": ([[]], [1], [0]),
    "heun": ([[], [1]], [1 / 2, 1 / 2], [0, 1]),
    "rk4": ([[], [1 / 2], [0, 1 / 2], [0, 0, 1]], [1 / 6, 1 / 3, 1 / 3, 1 / 6], [0, 0.5, 0.5, 1]),
}


class Interpreter:
    """State, weights and slow variables of one circuit; `run` is that of a simulator.

    Weights are the caller's to set, all of them: nothing is drawn here.
    """

    def __init__(self, circuit, weights, slow):
        self.circuit = circuit
        self.weights = {name: np.array(w, float) for name, w in weights.items()}
        self.slow = {name: np.array(v, float).reshape(-1) for name, v in slow.items()}
        self.optimizers = {}
        self.presentation = 0
        self.latched_names = self._latched_names()

    def _latched_names(self):
        """Every x@p of the file."""
        circuit, found = self.circuit, set()
        lines = [e for p in circuit.populations.values() for e in (*p.equations, *p.after_step)]
        lines += [u for p in circuit.populations.values() for u in p.rules]
        lines += [line for s in circuit.synapses.values() for line in (*s.rule, *s.trace)]
        for line in lines:
            for node in tree.walk(line.right):
                if isinstance(node, tree.Variable) and node.phase:
                    found.add((node.population, node.name, node.phase))
        return found

    # --- values ---

    def parameter(self, name):
        if name in self.set:
            return self.set[name]
        value = self.circuit.parameters[name].value
        return np.array(value, float) if isinstance(value, tuple) else value

    def variable(self, population, name, phase=None):
        """(sample, unit), or (unit,) of a slow variable."""
        key = (population, name)
        if phase is not None:
            missing = np.full((self.batch, self.circuit.populations[population].size), np.nan)
            return self.latched.get((*key, phase), missing)
        if f"{population}.{name}" in self.slow:
            return self.slow[f"{population}.{name}"]
        if key in self.clamped:
            return self.clamped[key]
        if key in self.states:
            return self.states[key]
        if key not in self.known:
            there = self.circuit.populations[population]
            line = next(e for e in there.equations if e.variable == name and e.kind == "algebraic")
            self.known[key] = self.unit(line.right, population)
        return self.known[key]

    def unit(self, expression, population):
        """An expression of a population, (sample, unit)."""
        shape = (self.batch, self.circuit.populations[population].size)
        return np.broadcast_to(self.value(expression, None), shape)

    def rate(self, population, name):
        """dx/dt now."""
        there = self.circuit.populations[population]
        line = next(e for e in there.equations if e.variable == name and e.kind == "state")
        tau = 1 if line.tau is None else self.value(line.tau, None)
        return self.unit(line.right, population) / tau

    def sent(self, synapse, filtered=True):
        """What a synapse transmits, (sample, pre)."""
        if filtered and synapse.filter:
            return self.filters[synapse.name][1]
        signal = self.variable(*synapse.source)
        if synapse.bias:
            signal = np.concatenate([signal, np.ones((self.batch, 1))], axis=1)
        return signal

    def weight(self, synapse):
        if synapse.weight is None:
            return self.weights[synapse.name]
        return self.value(synapse.weight, synapse)

    def input(self, node):
        """The current that arrives at a port, (sample, unit)."""
        total = np.zeros((self.batch, self.circuit.populations[node.population].size))
        for synapse in self.circuit.synapses.values():
            if synapse.target != (node.population, node.compartment, node.port):
                continue
            if synapse.current is not None:
                total = total + self.value(synapse.current, synapse).sum(-1)
                continue
            w = self.weight(synapse)
            if synapse.connect == "one_to_one":
                total = total + self.sent(synapse) * w
                continue
            if synapse.connect == "all_but_self":
                w = w - np.diag(np.diag(w))
            total = total + self.sent(synapse) @ w.T
        return total

    def value(self, node, synapse):
        """An expression: of units (sample, unit), of a synapse (sample, post, pre), or a number."""
        if isinstance(node, tree.Number):
            return node.value
        if isinstance(node, tree.Unary):
            return -self.value(node.operand, synapse)
        if isinstance(node, (tree.Binary, tree.Compare)):
            sides = [self.value(side, synapse) for side in (node.left, node.right)]
            return OPERATORS[node.op](*sides) * 1.0
        if isinstance(node, tree.Call):
            return self.call(node, synapse)
        if isinstance(node, tree.Variable):
            found = self.variable(node.population, node.name, node.phase)
            return self.on_side(found, node.side, synapse)
        if isinstance(node, tree.Rate):
            return self.rate(node.population, node.name)
        if isinstance(node, tree.Input):
            return self.input(node)
        if isinstance(node, tree.Parameter):
            return self.on_side(self.parameter(node.name), node.side, synapse)
        if isinstance(node, tree.Stream):
            return self.streams.get(node.name, 0.0)
        if isinstance(node, tree.Counter):
            return getattr(self, node.name)
        if isinstance(node, tree.Weight):
            return self.weight(synapse) if self.w is None else self.w
        if isinstance(node, tree.Trace):
            return self.traces[synapse.name, node.name]
        if isinstance(node, tree.Transmitted):
            return self.on_side(self.sent(synapse), "pre", synapse)
        if isinstance(node, tree.WeightOf):
            return self.weight(self.circuit.synapses[node.synapse])
        raise NotImplementedError(type(node).__name__)

    @staticmethod
    def on_side(value, side, synapse):
        """A vector of one end of a synapse, set up to meet the other end's."""
        if synapse is None or side is None or np.ndim(value) == 0:
            return value
        if synapse.connect == "one_to_one":
            return value
        return value[..., :, None] if side == "post" else value[..., None, :]

    def call(self, node, synapse):
        if node.function == "change":
            (x,) = node.arguments
            key = (x.population, x.name)
            return FUNCTIONS["norm"](self.states[key] - self.before[key])
        arguments = [self.value(a, synapse) for a in node.arguments]
        if node.function == "transpose":
            (source,) = node.arguments
            bias = isinstance(source, tree.WeightOf) and self.circuit.synapses[source.synapse].bias
            return arguments[0][:, :-1].T if bias else arguments[0].T
        if node.function == "copy":
            return arguments[0]
        if node.function == "max" and len(arguments) == 1:
            return arguments[0].max(-1, keepdims=True)
        return (DERIVATIVES if node.primed else FUNCTIONS)[node.function](*arguments)

    # --- plasticity ---

    def over_samples(self, synapse, change):
        """(sample, post, pre) to (post, pre)."""
        change = np.broadcast_to(change, (self.batch, *synapse.shape))
        return change.sum(0) if synapse.batch == "sum" else change.mean(0)

    def learnt(self, item):
        """(where, name, new value) of one item of a `learn`."""
        if item.variable is not None:
            name = f"{item.name}.{item.variable}"
            new = self.slow[name]
            for line in self.circuit.populations[item.name].rules:
                if line.target == item.variable:
                    new = updated(new, line.kind, self.unit(line.right, item.name).mean(0))
            return self.slow, name, new
        synapse = self.circuit.synapses[item.name]
        old = self.w = self.weights[item.name]
        for line in synapse.rule:
            if isinstance(line, Update):
                right = self.over_samples(synapse, self.value(line.right, synapse))
                self.w = updated(self.w, line.kind, right)
        change, self.w = self.w - old, None
        if synapse.connect == "all_but_self":
            np.fill_diagonal(change, 0)
        return self.weights, item.name, old + self.optimized(synapse, change)

    def optimized(self, synapse, change):
        if synapse.optimizer is None:
            return change
        if synapse.optimizer.kind == "adam":  # Kingma & Ba 2015, algorithm 1
            (lr,) = (self.value(a, None) for a in synapse.optimizer.arguments)
            m, v, n = self.optimizers.get(synapse.name, (0, 0, 0))
            m, v, n = 0.9 * m + 0.1 * change, 0.999 * v + 0.001 * change**2, n + 1
            self.optimizers[synapse.name] = m, v, n
            return lr * (m / (1 - 0.9**n)) / (np.sqrt(v / (1 - 0.999**n)) + 1e-8)
        assert synapse.optimizer.kind == "mq"
        alpha, least, r, rho = (self.value(a, None) for a in synapse.optimizer.arguments)
        v, n = self.optimizers.get(synapse.name, (alpha, 1))
        a = min(n / (n + 1), rho)
        self.optimizers[synapse.name] = (a * v + (1 - a) * np.abs(change).mean(), n + 1)
        return (alpha / (v + r) + least) * change

    def apply(self, updates):
        for where, name, new in updates:
            where[name] = new
        self.known.clear()

    # --- time ---

    def moving(self, turn, last, plastic):
        """(dictionary, key, function of its rate) of everything that the turn integrates."""
        found = []
        for name in turn:
            for line in self.circuit.populations[name].equations:
                key = (name, line.variable)
                if line.kind == "state" and key not in self.clamped:
                    found.append((self.states, key, lambda key=key: self.rate(*key)))
        if not last:
            return found
        for synapse in self.circuit.synapses.values():
            if synapse.filter:
                found.append((self.filters, synapse.name, lambda s=synapse: self.filter_rate(s)))
            if not plastic:
                continue
            for line in synapse.trace:
                key = (synapse.name, line.variable)
                found.append((self.traces, key, lambda s=synapse, e=line: self.slow_rate(s, e)))
            for line in synapse.rule:
                if not isinstance(line, Update):
                    function = lambda s=synapse, e=line: self.slow_rate(s, e)  # noqa: E731
                    found.append((self.weights, synapse.name, function))
        return found

    def filter_rate(self, synapse):
        first, second = (self.value(tau, synapse) for tau in synapse.filter)
        s, p = self.filters[synapse.name]
        return np.stack([(self.sent(synapse, filtered=False) - s) / first, (s - p) / second])

    def slow_rate(self, synapse, line):
        tau = 1 if line.tau is None else self.value(line.tau, None)
        return self.over_samples(synapse, self.value(line.right, synapse)) / tau

    def integrate(self, moving, method):
        starts = [where[key] for where, key, _ in moving]
        stages, weights, times = TABLEAUX[method]
        t0, slopes = self.t, []

        def move(coefficients):
            for i, (where, key, _) in enumerate(moving):
                step = sum(c * k[i] for c, k in zip(coefficients, slopes, strict=False))
                where[key] = starts[i] + self.dt * step
            self.known.clear()

        for coefficients, time in zip(stages, times, strict=True):
            self.t = t0 + time * self.dt
            move(coefficients)
            slopes.append([function() for _, _, function in moving])
        self.t = t0
        move(weights)

    def after_step(self, turn):
        lines = {name: self.circuit.populations[name].after_step for name in turn}
        for row in range(max((len(found) for found in lines.values()), default=0)):
            new = {}
            for name, found in lines.items():
                if row < len(found):
                    key = (name, found[row].target)
                    right = self.unit(found[row].right, name)
                    new[key] = updated(self.states[key], found[row].kind, right)
            self.states.update(new)
            self.known.clear()

    def phase(self, phase, learn):
        """One phase; yields after `begin` and after every step."""
        sizes = self.circuit.populations
        if phase.start_from:
            self.states = dict(self.ends[phase.start_from])
        for v in phase.release:
            self.clamped.pop((v.population, v.name), None)
        self.known.clear()
        for v, expression in phase.clamp:
            value = self.unit(expression, v.population).copy()
            self.clamped[v.population, v.name] = self.states[v.population, v.name] = value
            self.known.clear()
        for name, expression in phase.set:
            self.set[name] = self.value(expression, None)
            self.known.clear()
        for v, expression in phase.begin:
            self.states[v.population, v.name] = self.unit(expression, v.population).copy()
            self.known.clear()
        yield
        turns = phase.order or (tuple(sizes),)
        active, t0 = np.ones((self.batch, 1), bool), self.t
        for step in range(self.steps_of(phase)):
            self.step = step
            self.dt = float(self.value(phase.dt, None))
            self.t = t0 + step * self.dt
            self.known.clear()
            self.before = dict(self.states)
            kept = [
                self.learnt(item)
                for item, when in phase.learn_each_step
                if learn and (when is None or self.value(when, None))
            ]
            for i, turn in enumerate(turns):
                last = i == len(turns) - 1
                moving = self.moving(turn, last, learn and phase.plasticity)
                self.integrate(moving, phase.method)
                self.after_step(turn)
            for key, old in self.before.items():
                self.states[key] = np.where(active, self.states[key], old)
            self.t = t0 + (step + 1) * self.dt
            self.apply(kept)
            yield
            if phase.until is not None:
                active = active & (self.value(phase.until, None) == 0)
                if not active.any():
                    break
        self.ends[phase.name] = dict(self.states)
        for population, name, when in self.latched_names:
            if when == phase.name:
                self.latched[population, name, when] = self.variable(population, name).copy()
        self.known.clear()
        for group in phase.learn if learn else ():
            self.apply([self.learnt(item) for item in group])

    def steps_of(self, phase):
        if phase.duration is not None:
            self.step = 0
            return round(self.value(phase.duration, None) / self.value(phase.dt, None))
        return 0 if phase.steps is None else round(self.value(phase.steps, None))

    def run(self, protocol, record, learn=False, **streams):
        """All samples at once: name -> (sample, row, unit), and the phase of every row."""
        circuit = self.circuit
        self.streams = streams
        self.batch = len(next(iter(streams.values()))) if streams else 1
        self.states = {
            (p.name, v): np.zeros((self.batch, p.size))
            for p in circuit.populations.values()
            for v in p.states
        }
        self.filters = {
            s.name: np.zeros((2, self.batch, s.shape[-1]))
            for s in circuit.synapses.values()
            if s.filter
        }
        self.traces = {
            (s.name, e.variable): np.zeros(s.shape)
            for s in circuit.synapses.values()
            for e in s.trace
        }
        self.known, self.set, self.clamped, self.latched, self.ends = {}, {}, {}, {}, {}
        self.t, self.dt, self.step, self.sample, self.epoch, self.w = 0.0, 0.0, 0, 0, 0, None
        found, phases = {name: [] for name in record}, []
        for phase in circuit.protocols[protocol].phases:
            for _ in self.phase(phase, learn):
                phases.append(phase.name)
                for name in record:
                    found[name].append(np.array(self.recorded(name)))
        self.presentation += learn
        return {name: np.stack(rows, axis=1) for name, rows in found.items()}, phases

    def recorded(self, name):
        if name in self.circuit.energies:
            energy = self.value(self.circuit.energies[name], None)
            return np.broadcast_to(energy, (self.batch, 1))[:, 0]
        population, variable = name.rsplit(".", 1)
        size = self.circuit.populations[population].size
        return np.broadcast_to(self.variable(population, variable), (self.batch, size))


def updated(old, kind, right):
    """`x := E`, `x += E`, `x -= E`."""
    return {":=": right, "+=": old + right, "-=": old - right}[kind] + np.zeros_like(old)
