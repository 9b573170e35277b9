"""Updates that float32 would swallow are found before the run; the stored form that avoids it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import apical
from apical.graphs.load import bundled
from apical.graphs.lowering.precision import PrecisionWarning, hazards, lost


def start(name, variants=(), **overrides):
    circuit = apical.load(name, variants=list(variants), **overrides)
    sim = apical.Simulator(circuit, engine="numpy", seed=0)
    return circuit, {name: np.array(sim.weights[name]) for name in sim.weights}


def test_autapse_with_its_leak():
    """Eqs. 29-30 at the published lam: D = eps g + 2 eps gam, the change is gam (D - d)/lam."""
    circuit, weights = start("corinfomax_sst", sizes=[6, 5, 3])
    found = {h.name: h for h in hazards(circuit, weights)}
    assert set(found) == {"D[1]", "D[2]"}
    gam = (1 - 0.99999) / 0.99999
    d = 0.15 * 0.5
    assert found["D[1]"].weight == pytest.approx(d + 2 * 0.15 * gam)
    assert found["D[1]"].change == pytest.approx(2 * 0.15 * gam * gam, rel=1e-5)
    assert found["D[1]"].spacing == np.spacing(np.float32(found["D[1]"].weight))
    assert "store the weight without its constant part" in str(found["D[1]"])


def test_nothing_to_fear():
    """In float64, at a small lam, without the constant part, and in the other circuits."""
    circuit, weights = start("corinfomax_sst", sizes=[6, 5, 3])
    assert hazards(circuit, weights, dtype="float64") == ()
    assert hazards(*start("corinfomax_sst", sizes=[6, 5, 3], lam=0.9)) == ()
    assert hazards(*start("corinfomax_sst", ["leak_free"], sizes=[6, 5, 3])) == ()
    for name in bundled():
        if name != "corinfomax_sst":
            overrides = {"sizes": [6, 5, 3]} if name in ("pc", "corinfomax") else {}
            assert hazards(*start(name, **overrides)) == (), name


def test_simulator_warns():
    circuit = apical.load("corinfomax_sst", sizes=[6, 5, 3])
    with pytest.warns(PrecisionWarning, match="the weight never changes"):
        apical.Simulator(circuit, engine="numpy", dtype="float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        apical.Simulator(circuit, engine="numpy", dtype="float64")
        leak_free = apical.load("corinfomax_sst", variants=["leak_free"], sizes=[6, 5, 3])
        apical.Simulator(leak_free, engine="numpy", dtype="float32")


def test_lost():
    before = np.array([1.0, 1.0, 1e-6])
    assert lost(before, before + np.array([1e-9, 1e-3, 1e-9])) == pytest.approx(1 / 3)
    assert lost(before, before) == 0


def test_learning_survives_in_float32_without_the_leak():
    """D with its leak does not move in float32; leak-free, it moves as in float64."""
    rng = np.random.default_rng(0)
    streams = {"image": rng.uniform(size=(20, 6)), "label": np.eye(3)[rng.integers(3, size=20)]}
    moved = {}
    for variants in ([], ["leak_free"]):
        for dtype in ("float32", "float64"):
            circuit = apical.load("corinfomax_sst", variants=variants, sizes=[6, 5, 3])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                sim = apical.Simulator(circuit, engine="numpy", seed=0, dtype=dtype)
            before = np.array(sim.weights["D[1]"], np.float64)
            sim.run("train", learn=True, batch=1, record=[], **streams)
            moved[*variants, dtype] = np.array(sim.weights["D[1]"], np.float64) - before
    assert not moved["float32",].any()
    assert np.all(moved["float64",] != 0)
    np.testing.assert_allclose(
        moved["leak_free", "float32"], moved["leak_free", "float64"], rtol=0.05
    )
    np.testing.assert_allclose(moved["leak_free", "float64"], moved["float64",], rtol=1e-5)


DECAY = """\
apical: 1
name: decay
cells:
  leaky:
    soma: du/dt = input - u
populations:
  x:
    cell: leaky
    size: 2
synapses:
  W:
    from: x.u
    to: x.soma
    init: 0.5
    rule: w -= 1e-9 * w
    optimizer: {}
protocols:
  train:
    settle:
      steps: 1
      dt: 0.1
      learn: W
"""


@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", 1), ("sgd()", 1), ("sgd(0.25)", 0.25)])
def test_an_optimizer_without_its_rate_takes_the_default(tmp_path, optimizer, rate):
    path = tmp_path / "decay.yaml"
    path.write_text(DECAY.format(optimizer))
    (hazard,) = hazards(apical.load(path), {"W": np.full((2, 2), 0.5)})
    assert hazard.change == pytest.approx(rate * 5e-10)
