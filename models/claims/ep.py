"""Equilibrium propagation: that the file is its equations, and how it approaches the gradient.

Source: Scellier & Bengio 2017; Laborieux et al. 2021 (symmetric).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .claim import Claim
from .presentation import apart, present, simulator, spread, worst

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
class DirectionalCheck:
    """Weights and a direction for each of them (seed, post, pre), images and labels (seed, 1, n).

    The weights are so small that every rate rests inside (0, 1), where the gradient exists.
    """

    weights: Mapping[str, np.ndarray]
    directions: Mapping[str, np.ndarray]
    streams: Mapping[str, np.ndarray]


def _setting(seeds: Sequence[int]) -> DirectionalCheck:
    weights, directions, streams = [], [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        shapes = {f"W[{k}]": (SIZES[k], SIZES[k - 1]) for k in (1, 2)}
        weights.append({name: rng.uniform(-0.2, 0.2, shape) for name, shape in shapes.items()})
        image = rng.uniform(size=(1, SIZES[0]))
        streams.append({"image": image, "label": rng.uniform(0.2, 0.8, size=(1, SIZES[-1]))})
        rng = np.random.default_rng(seed + 1)
        directions.append({name: rng.normal(size=shape) for name, shape in shapes.items()})
    return DirectionalCheck(*(_stacked(each) for each in (weights, directions, streams)))


def _stacked(each: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: np.stack([one[name] for one in each]) for name in each[0]}


def gradients(setting: DirectionalCheck) -> np.ndarray:
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


def estimates(setting: DirectionalCheck, beta: float, variants: list[str]) -> np.ndarray:
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


# --- the equations ---


def _moved(
    s: list[np.ndarray], w: list[np.ndarray], bias: list[np.ndarray], pull: np.ndarray | float
) -> list[np.ndarray]:
    """One Euler step of .5 of ds/dt = -s + W s below + W^T s above + bias - pull, clipped."""
    inputs = [s[0] @ w[0].T + s[2] @ w[1] + bias[0], s[1] @ w[1].T + bias[1] - pull]
    inside = [np.clip(a + 0.5 * (b - a), 0, 1) for a, b in zip(s[1:], inputs, strict=True)]
    return [s[0], *inside]


def _presented(
    w: list[np.ndarray],
    bias: list[np.ndarray],
    image: np.ndarray,
    label: np.ndarray,
    nudges: Sequence[float],
    cost: float,
) -> list[list[list[np.ndarray]]]:
    """The states after each step: 20 free ones from 0, then 4 for each nudge from the free end."""
    s = [image, *(np.zeros((len(image), len(b))) for b in bias)]
    phases = [[s]]
    for _ in range(20):
        phases[0].append(_moved(phases[0][-1], w, bias, 0.0))
    for nudge in nudges:
        states = [phases[0][-1]]
        for _ in range(4):
            pull = cost * nudge * (states[-1][2] - label)
            states.append(_moved(states[-1], w, bias, pull))
        phases.append(states)
    return phases


def learns(variant: str, seed: int) -> float:
    """How far a presentation of `train` is from the equations: states, weights and biases."""
    rng = np.random.default_rng(seed)
    w = [rng.normal(size=(b, a)) / 2 for a, b in zip(SIZES, SIZES[1:], strict=False)]
    bias = [rng.normal(size=n) / 3 for n in SIZES[1:]]
    streams = {"image": rng.uniform(size=(3, 4)), "label": rng.uniform(size=(3, 3))}
    sim = simulator(
        "ep", [variant] if variant else [], sizes=SIZES,
        weights={"W[1]": w[0], "W[2]": w[1]},
        slow={"layer[1].bias": bias[0], "layer[2].bias": bias[1]},
    )  # fmt: skip
    phases = ["free", "nudged", "opposite"][: 3 if variant == "symmetric" else 2]
    done = present(sim, streams, ["layer[1].s", "layer[2].s"])
    rate = {"mnist": 0.1, "fashion": 0.05}.get(variant, 0.3)
    cost = 1.0 if variant == "half_cost" else 2.0
    every = [(0.5,), (-0.5,)] if variant == "random_sign" else [(0.5, -0.5)[: len(phases) - 1]]
    found = []
    for nudges in every:
        states = _presented(w, bias, **streams, nudges=nudges, cost=cost)
        pairs = [
            (done.path(f"layer[{k}].s", phase), np.stack([s[k] for s in path], axis=1))
            for phase, path in zip(phases, states, strict=True)
            for k in (1, 2)
        ]
        plus, minus = (states[1], states[2]) if len(nudges) == 2 else (states[1], states[0])
        scale = rate / (nudges[0] * len(nudges)) / 3
        for k in (1, 2):
            hebb = [a[-1][k].T @ a[-1][k - 1] for a in (plus, minus)]
            pairs.append((done.weight(f"W[{k}]"), w[k - 1] + scale * (hebb[0] - hebb[1])))
            drift = (plus[-1][k] - minus[-1][k]).sum(0)
            pairs.append((done.slow(f"layer[{k}].bias"), bias[k - 1] + scale * drift))
        found.append(worst(pairs))
    return min(found)


def predicts(seed: int) -> float:
    """How far `predict` is from the end of the free phase."""
    rng = np.random.default_rng(seed)
    w = [rng.normal(size=(b, a)) / 2 for a, b in zip(SIZES, SIZES[1:], strict=False)]
    image = rng.uniform(size=(3, 4))
    sim = simulator("ep", sizes=SIZES, weights={"W[1]": w[0], "W[2]": w[1]})
    zero = [np.zeros(5), np.zeros(3)]
    states = _presented(w, zero, image, np.zeros((3, 3)), (), 0.0)
    found = sim.predict({"image": image})["label"]
    return apart(np.reshape(found, (3, 3)), states[0][-1][2])


def signs(seed: int) -> float:
    """The share of negative nudges of `random_sign` among forty seeds."""
    rng = np.random.default_rng(seed)
    streams = {"image": rng.uniform(size=(1, 4)), "label": np.ones((1, 3))}
    down = 0
    for one in range(40):
        inside = {f"layer[{k}].bias": np.full(SIZES[k], 0.4) for k in (1, 2)}
        sim = simulator("ep", ["random_sign"], sizes=SIZES, seed=one, slow=inside)
        done = present(sim, streams, ["layer[2].s"], learn=False)
        move = done.end("layer[2].s", "nudged") - done.end("layer[2].s", "free")
        down += bool(np.sum(move) < 0)
    return down / 40


def starts(seed: int) -> float:
    """How far the first weights are from Glorot's, and the first biases from 0."""
    sim = simulator("ep", sizes=[300, 200], seed=seed)
    bound = np.sqrt(6 / 500)
    return spread(sim.weights["W[1]"], -bound, bound) + float(
        np.abs(sim.slow["layer[1].bias"]).max()
    )


ROWS = {"": (67, 136), "symmetric": (67,), "half_cost": (67,), "random_sign": (67,)}
CLAIMS = (
    *(
        Claim(
            f"ep.learns{'-' if variant else ''}{variant}",
            "the file's equations",
            "`train` in plain numpy: states, weights and biases, to 1e-10",
            partial(learns, variant),
            tolerance=1e-10,
            rows=rows,
        )
        for variant, rows in (ROWS | dict.fromkeys(("mnist", "fashion"), (67,))).items()
    ),
    Claim(
        "ep.predicts", "the file's equations", "`predict` is the end of the free phase",
        predicts, tolerance=1e-12, rows=(155,),
    ),
    Claim(
        "ep.signs", "Scellier & Bengio 2017", "the share of negative nudges among forty draws",
        signs, 0.5, 0.25,
    ),
    Claim(
        "ep.starts", "the file's equations",
        "first weights are Glorot's, biases 0: extremes and mean to .02 of their range",
        starts, tolerance=0.02,
    ),
    Claim(
        "ep.one-sided",
        "theorem 1",
        "the estimate approaches the gradient with order 1 in beta",
        _one_sided,
        1.0,
        0.15,
        rows=(65, 67),
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
        rows=(65, 67),
        seeds=5,
        replicas=True,
    ),
)  # fmt: skip
