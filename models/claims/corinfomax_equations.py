"""Supervised CorInfoMax in plain numpy: the equations of the paper's appendix, one small net.

Source: Bozkurt, Isfendiyaroglu, Pehlevan & Erdogan 2023, eqs. 15-17 and 21-30 with the differences
of the official program that the files name. Rows are samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

Weights = dict[str, np.ndarray]


@dataclass(frozen=True)
class Setting:
    """Published constants, and what a variant changes of the equations."""

    domain: str = "box"  # antisparse, sparse, simplex, signed_sparse, mixed
    step: Callable[[int], float] = lambda s: max(0.05 / (1 + 0.01 * s), 0.001)
    eps: float = 0.15
    g: float = 0.5
    lam: float = 0.99999
    beta: float = 1.0
    steps: tuple[int, int] = (30, 10)
    rates: tuple[float, float, float] = (1.0, 0.7, 0.15)  # of W[1], W[2], F[1]
    eta_q: tuple[float, float] = (1e-6, 0.01)
    decay: float = 0.0
    at_once: bool = False
    keeps: bool = False
    paper_output: bool = False
    three_phases: bool = False
    exact: bool = False
    signed: np.ndarray = field(default_factory=lambda: np.repeat([1.0, 0.0], 5))
    member: np.ndarray = field(default_factory=lambda: np.array([1.0, 1, 0, 0, 0, 1, 1, 0, 0, 0]))

    @property
    def gam(self) -> float:
        """Short for (1 - lam)/lam."""
        return (1 - self.lam) / self.lam


@dataclass
class Moment:
    """Membrane potentials u[1], u[2] and multipliers q[1], q[2] (sample, 1) of a net."""

    u: list[np.ndarray]
    q: list[np.ndarray]


def rate(setting: Setting, k: int, u: np.ndarray, q: np.ndarray) -> np.ndarray:
    """r of layer k: the projection of u on the domain."""
    domain = setting.domain
    if domain in ("sparse", "simplex"):
        return np.maximum(u, 0)
    if domain == "signed_sparse":
        return np.sign(u) * np.maximum(np.abs(u) - q, 0)
    if domain == "mixed" and k == 2:
        shrunk = np.sign(u) * np.maximum(np.abs(u) - q * setting.member, 0)
        return np.clip(shrunk, -setting.signed, 1)
    return np.clip(u, -1 if domain == "antisparse" else 0, 1)


def size(setting: Setting, r: np.ndarray) -> np.ndarray:
    """What the multiplier sums: the l1 norm, in `mixed` of the members of the ball."""
    share = setting.member if setting.domain == "mixed" else 1.0
    return np.sum(np.abs(r) * share, axis=1, keepdims=True)


def rates(setting: Setting, image: np.ndarray, at: Moment) -> list[np.ndarray]:
    """The rates of the three layers."""
    return [image, *(rate(setting, k, at.u[k - 1], at.q[k - 1]) for k in (1, 2))]


def slope(
    setting: Setting, w: Weights, k: int, r: list[np.ndarray], at: Moment,
    label: np.ndarray, nudge: float,
) -> np.ndarray:  # fmt: skip
    """du/dt of layer k. Eqs. 15-17 for the hidden layer, 21 for the output."""
    eps, g, u = setting.eps, setting.g, at.u[k - 1]
    z, below = r[k] @ w[f"B[{k}]"].T, r[k - 1] @ w[f"W[{k}]"].T
    inhibited = np.maximum(at.q[k - 1], 0) if setting.domain == "sparse" else at.q[k - 1]
    inhibited = inhibited if setting.domain in ("sparse", "simplex") else 0.0
    if k == 1:
        above = r[2] @ w["F[1]"].T
        own = 2 * setting.gam * z + g * r[1] - inhibited
        return -g * u + own + ((below - u) + (above - u)) / eps
    own = setting.gam * z + g * r[2] - inhibited
    if setting.paper_output:
        return -g * u + (below - u) / eps + own + nudge * (label - u)
    return -g * u + (below - u) / eps + own - nudge * (r[2] - label) - u


def turn(setting: Setting, k: int, r: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The multiplier of layer k after a step: dual ascent on its l1 norm."""
    if setting.domain == "mixed" and k == 1:
        return q
    eta, over = setting.eta_q[k - 1], size(setting, r) - 1
    if setting.domain == "sparse":
        return q + eta * (-q + over + np.maximum(q, 0))
    if setting.domain == "simplex":
        return q + eta * over
    if setting.domain in ("signed_sparse", "mixed"):
        return np.maximum(q + eta * over, 0)
    return q


def relax(
    setting: Setting, w: Weights, image: np.ndarray, label: np.ndarray,
    start: Moment, nudge: float, steps: int,
) -> list[Moment]:  # fmt: skip
    """The moments of a phase, layers from below, each seeing the one below as it has become."""
    path = [start]
    for step in range(steps):
        at = Moment(list(path[-1].u), list(path[-1].q))
        old = rates(setting, image, path[-1])
        if setting.at_once:
            moves = [slope(setting, w, k, old, path[-1], label, nudge) for k in (1, 2)]
            at.u = [u + setting.step(step) * d for u, d in zip(at.u, moves, strict=True)]
        for k in (1, 2):
            if not setting.at_once:
                r = rates(setting, image, at)
                move = slope(setting, w, k, r, at, label, nudge)
                at.u[k - 1] = at.u[k - 1] + setting.step(step) * move
            now = rate(setting, k, at.u[k - 1], at.q[k - 1])
            at.q[k - 1] = turn(setting, k, now, at.q[k - 1])
        path.append(at)
    return path


def carried(setting: Setting, image: np.ndarray, end: Moment) -> Moment:
    """What the next phase starts from: u := r."""
    if setting.keeps:
        return end
    r = rates(setting, image, end)[1:]
    q = [np.maximum(a, 0) for a in end.q] if setting.domain == "sparse" else list(end.q)
    if setting.domain == "signed_sparse":
        return Moment([a + np.sign(a) * b for a, b in zip(r, q, strict=True)], q)
    if setting.domain == "mixed":
        return Moment([r[0], r[1] + np.sign(r[1]) * q[1] * setting.member], q)
    return Moment(r, q)


def presented(
    setting: Setting, w: Weights, image: np.ndarray, label: np.ndarray, sign: float = 1.0
) -> list[list[Moment]]:
    """The phases of `train`: free, nudged, and with `three_phases` opposite."""
    shapes = [(len(image), len(w[f"W[{k}]"])) for k in (1, 2)]
    zero = Moment([np.zeros(s) for s in shapes], [np.zeros((len(image), 1)) for _ in shapes])
    phases = [relax(setting, w, image, label, zero, 0.0, setting.steps[0])]
    signs = [sign, -sign] if setting.three_phases else [sign]
    for one in signs:
        start = carried(setting, image, phases[-1][-1])
        nudge = one * setting.beta
        phases.append(relax(setting, w, image, label, start, nudge, setting.steps[1]))
    return phases


def learnt(
    setting: Setting, w: Weights, image: np.ndarray, phases: list[list[Moment]],
    sign: float = 1.0, scale: float = 1.0,
) -> Weights:  # fmt: skip
    """The weights after a presentation, means over samples; `scale` of the rates. Eqs. 26-28."""
    ends = [rates(setting, image, path[-1]) for path in phases]
    plus, minus = (ends[1], ends[2]) if setting.three_phases else (ends[1], ends[0])
    contrast = sign * setting.beta * (2 if setting.three_phases else 1) * len(image)
    new = dict(w)
    for name, k, j, eta in (("W[1]", 1, 0, 0), ("W[2]", 2, 1, 1), ("F[1]", 1, 2, 2)):
        hebb = [(r[k] - r[j] @ w[name].T).T @ r[j] for r in (plus, minus)]
        moved = w[name] + scale * setting.rates[eta] / contrast * (hebb[0] - hebb[1])
        new[name] = moved * (1 - scale * setting.rates[eta] * setting.decay)
    for k in (1, 2):
        z = plus[k] @ w[f"B[{k}]"].T
        over = 1 + setting.gam * np.sum(plus[k] * z, axis=1) if setting.exact else 1.0
        mean = (z / np.reshape(over, (-1, 1))).T @ z / len(z)
        new[f"B[{k}]"] = (w[f"B[{k}]"] - setting.gam * mean) / setting.lam
    return new


FASHION = Setting(step=lambda s: max(0.07 / (1 + 0.01 * s), 0.001), g=0.3, rates=(0.3, 0.22, 0.07))
SETTINGS: Mapping[tuple[str, ...], Setting] = {
    (): Setting(),
    ("random_sign",): Setting(),
    ("constant_step",): Setting(step=lambda s: 0.05),
    ("divide_by_index",): Setting(step=lambda s: max(0.1 / (s + 1), 0.001)),
    ("three_phases",): Setting(three_phases=True),
    ("sparse",): Setting(domain="sparse"),
    ("sparse", "simplex"): Setting(domain="simplex"),
    ("signed_sparse",): Setting(domain="signed_sparse"),
    ("antisparse",): Setting(domain="antisparse"),
    ("mixed",): Setting(domain="mixed", eta_q=(0.0, 0.01)),
    ("paper_output",): Setting(paper_output=True),
    ("simultaneous",): Setting(at_once=True),
    ("keep_membrane",): Setting(keeps=True),
    ("identity_start",): Setting(),
    ("exact_inverse",): Setting(exact=True),
}
MNIST = replace(Setting(), step=lambda s: 0.05)
