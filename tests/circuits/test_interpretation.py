"""Every bundled circuit and variant, run by the engines and interpreted directly."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical
from apical.graphs.load import bundled, variants_of

CLOSE = {"rtol": 1e-10, "atol": 1e-11}
SMALL = {
    "pc": {"sizes": [5, 4, 3, 2], "T": 5, "eta": 0.1},
    "corinfomax": {"sizes": [5, 4, 3], "T_free": 5, "T_nudged": 3, "lam": 0.9, "decay": 0.1},
    "corinfomax_sst": {"sizes": [5, 4, 3], "T_free": 5, "T_nudged": 3, "lam": 0.9},
    "hopfield": {"d": 5, "M": 4, "T": 20},
    "pem": {"n": 3, "m": 4, "T": 12},
    "bsm": {"n": 3, "m_x": 4, "T": 4},  # few enough that no sample stops
    "nsm": {"n": 3, "m_x": 4, "T": 4},
    "sacramento": {"duration": 4, "teach": 1},
    "urbanczik_senn": {"duration": 4},
}
_THREE = {"signed": [1, 1, 0], "member": [1, 0, 1]}
MORE = {"mixed": {"corinfomax": _THREE, "corinfomax_sst": _THREE}}
NEEDS = {"simplex": ["sparse"], "nonnegative_sparse": ["sparse"]}
CASES = [
    (name, [*NEEDS.get(variant, []), variant] if variant else [])
    for name in bundled()
    for variant in ("", *variants_of(name))
    if variant not in ("random_sign", "mnist", "fashion")  # draws: see test_parity
    and name != "neuron"  # exponential Euler: see test_microcircuits
]


@pytest.fixture(scope="module")
def interpreter():
    path = Path(__file__).with_name("interpreter.py")
    spec = importlib.util.spec_from_file_location("interpreter", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Interpreter


def agree(circuit, interpreter, engine, samples=3):
    """Traces, weights and slow variables after two presentations of every protocol."""
    sim = apical.Simulator(circuit, engine=engine, seed=2, dtype="float64")
    plastic = [s.name for s in circuit.synapses.values() if s.weight is None]
    slow = [f"{p.name}.{v}" for p in circuit.populations.values() for v in p.slow]
    weights = {name: sim.weights[name] for name in plastic}
    direct = interpreter(circuit, weights, {name: sim.slow[name] for name in slow})
    names = list(circuit.energies)
    for p in circuit.populations.values():
        variables = dict.fromkeys((*(e.variable for e in p.equations), *p.states))
        names += [f"{p.name}.{v}" for v in variables]
    rng = np.random.default_rng(7)
    for protocol in [*circuit.protocols, next(iter(circuit.protocols))]:
        streams = {n: rng.uniform(size=(samples, size)) for n, size in circuit.streams.items()}
        learn = protocol == "train"
        traces = sim.run(protocol, record=names, learn=learn, **streams)
        expected, phases = direct.run(protocol, names, learn, **streams)
        assert list(traces.dataset["phase"].values) == phases
        for name in names:
            found = traces.dataset[name].values[0]
            if not np.isnan(found).any():  # NaN: not latched yet, or stopped before the others
                assert_allclose(found, expected[name], **CLOSE, err_msg=f"{protocol} {name}")
        for name in plastic:
            assert_allclose(sim.weights[name], direct.weights[name], **CLOSE, err_msg=name)
        for name in slow:
            found = np.reshape(sim.slow[name], -1)
            assert_allclose(found, direct.slow[name], **CLOSE, err_msg=name)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join([case[0], *case[1]]))
def test_numpy_engine(case, interpreter):
    name, variants = case
    more = {k: v for variant in variants for k, v in MORE.get(variant, {}).get(name, {}).items()}
    circuit = apical.load(name, variants=variants, **SMALL.get(name, {}), **more)
    agree(circuit, interpreter, "numpy")


@pytest.mark.parametrize("method", ["heun", "rk4"])
@pytest.mark.parametrize("name", ["pc", "corinfomax", "sacramento", "urbanczik_senn", "seqil"])
def test_methods(tmp_path, name, method, interpreter):
    """Stages see the clamps, the held populations of other turns and the filters as they should."""
    circuit = apical.load(name, **SMALL.get(name, {}))
    lines = [f"apical: 1\nname: heir\nextends: {name}\nprotocols:\n  train:"]
    for phase in circuit.protocols["train"].phases:
        if phase.steps is not None or phase.duration is not None:
            lines.append(f"    {phase.name}:\n      method: {method}")
    path = tmp_path / "heir.yaml"
    path.write_text("\n".join(lines) + "\n")
    agree(apical.load(path, **SMALL.get(name, {})), interpreter, "numpy")
