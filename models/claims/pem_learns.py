"""Source separation sample by sample: that three files are their equations, as claims.

Sources: Predictive Entropy Maximization 2026; Erdogan & Pehlevan 2020 (bounded similarity
matching); Pehlevan, Mohan & Chklovskii 2017 (nonnegative similarity matching).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..pem import objective
from .claim import Claim
from .pem_equations import SETTINGS, fresh, learn, settle
from .presentation import apart, present, simulator, worst


def learns(variants: tuple[str, ...], seed: int) -> float:
    """How far six presentations are from the equations: y at each step, all that is learnt."""
    setting, rng = SETTINGS[variants], np.random.default_rng(seed)
    n = 3 if setting.domain == "mixed" else 5
    w = np.eye(n, 10) + 0.1 * rng.normal(size=(n, 10))
    mixture = rng.normal(size=(6, 10)) / 3
    sim = simulator("pem", variants, weights={"W": w})
    done = present(sim, {"mixture": mixture}, ["y.y"], batch=1)
    net, pairs = fresh(setting, w), []
    for i, x in enumerate(mixture):
        path = settle(setting, net, x)
        pairs.append((done.path("y.y")[i], path))
        net = learn(setting, net, x, path[np.isfinite(path).all(axis=1)][-1], i)
    pairs.append((done.weight("W"), net.w))
    if setting.kind == "correlation":
        return worst([*pairs, (done.weight("B"), net.c)])
    c = done.weight("C")
    pairs.append((c - np.diag(np.diag(c)), net.c))
    return worst([*pairs, (done.slow("y.mu"), net.mu), (done.slow("y.var"), net.var)])


def late(seed: int) -> float:
    """How far the rate of W is from eta/(i/div + 1), at least 1e-8, at presentation 9."""
    rng, off = np.random.default_rng(seed), 0.0
    for eta, rate in ((0.05, 0.05 / (9 / 2 + 1)), (1e-9, 1e-8)):
        sim = simulator("pem", T=1, div=2, eta_W=eta)
        present(sim, {"mixture": np.zeros((9, 10))}, batch=1)
        w, x = np.array(sim.weights["W"]), rng.normal(size=(1, 10))
        y = present(sim, {"mixture": x}, ["y.y"], batch=1).path("y.y")[0, 1]
        change = (np.array(sim.weights["W"]) - w) / rate
        off = max(off, apart(change, np.outer(y - w @ x[0], x[0])))
    return off


def predicts(seed: int) -> float:
    """How far `predict` is from the linear map W x."""
    rng = np.random.default_rng(seed)
    w, x = rng.normal(size=(5, 10)), rng.normal(size=(4, 10))
    found = simulator("pem", weights={"W": w}).predict({"mixture": x})["source"]
    return apart(np.reshape(found, (4, 5)), x @ w.T)


STARTS = {
    (): (1.0, 0.01),
    ("nonnegative",): (0.01, 1 / 15),
    ("sparse", "nonnegative_sparse"): (0.01, 1 / 15),
    ("nonnegative", "photographs"): (1.0, 0.1),
}


def starts(seed: int) -> float:
    """How far first W are from a multiple of I and normal noise: deviation and mean, relative."""
    off = []
    for variants, (diagonal, noise) in STARTS.items():
        w = simulator("pem", variants, seed=seed, n=60, m=120).weights["W"]
        rest = (np.array(w) - diagonal * np.eye(60, 120)) / noise
        off += [abs(np.std(rest) - 1), abs(np.mean(rest))]
        off.append(abs(np.mean(np.diag(rest))) / 4)
    return float(max(off))


def objective_falls(seed: int) -> float:
    """The largest rise of J in a step of h = 1e-5 with the gradient that is not truncated, C held.

    J is -2 lam (1 - lam) times what the full gradient descends: of one sample to first order.
    """
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(5, 40))
    c = a @ a.T / 40
    w, x, eps, s = np.eye(5, 10), rng.normal(size=(1, 10)) / 3, 1e-2, 1e-4
    sim = simulator(
        "pem", ["full_gradient"], weights={"W": w, "C": c - np.diag(np.diag(c))},
        slow={"y.var": np.diag(c).copy(), "y.mu": np.zeros(5)},
        eps=eps, h0=1e-4, h_stop=1e-4, T=60, gamma=20, tol=0,
    )  # fmt: skip
    path = present(sim, {"mixture": x}, ["y.y"], learn=False, batch=1).path("y.y")[0]

    def total(y: np.ndarray) -> float:
        entropy = objective(c + s * np.outer(y, y), eps, 0.0, np.zeros(5))["total"] / (2 * s)
        return entropy + 10 * float(np.sum((y - w @ x[0]) ** 2))

    return float(np.diff([total(y) for y in path]).max())


# --- similarity matching ---


def bounded(variants: tuple[str, ...], seed: int) -> float:
    """How far six presentations of `bsm` are from its equations: u, W, M, m, D."""
    rng, n = np.random.default_rng(seed), 5
    w, m_off = rng.normal(size=(n, n)) / 3, rng.normal(size=(n, n)) / 9
    np.fill_diagonal(m_off, 0)
    own, gain, g2 = np.full(n, 0.02), np.ones(n), 0.9997**2
    mixture = rng.normal(size=(6, n))
    sim = simulator("bsm", variants, weights={"W": w, "M": m_off})
    done = present(sim, {"mixture": mixture}, ["y.u", "y.y"], batch=1)
    pairs: list[Any] = []
    for i, x in enumerate(mixture):
        u, y, path = np.zeros(n), np.zeros(n), [np.zeros(n)]
        for _ in range(250):
            before = u
            u = u + 0.2 * (-u + w @ x - m_off @ (gain * y))
            y = np.clip(u / (own * gain), 0 if variants else -1, 1)
            path.append(u)
            if np.linalg.norm(u - before) < 1e-6 * np.linalg.norm(u):
                break
        pairs.append((done.path("y.u")[i][: len(path)], np.stack(path)))
        pairs.append((np.isfinite(done.path("y.u")[i]).all(1).sum(), len(path)))
        w = g2 * w + (1 - g2) * np.outer(y, x)
        m_off = g2 * m_off + (1 - g2) * (np.outer(y, y) - np.diag(y**2))
        own = g2 * own + (1 - g2) * y**2
        weighed = (m_off**2) @ gain + own**2 * gain
        gain = (1 - 1e-7) * gain + 1e-3 * ((w**2).sum(1) - weighed)
    m = done.weight("M")
    pairs += [(done.weight("W"), w), (m - np.diag(np.diag(m)), m_off)]
    return worst([*pairs, (done.slow("y.m"), own), (done.slow("y.D"), gain)])


def nonnegative(seed: int) -> float:
    """How far six presentations of `nsm` are from its equations: y, W, M, D."""
    rng, n = np.random.default_rng(seed), 5
    w, m = rng.normal(size=(n, n)) / 2, rng.uniform(size=(n, n)) / 9
    np.fill_diagonal(m, 0)
    d, mixture = np.full(n, 100.0), rng.normal(size=(6, n)) * 20
    sim = simulator("nsm", weights={"W": w, "M": m})
    done = present(sim, {"mixture": mixture}, ["y.y"], batch=1)
    pairs: list[Any] = []
    for i, x in enumerate(mixture):
        y, path = np.zeros(n), [np.zeros(n)]
        for _ in range(250):
            before = y
            y = np.maximum(y + 0.2 * (w @ x - m @ y - y), 0)
            path.append(y)
            if np.linalg.norm(y - before) < 1e-6 * np.linalg.norm(y):
                break
        pairs.append((done.path("y.y")[i][: len(path)], np.stack(path)))
        d = np.minimum(0.94 * d + y**2, 3000)
        w = w + (np.outer(y, x) - w * (y**2)[:, None]) / d[:, None]
        m = m + (np.outer(y, y) - m * (y**2)[:, None]) / d[:, None]
        np.fill_diagonal(m, 0)
    found = done.weight("M")
    pairs += [(done.weight("W"), w), (found - np.diag(np.diag(found)), m)]
    return worst([*pairs, (done.slow("y.D"), d)])


def similarity_starts(name: str, deviation: float, seed: int) -> float:
    """How far the first W are from normal numbers of this deviation times sqrt(n_pre); M from 0."""
    sim = simulator(name, seed=seed, n=60, m_x=100)
    w = np.array(sim.weights["W"]) * 10 / deviation
    predicted = simulator(name, seed=seed)
    x = np.random.default_rng(seed).normal(size=(2, 5))
    done = present(predicted, {"mixture": x}, ["y.y"], "predict", learn=False, batch=1)
    last = [row[np.isfinite(row).all(1)][-1] for row in done.path("y.y")]
    same = predicted.predict({"mixture": x})["source"]
    off = apart(np.reshape(same, (2, 5)), np.stack(last))
    m = float(np.abs(np.nan_to_num(sim.weights["M"])).max())
    return float(max(abs(np.std(w) - 1), abs(np.mean(w)))) + m + off


EQUATIONS = "the file's equations, published constants"
ROWS = {
    (): (78, 79, 80, 83),
    ("nonnegative",): (81,),
    ("sparse",): (81,),
    ("sparse", "simplex"): (81,),
    ("sparse", "nonnegative_sparse"): (81,),
    ("mixed",): (82,),
    ("unnormalised",): (84,),
    ("correlation",): (89,),
    ("full_gradient",): (93,),
}
CLAIMS = (
    *(
        Claim(
            "-".join(("pem.learns", *variants)), EQUATIONS,
            "six presentations in plain numpy: y at each step, W, C, mu, var, to 1e-8",
            partial(learns, variants), tolerance=1e-8, rows=ROWS.get(variants, (81,)),
        )
        for variants in SETTINGS
    ),
    Claim(
        "pem.late", EQUATIONS, "the rate of W at presentation 9 (div 2), and its floor", late,
        tolerance=1e-6,
        rows=(157,),
    ),
    Claim(
        "pem.predicts", EQUATIONS, "`predict` is the linear map W x", predicts, tolerance=1e-12,
        rows=(91, 155),
    ),
    Claim(
        "pem.starts", EQUATIONS, "first W: a multiple of I and normal noise, to .05",
        starts, tolerance=0.05,
    ),
    Claim(
        "pem.objective-falls", "objective",
        "largest rise of J in small steps along the full gradient",
        objective_falls, 1e-9, kind="at most", rows=(85,),
    ),
    *(
        Claim(
            "-".join(("bsm.learns", *variants)), EQUATIONS,
            "six presentations in plain numpy: u at each step, W, M, m, D, to 1e-10",
            partial(bounded, variants), tolerance=1e-10, rows=(89,),
        )
        for variants in ((), ("nonnegative",))
    ),
    Claim(
        "bsm.starts", EQUATIONS, "first W normal of deviation .0033/sqrt(n_pre), M 0, to .05",
        partial(similarity_starts, "bsm", 0.0033), tolerance=0.05, rows=(89,),
    ),
    Claim(
        "nsm.learns", EQUATIONS,
        "six presentations in plain numpy: y at each step, W, M, D, to 1e-9",
        nonnegative, tolerance=1e-9, rows=(89, 150),
    ),
    Claim(
        "nsm.starts", EQUATIONS, "first W normal of deviation 1/sqrt(n_pre), M 0, to .05",
        partial(similarity_starts, "nsm", 1.0), tolerance=0.05, rows=(89,),
    ),
)  # fmt: skip
