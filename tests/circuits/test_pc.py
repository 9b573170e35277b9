"""Predictive coding against stored arrays (g01 to g08)."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


@pytest.mark.parametrize("case", ["std05", "var05"])
@pytest.mark.parametrize("start", ["rand", "ff"])
def test_linear_three_layers(build, golden, rows, case, start):
    g = golden("pc/g01_linear3")
    weights = {f"W[{k}]": g[f"W{k}_{case}"] for k in (1, 2)}
    variants = ["linear", "free_start"] if start == "rand" else ["linear"]
    sim = build("pc", variants, weights, sizes=[5, 5, 5], h=0.05, T=100, eta=1)
    initial = {"layer[1].x": g["x1_random_init"][None]} if start == "rand" else None
    traces = sim.run(
        "train",
        image=g["x0"][None],
        label=g["x2"][None],
        learn=True,
        record=["layer[1].x", "F"],
        initial=initial,
    )
    path = rows(traces, "layer[1].x", "infer")[0]
    assert_allclose(path, g[f"traj_{start}_{case}"], **CLOSE)
    assert_allclose(rows(traces, "F", "infer")[0], g[f"F_{start}_{case}"], **CLOSE)
    distance = ((path[1:] - g[f"x1_eq_{case}"]) ** 2).sum(1)
    assert_allclose(distance, g[f"dist2_{start}_{case}"], **CLOSE)
    for k in (1, 2):
        change = sim.weights[f"W[{k}]"] - weights[f"W[{k}]"]
        assert_allclose(change, g[f"dW{k}_T_{start}_{case}"], **CLOSE)


def test_tanh_three_layers(build, golden, rows):
    g = golden("pc/g02_tanh3")
    weights = {"W[1]": g["W1"], "W[2]": g["W2"]}
    sim = build("pc", weights=weights, sizes=[5, 5, 5], h=0.05, T=100, eta=1)
    traces = sim.run(
        "train",
        image=g["x0"][None],
        label=g["x2"][None],
        learn=True,
        record=["layer[1].x", "F"],
    )
    path = rows(traces, "layer[1].x", "infer")[0]
    assert_allclose(path, g["traj"], **CLOSE)
    assert_allclose(path[0], g["x1_ff"], **CLOSE)
    assert_allclose((path[1] - path[0]) / 0.05, g["eps1_bp"], rtol=0, atol=1e-13)
    assert_allclose(rows(traces, "F", "infer")[0], g["F"], **CLOSE)
    for k in (1, 2):
        assert_allclose(sim.weights[f"W[{k}]"] - weights[f"W[{k}]"], g[f"dW{k}_T"], **CLOSE)


def test_tanh_equilibrium(build, golden, rows):
    g = golden("pc/g02_tanh3")
    weights = {"W[1]": g["W1"], "W[2]": g["W2"]}
    sim = build("pc", weights=weights, sizes=[5, 5, 5], h=0.3, T=400, eta=1)
    traces = sim.run(
        "train", image=g["x0"][None], label=g["x2"][None], learn=True, record=["layer[1].x"]
    )
    assert_allclose(rows(traces, "layer[1].x", "infer")[0, -1], g["x1_eq"], **CLOSE)
    for k in (1, 2):
        assert_allclose(sim.weights[f"W[{k}]"] - weights[f"W[{k}]"], g[f"dW{k}_eq"], **CLOSE)


@pytest.mark.parametrize("case", ["I", "Pi"])
def test_deep_linear(build, golden, rows, case):
    g = golden("pc/g03_linear_deep")
    weights = {f"W[{k}]": g[f"W{k}"] for k in range(1, 5)}
    variants = ["linear"]
    if case == "Pi":
        variants = ["precision", "linear"]
        weights |= {f"Pi[{k}]": np.linalg.inv(g[f"Sigma{k}"]) for k in range(1, 5)}
    sizes = [5, 4, 6, 3, 5]
    hidden = [f"layer[{k}].x" for k in (1, 2, 3)]
    sim = build("pc", variants, weights, sizes=sizes, h=0.05, T=400, eta=1)
    traces = sim.run(
        "train", image=g["x0"][None], label=g["y"][None], learn=False, record=[*hidden, "F"]
    )
    path = np.concatenate([rows(traces, name, "infer")[0] for name in hidden], axis=1)
    assert_allclose(path, g[f"traj_{case}"], **CLOSE)
    assert_allclose(rows(traces, "F", "infer")[0, :-1], g[f"F_{case}"], **CLOSE)


@pytest.mark.parametrize("case", ["I", "Pi"])
def test_deep_linear_rests_at_equilibrium(build, golden, rows, case):
    g = golden("pc/g03_linear_deep")
    weights = {f"W[{k}]": g[f"W{k}"] for k in range(1, 5)}
    variants = ["linear", "free_start"]
    if case == "Pi":
        variants = ["precision", "linear", "free_start"]
        weights |= {f"Pi[{k}]": np.linalg.inv(g[f"Sigma{k}"]) for k in range(1, 5)}
    sim = build("pc", variants, weights, sizes=[5, 4, 6, 3, 5], h=1, T=1, eta=1)
    initial = {f"layer[{k}].x": g[f"x{k}_eq_{case}"][None] for k in (1, 2, 3)}
    error = "pe" if case == "Pi" else "e"
    traces = sim.run(
        "train",
        image=g["x0"][None],
        label=g["y"][None],
        learn=True,
        record=["F", *initial, *(f"layer[{k}].{error}" for k in range(1, 5))],
        initial=initial,
    )
    for name, value in initial.items():
        assert_allclose(rows(traces, name, "infer")[0, -1], value[0], rtol=0, atol=1e-12)
    assert_allclose(rows(traces, "F", "infer")[0], g[f"F_eq_{case}"], **CLOSE)
    for k in range(1, 5):
        found = rows(traces, f"layer[{k}].{error}", "infer")[0, 0]
        assert_allclose(found, g[f"weps{k}_eq_{case}"], **CLOSE)
        change = sim.weights[f"W[{k}]"] - weights[f"W[{k}]"]
        assert_allclose(change, g[f"dW{k}_eq_{case}"], **CLOSE)


@pytest.mark.parametrize("case", ["equal", "low", "high", "official"])
def test_precision(build, golden, rows, case):
    g = golden("pc/g04_precision3")
    weights = {name: g[key] for name, key in (("W[1]", "W1"), ("W[2]", "W2"))}
    weights |= {f"Pi[{k}]": g[f"Pi{k}_{case}"] for k in (1, 2)}
    h = 0.1 if case == "official" else 0.05
    sim = build(
        "pc", ["precision", "linear", "free_start"], weights, sizes=[5, 5, 5], h=h, T=100, eta=1
    )
    traces = sim.run(
        "train",
        image=g["x0"][None],
        label=g["x2"][None],
        learn=True,
        record=["layer[1].x", "layer[1].pe"],
        initial={"layer[1].x": g["x1_init"][None]},
    )
    path = rows(traces, "layer[1].x", "infer")[0]
    assert_allclose(path, g[f"traj_{case}"], **CLOSE)
    if case == "official":
        return
    distance = ((path[1:] - g[f"x1_eq_{case}"]) ** 2).sum(1)
    assert_allclose(distance, g[f"dist2_eq_{case}"], **CLOSE)
    error = rows(traces, "layer[1].pe", "infer")[0, :-1]
    assert_allclose(((error - g[f"bp_{case}"]) ** 2).sum(1), g[f"dist2_bp_{case}"], **CLOSE)
    for k in (1, 2):
        assert_allclose(sim.weights[f"W[{k}]"] - weights[f"W[{k}]"], g[f"dW{k}_T_{case}"], **CLOSE)


def test_precision_ratio_equilibria(build, golden, rows):
    """Theorem 3.5 for thirteen precision ratios: the dynamics do not leave the stored point."""
    g = golden("pc/g04_precision3")
    weights = {"W[1]": g["W1"], "W[2]": g["W2"]}
    sim = build(
        "pc", ["precision", "linear", "free_start"], weights, sizes=[5, 5, 5], h=1, T=1, eta=1
    )
    for ratio, equilibrium in zip(g["ratios"], g["x1_eq_ratio"], strict=True):
        sim.weights["Pi[2]"] = ratio * np.eye(5)
        traces = sim.run(
            "train",
            image=g["x0"][None],
            label=g["x2"][None],
            learn=False,
            record=["layer[1].x"],
            initial={"layer[1].x": equilibrium[None]},
        )
        end = rows(traces, "layer[1].x", "infer")[0, -1]
        assert_allclose(end, equilibrium, rtol=0, atol=1e-12 * (1 + ratio))


@pytest.mark.parametrize(
    ("key", "variants", "target"),
    [
        ("traj_full", ["linear", "unconstrained"], "x2"),
        ("traj_fb", ["linear", "unconstrained", "feedback_only"], "x2"),
        ("traj_fb_tanh", ["unconstrained", "feedback_only"], "x2_tanh"),
    ],
)
def test_unconstrained_input(build, golden, rows, engine, whole, key, variants, target):
    """Theorem 3.3: with its input free the network settles at the targets of target propagation."""
    g = golden("pc/g05_unconstrained_tp")
    stored = 100 if whole else 5
    weights = {"W[1]": g["W1"], "W[2]": g["W2"]}
    sim = build("pc", variants, weights, sizes=[4, 4, 4], h=0.05, T=400 * stored)
    traces = sim.run(
        "train",
        label=g[target][None],
        learn=False,
        record=["layer[0].x", "layer[1].x", "F"],
        initial={"layer[0].x": g["x0_init"][None], "layer[1].x": g["x1_init"][None]},
    )
    path = np.concatenate(
        [rows(traces, f"layer[{k}].x", "infer")[0, ::400] for k in (0, 1)], axis=1
    )
    assert_allclose(path, g[key][: stored + 1], **CLOSE)
    if whole and target == "x2":
        goal = np.concatenate([g["tp0"], g["tp1"]])
        assert_allclose(path[-1], goal, rtol=0, atol=1e-9)
        assert rows(traces, "F", "infer")[0, -1] < 1e-18
    elif whole:  # no x[0] predicts this target of layer 1 through tanh: F stays up
        assert_allclose(path[-1, 4:], g["tp1_tanh"], rtol=0, atol=1e-9)


def test_fixed_prediction_is_backpropagation(build, golden, rows):
    g = golden("pc/g07_fixed_prediction_bp")
    weights = {f"W[{k}]": g[f"W{k}"] for k in (1, 2, 3)}
    # the file averages over the batch; the stored updates are sums over 4 samples
    sim = build("pc", ["fixed_prediction"], weights, sizes=[6, 5, 4, 3], h=0.1, T=400, eta=4)
    errors = [f"layer[{k}].e" for k in (1, 2, 3)]
    traces = sim.run("train", image=g["x"], label=g["y"], learn=True, record=errors)
    e1, e2, e3 = (rows(traces, name, "infer") for name in errors)
    for step in (1, 2, 5, 20, 100, 400):
        assert_allclose(
            np.concatenate([e1[:, step], e2[:, step]], axis=1), g[f"eps12_step{step}"], **CLOSE
        )
    for k, e in ((1, e1), (2, e2), (3, e3)):
        assert_allclose(e[:, -1], g[f"eps{k}"], **CLOSE)
        assert_allclose(e[:, -1], g[f"bp_delta{k}"], **CLOSE)
        change = sim.weights[f"W[{k}]"] - weights[f"W[{k}]"]
        assert_allclose(change, g[f"dW{k}"], **CLOSE)
        assert_allclose(change, g[f"bp_g{k}"], **CLOSE)


def test_zero_divergence_inference_learning(build, golden, rows):
    g = golden("pc/g08_zil_mlp")
    weights = {f"W[{k}]": g[f"W{k}"] for k in (1, 2, 3)}
    errors = [f"layer[{k}].e" for k in (1, 2, 3)]
    sim = build("pc", ["zil"], weights, sizes=[6, 5, 4, 3], eta=4)
    traces = sim.run("train", image=g["x"], label=g["y"], learn=False, record=errors)
    found = np.concatenate([rows(traces, name, "infer")[:, :3] for name in errors], axis=2)
    assert_allclose(found.transpose(1, 0, 2), g["eps_hist"], **CLOSE)
    sim.run("train", image=g["x"], label=g["y"], learn=True, record=[])
    for k in (1, 2, 3):
        change = sim.weights[f"W[{k}]"] - weights[f"W[{k}]"]
        assert_allclose(change, g[f"dW{k}"], rtol=0, atol=1e-13)
        assert_allclose(change, g[f"bp_g{k}"], rtol=0, atol=1e-13)
