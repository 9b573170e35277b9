"""One step of a phase: what moves, by which method, in which turn, and what time it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from apical.graphs.circuit import Update
from apical.graphs.expressions import tree

from .plasticity import over_samples, updated
from .windows import gathered

TABLEAUX = {  # coefficients of the stages, weights, times (Butcher 1964)
    "euler": ([[]], [1], [0]),
    "heun": ([[], [1]], [1 / 2, 1 / 2], [0, 1]),
    "rk4": ([[], [1 / 2], [0, 1 / 2], [0, 0, 1]], [1 / 6, 1 / 3, 1 / 3, 1 / 6], [0, 0.5, 0.5, 1]),
}


class Clock:
    """origin + n * dt, n counted since dt last changed; never a sum of steps."""

    def __init__(self):
        self.origin, self.n, self.dt = 0.0, 0, None

    @property
    def t(self):
        return self.origin if not self.n else self.origin + self.n * self.dt

    def tick_of(self, dt):
        """The steps that follow are of this length."""
        if dt != self.dt:
            self.origin, self.n, self.dt = self.t, 0, dt


@dataclass
class Moving:
    """One array that the turn integrates: where it stands, its rate, its slope by itself."""

    where: dict
    key: Any
    rate: Any
    slope: Any
    of_samples: bool = True  # a sample that has stopped keeps its own


def moving(moment, turn, last, plastic):
    """Everything that a turn integrates; the last one carries filters, traces and `dw/dt`."""
    found = []
    for name in turn:
        for line in moment.circuit.populations[name].equations:
            key = (name, line.variable)
            if line.kind == "state" and key not in moment.clamped:
                found.append(_of(moment, moment.states, key, lambda k=key: moment.rate(*k)))
    for synapse in moment.circuit.synapses.values() if last else ():
        if synapse.filter:
            found.append(_filter(moment, synapse))
        if not plastic:
            continue
        for line in synapse.trace:
            rate = lambda s=synapse, e=line: _traced(moment, s, e)  # noqa: E731
            found.append(_of(moment, moment.traces, (synapse.name, line.variable), rate))
        for line in synapse.rule:
            if not isinstance(line, Update):
                rate = lambda s=synapse, e=line: _learnt(moment, s, e)  # noqa: E731
                if synapse.windows is not None:
                    found += _kernel(moment, synapse, rate)
                    continue
                found.append(_of(moment, moment.weights, synapse.name, rate, False))
    return found


def _of(moment, where, key, rate, of_samples=True):
    return Moving(where, key, rate, lambda: moment.slope(where, key, rate), of_samples)


def _kernel(moment, synapse, rate):
    """The weights that cells share, and those of the bias."""
    parts = [(0, synapse.name)] + [(1, f"{synapse.name}.bias")] * synapse.bias
    for part, key in parts:
        shape = moment.weights[key].shape

        def own(part=part, shape=shape):
            return gathered(synapse, rate())[part].reshape(shape)

        yield _of(moment, moment.weights, key, own, False)


def _filter(moment, synapse):
    """t1 ds/dt = -s + pre, t2 dp/dt = -p + s."""
    first, second = (moment.value(tau) for tau in synapse.filter)

    def rate():
        s, p = np.moveaxis(moment.filters[synapse.name], 1, 0)
        return np.stack([(moment.variable(*synapse.source) - s) / first, (s - p) / second], 1)

    slopes = np.array([-1 / first, -1 / second])[:, None]
    return Moving(moment.filters, synapse.name, rate, lambda: slopes)


def _right(line):
    return line.right if line.tau is None else tree.Binary("/", line.right, line.tau)


def _traced(moment, synapse, line):
    return moment.connections(_right(line), synapse)


def _learnt(moment, synapse, line):
    return over_samples(moment, synapse, _right(line))


def gain(z):
    """(e^z - 1) / z, 1 at 0: how far a linear equation goes in one step."""
    near = np.abs(z) < 1e-5
    return np.where(near, 1 + z / 2 + z * z / 6, np.expm1(z) / np.where(near, 1, z))


def take_turn(moment, found, method, dt, active):
    """One step of a method: all rates (and slopes) are read before anything is written."""
    if method == "exponential_euler":
        rates = [one.rate() for one in found]
        slopes = [one.slope() for one in found]
        for one, rate, slope in zip(found, rates, slopes, strict=True):
            _write(one, one.where[one.key] + dt * gain(dt * slope) * rate, active)
        limit(moment, found)
        return
    starts, slopes, t0 = [one.where[one.key] for one in found], [], moment.counters["t"]

    def move(coefficients):
        for i, one in enumerate(found):
            step = sum(c * k[i] for c, k in zip(coefficients, slopes, strict=False))
            _write(one, starts[i] + dt * step, active)
        moment.changed()

    stages, weights, times = TABLEAUX[method]
    for coefficients, time in zip(stages, times, strict=True):
        moment.counters["t"], moment.stage = t0 + time * dt, time
        move(coefficients)
        slopes.append([one.rate() for one in found])
    moment.counters["t"], moment.stage = t0, 0.0
    move(weights)
    limit(moment, found)


def limit(moment, found):
    """Weights that `dw/dt` has moved stay within their limits."""
    for one in found:
        if one.where is moment.weights:
            one.where[one.key] = moment.limited(one.key, one.where[one.key])
    moment.changed()


def _write(one, new, active):
    if one.of_samples:
        mask = active.reshape((-1,) + (1,) * (new.ndim - 1))
        new = np.where(mask, new, one.where[one.key])
    one.where[one.key] = new


def after_step(moment, turn, active):
    """The updates of a turn's cells line by line: all its populations read, then write."""
    lines = {name: moment.circuit.populations[name].after_step for name in turn}
    for row in range(max((len(found) for found in lines.values()), default=0)):
        new = {}
        for name, found in lines.items():
            if row < len(found) and (name, found[row].target) not in moment.clamped:
                key, line = (name, found[row].target), found[row]
                told = [(name, other.target, other.right) for other in found]
                right = moment.unit(moment.chance("after_step", told, row), name)
                value = updated(moment.states[key], line.kind, right)
                still = moment.stands(*key) | ~active[:, None]
                new[key] = np.where(still, moment.states[key], value)
        moment.states.update(new)
        moment.changed()


def events(moment, dt, active):
    """Conditions of the first events of all populations, then what those do line by line, then the
    second events; all populations read, then write. The events themselves come last."""
    fired, populations = {}, moment.circuit.populations.values()
    for number in range(max((len(p.events) for p in populations), default=0)):
        here = [(p.name, p.events[number]) for p in populations if number < len(p.events)]
        told = {
            n: [(n, e.name, text) for text in (e.when, *(u.right for u in e.do))] for n, e in here
        }
        for name, event in here:
            ready = moment.held[name, event.name] == 0
            holds = moment.unit(moment.chance("event", told[name], 0), name) != 0
            fired[name, event.name] = holds & ready & active[:, None]
        for row in range(max(len(event.do) for _, event in here)):
            new = {}
            for name, event in here:
                if row < len(event.do) and (name, event.do[row].target) not in moment.clamped:
                    line, key = event.do[row], (name, event.do[row].target)
                    right = moment.unit(moment.chance("event", told[name], row + 1), name)
                    value = updated(moment.states[key], line.kind, right)
                    new[key] = np.where(fired[name, event.name], value, moment.states[key])
            moment.states.update(new)
            moment.changed()
    lengths = {
        (p.name, e.name): np.rint(moment.unit(e.duration, p.name) / dt) if e.duration else 0
        for p in populations for e in p.events
    }  # fmt: skip
    for key, now in fired.items():
        left = np.where(now, lengths[key], np.maximum(moment.held[key] - 1, 0))
        moment.held[key] = np.where(active[:, None], left, moment.held[key])
        if key not in moment.clamped:
            moment.states[key] = np.where(active[:, None], now * 1.0, moment.states[key])
    moment.changed()
