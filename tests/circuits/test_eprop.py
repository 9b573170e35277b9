"""e-prop against stored traces and gradients: a numpy loop, and torch through surrogate spikes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

PLAIN = """
synapses:
  W_in: {optimizer: sgd(1)}
  W_rec: {optimizer: sgd(1)}
  W_out: {optimizer: sgd(1)}
"""
SIZES = {"inputs": 8, "cells": 12, "lif": 6, "outputs": 2, "T": 51}


@pytest.fixture
def engine():
    return "numpy"


@pytest.mark.parametrize("feedback", ["sym", "rand"])
def test_gradients_of_sequences_in_a_batch(golden, heir, feedback):
    """The mean of four sequences, each with traces of its own, changes the weights.

    The stored readout has a bias; what that adds is taken from the readout and from the target.
    """
    g = golden("time/09_eprop")
    weights = {"W_in": g["W_in"], "W_rec": g["W_rec"], "W_out": g["W_out"]}
    variants = []
    if feedback == "rand":
        weights["feedback"], variants = g["B_random"], ["random_feedback"]
    constants = {"strength": 0.4, "rho": float(np.exp(-1 / 100))}
    sim = heir("eprop", PLAIN, variants, weights, **SIZES, **constants)
    added = np.cumsum(np.exp(-np.arange(50) / 20))[:, None] * g["b_out"]
    shown = np.pad(g["x"], ((0, 0), (0, 1), (0, 0)))  # 50 steps, and one that only learns
    wanted = np.pad(g["y_target"] - added, ((0, 0), (1, 0), (0, 0)))
    record = ["hidden.z", "hidden.v", "readout.y"]
    traces = sim.run("train", stimulus=shown, target=wanted, learn=True, record=record)
    assert_array_equal(traces.arrays["hidden.z"][0, :, 1:51], g["z"])
    assert_allclose(traces.arrays["hidden.v"][0, :, 1:51], g["v"], rtol=0, atol=1e-12)
    assert_allclose(traces.arrays["readout.y"][0, :, 1:51] + added, g["y"], rtol=0, atol=1e-12)
    found = {name: weights[name] - sim.weights[name] for name in ("W_in", "W_rec", "W_out")}
    assert_allclose(found["W_in"], g[f"grad_sum_in_{feedback}"] / 4, rtol=0, atol=1e-12)
    assert_allclose(found["W_rec"], g[f"grad_sum_rec_{feedback}"] / 4, rtol=0, atol=1e-12)
    assert_allclose(found["W_out"], g["grad_sum_out"] / 4, rtol=0, atol=1e-12)
