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


def test_half_cost_is_half_a_nudge(build, golden):
    """With C/2 at twice the beta the nudged state is that of C; the update is half."""
    g = golden("pc/g15_ep_hardsig")
    whole = start(build, g)
    whole.run("train", image=g["x"], label=g["y"], learn=True, record=[])
    half = start(build, g, ["half_cost"])
    half.parameters["beta"] = 2 * float(g["beta"])
    half.run("train", image=g["x"], label=g["y"], learn=True, record=[])
    for k in (1, 2):
        w = g[f"W{k}"].T
        assert_allclose(half.weights[f"W[{k}]"] - w, (whole.weights[f"W[{k}]"] - w) / 2, **CLOSE)


def test_random_sign_is_either_nudge(build, golden):
    """The change is that of +beta or that of -beta."""
    g = golden("pc/g15_ep_hardsig")
    changes = []
    for variants, sign in (([], 1), ([], -1), (["random_sign"], 1)):
        sim = start(build, g, variants)
        sim.parameters["beta"] = sign * float(g["beta"])
        sim.run("train", image=g["x"], label=g["y"], learn=True, record=[])
        changes.append(np.array(sim.weights["W[1]"]) - g["W1"].T)
    assert not np.allclose(changes[0], changes[1])
    assert np.allclose(changes[2], changes[0]) or np.allclose(changes[2], changes[1])
