"""Universal Hopfield dynamics against stored arrays (g19) and their Lyapunov energy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

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
