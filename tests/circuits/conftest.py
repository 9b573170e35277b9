"""What the circuit tests share: the engines, the stored arrays, rows of a trace, a simulator."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pytest

import apical

GOLDEN = Path(__file__).resolve().parent.parent / "golden"


@pytest.fixture(params=["numpy", "numba"])
def engine(request):
    """The engines that must reproduce every stored array."""
    return request.param


@pytest.fixture
def whole(engine):
    """Whether a long stored array is compared as a whole: numba does, numpy compares its begin."""
    return engine == "numba"


@pytest.fixture(scope="session")
def golden():
    """`golden("pc/g01_linear3")`: the arrays of one file, by name."""

    def read(name):
        with np.load(GOLDEN / f"{name}.npz") as arrays:
            return {key: arrays[key] for key in arrays}

    return read


@pytest.fixture(scope="session")
def rows():
    """`rows(traces, "layer[1].x", "infer")`: (sample, row, unit) of one phase, row 0 its start."""

    def read(traces, name, phase=None):
        data = traces.dataset
        values = data[name].values[0]
        if phase is None:
            return values
        return values[:, data["phase"].values == phase]

    return read


@pytest.fixture
def build(engine):
    """`build("pc", variants=["linear"], weights={"W[1]": a}, sizes=[5, 5])`: a simulator."""

    def make(name, variants=(), weights=None, slow=None, **overrides):
        circuit = apical.load(name, variants=list(variants), **overrides)
        sim = apical.Simulator(circuit, engine=engine, seed=0, dtype="float64")
        for key, value in (weights or {}).items():
            sim.weights[key] = value
        for key, value in (slow or {}).items():
            sim.slow[key] = value
        return sim

    return make


@pytest.fixture
def heir(engine, tmp_path):
    """`heir("pc", text, weights={...}, T=3)`: a simulator of a file that extends a bundled one."""

    def make(base, text, variants=(), weights=None, slow=None, **overrides):
        path = tmp_path / "heir.yaml"
        path.write_text(f"apical: 1\nname: heir\nextends: {base}\n" + textwrap.dedent(text))
        circuit = apical.load(path, variants=list(variants), **overrides)
        sim = apical.Simulator(circuit, engine=engine, seed=0, dtype="float64")
        for key, value in (weights or {}).items():
            sim.weights[key] = value
        for key, value in (slow or {}).items():
            sim.slow[key] = value
        return sim

    return make
