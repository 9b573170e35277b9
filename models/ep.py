"""Equilibrium propagation: how its estimate approaches the gradient of the loss, as claims.

Source: Scellier & Bengio 2017; Laborieux et al. 2021 (symmetric).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .claims import Claim

SIZES = [4, 5, 3]
STEPS = 400


def _simulator(variants: list[str], beta: float, weights: Mapping[str, np.ndarray]) -> Any:
    from ..engines.simulator import Simulator
    from ..graphs.load import load

    circuit = load("ep", variants=variants, sizes=SIZES, beta=beta, T_free=STEPS, T_nudged=STEPS)
    sim = Simulator(circuit, engine="numpy")
    for name, array in weights.items():
        sim.weights[name] = array
    for k, bias in ((1, 0.45), (2, 0.4)):
        sim.slow[f"layer[{k}].bias"] = np.full(SIZES[k], bias)
    return sim


def _setting(seed: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Weights so small that every rate rests inside (0, 1), where the gradient exists."""
    rng = np.random.default_rng(seed)
    weights = {f"W[{k}]": rng.uniform(-0.2, 0.2, (SIZES[k], SIZES[k - 1])) for k in (1, 2)}
    return weights, rng.uniform(size=(1, SIZES[0])), rng.uniform(0.2, 0.8, size=(1, SIZES[-1]))


def _directional(seed: int) -> tuple[float, dict[str, np.ndarray]]:
    """dL/dW in a random direction, by central differences of the loss at the free rest state."""
    weights, image, label = _setting(seed)
    rng = np.random.default_rng(seed + 1)
    direction = {name: rng.normal(size=w.shape) for name, w in weights.items()}
    loss = []
    for step in (1e-4, -1e-4):
        moved = {name: w + step * direction[name] for name, w in weights.items()}
        output = _simulator([], 0.5, moved).predict({"image": image})["label"]
        loss.append(float(np.sum((output - label) ** 2)))
    return (loss[0] - loss[1]) / 2e-4, direction


def estimate_error(seed: int, beta: float, variants: list[str]) -> float:
    """|estimate - dL/dW| along one direction; the estimate is minus what the rule adds."""
    true, direction = _directional(seed)
    weights, image, label = _setting(seed)
    sim = _simulator(variants, beta, weights)
    sim.run("train", image=image, label=label, learn=True, record=[])
    found = sum(
        float(np.sum((np.asarray(sim.weights[n]) - w) * direction[n])) for n, w in weights.items()
    )
    return abs(-found - true)


def _slope(variants: list[str], seed: int) -> float:
    errors = [estimate_error(seed, beta, variants) for beta in (0.08, 0.04)]
    return float(np.log2(errors[0] / errors[1]))


def _one_sided(seed: int) -> float:
    return _slope([], seed)


def _symmetric(seed: int) -> float:
    return _slope(["symmetric"], seed)


CLAIMS = (
    Claim(
        "ep.one-sided",
        "theorem 1",
        "the estimate approaches the gradient with order 1 in beta",
        _one_sided,
        1.0,
        0.15,
    ),
    Claim(
        "ep.symmetric",
        "Laborieux et al. 2021, eq. 8",
        "with nudges of both signs it approaches with order 2",
        _symmetric,
        2.0,
        0.1,
    ),
)
