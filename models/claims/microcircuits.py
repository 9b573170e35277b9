"""Dendritic microcircuits and rate models: that the files are their equations, as claims.

Sources: Sacramento, Costa, Bengio & Senn 2018; Urbanczik & Senn 2014; Ben-Yishai, Bar-Or &
Sompolinsky 1995. Steps are Euler's, all from the old state, where the file does not say more.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .claim import Claim
from .presentation import apart, present, simulator, spread, worst


def phi(u: np.ndarray) -> np.ndarray:
    """The logistic function."""
    return 1 / (1 + np.exp(-u))


# --- Sacramento et al. ---

LEAK, BASAL, APICAL, DENDRITE, TEACHER = 0.1, 1.0, 0.8, 1.0, 0.8
PERIOD = np.array([97.0, 131.0, 173.0])


def _sacramento(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    shapes = {"W[1]": (4, 3), "W[2]": (2, 4), "feedback[1]": (4, 2)}
    shapes |= {"W_IP[1]": (2, 4), "W_PI[1]": (4, 2)}
    return {name: rng.uniform(-1, 1, shape) for name, shape in shapes.items()}


def sacramento(teach: float, seed: int) -> float:
    """How far 30 ms of `train` are from eqs. 1-9: potentials, and weights of the interneurons."""
    w, target = _sacramento(seed), np.array([[0.4, -0.3]])
    sim = simulator("sacramento", weights=w, duration=30, teach=teach)
    names = ("layer[1].u", "sst[1].u", "layer[2].u")
    done = present(sim, {"target": target}, names)
    u1, ui, u2 = np.zeros(4), np.zeros(2), np.zeros(2)
    m_ip, m_pi, path = np.zeros((2, 4)), np.zeros((4, 2)), [(u1, ui, u2)]
    w = dict(w)
    for step in range(300):
        r0, r1, ri, r2 = np.sin(2 * np.pi * step * 0.1 / PERIOD), phi(u1), phi(ui), phi(u2)
        v_d = w["W_IP[1]"] @ r1
        v_a = w["feedback[1]"] @ r2 + w["W_PI[1]"] @ ri
        d1 = -LEAK * u1 + BASAL * (w["W[1]"] @ r0 - u1) + APICAL * (v_a - u1)
        di = -LEAK * ui + DENDRITE * (v_d - ui) + TEACHER * (u2 - ui)
        d2 = -LEAK * u2 + BASAL * (w["W[2]"] @ r1 - u2) + teach * TEACHER * (target[0] - u2)
        hat = phi(DENDRITE / (LEAK + DENDRITE) * v_d)
        d_ip = (-m_ip + np.outer(ri - hat, r1)) / 30
        d_pi = (-m_pi - np.outer(v_a, ri)) / 30
        w["W_IP[1]"] = w["W_IP[1]"] + 0.1 * 0.1 * m_ip
        w["W_PI[1]"] = w["W_PI[1]"] + 0.1 * 0.03 * m_pi
        m_ip, m_pi = m_ip + 0.1 * d_ip, m_pi + 0.1 * d_pi
        u1, ui, u2 = u1 + 0.1 * d1, ui + 0.1 * di, u2 + 0.1 * d2
        path.append((u1, ui, u2))
    columns = [np.stack(column) for column in zip(*path, strict=True)]
    pairs = [(done.path(n)[0], column) for n, column in zip(names, columns, strict=True)]
    return worst([*pairs, *((done.weight(n), a) for n, a in w.items())])


def _settled(lam: float | None, seed: int) -> tuple[Any, dict[str, Any], np.ndarray]:
    """The self-predicting circuit with a constant input; `lam` is the teacher's share, or None."""
    rng = np.random.default_rng(seed)
    w = _sacramento(seed)
    r0 = rng.uniform(-0.8, 0.8, 3)
    w["feedback[1]"] = w["W[2]"].T
    w["W_IP[1]"] = w["W[2]"] * BASAL / (LEAK + BASAL) * (LEAK + DENDRITE) / DENDRITE
    w["W_PI[1]"] = -w["feedback[1]"]
    share = TEACHER if lam is None else 1.1 * lam / (1 - lam)
    settings: dict[str, Any] = {"period": [1e18] * 3, "psi": np.arcsin(r0).tolist(), "h": 0.4}
    settings |= {"duration": 60, "g_som": share, "g_A": APICAL if lam is None else share}
    sim = simulator("sacramento", weights=w, teach=0 if lam is None else 1, **settings)
    pulled = LEAK + BASAL + (0 if lam is None else share)
    hidden = phi(BASAL / pulled * w["W[1]"] @ r0)
    output = BASAL / (LEAK + BASAL) * w["W[2]"] @ hidden
    target = output + np.array([0.3, -0.2])
    names = ("layer[1].u", "layer[1].v_A", "layer[1].v_B", "sst[1].u", "layer[2].u")
    done = present(sim, {"target": target[None]}, names, learn=False)
    return done, w, output


def self_prediction(seed: int) -> float:
    """The largest apical potential of a circuit that predicts itself, without a teacher."""
    done, _, _ = _settled(None, seed)
    return float(np.abs(done.end("layer[1].v_A")).max())


def self_predicting(seed: int) -> float:
    """How far `self_predicting` starts from W_PI = -feedback and W_IP = W[2] with its factor."""
    w = simulator("sacramento", ["self_predicting"], seed=seed).weights
    factor = BASAL / (LEAK + BASAL) * (LEAK + DENDRITE) / DENDRITE
    return worst([(w["W_PI[1]"], -w["feedback[1]"]), (w["W_IP[1]"], factor * w["W[2]"])])


def backpropagation_order(seed: int) -> float:
    """(phi(u) - phi(v_hat)) r0^T / lambda^2 goes to backpropagation's step; the order in lambda."""
    shares, off = (1e-2, 3e-3, 1e-3), []
    for lam in shares:
        done, w, output = _settled(lam, seed)
        v_hat = BASAL / (LEAK + BASAL + 1.1 * lam / (1 - lam)) * done.end("layer[1].v_B")[0]
        found = (phi(done.end("layer[1].u")[0]) - phi(v_hat)) / lam**2
        slope = [phi(a) * (1 - phi(a)) for a in (v_hat, output)]
        exact = slope[0] * (w["W[2]"].T @ (slope[1] * np.array([0.3, -0.2])))
        off.append(np.linalg.norm(found - exact) / np.linalg.norm(exact))
    return float(np.polyfit(np.log(shares), np.log(off), 1)[0])


# --- Urbanczik and Senn ---


def urbanczik_senn(seed: int) -> float:
    """How far 40 ms of `train` are from the equations: U, V, weights."""
    rng = np.random.default_rng(seed)
    w, turn = rng.uniform(-1, 1, 8), rng.uniform(0, 6, 8)
    sim = simulator("urbanczik_senn", weights={"W": w[None]}, phase=turn.tolist(), duration=40)
    done = present(sim, {}, ["y.U", "y.V"])
    s, p, u, m, path = np.zeros(8), np.zeros(8), 0.0, np.zeros(8), []
    harmonics = np.array([1, 1, 1, 2, 2, 2, 3, 3])

    def rate(a: float) -> float:
        return 0.15 / (1 + 0.5 * np.exp(5 * (1 - a)))

    for step in range(401):
        t, v = 0.1 * step, float(w @ p)
        path.append((u, v))
        star = 2 / 2.1 * v
        hazard = 5 / (1 + np.exp(-5 * (1 - star)) / 0.5)
        x = (1 + np.sin(2 * np.pi * harmonics * t / 200 + turn)) / 2
        g_e = 0.18 + 0.16 * np.sin(4 * np.pi * t / 200)
        du = -0.1 * u + 2 * (v - u) + g_e * (14 / 3 - u) + 0.6 * (-1 / 3 - u)
        dm = (-m + (rate(u) - rate(star)) * hazard * p) / 100
        moved = (s + 0.1 * (x - s) / 3, p + 0.1 * (s - p) / 10)
        if step < 400:
            w = w + 0.1 * 0.1 * m
            (s, p), u, m = moved, u + 0.1 * du, m + 0.1 * dm
    found = np.stack([done.path(n)[0, :, 0] for n in ("y.U", "y.V")], axis=1)
    return max(apart(found, np.array(path)), apart(np.ravel(sim.weights["W"]), w))


# --- one cell, and a ring of them ---


def neuron(seed: int) -> float:
    """Exponential Euler follows the closed form of the nudged cell over its 8 ms."""
    done = present(simulator("neuron", seed=seed), {}, ["neuron.u", "neuron.r"], learn=False)
    g_e, g_i = 0.8 * 1.35 / 2, 0.8 * 0.65 / 2
    total = 0.1 + 1 + 0.8 + g_e + g_i
    rest = (0.7 - 0.8 * 0.25 + g_e - g_i) / total
    expected = rest + (-0.2 - rest) * np.exp(-total * 0.05 * np.arange(161))
    found = done.path("neuron.u")[0, :, 0]
    return max(apart(found, expected), apart(done.path("neuron.r")[0, :, 0], phi(expected)))


def neuron_learns(seed: int) -> float:
    """`learning`: how far 8 ms are from dw/dt = eta (u - v_hat) x in the same steps."""
    sim = simulator("neuron", ["learning"], seed=seed)
    done = present(sim, {}, ["neuron.u"])
    g_e, g_i, w, u, path = 0.8 * 1.35 / 2, 0.8 * 0.65 / 2, 1.0, -0.2, [-0.2]
    total = 1.9 + g_e + g_i
    for _ in range(160):
        rest = (0.7 * w - 0.8 * 0.25 + g_e - g_i) / total
        dw = 0.05 * (u - 0.7 * w / 1.9) * 0.7
        u, w = rest + (u - rest) * np.exp(-total * 0.05), w + 0.05 * dw
        path.append(u)
    learnt = np.ravel(done.weight("W_B"))
    return max(apart(done.path("neuron.u")[0, :, 0], path), apart(learnt, [w]))


def ring(seed: int) -> float:
    """How far 1,200 ms of `train` without noise are from a loop: rates and the two readouts."""
    theta = 2 * np.pi * np.arange(128) / 128
    weights = (-6 + 7 * np.cos(theta[:, None] - theta)) / 128
    angle = np.array([[0.3], [2.0]])
    sim = simulator("ring_attractor", seed=seed)
    sim.parameters["sigma"] = 0
    done = present(sim, {"angle": angle}, ["ring.r", "x", "y"], learn=False)
    r, ends = np.zeros((2, 128)), []
    for step in range(2400):
        cue = 0.5 * np.cos(theta - angle) if step < 400 else 0.0
        r = r + 0.5 / 10 * (-r + np.maximum(1 + r @ weights.T + cue, 0))
        if step in (399, 2399):
            ends.append(r)
    phases = ("shown", "remembered")
    pairs = [(done.path("ring.r", p)[:, -1], r) for p, r in zip(phases, ends, strict=True)]
    for name, wave in (("x", np.cos(theta)), ("y", np.sin(theta))):
        pairs.append((done.path(name, "remembered").reshape(2, -1)[:, -1], (r * wave).mean(1)))
    return worst([*pairs, (sim.weights["W"], weights)])


def constants(name: str, expected: dict[str, float], seed: int) -> float:
    """How many constants of a file are not these."""
    found = simulator(name).circuit.parameters
    return float(sum(found[key].value != value for key, value in expected.items()))


def starts(name: str, seed: int) -> float:
    """How far first weights are from uniform in +-1 (`urbanczik_senn`: +-.1)."""
    if name == "urbanczik_senn":
        many: dict[str, Any] = {"n": 2000, "harm": [1.0] * 2000, "phase": [0.0] * 2000}
        return spread(simulator(name, seed=seed, **many).weights["W"], -0.1, 0.1)
    many = {"sizes": [60, 50, 40], "period": [100.0] * 60, "psi": [0.0] * 60}
    weights = simulator(name, seed=seed, **many).weights
    names = ("W[1]", "W[2]", "feedback[1]", "W_IP[1]", "W_PI[1]")
    return max(spread(weights[n], -1, 1) for n in names)


SENN = "Sacramento et al. 2018"
CLAIMS = (
    *(
        Claim(
            f"sacramento.learns{'-taught' if teach else ''}", f"{SENN}, eqs. 1-9",
            "30 ms of `train` in plain numpy: potentials and weights, to 1e-11",
            partial(sacramento, teach), tolerance=1e-11, rows=(3, 143),
        )
        for teach in (0.0, 1.0)
    ),
    Claim(
        "sacramento.self-prediction", f"{SENN}, section 3",
        "a circuit that predicts itself has no apical potential until it is taught",
        self_prediction, tolerance=1e-10, rows=(143,),
    ),
    Claim(
        "sacramento.self-predicting", f"{SENN}, section 3", "`self_predicting` starts there",
        self_predicting, tolerance=1e-12, rows=(143,),
    ),
    Claim(
        "sacramento.backpropagation-order", f"{SENN}, supplement",
        "the error of a hidden cell goes to backpropagation's with order 1 in the teacher's share",
        backpropagation_order, 1.0, 0.1, rows=(143,),
    ),
    Claim(
        "sacramento.starts", "the file's equations", "first weights are uniform in +-1, to .05",
        partial(starts, "sacramento"), tolerance=0.05,
    ),
    Claim(
        "sacramento.constants", "the file", "how many constants differ from the simulated ones",
        partial(constants, "sacramento", {"duration": 500, "h": 0.1}), rows=(143,), ours=True,
    ),
    Claim(
        "urbanczik_senn.learns", "Urbanczik & Senn 2014, rate version",
        "40 ms of `train` in plain numpy: U, V and weights, to 1e-11",
        urbanczik_senn, tolerance=1e-11, rows=(144,),
    ),
    Claim(
        "urbanczik_senn.starts", "the file's equations", "first weights uniform in +-.1, to .03",
        partial(starts, "urbanczik_senn"), tolerance=0.03,
    ),
    Claim(
        "urbanczik_senn.constants", "the file", "how many constants differ from the simulated ones",
        partial(constants, "urbanczik_senn", {"duration": 1000, "h": 0.1, "n": 8}), ours=True,
    ),
    Claim(
        "neuron.closed-form", f"{SENN}, eq. 1", "exponential Euler follows the closed form",
        neuron, tolerance=1e-12, rows=(2,),
    ),
    Claim(
        "neuron.learns", "Urbanczik & Senn 2014", "`learning`: w and u over 8 ms, to 1e-12",
        neuron_learns, tolerance=1e-12, rows=(2,),
    ),
    Claim(
        "ring_attractor.loop", "Ben-Yishai et al. 1995",
        "1,200 ms without noise in plain numpy: rates, readouts, weights",
        ring, tolerance=1e-10,
    ),
    Claim(
        "ring_attractor.constants", "the file", "noise of the file",
        partial(constants, "ring_attractor", {"sigma": 0.05, "strength": 0.5, "N": 128}), ours=True,
    ),
)  # fmt: skip
