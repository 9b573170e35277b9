"""The random network: against a loop, and what theory says below and above g = 1."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq

import apical


def test_it_is_the_loop_that_the_equation_says():
    circuit = apical.load("chaos", N=[7, 5], K=[3, 2], duration=4)
    sim = apical.Simulator(circuit, engine="numpy", seed=3)
    traces = sim.run("train", samples=2)
    found = np.concatenate([traces.arrays[f"y[{k}].u"][0] for k in (1, 2)], axis=-1)
    s = 1.5 / np.sqrt((1 - 3 / 7) / 3 + (1 - 2 / 5) / 2)
    excites, inhibits = ([sim.connections[f"{n}[{k}]"] for k in (1, 2)] for n in "EI")
    for exist, count in ((np.vstack(excites), 3), (np.vstack(inhibits), 2)):
        assert_array_equal(exist.sum(axis=1), count)
    weights = np.hstack([s / 3 * np.vstack(excites), -s / 2 * np.vstack(inhibits)])
    for sample in range(2):
        u = found[sample, 0].copy()
        for row in range(1, 41):
            heard = [sum(weights[i, j] * np.tanh(u[j]) for j in range(12)) for i in range(12)]
            u = u + 0.1 * (np.array(heard) - u)
            assert_allclose(found[sample, row], u, rtol=1e-11, atol=1e-13)


def test_activity_dies_below_and_is_chaotic_above():
    """A small difference grows; the variance is that of the theory of N to infinity.

    D^2 / 2 = g^2 var(log cosh(sqrt(D) z)), z standard normal (Sompolinsky et al., eq. 7)
    """
    gains = [0.5, 1.5]
    sim = apical.Simulator(
        apical.load("chaos"), engine="numpy", replicas=2, parameters={"g": gains}
    )
    last = sim.run("train", record=[f"y[{k}].u in run every 500" for k in (1, 2)])
    u = np.concatenate([last.arrays[f"y[{k}].u"][:, 0, -1] for k in (1, 2)], axis=-1)
    assert np.abs(u[0]).max() < 1e-8
    w = {name: array[1] for name, array in sim.weights.items()}
    weights = np.block([[w["E[1]"], w["I[1]"]], [w["E[2]"], w["I[2]"]]]).astype(np.float32)
    state, other = u[1].astype(np.float32), np.random.default_rng(0).normal(size=1000)
    growth, variance = [], []
    for _ in range(1000):
        r = np.tanh(state)
        heard = weights @ np.stack([r, (1 - r * r) * other], axis=1).astype(np.float32)
        state, other = state + 0.1 * (heard[:, 0] - state), other + 0.1 * (heard[:, 1] - other)
        growth.append(np.log(np.linalg.norm(other)) / 0.1)
        other /= np.linalg.norm(other)
        variance.append(np.mean(state**2))
    assert np.mean(growth[200:]) > 0.015
    z, p = np.polynomial.hermite_e.hermegauss(101)
    p = p / p.sum()

    def excess(d):
        f = np.log(np.cosh(np.sqrt(d) * z))
        return 1.5**2 * (p @ f**2 - (p @ f) ** 2) - d * d / 2

    assert np.mean(variance) == pytest.approx(brentq(excess, 0.1, 5), rel=0.15)
