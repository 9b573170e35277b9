"""Equilibrium propagation: how its estimate approaches the gradient of the loss, as claims.

Source: Scellier & Bengio 2017; Laborieux et al. 2021 (symmetric).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .claim import Claim

SIZES = [4, 5, 3]
STEPS = 400
BETAS = (0.02, 0.01)  # the next order moves the slope by less than 0.05 here; at 0.08 by 0.14


def _simulator(variants: list[str], beta: float, weights: Mapping[str, np.ndarray]) -> Any:
    """One replica for each of `weights` (replica, post, pre)."""
    from ...engines.simulation.simulator import Simulator
    from ...graphs.load import load

    settings = {"sizes": SIZES, "beta": beta, "T_free": STEPS, "T_nudged": STEPS, "eta": 1}
    circuit = load("ep", variants=variants, **settings)
    sim = Simulator(circuit, engine="numpy", replicas=len(weights["W[1]"]))
    for name, array in weights.items():
        sim.weights[name] = array
    for k, bias in ((1, 0.45), (2, 0.4)):
        sim.slow[f"layer[{k}].bias"] = np.full(SIZES[k], bias)
    return sim


@dataclass(frozen=True)
class Setting:
    """Weights and a direction for each of them (seed, post, pre), images and labels (seed, 1, n).

    The weights are so small that every rate rests inside (0, 1), where the gradient exists.
    """

    weights: Mapping[str, np.ndarray]
    directions: Mapping[str, np.ndarray]
    streams: Mapping[str, np.ndarray]


def _setting(seeds: Sequence[int]) -> Setting:
    weights, directions, streams = [], [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        shapes = {f"W[{k}]": (SIZES[k], SIZES[k - 1]) for k in (1, 2)}
        weights.append({name: rng.uniform(-0.2, 0.2, shape) for name, shape in shapes.items()})
        image = rng.uniform(size=(1, SIZES[0]))
        streams.append({"image": image, "label": rng.uniform(0.2, 0.8, size=(1, SIZES[-1]))})
        rng = np.random.default_rng(seed + 1)
        directions.append({name: rng.normal(size=shape) for name, shape in shapes.items()})
    return Setting(*(_stacked(each) for each in (weights, directions, streams)))


def _stacked(each: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([one[name] for one in each]) for name in each[0]}


def gradients(setting: Setting) -> np.ndarray:
    """dL/dW along the directions (seed,): central differences of the loss at the free rest state.

    L = |label - output|^2
    """
    loss = []
    for step in (1e-4, -1e-4):
        moved = {name: w + step * setting.directions[name] for name, w in setting.weights.items()}
        sim = _simulator([], 0.5, moved)
        output = np.reshape(sim.predict(setting.streams)["label"], (-1, SIZES[-1]))
        loss.append(np.sum((output - setting.streams["label"][:, 0]) ** 2, axis=1))
    return (loss[0] - loss[1]) / 2e-4


def estimates(setting: Setting, beta: float, variants: list[str]) -> np.ndarray:
    """What the rule makes of dL/dW along the directions (seed,): minus what it adds."""
    sim = _simulator(variants, beta, setting.weights)
    sim.run("train", learn=True, record=[], streams=setting.streams)
    found = 0.0
    for name, w in setting.weights.items():
        moved = np.reshape(sim.weights[name], w.shape) - w
        found = found - np.sum(moved * setting.directions[name], axis=(1, 2))
    return np.asarray(found)


def _slopes(variants: list[str], seeds: range) -> np.ndarray:
    """log2 of the ratio of the estimate's errors at beta and beta/2, each seed a replica."""
    setting = _setting(seeds)
    true = gradients(setting)
    large, small = (np.abs(estimates(setting, beta, variants) - true) for beta in BETAS)
    return np.log2(large / small)


def _one_sided(seeds: range) -> np.ndarray:
    return _slopes([], seeds)


def _symmetric(seeds: range) -> np.ndarray:
    return _slopes(["symmetric"], seeds)


CLAIMS = (
    Claim(
        "ep.one-sided",
        "theorem 1",
        "the estimate approaches the gradient with order 1 in beta",
        _one_sided,
        1.0,
        0.15,
        seeds=5,
        replicas=True,
    ),
    Claim(
        "ep.symmetric",
        "Laborieux et al. 2021, eq. 8",
        "with nudges of both signs it approaches with order 2",
        _symmetric,
        2.0,
        0.1,
        seeds=5,
        replicas=True,
    ),
)
