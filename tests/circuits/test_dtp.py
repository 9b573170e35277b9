"""Target propagation, with the difference and without, against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

PLAIN = """
synapses:
  W: {optimizer: sgd(0.1)}
  V: {optimizer: sgd(0.2)}
"""


@pytest.fixture
def engine():
    return "numpy"


def slope(u):
    return 1 - np.tanh(u) ** 2


@pytest.mark.parametrize("variants", [[], ["plain"]])
def test_targets_and_both_rules(heir, variants):
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(5, 6)), np.eye(3)[rng.integers(3, size=5)]
    sim = heir("dtp", PLAIN, variants, sizes=[6, 5, 4, 3], step=0.3)
    w = {name: np.array(array) for name, array in sim.weights.items()}
    record = ["layer[1].t", "layer[2].t", "layer[1].noise", "layer[2].noise"]
    traces = sim.run("train", image=x, label=y, learn=True, record=record).arrays
    noise = {k: traces[f"layer[{k}].noise"][0, :, -1] for k in (1, 2)}
    assert 0.1 < np.std(np.concatenate([*noise[1].T, *noise[2].T])) < 0.6

    u, r = {}, {0: x}
    for k in (1, 2, 3):
        u[k] = r[k - 1] @ w[f"W[{k}]"].T
        r[k] = np.tanh(u[k]) if k < 3 else u[k]
    t = {3: r[3] + 0.3 * (y - r[3])}
    for k in (2, 1):
        inverse = w[f"V[{k + 1}]"].T
        t[k] = np.tanh(t[k + 1] @ inverse)
        if not variants:
            t[k] += r[k] - np.tanh(r[k + 1] @ inverse)
        assert_allclose(traces[f"layer[{k}].t"][0, :, -1], t[k], rtol=0, atol=1e-13)
    for k in (1, 2, 3):
        gate = slope(u[k]) if k < 3 else 1
        change = 0.1 * ((t[k] - r[k]) * gate).T @ r[k - 1] / 5
        assert_allclose(sim.weights[f"W[{k}]"] - w[f"W[{k}]"], change, rtol=0, atol=1e-13)
    for k in (2, 3):
        c = r[k - 1] + noise[k - 1]
        a = c @ w[f"W[{k}]"].T
        a = np.tanh(a) if k < 3 else a
        z = a @ w[f"V[{k}]"].T
        change = 0.2 * ((c - np.tanh(z)) * slope(z)).T @ a / 5
        assert_allclose(sim.weights[f"V[{k}]"] - w[f"V[{k}]"], change, rtol=0, atol=1e-13)
