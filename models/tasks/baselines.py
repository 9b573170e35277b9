"""Batch methods of blind source separation, in plain numpy, to compare the circuits with.

They see all samples at once and are no circuits. X is (m, N), Y (n, N); every domain of `sources`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from .sources import project_l1_ball, project_simplex, whiten


def _nonnegative_l1(columns: np.ndarray) -> np.ndarray:
    """The nearest point with y >= 0 and sum y <= 1."""
    positive = np.maximum(columns, 0)
    return np.where(np.sum(positive, axis=0) <= 1, positive, project_simplex(columns))


PROJECTIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType(
    {
        "antisparse": lambda y: np.clip(y, -1, 1),
        "nnantisparse": lambda y: np.clip(y, 0, 1),
        "sparse": project_l1_ball,
        "nnsparse": _nonnegative_l1,
        "simplex": project_simplex,
    }
)


def ld_infomax(
    mixtures: np.ndarray,
    count: int,
    domain: str = "antisparse",
    *,
    iterations: int = 5000,
    step: float = 100.0,
    eps: float = 1e-5,
    eps_error: float = 1e-3,
    seed: int = 0,
) -> np.ndarray:
    """LD-InfoMax: the separator W (n, m) that maximises the log-det information about X.

        Y <- P[ Y + step_k ( (R_y + eps I)^-1 Y - (R_e + eps_e I)^-1 E )/N ],
        E = Y - W X,  W = R_yx R_x^-1,  step_k = step/sqrt(k + 1)

    P is the projection on the domain; R are correlations, no mean is removed. Y starts as a random
    map of the whitened mixtures in the signed domains, else as noise. Raises KeyError for an
    unknown domain. Source: Erdogan 2022, "An information maximization based blind source separation
    approach for dependent and independent sources".
    """
    project = PROJECTIONS[domain]
    x, total = mixtures, mixtures.shape[1]
    inverse = np.linalg.pinv(x @ x.T)
    rng = np.random.default_rng(seed)
    if domain in ("antisparse", "sparse"):
        y = project(0.3 * rng.normal(size=(count, count)) @ whiten(x, count) @ x)
    else:
        y = project(rng.normal(size=(count, total)) / count)
    w = y @ x.T @ inverse
    for k in range(iterations):
        w = y @ x.T @ inverse
        error = y - w @ x
        r_y = y @ y.T / total + eps * np.eye(count)
        r_e = error @ error.T / total + eps_error * np.eye(count)
        change = np.linalg.solve(r_y, y) - np.linalg.solve(r_e, error)
        y = project(y + step / np.sqrt(k + 1) * change / total)
    return w


def ica_infomax(
    mixtures: np.ndarray,
    count: int,
    *,
    kind: int | None = None,
    iterations: int = 300,
    rate: float = 0.2,
) -> np.ndarray:
    """Extended infomax ICA: the separator (n, m) that makes its outputs independent.

        V += rate (I - K tanh(u) u^T/N - u u^T/N) V,  u = V z, z the whitened mixtures
        K_i = sign( mean(1 - tanh^2 u_i) mean(u_i^2) - mean(u_i tanh u_i) )

    `kind` says K for all sources where it is known, -1 for flat (sub-Gaussian) and 1 for peaked
    ones. Source: Lee, Girolami & Sejnowski 1999, eqs. 2.14 and 2.17, in batch form.
    """
    sphere = whiten(mixtures, count)
    z = sphere @ (mixtures - mixtures.mean(axis=1, keepdims=True))
    total = z.shape[1]
    v = np.eye(count)
    for _ in range(iterations):
        u = v @ z
        t = np.tanh(u)
        peaked = np.mean(1 - t**2, axis=1) * np.mean(u**2, axis=1) - np.mean(u * t, axis=1)
        kinds = np.sign(peaked) if kind is None else np.full(count, kind)
        natural = np.eye(count) - kinds[:, None] * (t @ u.T) / total - u @ u.T / total
        v = v + rate * natural @ v
    return v @ sphere
