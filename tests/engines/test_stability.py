"""Inference whose steps are too long is told: the phase, the epoch and the largest stable step."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from typer.testing import CliRunner

import apical
from apical.engines.simulation.stability_warnings import StabilityWarning

PENDULUM = """
apical: 1
name: pendulum
parameters:
  stiffness: 4
  friction: 1
  h: 0.5
data:
  push: 1
cells:
  mass:
    soma:
      - dx/dt = y
      - dy/dt = push - stiffness*x - friction*y
populations:
  n:
    cell: mass
    size: 1
energy:
  E: sum(n.y^2 + stiffness*n.x^2) / 2
predicts:
  push: n.x
protocols:
  train:
    swing:
      steps: 30
      dt: h
  predict: swing
"""


def linear(h, engine="numpy", seed=0, **options):
    """One hidden layer without f: d2F/dx2 = I + W2^T W2, the same for each sample."""
    circuit = apical.load("pc", variants=["linear"], sizes=[6, 5, 4], h=h, T=12, eta=0)
    sim = apical.Simulator(circuit, engine=engine, seed=seed, **options)
    rng = np.random.default_rng(seed)
    w = 2 * rng.normal(size=(4, 5))
    sim.weights["W[2]"] = w
    samples = {"image": rng.normal(size=(30, 6)), "label": rng.normal(size=(30, 4))}
    longest = 2 / np.linalg.eigvalsh(np.eye(5) + w.T @ w)[-1]
    return sim, samples, longest


def told(sim, samples, **options):
    """The messages of a training."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sim.fit(samples, **options)
    return [str(w.message) for w in caught if issubclass(w.category, StabilityWarning)]


@pytest.mark.parametrize("seed", range(3))
def test_the_longest_step_is_that_of_the_hessian(seed):
    _, _, longest = linear(1.0, seed=seed)
    sim, samples, _ = linear(1.5 * longest, seed=seed)
    (said,) = told(sim, samples, epochs=3)
    found = re.fullmatch(
        r"inference is unstable after epoch 1: in the phase 'infer' of 'train' the energy F rises "
        r"in 100% of the samples looked at; its steps of dt = (\S+) are too long, the largest "
        r"stable one is about (\S+)",
        said,
    )
    assert float(found[1]) == pytest.approx(1.5 * longest, rel=0.01)
    assert float(found[2]) == pytest.approx(longest, rel=0.06)  # two digits are printed
    sim, samples, _ = linear(0.95 * longest, seed=seed)
    assert not told(sim, samples)


@pytest.mark.parametrize(("engine", "dtype"), [("numba", "float32"), ("torch", "float32")])
def test_every_engine_is_watched(engine, dtype):
    pytest.importorskip(engine)
    _, _, longest = linear(1.0)
    sim, samples, _ = linear(1.5 * longest, engine, dtype=dtype, replicas=2)
    assert len(told(sim, samples, batch=7)) == 1
    again = np.array(sim.weights["W[2]"])
    sim, samples, _ = linear(0.95 * longest, engine, dtype=dtype, replicas=2)
    assert not told(sim, samples, batch=7)
    np.testing.assert_array_equal(again, sim.weights["W[2]"])


def test_an_oscillation():
    """l = (-c +- sqrt(c^2 - 4 k))/2: |l|^2 = k, -2 Re(l)/|l|^2 = c/k."""
    samples = {"push": np.ones((4, 1))}
    sim = apical.Simulator(apical.load_text(PENDULUM), engine="numpy")
    (said,) = told(sim, samples)
    assert "the energy E rises" in said and said.endswith("about 0.25")
    sim = apical.Simulator(apical.load_text(PENDULUM, h=0.2), engine="numpy")
    assert not told(sim, samples)


def test_a_cycle_that_is_stable():
    """dx/dt = -tanh(4 x): from 0 on, steps of 0.6 jump between two points of small slope."""
    text = PENDULUM.replace("- dx/dt = y\n", "- dx/dt = -tanh(stiffness*x)\n")
    text = text.replace("- dy/dt = push - stiffness*x - friction*y", "- y = friction*x")
    text = text.replace("steps: 30", "begin: n.x := 0.001*push\n      steps: 60")
    sim = apical.Simulator(apical.load_text(text, h=0.6), engine="numpy")
    path = sim.run("train", push=np.ones((1, 1)), record=["n.x"])["n.x"].values.ravel()
    assert path[-1] == pytest.approx(path[-3]) and abs(path[-1] + path[-2]) < 1e-6 < abs(path[-1])
    assert abs(1 - 0.6 * 4 / np.cosh(4 * path[-1]) ** 2) < 1
    (said,) = told(sim, {"push": np.ones((4, 1))})
    assert said.endswith("about 0.5")
    sim = apical.Simulator(apical.load_text(text, h=0.45), engine="numpy")
    assert not told(sim, {"push": np.ones((4, 1))})


@pytest.mark.parametrize("line", ["dy/dt = push - y", "dy/dt = y"], ids=["rises", "explodes"])
def test_what_is_not_the_fault_of_the_step_is_not_told(line):
    """An energy may rise at a stable step, and a state grow by itself."""
    text = PENDULUM.replace("- dx/dt = y\n", "- x = y\n")
    text = text.replace("dy/dt = push - stiffness*x - friction*y", line)
    sim = apical.Simulator(apical.load_text(text, h=0.05), engine="numpy")
    traces = sim.run("train", push=np.ones((1, 1)), record=["E"], initial={"n.y": [[0.1]]})
    path = traces["E"].values[0, 0]
    assert path[-1] > 2 * path[0]
    assert not told(sim, {"push": np.ones((4, 1))})


@pytest.mark.filterwarnings("default")
def test_the_command_prints_it():
    pytest.importorskip("sklearn")
    from apical.cli import app

    words = ["run", "pc", "--variant", "linear", "--set", "sizes=[64,20,10]", "--set", "eta=0"]
    words += ["--set", "h=1.4", "--set", "T=12", "--engine", "numpy", "--epochs", "1"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "warning: inference is unstable after epoch 1: in the phase 'infer'" in done.stderr
