"""A circuit interpreted directly, without lowering: slow, and sharing nothing with the engines.

It walks the trees of a `Circuit` as they stand: an algebraic variable is worked out anew whenever
something was written, a rule is evaluated for each sample and each connection, replicas are runs of
their own. It shares the reader with the engines; what it checks is everything after that.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np

from apical.graphs.circuit import Held, Record
from apical.graphs.expressions import tree
from apical.graphs.expressions.constants import evaluate

from . import draws
from .functions import REDUCTIONS
from .moment import Given, Moment
from .plasticity import Plasticity, apply_together
from .signals import Signals
from .stepping import Clock, after_step, events, moving, take_turn


@dataclass
class Told:
    """What a run recorded: name -> (sample, row, unit); phase, step and time of every row."""

    arrays: dict = field(default_factory=dict)
    phase: list = field(default_factory=list)
    phase_step: list = field(default_factory=list)
    time: list = field(default_factory=list)  # of a run: (sample, row)
    samples: int = 0
    stopped: dict = field(default_factory=dict)  # phase -> steps until each sample stopped, or -1


@dataclass
class Left:
    """The batch presented last: where it may go on."""

    moment: Moment
    clock: Clock
    steps: int  # taken by its slots
    turns: int  # presentations that its slots have been in
    first: int  # number of slot 0 among the samples that draws count


class Interpreter:
    """One replica of a circuit; `run`, `fit` and `predict` are those of a simulator.

    Weights are the caller's to give, all of them: what `init` draws is not interpreted, nor which
    connections `connect` draws (`exist`, synapse -> (post, pre)).
    """

    def __init__(self, circuit, weights, seed=0, parameters=None, exist=None):
        self.circuit, self.seed, self.exist = circuit, seed, exist or {}
        self.constants = self._constants(parameters or {})
        self.weights = {}
        for name, array in weights.items():
            grid = np.array(array, float)
            self.weights[name] = grid[:, None] if grid.ndim == 1 else grid
        self.slow = {}
        for population in circuit.populations.values():
            for name, start in population.slow.items():
                moment = Moment(circuit, self.constants, {}, {}, 1)
                drawn = self._started(moment, population.name, name, start)
                self.slow[population.name, name] = moment.unit(drawn, population.name)[0]
        self.plasticity = Plasticity()
        self.presentation = self.sample = self.epoch = 0
        self.presented = {"run": 0, "fit": 0}  # samples, as draws count them
        self.left = None

    def _constants(self, given):
        found = {}

        def of(name):
            if name not in found:
                entry = self.circuit.parameters[name]
                if name in given:
                    found[name] = given[name]
                elif isinstance(entry.expression, tree.UnitPlace):
                    found[name] = tuple(standing(name, self.circuit.populations))
                elif entry.units:
                    read = [n for n in tree.walk(entry.expression) if isinstance(n, tree.Parameter)]
                    known = {n.name: of(n.name) for n in read}
                    moment = Moment(self.circuit, known, {}, {}, 1)
                    drawn = self._started(moment, *name.rsplit(".", 1), entry.expression)
                    found[name] = tuple(moment.unit(drawn, name.rsplit(".", 1)[0])[0])
                elif isinstance(entry.expression, tuple):
                    found[name] = tuple(float(evaluate(e, of)) for e in entry.expression)
                else:
                    found[name] = evaluate(entry.expression, of)
            return found[name]

        return {name: of(name) for name in self.circuit.parameters}

    def _started(self, moment, population, name, expression):
        """A start with what it draws, one number for each unit."""
        units = moment.size(population)

        def number(function, n, arguments):
            at = draws.place("start", f"{population}.{name}", n)
            standard = draws.table(draws.STANDARD[function], self.seed, at, units, 0, [0])
            given = [moment.unit(a, population) for a in arguments]
            return Given(draws.MADE[function](standard, *given))

        return draws.laid([expression], 0, number)

    # --- calls ---------------------------------------------------------------------------------

    def run(
        self, protocol="train", record=(), learn=False, batch=None, initial=None, carry=False,
        samples=1, first=None, **streams,
    ):  # fmt: skip
        """What `Simulator.run` records; `record` holds `Record`s."""
        total = len(next(iter(streams.values()))) if streams else samples  # of signals, too
        begun = {
            n: np.broadcast_to(a, (total, np.shape(a)[-1])) for n, a in (initial or {}).items()
        }
        if first is not None:
            self.presented["run"] = first
        parts = []
        for chosen in batches(total, batch or total):
            parts.append(Told())
            starts = {n: a[chosen] for n, a in begun.items()}
            if carry and len(parts) > 1:
                starts = {}
            self._present("run", protocol, learn, chosen, streams, starts, carry, record, parts[-1])
        joined = {n: np.concatenate([p.arrays[n] for p in parts]) for n in parts[0].arrays}
        times = [p.time for p in parts for _ in range(p.samples)]
        stopped = {n: np.concatenate([p.stopped[n] for p in parts]) for n in parts[0].stopped}
        return Told(joined, parts[0].phase, parts[0].phase_step, np.array(times), total, stopped)

    def fit(self, streams, epochs=1, batch=20, protocol="train", carry=False):
        """`Simulator.fit` with `shuffle=False`."""
        total = len(next(iter(streams.values())))
        for _ in range(epochs):
            for chosen in batches(total, batch):
                self._present("fit", protocol, True, chosen, streams, carry=carry)
            self.epoch += 1

    def predict(self, streams, protocol="predict", batch=200):
        """name -> (sample, unit), of a signal (sample, row, unit); changes nothing."""
        total = len(next(iter(streams.values())))
        found = {name: [] for name in self.circuit.predicts}
        kept, self.presented, left = self.presented, {"run": 0, "fit": 0}, self.left
        for chosen in batches(total, batch):
            moment = self._present("run", protocol, False, chosen, streams)
            for name, variable in self.circuit.predicts.items():
                rows = moment.told_rows.get(name)
                last = moment.predicted[variable.population, variable.name]
                if name in self.circuit.signals and not moment.signals.steps:
                    rows = {0: last}  # without a step the end of the presentation is its row
                found[name].append(last if rows is None else np.stack(list(rows.values()), 1))
        self.presented, self.left = kept, left
        return {name: np.concatenate(pieces) for name, pieces in found.items()}

    # --- one presentation ----------------------------------------------------------------------

    def _present(
        self, call, protocol, learn, chosen, streams, initial=None, carry=False, record=(),
        told=None,
    ):  # fmt: skip
        batch, told = len(chosen), told or Told()
        left = self.left if carry else None
        moment = Moment(self.circuit, self.constants, self.weights, self.slow, batch, self.exist)
        if left is None:
            moment.begin()
            left = Left(moment, Clock(), 0, 0, self.presented[call])
            self.presented[call] += batch
        for kind in ("states", "filters", "traces", "held", "pasts"):
            setattr(moment, kind, dict(getattr(left.moment, kind)))
        for name, array in (initial or {}).items():
            moment.states[tuple(name.rsplit(".", 1))] = np.array(array, float)
        moment.streams = {n: np.asarray(a, float)[chosen] for n, a in streams.items()}
        moment.counters |= {"presentation": self.presentation, "sample": self.sample}
        moment.counters |= {"epoch": self.epoch, "t": left.clock.t}
        moment.signals = Signals(moment, left.clock.t)
        told.samples, told.arrays = batch, {r.name: [] for r in record}
        walk = _Walk(self, moment, left, learn, protocol, record, told)
        walk.all_phases()
        told.arrays = {n: np.stack(rows, 1) for n, rows in told.arrays.items()}
        for key in list(moment.clamped):
            moment.let_go(*key)
        self.left = Left(moment, left.clock, walk.steps_before, left.turns + 1, left.first)
        self.presentation += learn
        self.sample += learn * batch
        return moment


def standing(name, populations):
    """`index`, or `row`, `column`, `channel` of every unit, in the order of the units."""
    owner, word = name.rsplit(".", 1)
    if word == "index":
        return range(populations[owner].size)
    *channels, rows, columns = populations[owner].shape
    places = itertools.product(*(range(n) for n in (*(channels or [1]), rows, columns)))
    return [place[("channel", "row", "column").index(word)] for place in places]


def batches(total, batch):
    """The samples of each presentation; the last may be smaller."""
    return [np.arange(start, min(start + batch, total)) for start in range(0, total, batch)]


class _Walk:
    """The phases of a protocol, from top to bottom."""

    def __init__(self, parent, moment, left, learn, protocol, record, told):
        self.parent, self.moment, self.left, self.learn = parent, moment, left, learn
        self.clock, self.record, self.told = left.clock, record, told
        self.circuit = parent.circuit
        self.phases = self.circuit.protocols[protocol].phases
        self.steps_before = left.steps  # of the slots, before this phase
        self.ends = {}
        self.wanted = self._latched()
        moment.noise, moment.chance = self._noise, self._chance

    def _latched(self):
        """Every x@p of the file and of the records."""
        circuit, found = self.circuit, set()
        lines = [e for p in circuit.populations.values() for e in (*p.equations, *p.after_step)]
        lines += [u for p in circuit.populations.values() for u in p.rules]
        happen = [e for p in circuit.populations.values() for e in p.events]
        lines += [line for s in circuit.synapses.values() for line in (*s.rule, *s.trace)]
        texts = [text for event in happen for text in event.expressions]
        texts += [line.right for line in lines] + list(circuit.energies.values())
        texts += [s.current for s in circuit.synapses.values() if s.current]
        texts += [r.what for r in self.record if isinstance(r.what, tree.Variable)]
        texts += [e for p in self.phases for _, e in (*p.clamp, *p.begin)]
        texts += [p.until for p in self.phases if p.until]
        for node in (n for text in texts for n in tree.walk(text)):
            if isinstance(node, tree.Variable) and node.phase:
                found.add((node.population, node.name, node.phase))
        return found

    def all_phases(self):
        for phase in self.phases:
            self.phase = phase
            self._enter(phase)
            self._store(phase, 0, np.ones(self.moment.batch, bool))
            self._steps(phase)
            self._leave(phase)

    # --- enter and leave -----------------------------------------------------------------------

    def _enter(self, phase):
        moment = self.moment
        if phase.start_from:
            states, filters, held, pasts = self.ends[phase.start_from]
            moment.states, moment.filters = dict(states), dict(filters)
            moment.held, moment.pasts = dict(held), dict(pasts)
            moment.changed()
        for v in phase.release:
            moment.let_go(v.population, v.name, restored=phase.start_from is not None)
        for v, expression in phase.clamp:
            moment.clamped[v.population, v.name] = expression
            moment.changed()
        for name, expression in phase.set:
            moment.set[name] = self._drawn(phase, name, expression)
            moment.changed()
        if self._count(phase):
            moment.signals.step()
        lines = [(v.population, v.name, expression) for v, expression in phase.begin]
        for row, (v, _) in enumerate(phase.begin):
            drawn = self._chance("begin", lines, row, self.left.turns)
            value = moment.unit(drawn, v.population)
            moment.states[v.population, v.name] = np.array(value)
            moment.changed()
        if phase is self.phases[0]:
            moment.remember_forever()
            moment.signals.predict(first=True)

    def _leave(self, phase):
        moment = self.moment
        states = {key: np.array(moment.variable(*key)) for key in moment.states}
        kept = (moment.filters, moment.held, moment.pasts)
        self.ends[phase.name] = (states, *map(dict, kept))
        for population, name, when in self.wanted:
            if when == phase.name:
                value = np.array(moment.variable(population, name))
                moment.latched[population, name, when] = value
        moment.changed()
        moment.predicted = {
            (v.population, v.name): np.array(moment.variable(v.population, v.name))
            for v in self.circuit.predicts.values()
        } if phase is self.phases[-1] else {}  # fmt: skip
        for group in phase.learn if self.learn else ():
            kept = [self.parent.plasticity.read(moment, item) for item in group]
            apply_together(moment, kept, self.parent.plasticity)

    # --- steps ---------------------------------------------------------------------------------

    def _steps(self, phase):
        moment, clock, counters = self.moment, self.clock, self.moment.counters
        turns = phase.order or (tuple(self.circuit.populations),)
        active, steps = np.ones(moment.batch, bool), self._count(phase)
        if phase.until is not None and steps:
            self.told.stopped[phase.name] = np.full(moment.batch, -1)
        for step in range(steps):
            counters["step"] = step
            dt = self._length(phase)
            clock.tick_of(dt)
            counters["dt"] = dt
            moment.signals.step()
            if active.any():
                self._step(phase, turns, dt, active)
            clock.n += 1
            counters["t"] = clock.t
            moment.signals.taken(dt)
            moment.changed()
            if active.any() and self._kept:
                apply_together(moment, self._kept, self.parent.plasticity)
            events(moment, dt, active)
            moment.remember(active)
            self._store(phase, step + 1, active)
            moment.signals.predict()
            if phase.until is not None and active.any():
                met = np.broadcast_to(moment.value(phase.until) != 0, (moment.batch, 1))[:, 0]
                self.told.stopped[phase.name][active & met] = step + 1
                active = active & ~met
        self.steps_before += steps

    def _step(self, phase, turns, dt, active):
        moment = self.moment
        moment.changed()
        moment.before = {key: np.array(moment.variable(*key)) for key in self._compared(phase)}
        self._kept = [
            self.parent.plasticity.read(moment, item)
            for item, when in phase.learn_each_step
            if self.learn and phase.plasticity and (when is None or moment.value(when))
        ]
        plastic = self.learn and phase.plasticity
        for number, turn in enumerate(turns):
            found = moving(moment, turn, number == len(turns) - 1, plastic)
            take_turn(moment, found, phase.method, dt, active)
            after_step(moment, turn, active)

    def _compared(self, phase):
        """The variables that `change` names."""
        nodes = tree.walk(phase.until) if phase.until is not None else ()
        calls = [n for n in nodes if isinstance(n, tree.Call) and n.function == "change"]
        return [(c.arguments[0].population, c.arguments[0].name) for c in calls]

    def _length(self, phase):
        return 1.0 if phase.dt is None else float(self.moment.value(phase.dt))

    def _count(self, phase):
        value = self.moment.value
        if phase.duration is not None:
            return round(value(phase.duration) / value(phase.dt))
        return 0 if phase.steps is None else round(value(phase.steps))

    # --- draws ---------------------------------------------------------------------------------

    def _noise(self, population, name, number):
        """(sample, unit) of one `xi`: a slot keeps its number while it is carried on."""
        moment, seed = self.moment, self.parent.seed
        at = draws.place("xi", f"{self.phase.name}.{population}.{name}", number)
        samples = [self.left.first + b for b in range(moment.batch)]
        step = self.steps_before + int(moment.counters["step"])
        return draws.table(draws.normal, seed, at, moment.size(population), step, samples)

    def _chance(self, kind, lines, row, step=None):
        """A line (population, variable, right side) with what it draws; lines of one variable
        count their draws together."""
        population, name, _ = lines[row]
        same = [n for n, line in enumerate(lines) if line[:2] == lines[row][:2]]
        samples = [self.left.first + b for b in range(self.moment.batch)]
        if step is None:
            step = self.steps_before + int(self.moment.counters["step"])

        def number(function, n, arguments):
            at = draws.place(kind, f"{self.phase.name}.{population}.{name}", n)
            given = [self.moment.unit(a, population) for a in arguments]
            units, standard = self.moment.size(population), draws.STANDARD[function]
            found = draws.table(standard, self.parent.seed, at, units, step, samples)
            return Given(draws.MADE[function](found, *given))

        return draws.laid([lines[n][2] for n in same], same.index(row), number)

    def _drawn(self, phase, name, expression):
        """The value of a line of `set`; what is drawn in it is shared by the batch."""

        def number(function, n, arguments):
            at = draws.place(function, f"{phase.name}.{name}", n)
            counter = draws.counted(0, self.left.turns, self.left.first)
            standard = draws.STANDARD[function](self.parent.seed, at, counter)
            given = [float(self.moment.value(a)) for a in arguments]
            return tree.Number(float(draws.MADE[function](standard, *given)))

        return self.moment.value(draws.laid([expression], 0, number))

    # --- records -------------------------------------------------------------------------------

    def _store(self, phase, step, active):
        told = self.told
        told.phase.append(phase.name)
        told.phase_step.append(step)
        told.time.append(self.moment.counters["t"])
        due = {
            record.name
            for record in self.record
            if record.phase in (None, phase.name) and step % record.every == 0
        }
        for name, record in {record.name: record for record in self.record}.items():
            values = np.array(self._recorded(record), float)
            values[~active] = np.nan
            told.arrays[name].append(values if name in due else np.full_like(values, np.nan))

    def _recorded(self, record: Record):
        """(sample, unit), or (sample,) of one number."""
        moment, what = self.moment, record.what
        if isinstance(what, str):
            energy = moment.value(self.circuit.energies[what])
            return np.broadcast_to(energy, (moment.batch, 1))[:, 0]
        if isinstance(what, Held):
            return self._held(record)
        value = moment.variable(what.population, what.name, what.phase)
        if record.reduce:
            return REDUCTIONS[record.reduce](value, True)[:, 0]
        return value

    def _held(self, record: Record):
        """Weights or a trace of a synapse as each sample finds them, (sample, post, pre)."""
        moment, synapse = self.moment, self.circuit.synapses[record.what.synapse]
        value = moment.weight(synapse)
        if record.what.part:
            value = moment.traces[synapse.name, record.what.part]
        value = np.broadcast_to(value, (moment.batch, *moment.grid(synapse)))
        there = np.broadcast_to(moment.there(synapse), value.shape)
        if record.reduce == "norm":
            return np.sqrt((np.where(there, value, 0) ** 2).sum((1, 2)))
        if record.reduce == "mean":
            return np.where(there, value, 0).sum((1, 2)) / np.maximum(there.sum((1, 2)), 1)
        return value[..., 0] if synapse.connection.elementwise else value
