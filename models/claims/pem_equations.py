"""Predictive entropy maximization in plain numpy: one sample after another, domain by domain.

Source: Predictive Entropy Maximization 2026 and its program; CorInfoMax-BSS as coded there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Setting:
    """Published constants of a domain, the first variances and means, and the kind of network."""

    domain: str = "antisparse"
    kind: str = "normalised"  # unnormalised, correlation, full
    lam: float = 0.99
    gamma: float = 250.0
    eps: float = 1.1e-5
    eta: float = 0.05
    div: float = 5000.0
    h0: float = 0.1
    h_stop: float = 1e-6
    steps: int = 250
    tol: float = 1e-7
    eta_q: float = 0.0
    log_rate: bool = False
    mu: float = 0.0
    var: float = 0.2

    def rate(self, i: int) -> float:
        """The rate of W for presentation i."""
        over = 1 + np.log(i / self.div + 2) if self.log_rate else i / self.div + 1
        return max(self.eta / over, 1e-8)


SPARSE = Setting(
    "sparse", eps=1e-5, gamma=150, h0=0.05, h_stop=1e-4, steps=100, tol=1e-6, eta_q=0.5
)
NONNEGATIVE = Setting(
    "nonnegative", eps=1.01e-4, lam=0.95, gamma=750, div=20000, h0=0.05, h_stop=1e-4,
    steps=500, tol=1e-6, var=2.0,
)  # fmt: skip
SETTINGS: Mapping[tuple[str, ...], Setting] = {
    (): Setting(),
    ("log_rate",): Setting(log_rate=True),
    ("correlated",): Setting(),
    ("nonnegative",): NONNEGATIVE,
    ("sparse",): SPARSE,
    ("sparse", "simplex"): replace(
        SPARSE, domain="simplex", h0=0.1, tol=1e-7, eta_q=0.05, log_rate=True
    ),
    ("sparse", "nonnegative_sparse"): replace(
        SPARSE, domain="nonnegative_sparse", eps=1e-4, gamma=250, div=2000, h0=0.1, tol=1e-7,
        var=0.1,
    ),
    ("sparse", "music"): replace(SPARSE, lam=0.95, eta=0.95, div=20000, h0=0.01),
    ("nonnegative", "photographs"): replace(
        NONNEGATIVE, eps=0.010001, eta=0.5, div=2000, h0=0.2, h_stop=1e-6, steps=100, tol=1e-9,
        mu=0.5, var=0.2,
    ),
    ("unnormalised",): Setting(kind="unnormalised", h0=0.5),
    ("correlation",): Setting(kind="correlation", h0=0.5, gamma=10, log_rate=True),
    ("full_gradient",): Setting(kind="full"),
    ("mixed",): Setting("mixed", eta_q=1.5),
}  # fmt: skip
SIGNED, FIRST, SECOND = np.array([1.0, 1, 0]), np.array([1.0, 1, 0]), np.array([0.0, 1, 1])
LATERAL = 10.0  # gamma_lat of the unnormalised network


@dataclass
class Network:
    """What one sample hands on to the next: W (n, m), C or B (n, n), mu and var (n,)."""

    w: np.ndarray
    c: np.ndarray
    mu: np.ndarray
    var: np.ndarray


def fresh(setting: Setting, w: np.ndarray) -> Network:
    """The network at its start, with feed-forward weights `w`."""
    n = len(w)
    c = 5 * np.eye(n) if setting.kind == "correlation" else np.zeros((n, n))
    return Network(w, c, np.full(n, setting.mu), np.full(n, setting.var))


def slope(setting: Setting, net: Network, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """dy/dt before any projection."""
    d, ybar = net.var + setting.eps, y - net.mu
    if setting.kind == "correlation":
        return (1 - setting.lam) / setting.lam * (net.c @ y) + setting.gamma * (p - y)
    if setting.kind == "unnormalised":
        return -setting.gamma * (y - p) - LATERAL * (net.c @ ybar) + ybar / d
    move = -setting.gamma * (y - p) - (net.c @ (ybar / d) - ybar) / d
    return move + ybar * (net.c**2 @ (1 / d)) / d**2 if setting.kind == "full" else move


def soft(y: np.ndarray, q: np.ndarray | float, signed: np.ndarray | float) -> np.ndarray:
    """Shrinking by a threshold q: from both sides where signed, else from above."""
    both = np.sign(y) * np.maximum(np.abs(y) - q, 0)
    return np.where(np.asarray(signed) > 0, both, np.maximum(y - q, 0))


def project(setting: Setting, y: np.ndarray, q: list[float]) -> tuple[np.ndarray, list[float]]:
    """y on its domain, and the thresholds after the step."""
    if setting.domain in ("antisparse", "nonnegative"):
        return np.clip(y, -1 if setting.domain == "antisparse" else 0, 1), q
    if setting.domain == "mixed":
        y = soft(y, q[0] * FIRST, SIGNED)
        first = np.sum(np.abs(y) * FIRST)
        y = soft(y, q[1] * SECOND, SIGNED)
        second = np.sum(np.abs(y) * SECOND)
        y = np.clip(y, -SIGNED, 1)
        moved = [a + setting.eta_q * (b - 1) for a, b in zip(q, (first, second), strict=True)]
        return y, [max(a, 0.0) for a in moved]
    y = soft(y, q[0], 1.0 if setting.domain == "sparse" else 0.0)
    if setting.domain == "nonnegative_sparse":
        y = np.minimum(y, 5)
    moved = q[0] + setting.eta_q * (float(np.sum(np.abs(y))) - 1)
    return y, [moved if setting.domain == "simplex" else max(moved, 0.0)]


def settle(setting: Setting, net: Network, x: np.ndarray) -> np.ndarray:
    """y at each step of a presentation (row, unit), NaN after its stop."""
    y, p = np.zeros(len(net.w)), net.w @ x
    q, path = [0.0, 0.0] if setting.domain == "mixed" else [0.0], [y]
    for step in range(setting.steps):
        before = y
        y = y + max(setting.h0 / (step + 1), setting.h_stop) * slope(setting, net, y, p)
        y, q = project(setting, y, q)
        path.append(y)
        if np.linalg.norm(y - before) < setting.tol * np.linalg.norm(y):
            break
    rest = np.full((setting.steps + 1 - len(path), len(y)), np.nan)
    return np.concatenate([np.stack(path), rest])


def learn(setting: Setting, net: Network, x: np.ndarray, y: np.ndarray, i: int) -> Network:
    """The network after presentation i of x, which ended at y."""
    w = net.w + setting.rate(i) * np.outer(y - net.w @ x, x)
    if setting.kind == "correlation":
        z = net.c @ y
        gam = (1 - setting.lam) / setting.lam
        return replace(net, w=w, c=(net.c - gam * np.outer(z, z)) / setting.lam)
    kept, new = setting.lam, 1 - setting.lam
    mu = kept * net.mu + new * y
    ybar = y - mu
    c = kept * net.c + new * np.outer(ybar, ybar)
    np.fill_diagonal(c, 0)
    return Network(w, c, mu, kept * net.var + new * ybar**2)
