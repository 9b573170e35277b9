"""Predictive entropy maximization against the official program's streams of 600 samples."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

CLOSE = {"rtol": 1e-9, "atol": 1e-10}
VARIANTS = {
    "pem_antisparse": [],
    "pem_sparse": ["sparse"],
    "pem_simplex": ["sparse", "simplex", "log_rate"],
    "upem_antisparse": ["unnormalised"],
    "corinfomaxbss_antisparse": ["correlation", "log_rate"],
    "corinfomaxbss_sparse": ["sparse", "correlation", "log_rate"],
}


def constants(p):
    """The stored constants under the circuit's names."""
    names = {
        "lam": "lambda_lateral",
        "gamma": "gamma_predictive",
        "eta_W": "lr_W",
        "div": "lr_W_decay_divider",
        "h0": "neural_lr_start",
        "h_stop": "neural_lr_stop",
        "T": "neural_dynamics_iterations",
        "tol": "neural_OUTPUT_COMP_TOL",
        "eps": "epsilon",
        "eta_q": "stlambda_lr",
        "gamma_lat": "gamma_lateral",
    }
    found = {name: p[key] for name, key in names.items() if key in p}
    if "eps" in found and p["domain"] == "antisparse":
        found["eps"] += 1e-6  # the program adds this inside the box domains
    return found


def start(build, g, variants, p, **more):
    weights = {"W": g["W_init"]}
    slow = {}
    if "B_y_init" in g:
        weights["B"] = g["B_y_init"]
    else:
        c = g["C_y_init"]
        weights["C"] = c - np.diag(np.diag(c))
        slow = {"y.var": np.diag(c).copy(), "y.mu": g["mu_y_init"]}
    return build("pem", variants, weights, slow, n=5, m=10, **constants(p), **more)


def finite(path):
    """The rows that a sample took; those after its stop are NaN."""
    return path[np.isfinite(path).all(axis=1)]


@pytest.mark.parametrize("name", VARIANTS)
def test_stream(build, golden, rows, engine, whole, name):
    g = golden(f"corinfomax_pem/{name}")
    p = json.loads(str(g["params_json"]))
    sim = start(build, g, VARIANTS[name], p)
    done = 0
    for index, stop in enumerate(g["snapshot_steps"]):
        if not whole and stop > (10 if "sparse" in VARIANTS[name] else 100):
            break
        traces = sim.run("train", mixture=g["X"].T[done:stop], learn=True, batch=1, record=["y.y"])
        paths = rows(traces, "y.y", "settle")
        for sample in range(stop - done):
            path = finite(paths[sample])
            assert_allclose(path[-1], g["y"][done + sample], **CLOSE)
            key = f"relax_y_sample{done + sample}"
            if key in g:
                relaxed = g[key]
                if p["domain"] == "antisparse":
                    relaxed = relaxed[:-1]  # the last row repeats the settled y
                assert len(path) - 1 == len(relaxed), "another number of iterations"
                assert_allclose(path[1:], relaxed, **CLOSE)
        done = int(stop)
        assert_allclose(sim.weights["W"], g["W_snap"][index], **CLOSE)
        if "B_y_snap" in g:
            assert_allclose(sim.weights["B"], g["B_y_snap"][index], **CLOSE)
            continue
        stored = g["C_y_snap"][index]
        off = np.array(sim.weights["C"])
        np.fill_diagonal(off, 0)
        assert_allclose(off, stored - np.diag(np.diag(stored)), **CLOSE)
        assert_allclose(np.reshape(sim.slow["y.var"], -1), np.diag(stored), **CLOSE)
        assert_allclose(np.reshape(sim.slow["y.mu"], -1), g["mu_y_snap"][index], **CLOSE)


def settle(x, w, c, mu, eps, gamma, h0, h_stop, steps, tol, domain, eta_q):
    """The program's loop for one sample, from the equations of section 2.2 of its description."""
    d = np.diag(c) + eps
    o = c - np.diag(np.diag(c))
    y, q, p = np.zeros(len(w)), 0.0, w @ x
    for j in range(steps):
        before, centred = y, y - mu
        h = max(h0 / (j + 1), h_stop)
        y = y - h * (gamma * (y - p) + (o @ (centred / d) - centred) / d)
        if domain == "nonnegative":
            y = np.clip(y, 0, 1)
        else:
            y = np.minimum(np.maximum(y - q, 0), 5)
            q = max(q + eta_q * (y.sum() - 1), 0)
        if np.linalg.norm(y - before) < tol * np.linalg.norm(y):
            break
    return y


@pytest.mark.parametrize("domain", ["nonnegative", "nonnegative_sparse"])
def test_nonnegative_domains(build, domain):
    rng = np.random.default_rng(3)
    mixture = rng.normal(size=(12, 10)) / 3
    w, c, mu = np.eye(5, 10) + 0.1 * rng.normal(size=(5, 10)), 2 * np.eye(5), np.zeros(5)
    lam, eta = 0.95, 0.05
    settings = {"eps": 1e-4, "gamma": 75.0, "h0": 0.05, "h_stop": 1e-4, "tol": 1e-6}
    variants = ["nonnegative"] if domain == "nonnegative" else ["sparse", "nonnegative_sparse"]
    more = {} if domain == "nonnegative" else {"eta_q": 0.5}
    sim = build(
        "pem",
        variants,
        {"W": w, "C": np.zeros((5, 5))},
        {"y.var": np.full(5, 2.0), "y.mu": mu},
        n=5,
        m=10,
        lam=lam,
        T=100,
        eta_W=eta,
        div=5000,
        **settings,
        **more,
    )
    sim.run("train", mixture=mixture, learn=True, batch=1, record=[])
    for i, x in enumerate(mixture):
        y = settle(x, w, c, mu, steps=100, domain=domain, eta_q=0.5, **settings)
        w = w + max(eta / (i / 5000 + 1), 1e-8) * np.outer(y - w @ x, x)
        mu = lam * mu + (1 - lam) * y
        c = lam * c + (1 - lam) * np.outer(y - mu, y - mu)
    assert_allclose(sim.weights["W"], w, **CLOSE)
    assert_allclose(np.reshape(sim.slow["y.var"], -1), np.diag(c), **CLOSE)
    off = np.array(sim.weights["C"])
    np.fill_diagonal(off, 0)
    assert_allclose(off, c - np.diag(np.diag(c)), **CLOSE)


def soft(y, q, signed):
    """One threshold: two-sided where signed, else one-sided."""
    return np.where(signed, np.sign(y) * np.maximum(np.abs(y) - q, 0), np.maximum(y - q, 0))


def test_mixed_polytope(build):
    """Two overlapping l1 balls, a transcription of the program's loop for one sample at a time."""
    rng = np.random.default_rng(4)
    mixture, w = rng.normal(size=(3, 6)), rng.normal(size=(3, 6)) / 2
    signed, groups = np.array([1, 1, 0], bool), (np.array([0, 1]), np.array([1, 2]))
    c = 0.2 * np.eye(3)
    eps, gamma, eta_q, h0, steps = 1e-3, 40.0, 0.3, 0.02, 40
    sim = build(
        "pem",
        ["mixed"],
        {"W": w},
        n=3,
        m=6,
        eps=eps,
        gamma=gamma,
        h0=h0,
        T=steps,
        tol=0,
        eta_q=eta_q,
    )
    from_traces = sim.run("train", mixture=mixture, batch=1, record=["y.y"]).dataset["y.y"].values
    active = []
    for sample, x in enumerate(mixture):
        y, q = np.zeros(3), [0.0, 0.0]
        for j in range(steps):
            d = np.diag(c) + eps
            y = y - max(h0 / (j + 1), 1e-6) * (gamma * (y - w @ x) - y / d)
            for l1, group in enumerate(groups):
                y[group] = soft(y[group], q[l1], signed[group])
                q[l1] = max(q[l1] + eta_q * (np.abs(y[group]).sum() - 1), 0)
            y = np.where(signed, np.clip(y, -1, 1), np.clip(y, 0, 1))
        active.append(max(q))
        assert_allclose(from_traces[0, sample, -1], y, **CLOSE)
    assert max(active) > 0


def test_full_gradient(build, rows):
    """One step from a given y: the truncated step and the term that is not local."""
    from apical.models.pem import gradient

    a = np.random.default_rng(6).normal(size=(3, 9))
    c, mu = a @ a.T / 9, np.array([0.1, -0.2, 0.0])
    w, x, h, gamma, eps = 0.1 * a[:, :4], np.ones((1, 4)), 1e-3, 5.0, 1e-5
    ends = []
    for variants in ([], ["full_gradient"]):
        sim = build(
            "pem",
            variants,
            {"W": w, "C": c - np.diag(np.diag(c))},
            {"y.var": np.diag(c).copy(), "y.mu": mu},
            n=3,
            m=4,
            T=1,
            h0=h,
            gamma=gamma,
            eps=eps,
        )
        # y starts at 0, so ybar = -mu
        traces = sim.run("train", mixture=x, record=["y.y"])
        ends.append(rows(traces, "y.y")[0, -1])
    for end, full in zip(ends, (False, True), strict=True):
        step = gamma * (0 - w @ x[0]) + gradient(c, eps, -mu, full=full)
        assert_allclose(end, -h * step, rtol=1e-10)
