"""Correlative information maximization: theory on plain arrays.

Source: Bozkurt, Isfendiyaroglu, Pehlevan & Erdogan 2023, "Correlative information maximization: a
biologically plausible approach to supervised deep neural networks without weight symmetry".
"""

from __future__ import annotations

import numpy as np


def weighted_correlation(samples: np.ndarray, lam: float, start: np.ndarray) -> np.ndarray:
    """R := lam R + (1 - lam) r r^T over samples (sample, unit), from `start`. Eq. 6."""
    r = np.array(start, dtype=np.float64)
    for sample in samples:
        r = lam * r + (1 - lam) * np.outer(sample, sample)
    return r


def entropy(correlation: np.ndarray, eps: float) -> float:
    """The log-det entropy 1/2 log det(R + eps I) + n/2 log(2 pi e) of R (n, n). Eq. 3."""
    n = len(correlation)
    _, logdet = np.linalg.slogdet(correlation + eps * np.eye(n))
    return float(0.5 * logdet + 0.5 * n * np.log(2 * np.pi * np.e))


def error_correlation(rx: np.ndarray, ry: np.ndarray, rxy: np.ndarray, eps: float) -> np.ndarray:
    """R_y - R_xy^T (R_x + eps I)^-1 R_xy: what the best linear predictor of y from x leaves over.

    `rx` (m, m), `ry` (n, n), `rxy` (m, n).
    """
    return ry - rxy.T @ np.linalg.solve(rx + eps * np.eye(len(rx)), rxy)


def information_forward(rx: np.ndarray, ry: np.ndarray, rxy: np.ndarray, eps: float) -> float:
    """H(y) - H(y | x): predicting upwards. Eq. 2."""
    return entropy(ry, eps) - entropy(error_correlation(rx, ry, rxy, eps), eps)


def information_backward(rx: np.ndarray, ry: np.ndarray, rxy: np.ndarray, eps: float) -> float:
    """H(x) - H(x | y): predicting downwards; equal to the forward form. Eq. 4."""
    return entropy(rx, eps) - entropy(error_correlation(ry, rx, rxy.T, eps), eps)


def taylor_log_det(error: np.ndarray, eps: float) -> float:
    """The linear form log det(E + eps I) ~ tr(E)/eps + n log eps. Eqs. 10-11.

    For errors small against eps; the rest is -|E|_F^2/(2 eps^2) + O(|E|^3): of second order.
    """
    return float(np.trace(error) / eps + len(error) * np.log(eps))


def layer_objective(
    r: np.ndarray,
    prediction: np.ndarray,
    feedback: np.ndarray,
    inverse: np.ndarray,
    gam: float,
    eps: float,
) -> float:
    """What the turn of a hidden layer raises, its neighbours held. Eq. 9, hidden layer.

        gam r^T B r - |r - W r_below|^2/(2 eps) - |r - F r_above|^2/(2 eps)

    `r`, `prediction` = W r_below, `feedback` = F r_above (unit,); `inverse` = B (unit, unit).
    """
    quadratic = gam * r @ inverse @ r
    below, above = np.sum((r - prediction) ** 2), np.sum((r - feedback) ** 2)
    return float(quadratic - (below + above) / (2 * eps))


def voltage_error(
    u: np.ndarray, r: np.ndarray, apical: np.ndarray, g: float, eps: float
) -> np.ndarray:
    """The error r - v_B of a hidden layer at rest, from its soma and apical voltages. Eq. 24.

    r - v_B = (v_A - u) - eps g u - h*,     h* = u - r (0 where the rate is not clipped)
    """
    return (apical - u) - eps * g * u - (u - r)


def inverse_update(
    inverse: np.ndarray, r: np.ndarray, lam: float, exact: bool = False
) -> np.ndarray:
    """Eq. 28 for one sample: B := (B - gam z z^T)/lam, z = B r, gam = (1 - lam)/lam.

    `exact` divides gam z z^T by 1 + gam r^T z (Sherman & Morrison 1950); then B stays the
    inverse of R := lam R + (1 - lam) r r^T.
    """
    gam, z = (1 - lam) / lam, inverse @ r
    scale = 1 + gam * r @ z if exact else 1.0
    return (inverse - gam * np.outer(z, z) / scale) / lam


def definiteness_margin(inverse: np.ndarray, r: np.ndarray, lam: float) -> float:
    """1 - gam r^T B r: B stays positive definite under eq. 28 exactly while this is positive.

    det((B - gam z z^T)/lam) = lam^-n det(B) (1 - gam r^T B r), and a rank-one change moves one
    eigenvalue through 0.
    """
    return float(1 - (1 - lam) / lam * r @ inverse @ r)


def split(inverse: np.ndarray, gam: float, c: float, d: float) -> tuple[np.ndarray, np.ndarray]:
    """B as autapses D (n,) and lateral weights O (n, n), zero diagonal: gam B/c + d I = D - O."""
    m = gam * inverse / c + d * np.eye(len(inverse))
    return np.diag(m).copy(), np.diag(np.diag(m)) - m


def split_update(
    autapse: np.ndarray,
    lateral: np.ndarray,
    r: np.ndarray,
    lam: float,
    c: float,
    d: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Eqs. 29-30 for one sample: D := (D - d)/lam + d - c q^2/lam, O := (O + c q q^T)/lam.

    q = D r - O r - d r is the part of the recurrent current that comes from B.
    """
    q = autapse * r - lateral @ r - d * r
    new = (lateral + c * np.outer(q, q)) / lam
    np.fill_diagonal(new, 0)
    return (autapse - d) / lam + d - c * q**2 / lam, new
