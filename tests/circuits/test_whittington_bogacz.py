"""Explicit error neurons: solve_ivp, their equilibrium, and backpropagation in the limit."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

RK4 = """
synapses:
  W: {optimizer: sgd(1)}
protocols:
  train:
    infer:
      method: rk4
"""
STATES = ["x[1].x", "e[1].e", "e[2].e"]


@pytest.fixture
def engine():
    return "numpy"


def start(heir, g, **parameters):
    weights = {"W[1]": g["W1"], "W[2]": g["W2"]}
    return heir("whittington_bogacz", RK4, (), weights, sizes=[3, 4, 2], **parameters)


def test_it_relaxes_as_solve_ivp_says(golden, heir):
    """Where the stored solution starts: values as predicted, the errors at 0 or at the output's."""
    g = golden("microcircuits/h_error_neurons")
    sim = start(heir, g, h=0.25, duration=60)
    shown = {"image": g["x0"][None], "label": g["y"][None]}
    initial = {"e[2].e": g["z0"][None, 8:]}
    traces = sim.run("train", streams=shown, record=STATES, initial=initial).arrays
    found = np.concatenate([traces[name][0, 0, ::4] for name in STATES], axis=1)
    assert_allclose(found, g["Z"][:61], rtol=0, atol=1e-5)


@pytest.mark.parametrize("which", [0, 1])
def test_equilibrium_and_what_it_teaches(golden, heir, which):
    """Sigma_out dW is as far from backpropagation as is stored: it falls as 1/Sigma_out."""
    g = golden("microcircuits/h_error_neurons")
    variance = float(g["Sigma_out"][which])
    sim = start(heir, g, h=0.5 if which == 0 else 0.25, duration=250, Sigma_out=variance)
    shown = {"image": g["x0"][None], "label": g["y"][None]}
    traces = sim.run("train", streams=shown, record=STATES, learn=True).arrays
    found = np.concatenate([traces[name][0, 0, -1] for name in STATES])
    assert_allclose(found, g["equilibrium"][which], rtol=0, atol=1e-8)
    rates, errors = np.tanh(found[:4]), found[8:]
    assert_allclose(sim.weights["W[2]"] - g["W2"], np.outer(errors, rates), rtol=0, atol=1e-12)
    change = variance * (sim.weights["W[1]"] - g["W1"])
    off = np.linalg.norm(change - g["bp_dW1"]) / np.linalg.norm(g["bp_dW1"])
    assert_allclose(off, g["rel_to_bp"][which], rtol=1e-5)


def test_a_free_output_goes_to_its_prediction(golden, heir):
    g = golden("microcircuits/h_error_neurons")
    text = RK4.replace("method: rk4", "clamp: null")
    weights = {"W[1]": g["W1"], "W[2]": g["W2"]}
    sim = heir("whittington_bogacz", text, (), weights, sizes=[3, 4, 2], duration=300)
    shown = {"image": g["x0"][None], "initial": {"x[2].x": g["y"][None]}}
    found = sim.run("train", record=["x[2].x"], **shown).arrays["x[2].x"][0, 0, -1]
    assert_allclose(found, g["W2"] @ np.tanh(g["W1"] @ np.tanh(g["x0"])), rtol=0, atol=1e-4)
