"""Correlative information maximization: what the paper says beyond its equations, as claims.

Source: Bozkurt, Isfendiyaroglu, Pehlevan & Erdogan 2023.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..corinfomax import (
    information_backward,
    information_forward,
    inverse_update,
    layer_objective,
    split,
    split_update,
    taylor_log_det,
    voltage_error,
    weighted_correlation,
)
from .claim import Claim
from .corinfomax import DOMAINS, SIZES, drawn
from .corinfomax_equations import Setting
from .presentation import Presented, apart, present, simulator

# --- mathematics ---


def _random_covariances(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a = np.random.default_rng(seed).normal(size=(7, 50))
    r = a @ a.T / 50
    return r[:4, :4], r[4:, 4:], r[:4, 4:]


def _forward_backward(seed: int) -> float:
    parts = _random_covariances(seed)
    return abs(information_forward(*parts, 0.1) - information_backward(*parts, 0.1))


def _taylor_order(seed: int) -> float:
    rx, _, _ = _random_covariances(seed)
    errors = []
    for scale in (1e-3, 5e-4):
        _, exact = np.linalg.slogdet(scale * rx + np.eye(4))
        errors.append(abs(exact - taylor_log_det(scale * rx, 1.0)))
    return float(np.log2(errors[0] / errors[1]))


def _split_equals_matrix(seed: int) -> float:
    rng = np.random.default_rng(seed)
    lam, eps, g = 0.9, 0.15, 0.5
    gam, c, d = (1 - lam) / lam, 1 / (2 * eps), eps * g
    inverse, worst = np.eye(5), 0.0
    autapse, lateral = split(inverse, gam, c, d)
    for _ in range(50):
        r = rng.uniform(size=5)
        autapse, lateral = split_update(autapse, lateral, r, lam, c, d)
        inverse = inverse_update(inverse, r, lam)
        expected = split(inverse, gam, c, d)
        for found, wanted in zip((autapse, lateral), expected, strict=True):
            worst = max(worst, float(np.abs(found - wanted).max() / np.abs(wanted).max()))
    return worst


def _exact_inverse(seed: int) -> float:
    samples = np.random.default_rng(seed).normal(size=(200, 5))
    inverse = np.eye(5)
    for r in samples:
        inverse = inverse_update(inverse, r, 0.97, exact=True)
    return float(np.abs(inverse @ weighted_correlation(samples, 0.97, np.eye(5)) - np.eye(5)).max())


# --- on the circuit file ---


def _rested(**settings: Any) -> Presented:
    w, streams = drawn(1)
    names = [f"layer[{k}].{v}" for k in (1, 2) for v in ("u", "r", "v_A", "v_B", "v_F")[: 6 - k]]
    settings = {"T_free": 2500, "T_nudged": 1, "lam": 0.9} | settings
    sim = simulator("corinfomax", ["constant_step"], weights=w, sizes=list(SIZES), **settings)
    return present(sim, streams, names, learn=False)


def voltage_form(seed: int) -> float:
    """Eq. 24 at rest in the hidden layer, saturated units too."""
    done = _rested()
    u, r, v_a, v_b = (done.end(f"layer[1].{v}", "free") for v in ("u", "r", "v_A", "v_B"))
    if not np.any((u < 0) | (u > 1)):
        return float("inf")
    return apart(voltage_error(u, r, v_a, 0.5, 0.15), r - v_b)


def objective_rises(seed: int) -> float:
    """The largest fall of a hidden layer's objective (eq. 9) in one of its turns, h = .01."""
    done = _rested(T_free=80, h0=0.01)
    w, _ = drawn(1)
    r, below, above = (done.path(f"layer[1].{v}", "free") for v in ("r", "v_B", "v_F"))
    gam, worst_fall = 0.1 / 0.9, 0.0
    for sample in range(3):
        for row in range(1, 81):  # a turn sees the feedback of the row before
            before, after = (
                layer_objective(
                    r[sample, i], below[sample, row], above[sample, row - 1], w["B[1]"], gam, 0.15
                )
                for i in (row - 1, row)
            )
            worst_fall = max(worst_fall, before - after)
    return worst_fall


def constraint(domain: tuple[str, ...], seed: int) -> float:
    """By how much the output leaves its domain at rest (eta_q .05, 2,500 steps)."""
    w, streams = drawn(seed)
    w["W[2]"] = w["W[2]"] * 2
    eta_q: dict[str, Any] = {"eta_q": 0.05 if "mixed" in domain else [0.05] * 2}
    eta_q = {} if domain == ("antisparse",) else eta_q
    sim = simulator(
        "corinfomax", ["constant_step", *domain], weights=w, sizes=list(SIZES),
        T_free=2500, T_nudged=1, **eta_q,
    )  # fmt: skip
    r = present(sim, streams, ["layer[2].r"], learn=False).end("layer[2].r", "free")
    if domain == ("antisparse",):
        return float(max(np.max(np.abs(r)) - 1, 0))
    member = Setting().member if "mixed" in domain else 1.0
    norm = np.sum(np.abs(r) * member, axis=1)
    over = np.abs(norm - 1) if "simplex" in domain else np.maximum(norm - 1, 0)
    below = 0.0 if "signed_sparse" in domain or "mixed" in domain else float(max(-np.min(r), 0))
    return float(max(np.max(over), below))


def transport(seed: int) -> float:
    """Synapses whose weight is another one's transpose: the audit's count."""
    report = simulator("corinfomax", sizes=list(SIZES)).circuit.audit()
    return float(len(report.fails("no-transport")))


GENTLE: dict[str, Any] = {"eta_W": [0.1, 0.07], "eta_F": [0.02], "T_free": 10}


def angle(seed: int) -> float:
    """The angle between W[2] and the transpose of F[1] after 200 presentations, in degrees."""
    w, _ = drawn(seed)
    rng = np.random.default_rng(seed)
    image = rng.uniform(size=(400, 5))
    label = np.eye(10)[rng.integers(10, size=400)]
    sim = simulator("corinfomax", weights=w, sizes=list(SIZES), **GENTLE)
    present(sim, {"image": image, "label": label}, batch=2)
    a, b = np.ravel(sim.weights["W[2]"]), np.ravel(np.transpose(sim.weights["F[1]"]))
    return float(np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))))


CLAIMS = (
    Claim(
        "corinfomax.forward-backward",
        "eqs. 2, 4",
        "the two forms of the correlative mutual information are equal",
        _forward_backward,
        0.0,
        1e-10,
        rows=(130,),
        pure=True,
    ),
    Claim(
        "corinfomax.taylor",
        "eqs. 10-11",
        "the linear form of log det leaves a rest of order 2",
        _taylor_order,
        2.0,
        0.01,
        rows=(131,),
        pure=True,
    ),
    Claim(
        "corinfomax.split",
        "eqs. 28-30",
        "autapses D and lateral weights O learn what B learns",
        _split_equals_matrix,
        0.0,
        1e-11,
        rows=(123,),
        pure=True,
    ),
    Claim(
        "corinfomax.exact-inverse",
        "eq. 28",
        "with its denominator the rule keeps B the inverse correlation",
        _exact_inverse,
        0.0,
        1e-9,
        rows=(122,),
        pure=True,
    ),
    Claim(
        "corinfomax.voltage-form", "eq. 24, appendix H",
        "r - v_B from the membrane voltages at rest, saturated units too",
        voltage_form, tolerance=1e-10, rows=(124,),
    ),
    Claim(
        "corinfomax.objective-rises", "eqs. 9, 22",
        "largest fall of a hidden layer's objective in one of its turns",
        objective_rises, 1e-12, kind="at most", rows=(132,),
    ),
    *(
        Claim(
            "-".join(("corinfomax.constraint", *domain)), "appendix C",
            "by how much the output leaves its domain at rest",
            partial(constraint, domain), 1e-3, kind="at most", rows=(129,),
        )
        for domain in DOMAINS
    ),
    Claim(
        "corinfomax.no-transport", "section 4", "synapses that carry another one's weights",
        transport, rows=(126,),
    ),
    Claim(
        "corinfomax.angle", "fig. 3", "angle of W[2] and F[1]^T after 200 presentations, degrees",
        angle, 45.0, kind="at least", rows=(126,), ours=True,
    ),
)  # fmt: skip
