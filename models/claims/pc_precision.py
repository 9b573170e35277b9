"""Between backpropagation and target propagation: the ratio of precisions, as claims.

Source: Millidge, Song, Salvatori, Lukasiewicz & Bogacz 2022, section 3.2 and A.7.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .claim import Claim
from .pc_nets import FUNCTIONS, Network, circuit, samples, slope
from .presentation import present, worst

PAPER = "Millidge et al. 2022"


def _at_ratio(net: Network, streams: dict[str, Any], q: float) -> tuple[Any, Any]:
    """x[1] and Pi[1] e[1] at rest, with precision q at the output and 1 below."""
    net.pi = [np.eye(5), q * np.eye(5)]
    top = 1 + q * np.linalg.norm(net.weights[1], 2) ** 2
    sim = circuit(net, ["precision", "linear"], h=float(1.9 / top), T=200)
    done = present(sim, streams, ["layer[1].x", "layer[1].pe"], learn=False)
    return done.end("layer[1].x", "infer"), done.end("layer[1].pe", "infer")


def _near_square(seed: int) -> tuple[Network, dict[str, Any]]:
    rng = np.random.default_rng(seed)
    turns = [np.linalg.qr(rng.normal(size=(5, 5)))[0] for _ in range(2)]
    net = Network([a * rng.uniform(0.7, 1.3, 5) for a in turns], *FUNCTIONS["identity"])
    return net, samples(net, seed, 1)


def interpolates(seed: int) -> float:
    """Eqs. 7-8: the share of steps of q where x* leaves the forward pass and nears the targets."""
    net, streams = _near_square(seed)
    goal = np.linalg.solve(net.weights[1], streams["label"].T).T
    ahead = streams["image"] @ net.weights[0].T
    ends = [_at_ratio(net, streams, q)[0] for q in (1e-2, 1e-1, 0.5, 1, 2, 5)]
    away = np.diff([np.linalg.norm(x - ahead) for x in ends]) > 0
    near = np.diff([np.linalg.norm(x - goal) for x in ends]) < 0
    return float(np.mean(away & near))


def low_precision_order(seed: int) -> float:
    """Eq. 7: Pi[1] e[1]/q goes to backpropagation's error; the order in q."""
    net, streams = _near_square(seed)
    gap = streams["label"] - net.forward(streams["image"])[-1]
    delta, ratios, off = gap @ net.weights[1], (1e-2, 1e-3, 1e-4), []
    for q in ratios:
        off.append(np.linalg.norm(_at_ratio(net, streams, q)[1] / q - delta))
    return slope(off, ratios)


def interpolation_closed_form(seed: int) -> float:
    """Eq. 48 with lambda = q/(1+q): x* = ((1-lambda) I + lambda W^T W)^-1 (...) for scalar q."""
    net, streams = _near_square(seed)
    w, ahead, found = net.weights[1], streams["image"] @ net.weights[0].T, []
    for q in (1e-2, 1.0, 5.0):
        lam = q / (1 + q)
        a = (1 - lam) * np.eye(5) + lam * w.T @ w
        rest = np.linalg.solve(a, ((1 - lam) * ahead + lam * streams["label"] @ w).T).T
        found.append((_at_ratio(net, streams, q)[0], rest))
    return worst(found)


CLAIMS = (
    Claim(
        "pc.interpolates",
        f"{PAPER}, eqs. 7-8, fig. 2",
        "with the precision ratio x* leaves the forward pass and nears the targets, at each step",
        interpolates,
        1.0,
        rows=(29, 42),
    ),
    Claim(
        "pc.low-precision-order",
        f"{PAPER}, eq. 7",
        "the weighted error goes to backpropagation's with order 1 in the ratio",
        low_precision_order,
        1.0,
        0.05,
        rows=(29, 54),
    ),
    Claim(
        "pc.interpolation-closed-form",
        f"{PAPER}, A.7, eq. 48 (lambda = q/(1+q))",
        "x* for scalar ratios, to 1e-8",
        interpolation_closed_form,
        tolerance=1e-8,
        rows=(42,),
    ),
)
