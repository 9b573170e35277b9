"""Integrate and fire with pair STDP: spike times and weights of an independent loop."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import apical

from ..interpreter import draws

pytest.importorskip("torch")
SMALL = {"N": 20, "M": 5, "duration": 150, "h": 0.5, "g_max": 0.4, "f_exc": 60, "a_plus": 0.05}
STEPS, H, G_MAX, A_PLUS = 300, 0.5, 0.4, 0.05
A_MINUS = 1.05 * A_PLUS


def poisson(population, units, rate):
    """(step, unit) of what `uniform(0, 1) < rate h / 1000` draws in sample 0, with seed 0."""
    name = draws.place("event", f"stimulated.{population}.spike", 0)
    found = [draws.table(draws.uniform, 0, name, units, step, [0])[0] for step in range(STEPS)]
    return (np.array(found) < rate * H / 1000) * 1.0


def loop(weights):
    """(spike of the neuron after each step, weights at the end)."""
    exc, inh = poisson("excitatory", 20, 60), poisson("inhibitory", 5, 10)
    w, x, V, g, k, y = weights.copy(), np.zeros(20), -70.0, 0.0, 0.0, 0.0
    pre, other, post, spikes = np.zeros(20), np.zeros(5), 0.0, [0.0]
    for step in range(STEPS):
        change = G_MAX * (A_PLUS * post * x - A_MINUS * pre * y)  # read before anything moves
        brought, inhibited = w @ pre, 0.05 * other.sum()
        slope = -(1 + g + k) / 20
        rate = (-70 - V + g * (0 - V) + k * (-70 - V)) / 20
        V = V + rate * np.expm1(H * slope) / slope
        decay = np.exp(-H / 5)
        g, k = g * decay + brought, k * decay + inhibited
        x, y = x * np.exp(-H / 20), y * np.exp(-H / 20)
        w = np.clip(w + change, 0, G_MAX)
        pre, other, post = exc[step], inh[step], float(V >= -54)
        x = x + pre
        if post:
            V, y = -60.0, y + 1
        spikes.append(post)
    return np.array(spikes), w


@pytest.mark.parametrize("engine", ["numpy", "numba", "torch"])
def test_spike_times_are_those_of_a_loop(engine):
    sim = apical.Simulator(apical.load("lif_stdp", **SMALL), engine=engine)
    before = np.array(sim.weights["W"])[0]
    traces = sim.run(learn=True, record=["neuron.spike", "excitatory.spike"])
    spikes, weights = loop(before)
    assert 50 < spikes.sum() < 120 and np.abs(weights - before).max() > 0.01
    assert_array_equal(traces.arrays["neuron.spike"][0, 0, :, 0], spikes)
    assert_array_equal(traces.arrays["excitatory.spike"][0, 0, 1:], poisson("excitatory", 20, 60))
    assert_allclose(np.array(sim.weights["W"])[0], weights, rtol=1e-12)
