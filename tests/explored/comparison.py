"""One random circuit on one engine, compared with the interpreter, number by number.

The rule: |found - meant| <= 1e-10 * (1 + max |meant|), over each array; NaN where NaN is meant.
Where that fails, the interpreter runs again from weights that differ by 1e-13 of themselves: where
that moves its own numbers by more than a tenth of the difference, the circuit amplifies rounding
(an unstable circuit, a threshold that is met exactly) and the case is called sensitive; nothing can
be said of it. A mistake moves numbers where the perturbation does not.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np

import apical
from apical.engines.simulation import chunks as runner
from apical.graphs.diagnostics import CircuitError
from apical.graphs.load import load_text
from apical.traces.recording import recordings

from ..interpreter.interpreter import Interpreter
from .circuits import Case

TOLERANCE = 1e-10
LARGEST = 1e6
EXIST = "where there is "  # before the name of a synapse: its connections
REFUSED_BEFORE_A_RUN = (  # what only a call can tell
    "ValueError: batch: expected 1, got",
    "is read at the end of each of its rows, which samples that stop before do not reach",
)


@dataclass
class Outcome:
    """`kind`: same, refused, sensitive, diverges, or disagreement (then `what` says where)."""

    kind: str
    what: list[str] = field(default_factory=list)


def loaded(case: Case):
    """The circuit, or why it is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return load_text(case.text), None
        except CircuitError as error:
            return None, error


def _initial(case, call, circuit, count):
    """A state that does not start at 0, if the call says so."""
    if call.initial is None:
        return {}
    names = [(p, v) for p in circuit.populations.values() for v in p.states]
    if not names:
        return {}
    population, variable = names[case.seed % len(names)]
    values = np.random.default_rng([case.seed, 77]).uniform(-1, 1, (count, population.size))
    return {f"{population.name}.{variable}": values}


def simulated(case: Case, circuit, engine: str):
    """(name -> array) of every call, as the engine computes it; and the weights it began with."""
    before, runner.CHUNK_SECONDS = runner.CHUNK_SECONDS, case.chunk_seconds
    try:
        sim = apical.Simulator(
            circuit, engine=engine, seed=3, replicas=case.replicas, dtype="float64",
            parameters=case.parameters,
        )  # fmt: skip
        start = {name: np.array(sim.weights[name]) for name in sim.weights}
        start |= {EXIST + name: array for name, array in sim.connections.items()}
        found = []
        for call in case.calls:
            streams, values = case.arrays(call), {}
            if call.kind == "run":
                initial = _initial(case, call, circuit, call.samples)
                first = {} if call.first is None else {"first": call.first}
                traces = sim.run(
                    "train", learn=call.learn, record=list(case.record), batch=call.batch,
                    carry=call.carry, initial=initial, **first, **streams,
                )  # fmt: skip
                values = {f"record {n}": a for n, a in traces.arrays.items()}
                values["time"] = traces.time
                values |= {f"stopped {n}": a for n, a in sim.stopped.items()}
                values["rows"] = list(
                    zip(traces.phases.tolist(), traces.phase_step.tolist(), strict=True)
                )
            elif call.kind == "fit":
                going = {"carry": True} if call.carry else {}
                sim.fit(streams, epochs=call.epochs, batch=call.batch, shuffle=False, **going)
            else:
                predicted = sim.predict(streams, batch=call.batch)
                lead = case.replicas > 1
                values = {f"prediction {n}": a if lead else a[None] for n, a in predicted.items()}
            values |= {f"weight {n}": _replicated(sim.weights[n], case) for n in sim.weights}
            values |= {f"slow {n}": _replicated(sim.slow[n], case) for n in sim.slow}
            found.append(values)
        return found, start
    finally:
        runner.CHUNK_SECONDS = before


def _replicated(array, case):
    array = np.array(array)
    return array if case.replicas > 1 else array[None]


def interpreted(case: Case, circuit, start, perturbed: float = 0.0):
    """The same as `simulated`, by the interpreter; replicas one after another."""
    replicas = [_solo(case, circuit, start, r, perturbed) for r in range(case.replicas)]
    joined = []
    for calls in zip(*replicas, strict=True):
        joined.append({
            name: np.stack([c[name] for c in calls]) if name != "rows" else calls[0][name]
            for name in calls[0]
        })  # fmt: skip
    return joined


def _solo(case, circuit, start, replica, perturbed):
    arrays = {n: w[replica] if case.replicas > 1 else w for n, w in start.items()}
    weights = {n: w for n, w in arrays.items() if not n.startswith(EXIST)}
    exist = {n.removeprefix(EXIST): w for n, w in arrays.items() if n.startswith(EXIST)}
    rng = np.random.default_rng(5)
    weights = {n: w * (1 + perturbed * rng.standard_normal(w.shape)) for n, w in weights.items()}
    given = {n: values[replica] for n, values in case.parameters.items()}
    direct = Interpreter(circuit, weights, 3 + replica, given, exist)
    shapes = {n: w.shape for n, w in weights.items()}
    record, found = recordings(case.record, circuit), []
    for call in case.calls:
        streams, values = case.arrays(call), {}
        streams = {n: a[replica] if call.own else a for n, a in streams.items()}
        if call.kind == "run":
            initial = _initial(case, call, circuit, call.samples)
            told = direct.run(
                "train", record, call.learn, call.batch, initial, call.carry, call.samples,
                call.first, **streams,
            )  # fmt: skip
            values = {f"stopped {n}": a for n, a in told.stopped.items()}
            rows = list(zip(told.phase, told.phase_step, strict=True))
            due = [
                i for i, (phase, step) in enumerate(rows)
                if any(r.phase in (None, phase) and step % r.every == 0 for r in record)
            ] or range(len(rows))  # fmt: skip
            values |= {f"record {n}": a[:, due] for n, a in told.arrays.items()}
            values |= {"rows": [rows[i] for i in due], "time": told.time[:, due]}
        elif call.kind == "fit":
            direct.fit(streams, call.epochs, call.batch, carry=call.carry)
        else:
            predicted = direct.predict(streams, batch=call.batch)
            values = {f"prediction {n}": a for n, a in predicted.items()}
        values |= {f"weight {n}": w.reshape(shapes[n]) for n, w in direct.weights.items()}
        values |= {f"slow {p}.{v}": a for (p, v), a in direct.slow.items()}
        found.append(values)
    return found


def differences(found, meant, tolerance=TOLERANCE) -> list[str]:
    """Where two results differ: call, name, first place, both numbers."""
    problems = []
    for number, (have, want) in enumerate(zip(found, meant, strict=True)):
        for name in want:
            one, other = have.get(name), want[name]
            if name == "rows":
                if one != other:
                    problems.append(f"call {number}: rows {one} for {other}")
                continue
            one, other = np.asarray(one, float), np.asarray(other, float)
            if name == "time":  # without the axes along which it is the same
                one = one.reshape((1,) * (3 - one.ndim) + one.shape)
                fits = all(a in (1, b) for a, b in zip(one.shape, other.shape, strict=True))
                one = np.broadcast_to(one, other.shape) if fits else one
            if one.shape != other.shape:
                problems.append(f"call {number} {name}: shape {one.shape} for {other.shape}")
                continue
            scale = 1 + np.nanmax(np.abs(other), initial=0)
            wrong = (np.isnan(one) != np.isnan(other)) | (np.abs(one - other) > tolerance * scale)
            if wrong.any():
                place = tuple(int(i) for i in np.argwhere(wrong)[0])
                problems.append(
                    f"call {number} {name} {place}: {one[place]:.12g} for {other[place]:.12g}"
                )
    return problems


def _size(results) -> float:
    arrays = [np.asarray(a, float) for r in results for n, a in r.items() if n != "rows"]
    if any(np.isinf(a).any() for a in arrays):
        return np.inf
    return max((float(np.nanmax(np.abs(a), initial=0)) for a in arrays), default=0.0)


def compared(case: Case, engines) -> dict[str, Outcome]:
    """Every engine's outcome; a refusal at load stands for all of them."""
    try:
        circuit, error = loaded(case)
    except Exception as crash:
        said = f"{type(crash).__name__} while it is loaded: {crash}"
        return {engine: Outcome("disagreement", [said]) for engine in engines}
    if circuit is None:
        return {engine: Outcome("refused", [str(error)]) for engine in engines}
    if case.refused:
        said = f"loads, though {case.refused}"
        return {engine: Outcome("disagreement", [said]) for engine in engines}
    outcomes, meant, start = {}, None, None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for engine in engines:
            try:
                found, start = simulated(case, circuit, engine)
            except apical.Divergence as divergence:
                outcomes[engine] = Outcome("diverges", [str(divergence)])
                continue
            except Exception as crash:
                said = f"{type(crash).__name__}: {crash}"
                at_run = any(words in said for words in REFUSED_BEFORE_A_RUN)
                outcomes[engine] = Outcome("refused" if at_run else "disagreement", [said])
                continue
            try:
                meant = interpreted(case, circuit, start) if meant is None else meant
            except Exception as crash:
                outcomes[engine] = Outcome(
                    "disagreement", [f"interpreter: {type(crash).__name__}: {crash}"]
                )
                continue
            problems = differences(found, meant)
            outcomes[engine] = Outcome("disagreement" if problems else "same", problems)
        if len({o.kind == "refused" for o in outcomes.values()}) > 1:
            for outcome in outcomes.values():
                outcome.kind = "disagreement"
                outcome.what.append("refused by one engine only")
        if meant is not None and _size(meant) > LARGEST:
            return {engine: Outcome("diverges", ["the interpreter, too"]) for engine in engines}
        wrong = [e for e, o in outcomes.items() if o.kind == "disagreement" and meant is not None]
        if wrong and start is not None and meant is not None:
            moved = interpreted(case, circuit, start, 1e-13)
            if differences(moved, meant, TOLERANCE / 10):
                for engine in wrong:
                    if "Error" not in outcomes[engine].what[0]:
                        outcomes[engine].kind = "sensitive"
    return outcomes
