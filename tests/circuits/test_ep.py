"""Equilibrium propagation against stored arrays (g15), one-sided and symmetric."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def start(build, g, variants=(), free=20, nudged=4):
    """The stored network; the file keeps its weights as (pre, post)."""
    return build(
        "ep",
        variants,
        {"W[1]": g["W1"].T, "W[2]": g["W2"].T},
        {"layer[1].bias": g["b1"], "layer[2].bias": g["b2"]},
        sizes=[6, 8, 3],
        beta=float(g["beta"]),
        h=float(g["eps"]),
        T_free=free,
        T_nudged=nudged,
        eta=1,
    )


def states(rows, traces, phase):
    """(row, sample, hidden and output)."""
    both = [rows(traces, f"layer[{k}].s", phase) for k in (1, 2)]
    return np.concatenate(both, axis=2).transpose(1, 0, 2)


def check_updates(sim, g, suffix, close):
    for k in (1, 2):
        assert_allclose(sim.weights[f"W[{k}]"].T - g[f"W{k}"], g[f"dW{k}_{suffix}"], **close)
        found = np.reshape(sim.slow[f"layer[{k}].bias"], -1) - g[f"b{k}"]
        assert_allclose(found, g[f"db{k}_{suffix}"], **close)


def test_one_sided(build, golden, rows):
    g = golden("pc/g15_ep_hardsig")
    sim = start(build, g)
    record = ["layer[1].s", "layer[2].s"]
    traces = sim.run("train", image=g["x"], label=g["y"], learn=True, record=record)
    assert_allclose(states(rows, traces, "free")[1:], g["free_traj"], **CLOSE)
    assert_allclose(states(rows, traces, "nudged")[1:], g["nudged_traj"], **CLOSE)
    check_updates(sim, g, "one", CLOSE)


def test_symmetric(build, golden, rows):
    g = golden("pc/g15_ep_hardsig")
    sim = start(build, g, ["symmetric"])
    record = ["layer[1].s", "layer[2].s"]
    traces = sim.run("train", image=g["x"], label=g["y"], learn=True, record=record)
    assert_allclose(states(rows, traces, "nudged")[1:], g["nudged_traj"], **CLOSE)
    assert_allclose(states(rows, traces, "opposite")[1:], g["nudged_neg_traj"], **CLOSE)
    check_updates(sim, g, "sym", CLOSE)


@pytest.mark.parametrize("steps", [1000])
def test_converged(build, golden, rows, steps):
    g = golden("pc/g15_ep_hardsig")
    sim = start(build, g, free=steps, nudged=steps)
    record = ["layer[1].s", "layer[2].s"]
    traces = sim.run("train", image=g["x"], label=g["y"], learn=True, record=record)
    assert_allclose(states(rows, traces, "free")[-1], g["free_converged"], **CLOSE)
    assert_allclose(states(rows, traces, "nudged")[-1], g["nudged_converged"], **CLOSE)
    check_updates(sim, g, "onec", CLOSE)
