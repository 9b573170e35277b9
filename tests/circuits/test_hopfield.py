"""Universal Hopfield dynamics against stored arrays (g19) and their Lyapunov energy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical

CLOSE = {"rtol": 1e-11, "atol": 1e-12}


@pytest.mark.parametrize("similarity", ["dot", "euclid", "manhattan"])
def test_two_populations(build, golden, rows, similarity):
    g = golden("pc/g19_hopfield")
    variants = [] if similarity == "dot" else [similarity]
    sim = build("hopfield", variants, {"store": g["X"]}, beta=float(g["beta"]))
    record = ["features.v", "memories.h", "E"]
    traces = sim.run("predict", query=g["q_noisy"][None], learn=False, record=record)
    assert_allclose(rows(traces, "features.v")[0, ::50], g[f"dyn_v_{similarity}"], **CLOSE)
    assert_allclose(rows(traces, "memories.h")[0, ::50], g[f"dyn_h_{similarity}"], **CLOSE)
    energy = rows(traces, "E")[0]
    assert_allclose(energy[::50], g[f"dyn_E_{similarity}"], **CLOSE)
    if similarity != "manhattan":  # sign() jumps there
        assert np.diff(energy).max() <= 1e-12


def test_one_step_is_attention(build, golden, rows):
    g = golden("pc/g19_hopfield")
    sim = build("hopfield", ["mchn"], {"store": g["X"]}, beta=float(g["beta"]))
    queries = np.stack([g["q_noisy"], g["q_masked"]])
    traces = sim.run("predict", query=queries, learn=False, record=["features.v"])
    path = rows(traces, "features.v")
    assert_allclose(path[0], g["mchn_iter"], **CLOSE)
    scores = g["beta"] * queries @ g["X"].T
    weight = np.exp(scores - scores.max(1, keepdims=True))
    attention = weight / weight.sum(1, keepdims=True) @ g["X"]
    assert_allclose(path[:, 1], attention, **CLOSE)


def retrieved(variant, patterns, queries):
    """v and E, (sample, step, ...), before each step of five."""
    count, d = patterns.shape
    circuit = apical.load("hopfield", variants=[variant], M=count, d=d)
    sim = apical.Simulator(circuit, engine="numpy")
    sim.weights["store"] = patterns
    traces = sim.run("predict", query=queries, record=["features.v", "E"]).arrays
    return traces["features.v"][0], traces["E"][0]


def test_the_classical_network(golden):
    """Signs of W v, without the diagonal of W; E = -v W v/2."""
    g = golden("pc/g19_hopfield")
    patterns, w = g["classic_P"], g["classic_W"]
    queries = np.random.default_rng(0).choice([-1.0, 1.0], size=(20, 32))
    queries[0] = patterns[1]
    queries[0, :6] *= -1
    v, energy = retrieved("classical", patterns, queries)
    assert_allclose(energy, -np.einsum("sti,ij,stj->st", v, w, v) / 2, rtol=0, atol=1e-12)
    assert_allclose(v[:, 1:], np.sign(v[:, :-1] @ w), rtol=0, atol=0)
    assert_allclose(v[0, -1], patterns[1], rtol=0, atol=0)


def test_the_dense_network_descends_its_energy():
    """v := sign(-dE/dv), E = -sum max(M v, 0)^3 / (3 d^2); it keeps as many images as cells."""
    rng = np.random.default_rng(1)
    patterns = rng.choice([-1.0, 1.0], size=(24, 24))
    query = patterns[3].copy()
    query[:2] *= -1
    (v,), (energy,) = retrieved("dense", patterns, query[None])
    for before, after, e in zip(v[:-1], v[1:], energy, strict=False):
        fits = np.maximum(patterns @ before, 0)
        assert_allclose(e, -np.sum(fits**3) / (3 * 24**2), rtol=1e-12)
        assert_allclose(after, np.sign(patterns.T @ fits**2), rtol=0, atol=0)
    assert_allclose(v[-1], patterns[3], rtol=0, atol=0)
    assert np.all(np.diff(energy) <= 1e-12)
