"""Correlative information maximization, as claims."""

from __future__ import annotations

import numpy as np

from ..corinfomax import (
    information_backward,
    information_forward,
    inverse_update,
    split,
    split_update,
    taylor_log_det,
    weighted_correlation,
)
from .claim import Claim


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
)
