"""Predictive entropy maximization: the surrogate objective and its bounds.

With C = D + O (diagonal, rest) and N = D^-1/2 O D^-1/2,

    log det C = sum log D_i + log det(I + N) ~ sum log D_i - 1/2 |N|_F^2

Source: Predictive Entropy Maximization, 2026 (arXiv 2605.19965), written after its programs.
"""

from __future__ import annotations

import numpy as np


def normalised(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The variances D (n,) and the correlations N (n, n), zero diagonal, of C (n, n)."""
    d = np.diag(covariance).copy()
    n = covariance / np.sqrt(np.outer(d, d))
    np.fill_diagonal(n, 0)
    return d, n


def log_det(covariance: np.ndarray) -> float:
    """The exact log det C."""
    return float(np.linalg.slogdet(covariance)[1])


def surrogate_log_det(covariance: np.ndarray) -> float:
    """sum_i log C_ii - 1/2 sum_{i != j} C_ij^2/(C_ii C_jj)."""
    d, n = normalised(covariance)
    return float(np.sum(np.log(d)) - np.sum(n**2) / 2)


def remainder(covariance: np.ndarray) -> float:
    """What log det C has beyond its surrogate."""
    return log_det(covariance) - surrogate_log_det(covariance)


def tight_bound(covariance: np.ndarray) -> float:
    """max(1/3 sum_{l >= 0} l^3, 1/3 sum_{l < 0} |l|^3/(1 + l)) over the eigenvalues l of N."""
    _, n = normalised(covariance)
    eigenvalues = np.linalg.eigvalsh(n)
    up, down = eigenvalues[eigenvalues >= 0], eigenvalues[eigenvalues < 0]
    return float(max(np.sum(up**3) / 3, np.sum(np.abs(down) ** 3 / (1 + down)) / 3))


def loose_bound(covariance: np.ndarray) -> float:
    """1/3 |O|_F^2 |O|_2 / (smallest eigenvalue of C)^3."""
    off = covariance - np.diag(np.diag(covariance))
    smallest = np.linalg.eigvalsh(covariance)[0]
    return float(np.sum(off**2) * np.linalg.norm(off, 2) / (3 * smallest**3))


def objective(
    covariance: np.ndarray, eps: float, gamma: float, error: np.ndarray
) -> dict[str, float]:
    """What is minimised, and its terms: variances, redundancy, prediction, total.

    J = -sum log D_i + 1/2 sum_{i != j} C_ij^2/(D_i D_j) + gamma/2 |y - W x|^2;
    D_i = C_ii + eps, and `error` is y - W x (n,).
    """
    d = np.diag(covariance) + eps
    off = covariance - np.diag(np.diag(covariance))
    terms = {
        "variances": -float(np.sum(np.log(d))),
        "redundancy": float(np.sum(off**2 / np.outer(d, d)) / 2),
        "prediction": float(gamma / 2 * np.sum(np.square(error))),
    }
    return {**terms, "total": sum(terms.values())}


def gradient(
    covariance: np.ndarray, eps: float, centred: np.ndarray, full: bool = False
) -> np.ndarray:
    """The gradient of the entropy part; up to a factor 2 lam (1 - lam); `centred` = y - mu.

        -ybar_i/D_i + (1/D_i) sum_{j != i} C_ij ybar_j/D_j  [- ybar_i sum C_ij^2/(D_i^2 D_j)]

    The last term, which is not local, only if `full`; the network leaves it out.
    """
    d = np.diag(covariance) + eps
    off = covariance - np.diag(np.diag(covariance))
    found = (off @ (centred / d) - centred) / d
    return found - centred * (off**2 @ (1 / d)) / d**2 if full else found
