"""Equilibrium propagation and its kin against stored arrays (g15, g16) and a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical

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


def numpy_engine(name, variants, weights, slow, **overrides):
    """As `build`, on the referee alone."""
    sim = apical.Simulator(apical.load(name, variants=variants, **overrides), engine="numpy")
    for key, value in weights.items():
        sim.weights[key] = value
    for key, value in slow.items():
        sim.slow[key] = value
    return sim


RECORD = ["layer[1].s", "layer[2].s"]


def test_contrastive_hebbian(golden, rows):
    """The output is held at the label; the change has no 1/beta."""
    g = golden("pc/g15_ep_hardsig") | golden("pc/g16_chl_csm")
    sim = start(numpy_engine, g, ["contrastive_hebbian"], free=300)
    traces = sim.run("train", image=g["x"], label=g["y"], learn=True, record=RECORD)
    assert_allclose(states(rows, traces, "free")[-1], g["free"], **CLOSE)
    clamped = np.concatenate([g["clamped_h"], g["y"]], axis=1)
    assert_allclose(states(rows, traces, "nudged")[-1], clamped, **CLOSE)
    for k in (1, 2):
        assert_allclose(sim.weights[f"W[{k}]"].T - g[f"W{k}"], g[f"chl_dW{k}"], **CLOSE)
        change = np.split(clamped - g["free"], [8], axis=1)[k - 1].mean(axis=0)
        assert_allclose(sim.slow[f"layer[{k}].bias"].ravel() - g[f"b{k}"], change, **CLOSE)


def test_similarity_matching(golden, rows):
    """Lateral weights inhibit the hidden layer, and go to the correlation of the nudged phase."""
    g = golden("pc/g15_ep_hardsig") | golden("pc/g16_chl_csm") | {"beta": 1}
    sim = start(numpy_engine, g, ["similarity_matching"])
    sim.weights["M[1]"] = g["M"]
    sim.parameters["eta_M"] = float(g["alpha_L"])
    traces = sim.run("train", image=g["x"], label=g["y"], learn=True, record=RECORD)
    assert_allclose(states(rows, traces, "free")[-1], g["csm_free"], **CLOSE)
    assert_allclose(states(rows, traces, "nudged")[-1], g["csm_nudged"], **CLOSE)
    assert_allclose(sim.weights["M[1]"], g["M_new"], **CLOSE)
    for k in (1, 2):
        assert_allclose(sim.weights[f"W[{k}]"].T - g[f"W{k}"], g[f"csm_dW{k}"], **CLOSE)


def test_untied_feedback(golden):
    """With feedback that is W^T it is the file; with other feedback, a loop says what is learnt."""
    g = golden("pc/g15_ep_hardsig")
    sim = start(numpy_engine, g, ["untied"])
    sim.weights["back[2]"] = g["W2"]
    sim.run("train", image=g["x"], label=g["y"], learn=True, record=[])
    check_updates(sim, g, "one", CLOSE)
    assert_allclose(sim.weights["back[2]"] - g["W2"], g["dW2_one"], **CLOSE)

    sim = start(numpy_engine, g, ["untied"])
    back, beta = np.array(sim.weights["back[2]"]), float(g["beta"])
    h, y = np.zeros((4, 8)), np.zeros((4, 3))
    for step in range(24):
        if step == 20:
            h0, y0 = h, y
        pull = 2 * beta * (y - g["y"]) if step >= 20 else 0
        d_h = g["x"] @ g["W1"] + y @ back.T + g["b1"] - h
        d_y = h @ g["W2"] + g["b2"] - y - pull
        h, y = (np.clip(s + float(g["eps"]) * d, 0, 1) for s, d in ((h, d_h), (y, d_y)))
    sim.run("train", image=g["x"], label=g["y"], learn=True, record=[])
    change = (h.T @ y - h0.T @ y0) / 4 / beta
    assert_allclose(sim.weights["back[2]"] - back, change, **CLOSE)
    assert_allclose(sim.weights["W[2]"].T - g["W2"], change, **CLOSE)
