"""Sequential inference learning and its MQ optimizer against stored arrays (g10, g11)."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

CLOSE = {"rtol": 1e-12, "atol": 1e-12}
SIZES = [6, 5, 4, 3]


def with_bias(g, matrix="W", bias="b", suffix=""):
    """The three weight arrays of a file with the bias as their last column."""
    return {
        f"W[{k + 1}]": np.column_stack([g[f"{matrix}{k}{suffix}"], g[f"{bias}{k}{suffix}"]])
        for k in range(3)
    }


@pytest.mark.parametrize(("suffix", "variants"), [("seq", []), ("sim", ["simultaneous"])])
def test_relaxation_and_updates(build, golden, rows, suffix, variants):
    g = golden("pc/g10_seqil")
    weights = with_bias(g)
    sim = build("seqil", variants, weights, sizes=SIZES, eta=1)
    record = [f"layer[{k}].h" for k in (1, 2, 3)] + ["layer[3].p"]
    traces = sim.run("train", image=g["x"], label=g["y"], learn=True, record=record)
    assert_allclose(rows(traces, "layer[3].p", "infer")[:, 0], g["h3_ff"], **CLOSE)
    for k in (1, 2, 3):
        path = rows(traces, f"layer[{k}].h", "infer")
        if k < 3:
            assert_allclose(path[:, 0], g[f"h{k}_ff"], **CLOSE)
        for t in (1, 2, 3):
            assert_allclose(path[:, t], g[f"h{k}_{suffix}_t{t}"], **CLOSE)
    for name, stored in with_bias(g, "G", "g", f"_{suffix}").items():
        assert_allclose(sim.weights[name] - weights[name], stored, **CLOSE)


@pytest.mark.parametrize("at_once", [False, True])
def test_mq(build, golden, at_once):
    g = golden("pc/g11_mq")
    sim = build(
        "seqil",
        ["mq"],
        with_bias(g),
        sizes=SIZES,
        alpha=float(g["alpha"]),
        alpha_min=float(g["alpha_min"]),
        r=float(g["r"]),
        rho=float(g["rho"]),
    )

    def check(stored):
        found = [sim.weights[f"W[{k}]"] for k in (1, 2, 3)]
        flat = [w[:, :-1].ravel() for w in found] + [w[:, -1] for w in found]
        assert_allclose(np.concatenate(flat), stored, **CLOSE)

    if at_once:
        sim.run(
            "train",
            image=g["X"].reshape(24, 6),
            label=g["Y"].reshape(24, 3),
            learn=True,
            batch=4,
            record=[],
        )
        check(g["params"][-1])
    else:
        for x, y, stored in zip(g["X"], g["Y"], g["params"], strict=True):
            sim.run("train", image=x, label=y, learn=True, record=[])
            check(stored)
