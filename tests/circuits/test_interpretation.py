"""Every bundled circuit and variant, run by the engines and interpreted directly."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical
from apical.compartments.functions import FUNCTIONS
from apical.traces.recording import recordings

from ..interpreter.functions import ELEMENTWISE, REDUCTIONS
from ..interpreter.interpreter import Interpreter
from .small import cases, label, parameters, random_streams, small

CLOSE = {"rtol": 1e-10, "atol": 1e-11}
OTHER = {
    "pc": {"eta": 0.1},
    "corinfomax": {"decay": 0.1},
    "bsm": {"T": 4},  # few enough that no sample stops
    "nsm": {"T": 4},
    "pem": {"T": 12},
    "sacramento": {"duration": 4, "teach": 1},
    "urbanczik_senn": {"duration": 4},
}
DRAWS = {"mnist", "fashion"}  # see test_parity
CASES = [(name, variants) for name, variants in cases() if not DRAWS.intersection(variants)]


def agree(circuit, engine, samples=3):
    """Traces, weights and slow variables after two presentations of every protocol."""
    sim = apical.Simulator(circuit, engine=engine, seed=2, dtype="float64")
    plastic = list(sim.weights)
    slow = [f"{p.name}.{v}" for p in circuit.populations.values() for v in p.slow]
    direct = Interpreter(circuit, {name: sim.weights[name] for name in plastic}, seed=2,
                         exist=sim.connections)  # fmt: skip
    names = list(circuit.energies)
    for p in circuit.populations.values():
        variables = dict.fromkeys((*(e.variable for e in p.equations), *p.states))
        names += [f"{p.name}.{v}" for v in variables]
    seeds = iter(range(7, 99))
    for protocol in [*circuit.protocols, next(iter(circuit.protocols))]:
        streams = random_streams(circuit, samples, next(seeds))
        learn = protocol == "train"
        traces = sim.run(protocol, record=names, learn=learn, **streams)
        expected = direct.run(protocol, recordings(names, circuit), learn, **streams)
        assert list(traces.dataset["phase"].values) == expected.phase
        for name in names:
            found = traces.dataset[name].values[0]
            assert_allclose(found, expected.arrays[name], **CLOSE, err_msg=f"{protocol} {name}")
        for name in plastic:
            array = direct.weights[name].reshape(sim.weights[name].shape)
            assert_allclose(sim.weights[name], array, **CLOSE, err_msg=name)
        for name in slow:
            found = np.reshape(sim.slow[name], -1)
            expected_slow = direct.slow[tuple(name.rsplit(".", 1))]
            assert_allclose(found, expected_slow, **CLOSE, err_msg=name)


@pytest.mark.parametrize("case", CASES, ids=label)
def test_numpy_engine(case):
    name, variants = case
    circuit = small(name, variants, **OTHER.get(name, {}))
    agree(circuit, "numpy")


@pytest.mark.parametrize("method", ["heun", "rk4", "exponential_euler"])
@pytest.mark.parametrize("name", ["pc", "corinfomax", "sacramento", "urbanczik_senn", "seqil"])
def test_methods(tmp_path, name, method):
    """Stages see the clamps, the held populations of other turns and the filters as they should."""
    other = OTHER.get(name, {})
    circuit = small(name, **other)
    lines = [f"apical: 1\nname: heir\nextends: {name}\nprotocols:\n  train:"]
    for phase in circuit.protocols["train"].phases:
        if phase.steps is not None or phase.duration is not None:
            lines.append(f"    {phase.name}:\n      method: {method}")
    path = tmp_path / "heir.yaml"
    path.write_text("\n".join(lines) + "\n")
    agree(apical.load(path, **parameters(name) | other), "numpy")


def test_the_interpreter_knows_every_function():
    known = {*ELEMENTWISE, *REDUCTIONS, "softmax", "len"}  # `len` is worked out by the reader
    assert known >= set(FUNCTIONS)
