"""Variants of predictive coding and sequential inference without stored arrays: plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical

CLOSE = {"rtol": 0, "atol": 1e-13}
RNG = np.random.default_rng(1)
IMAGE, LABEL = RNG.uniform(size=(4, 5)), np.eye(3)[RNG.integers(3, size=4)]


def shown(name, variants, record, samples=4, **parameters):
    """Traces of a presentation, and the weights before and after."""
    circuit = apical.load(name, variants=variants, **parameters)
    sim = apical.Simulator(circuit, engine="numpy", seed=4)
    before = {key: np.array(array) for key, array in sim.weights.items()}
    streams = {"image": IMAGE[:samples], "label": LABEL[:samples]}
    traces = sim.run("train", streams=streams, learn=True, record=record).arrays
    return traces, before, {key: np.array(array) for key, array in sim.weights.items()}


def slope(u):
    return 1 - np.tanh(u) ** 2


def test_nudged_inference_and_what_it_teaches():
    sizes, nudge, h, eta = [5, 4, 3], 0.1, 0.2, 0.5
    given = {"sizes": sizes, "nudge": nudge, "h": h, "eta": eta, "T": 30}
    _, before, after = shown("pc", ["nudged"], [], **given)
    w1, w2 = before["W[1]"], before["W[2]"]
    u1 = IMAGE @ w1.T
    x1 = np.tanh(u1)
    x2 = np.tanh(x1 @ w2.T)
    for _ in range(30):
        u2 = x1 @ w2.T
        e1, e2 = x1 - np.tanh(u1), x2 - np.tanh(u2)
        x1 = x1 + h * (-e1 + (e2 * slope(u2)) @ w2)
        x2 = x2 + h * (-e2 + nudge * (LABEL - x2))
    u2 = x1 @ w2.T
    d1, d2 = (x1 - np.tanh(u1)) * slope(u1), (x2 - np.tanh(u2)) * slope(u2)
    assert_allclose(after["W[1]"] - w1, eta / nudge * d1.T @ IMAGE / 4, **CLOSE)
    assert_allclose(after["W[2]"] - w2, eta / nudge * d2.T @ x1 / 4, **CLOSE)


@pytest.mark.parametrize("nudge", [1e-2, 1e-3])
def test_a_small_nudge_teaches_the_gradient(nudge):
    """Off by the order of the nudge."""
    given = {"sizes": [5, 4, 3], "nudge": nudge, "h": 0.5, "eta": 1, "T": 80}
    _, before, after = shown("pc", ["nudged"], [], **given)
    w1, w2 = before["W[1]"], before["W[2]"]
    u1 = IMAGE @ w1.T
    u2 = np.tanh(u1) @ w2.T
    d2 = (LABEL - np.tanh(u2)) * slope(u2)
    d1 = d2 @ w2 * slope(u1)
    for name, d, below in (("W[1]", d1, IMAGE), ("W[2]", d2, np.tanh(u1))):
        gradient = d.T @ below / 4
        off = np.linalg.norm(after[name] - before[name] - gradient) / np.linalg.norm(gradient)
        assert nudge / 20 < off < 5 * nudge


def test_a_soft_clamp_is_a_precision_of_the_output():
    """x = (I + q W2'W2)^-1 (W1 image + q W2' label), q = beta/(1 + beta); e = q (label - W2 x)."""
    given = {"sizes": [5, 4, 3], "beta": 3, "h": 0.3, "T": 200, "eta": 0.1}
    record = ["layer[1].x", "layer[2].e"]
    traces, before, after = shown("pc", ["linear", "soft_clamp"], record, **given)
    w1, w2, q = before["W[1]"], before["W[2]"], 3 / 4
    x = np.linalg.solve(np.eye(4) + q * w2.T @ w2, (IMAGE @ w1.T + q * LABEL @ w2).T).T
    e = q * (LABEL - x @ w2.T)
    assert_allclose(traces["layer[1].x"][0, :, -1], x, **CLOSE)
    assert_allclose(traces["layer[2].e"][0, :, -1], e, **CLOSE)
    assert_allclose(after["W[2]"] - w2, 0.1 * e.T @ x / 4, **CLOSE)


def test_the_label_does_not_leak_into_a_soft_clamped_prediction():
    sim = apical.Simulator(apical.load("pc", variants="soft_clamp", sizes=[5, 4, 3]), "numpy")
    found = sim.predict({"image": IMAGE, "label": LABEL})["label"]
    w1, w2 = sim.weights["W[1]"], sim.weights["W[2]"]
    assert_allclose(found, np.tanh(np.tanh(IMAGE @ w1.T) @ w2.T), **CLOSE)


def relaxed(w, gamma, steps, beta=100):
    """Sequential inference with a constant step, W f(h) + b: h of the hidden layers, e of all."""

    def below(k):
        r = IMAGE if k == 1 else np.maximum(h[k - 1], 0)
        return np.column_stack([r, np.ones(4)])

    def error(k):
        p = below(k) @ w[f"W[{k}]"].T
        if k < 3:
            return h[k] - p
        share = np.exp(p) / np.exp(p).sum(axis=1, keepdims=True)
        return (beta * LABEL + share) / (1 + beta) - share

    h = {}
    for k in (1, 2):
        h[k] = below(k) @ w[f"W[{k}]"].T
    for _ in range(steps):
        for k in (2, 1):
            back = error(k + 1) @ w[f"W[{k + 1}]"][:, :-1]
            h[k] = h[k] + gamma * ((h[k] > 0) * back - error(k))
    return h, {k: error(k) for k in (1, 2, 3)}, {k: below(k) for k in (1, 2, 3)}


@pytest.mark.parametrize("variant", ["constant_step", "prox"])
def test_sequential_inference(variant):
    """`prox` divides what a synapse learns by what its cell hears, the bias included."""
    given = {"sizes": [5, 4, 4, 3], "gamma": 0.1, "T": 3, "eta": 0.7}
    variants = ["constant_step"] if variant == "constant_step" else ["constant_step", "prox"]
    traces, before, after = shown("seqil", variants, ["layer[1].h", "layer[2].h"], **given)
    h, e, below = relaxed(before, 0.1, 3)
    for k in (1, 2):
        assert_allclose(traces[f"layer[{k}].h"][0, :, -1], h[k], **CLOSE)
    for k in (1, 2, 3):
        sent = below[k] / (below[k] ** 2).sum(axis=1, keepdims=True)
        sent = sent if variant == "prox" else below[k]
        change = 0.7 * e[k].T @ sent / 4
        assert_allclose(after[f"W[{k}]"] - before[f"W[{k}]"], change, **CLOSE)
