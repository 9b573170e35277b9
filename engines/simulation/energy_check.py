"""The energy check: are dynamics -dE/dx, and rules -dE/dW, term by term?

Asked of numbers. A phase is probed at random states: E is recorded there and at states a little
aside, for central differences; so is every term of an equation, `tau * dx/dt = term + term`. Least
squares say with which factor each term stands in -dE/dx. All factors are alike and positive where
dynamics descend E. A rule is asked in the same way, with weights a little aside.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...graphs import buffer
from ...graphs.circuit import Circuit, Equation, LearnItem, Phase, Protocol, Record, Update
from ...graphs.diagnostics import CircuitError
from ...graphs.expressions.text import text
from ...graphs.expressions.tree import Binary, Expr, Noise, Number, Unary, Variable, walk
from .simulator import Simulator

POINTS, UNITS, WEIGHTS = 8, 12, 6
ASIDE, CLOSE, MOMENT = 1e-5, 1e-5, 1e-7


@dataclass(frozen=True)
class EnergyFinding:
    """What was found of one equation or rule: "descends" E, "lowers" it otherwise, "differs".

    "lowers": not along the gradient, but down at all random states. `why` names the term that
    differs, or says why the equation is "not asked".
    """

    phase: str
    name: str
    word: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.phase}: {self.name}: {self.word}{': ' if self.why else ''}{self.why}"


@dataclass(frozen=True)
class EnergyReport:
    """All findings of one energy."""

    energy: str
    findings: tuple[EnergyFinding, ...]

    @property
    def good(self) -> bool:
        """Whether nothing differs."""
        return not any(finding.word == "differs" for finding in self.findings)

    def __str__(self) -> str:
        return "\n".join(f"  {finding}" for finding in self.findings)


def check_energy(circuit: Circuit, energy: str | None = None, seed: int = 0) -> EnergyReport:
    """Whether a circuit descends its first energy, or the one that is named.

    Raises ValueError where it declares none.
    """
    if not circuit.energies:
        raise ValueError(f"{circuit.name} declares no energy: a section `energy` names one")
    name = energy or next(iter(circuit.energies))
    findings: list[EnergyFinding] = []
    seen: list[Phase] = []
    for label, phase in _phases(circuit):
        if replace(phase, name="") in seen:
            continue
        seen.append(replace(phase, name=""))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                probe = _Probe(circuit, phase, name, seed)
                findings += [replace(f, phase=label) for f in probe.dynamics()]
                findings += [replace(f, phase=label) for f in probe.rules()]
        except (CircuitError, ValueError, KeyError, StopIteration) as error:
            findings.append(EnergyFinding(label, "phase", "not asked", str(error).splitlines()[0]))
    return EnergyReport(name, tuple(findings))


def _phases(circuit: Circuit) -> Iterator[tuple[str, Phase]]:
    """The phases with dynamics, with all that is clamped and set by then, as the only phase."""
    for protocol in circuit.protocols.values():
        clamp: dict[tuple[str, str], tuple[Variable, Expr]] = {}
        known: dict[str, Expr] = {}
        for phase in protocol.phases:
            for held in phase.release:
                clamp.pop((held.population, held.name), None)
            clamp |= {(v.population, v.name): (v, e) for v, e in phase.clamp}
            known |= dict(phase.set)
            if phase.steps is None and phase.duration is None:
                continue
            yield (
                f"{phase.name} of {protocol.name}",
                replace(
                    phase, start_from=None, release=(), begin=(), duration=None, until=None,
                    clamp=tuple(clamp.values()), set=tuple(known.items()), order=None,
                    steps=Number(1.0), dt=Number(MOMENT), method="euler",
                ),
            )  # fmt: skip


def terms(expr: Expr) -> list[Expr]:
    """What a sum adds, signs included."""
    if isinstance(expr, Unary):
        return [_minus(part) for part in terms(expr.operand)]
    if isinstance(expr, Binary) and expr.op in "+-":
        right = terms(expr.right)
        return terms(expr.left) + (right if expr.op == "+" else [_minus(part) for part in right])
    return [expr]


def _minus(expr: Expr) -> Expr:
    return expr.operand if isinstance(expr, Unary) else Unary("-", expr)


class _Probe:
    """A phase at random states."""

    def __init__(self, circuit: Circuit, phase: Phase, energy: str, seed: int):
        self.circuit, self.phase, self.energy = circuit, phase, energy
        self.rng = np.random.default_rng(seed)
        self.clamped = {(v.population, v.name) for v, _ in phase.clamp}
        moving = [
            (population.name, equation)
            for population in circuit.populations.values()
            for equation in population.equations
            if equation.kind == "state" and (population.name, equation.variable) not in self.clamped
        ]
        self.moving: list[tuple[str, Equation]] = moving
        self.states = {
            buffer.variable(p.name, v).name: self.rng.normal(size=(POINTS, p.size)) / 2
            for p in circuit.populations.values()
            for v in p.states
            if (p.name, v) not in self.clamped
        }
        self.streams = {
            n: self.rng.uniform(size=(POINTS, 2, k) if n in circuit.signals else (POINTS, k))
            for n, k in circuit.streams.items()
        }
        self.weights: dict[str, np.ndarray] = {}

    # --- dynamics ---

    def dynamics(self) -> Iterator[EnergyFinding]:
        """A finding for each equation of a state that is free."""
        split = [
            [part for part in terms(equation.right) if not _noisy(part)]
            for _, equation in self.moving
        ]
        names = [[f"term{i}_{k}" for k in range(len(one))] for i, one in enumerate(split)]
        added = zip(names, split, strict=True)
        sim = self._simulator(dict(zip(map(_key, self.moving), added, strict=True)))
        places = [self._places(owner, equation.variable) for owner, equation in self.moving]
        slopes = self._slopes(sim, places)
        for (owner, equation), called, parts, units, slope in zip(
            self.moving, names, split, places, slopes, strict=True
        ):
            columns = [self._at_points(owner, n)[:, units] for n in called]
            others = {
                buffer.variable(owner, e.variable).name: self._at_points(owner, e.variable)[
                    :, units
                ].ravel()
                for e in self.circuit.populations[owner].equations
            }
            falls = bool(np.all((np.sum(columns, axis=0) * slope).sum(1) <= 1e-9))
            flat = [column.ravel() for column in columns]
            name = f"equation of {buffer.variable(owner, equation.variable).name}"
            found = self._judged(name, parts, flat, -slope.ravel(), others)
            yield replace(found, word="lowers") if found.word == "differs" and falls else found

    def _places(self, owner: str, variable: str) -> np.ndarray:
        size = self.circuit.populations[owner].size
        return self.rng.permutation(size)[:UNITS]

    def _slopes(self, sim: Simulator, places: list[np.ndarray]) -> list[np.ndarray]:
        """dE/dx (point, place) of each equation's state; all that is asked is one batch."""
        moved = [
            (_key(self.moving[i]), unit, sign)
            for i, units in enumerate(places)
            for unit in units
            for sign in (1, -1)
        ]
        states = {n: np.tile(a, (1 + len(moved), 1)) for n, a in self.states.items()}
        for block, ((owner, variable), unit, sign) in enumerate(moved, 1):
            rows = slice(block * POINTS, (block + 1) * POINTS)
            states[buffer.variable(owner, variable).name][rows, unit] += sign * ASIDE
        tiles = 1 + len(moved)
        streams = {n: np.concatenate([a] * tiles) for n, a in self.streams.items()}
        self.values = self._recorded(sim, states, streams)
        energies = self.values[self.energy][:, 0].reshape(1 + len(moved), POINTS)[1:]
        slopes = (energies[::2] - energies[1::2]) / (2 * ASIDE)
        found, first = [], 0
        for units in places:
            found.append(np.transpose(slopes[first : first + len(units)]))
            first += len(units)
        return found

    def _at_points(self, owner: str, name: str) -> np.ndarray:
        return self.values[buffer.variable(owner, name).name][:POINTS, 0]

    def _recorded(self, sim: Simulator, states: Any, streams: Any, learn: bool = False) -> Any:
        """Rows of each record (sample, row[, unit]) of one call."""
        samples = None if streams else len(next(iter(states.values())))
        run = sim.run("probe", initial=states, learn=learn, samples=samples, **streams)
        found = {name: np.asarray(array[0]) for name, array in run.arrays.items()}
        energy = found[self.energy]
        return found | {self.energy: energy[..., 0] if energy.ndim == 3 else energy}

    # --- rules ---

    def rules(self) -> Iterator[EnergyFinding]:
        """A finding for each synapse that learns in the phase."""
        learnt = [item for group in self.phase.learn for item in group]
        learnt += [item for item, _ in self.phase.learn_each_step]
        for item in dict.fromkeys(learnt):
            if item.variable is not None:
                continue
            synapse = self.circuit.synapses[item.name]
            parts = [part for line in synapse.rule for part in _parts(line)]
            name = f"rule of {item.name}"
            if not parts:
                yield EnergyFinding("", name, "not asked", "it is no sum of changes")
                continue
            try:
                columns = [self._change(item, part) for part in parts]
            except (CircuitError, KeyError, ValueError) as error:
                yield EnergyFinding("", name, "not asked", str(error).splitlines()[0])
                continue
            shape = columns[0].shape
            places = self.rng.permutation(int(np.prod(shape)))[:WEIGHTS]
            slope = self._weight_slopes(item.name, shape, places)
            yield self._judged(name, parts, [c.ravel()[places] for c in columns], -slope)

    def _change(self, item: LearnItem, part: Expr) -> np.ndarray:
        synapse = self.circuit.synapses[item.name]
        only = replace(synapse, rule=(Update("w", "+=", part),), trace=(), optimizer=None)
        sim = self._simulator({}, {item.name: only}, learn=((item,),))
        before = np.array(sim.weights[item.name])
        self._recorded(sim, self.states, self.streams, learn=True)
        return np.array(sim.weights[item.name]) - before

    def _weight_slopes(self, name: str, shape: Any, places: np.ndarray) -> np.ndarray:
        """dE/dw of some weights, E the mean over the points."""
        sim, found = self._simulator({}), []
        start = np.array(sim.weights[name])
        for place in places:
            sides = []
            for sign in (1, -1):
                moved = start.copy()
                moved.reshape(-1)[place] += sign * ASIDE
                sim.weights[name] = moved
                values = self._recorded(sim, self.states, self.streams)
                sides.append(values[self.energy][:, 0].mean())
            found.append((sides[0] - sides[1]) / (2 * ASIDE))
        return np.array(found)

    # --- both ---

    def _simulator(
        self, extra: Mapping[Any, Any], synapses: Mapping[str, Any] | None = None, learn: Any = ()
    ) -> Simulator:
        """The phase alone, with each term of `extra` as a variable of its own, recorded."""
        populations, record = dict(self.circuit.populations), [Record(self.energy)]
        for (owner, _), (names, parts) in extra.items():
            added = tuple(
                Equation(name, part, "algebraic") for name, part in zip(names, parts, strict=True)
            )
            population = populations[owner]
            populations[owner] = replace(population, equations=(*population.equations, *added))
            known = (e.variable for e in population.equations)
            record += [Record(Variable(owner, name)) for name in (*names, *known)]
        phase = replace(self.phase, learn=learn, learn_each_step=(), plasticity=False)
        circuit = replace(
            self.circuit, populations=populations, record=tuple(record),
            synapses={**self.circuit.synapses, **(synapses or {})},
            protocols={"probe": Protocol("probe", (phase,))},
        )  # fmt: skip
        sim = Simulator(circuit, engine="numpy", seed=0, dtype="float64")
        if not self.weights:
            self.weights = {n: self._filled(np.array(w)) for n, w in sim.weights.items()}
        for name, array in self.weights.items():
            sim.weights[name] = array
        return sim

    def _filled(self, w: np.ndarray) -> np.ndarray:
        return w if np.any(w) else self.rng.normal(size=w.shape) / np.sqrt(w.shape[-1])

    def _judged(
        self, name: str, parts: list[Expr], columns: list[np.ndarray], target: np.ndarray,
        others: Mapping[str, np.ndarray] | None = None,
    ) -> EnergyFinding:  # fmt: skip
        """Whether the terms add up to a positive multiple of the target; else which does not."""
        what = "-dE/dw" if others is None else "-dE/dx"
        size, total = float(np.max(np.abs(target))), np.sum(columns, axis=0)
        if size < 1e-9:
            still = float(np.max(np.abs(total))) < 1e-9
            why = "" if still else f"{self.energy} does not depend on what it changes"
            return EnergyFinding("", name, "descends" if still else "differs", why)
        scale = float(total @ target) / max(float(total @ total), 1e-300)
        if scale > 0 and np.max(np.abs(scale * total - target)) < CLOSE * size:
            return EnergyFinding("", name, "descends")
        factors = _factors(columns, target)
        if factors is not None:
            usual = 1.0 if any(abs(f - 1) < 1e-4 for f in factors) else max(factors)
            odd = [i for i, f in enumerate(factors) if abs(f - usual) > 1e-4 or f < 0]
            said = (f"`{text(parts[i])}` stands in {what} {factors[i]:.4g} times" for i in odd)
            return EnergyFinding("", name, "differs", "; ".join(said))
        for other, column in (others or {}).items():
            factors = _factors([*columns, column], target)
            if factors is not None:
                why = f"{what} also has {factors[-1]:.4g} times {other}"
                return EnergyFinding("", name, "differs", why)
        left = "`, `".join(text(part) for part in parts)
        return EnergyFinding("", name, "differs", f"{what} has a part that is none of `{left}`")


def _factors(columns: list[np.ndarray], target: np.ndarray) -> np.ndarray | None:
    """With which factors columns add up to the target; None where none do."""
    matrix = np.stack(columns, axis=1)
    factors, *_ = np.linalg.lstsq(matrix, target, rcond=1e-9)
    left = float(np.max(np.abs(matrix @ factors - target)))
    return factors if left < CLOSE * float(np.max(np.abs(target))) else None


def _noisy(expr: Expr) -> bool:
    return any(isinstance(node, Noise) for node in walk(expr))


def _key(one: tuple[str, Equation]) -> tuple[str, str]:
    return one[0], one[1].variable


def _parts(line: Update | Equation) -> list[Expr]:
    if isinstance(line, Equation):
        return terms(line.right)
    if line.kind == "+=":
        return terms(line.right)
    return [_minus(part) for part in terms(line.right)] if line.kind == "-=" else []
