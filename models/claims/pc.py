"""Predictive coding: that the file is its equations, variant by variant, as claims.

Sources: Millidge, Song, Salvatori, Lukasiewicz & Bogacz 2022; Millidge, Tschantz & Buckley 2020
(fixed predictions); Song et al. 2020 (Z-IL); Salvatori et al. 2022 (incremental).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .claim import Claim
from .pc_nets import DEPTH, NAMES, SIZES, Network
from .presentation import apart, present, simulator, spread, worst

if TYPE_CHECKING:
    from ...engines.simulation.simulator import Simulator


@dataclass(frozen=True)
class Setting:
    """The constants of a variant, and how its weights and its inference go."""

    eta: float = 0.1
    h: float = 0.1
    steps: int = 20
    adam: bool = False
    each_step: str = ""  # "all" or "zil"
    free: tuple[int, ...] = (1, 2)
    starts: str = "forward"  # or "given"
    linear: bool = False
    linear_output: bool = False
    keeps: bool = True
    precise: bool = False
    held: bool = False


FOUND = {"adam": True, "eta": 1e-3, "h": 0.02}  # of ours; the rest of the file is, too
VARIANTS: dict[str, Setting] = {
    "": Setting(),
    "precision": Setting(precise=True),
    "linear": Setting(linear=True),
    "unconstrained": Setting(free=(0, 1, 2), starts="given"),
    "free_start": Setting(starts="given"),
    "free_output": Setting(free=(1, 2, 3)),
    "feedback_only": Setting(keeps=False),
    "fixed_prediction": Setting(eta=0.05, held=True),
    "zil": Setting(eta=0.05, h=1, steps=DEPTH, each_step="zil"),
    "incremental": Setting(eta=0.02, each_step="all"),
    "adam": Setting(**FOUND),
    "mnist": Setting(**FOUND),
    "fashion": Setting(**FOUND, linear_output=True),
}


ROWS = dict.fromkeys(VARIANTS, (16, 17)) | {
    "precision": (27,),
    "unconstrained": (23,),
    "fixed_prediction": (51,),
    "zil": (61,),
    "incremental": (114,),
    "adam": (101,),
}


def _drawn(seed: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, list[np.ndarray]]:
    """Weights, images and labels of three samples, states for those who do not start forward."""
    rng = np.random.default_rng(seed)
    weights = [0.6 * rng.normal(size=(b, a)) for a, b in zip(SIZES, SIZES[1:], strict=False)]
    states = [rng.normal(size=(3, n)) for n in SIZES]
    return weights, rng.normal(size=(3, SIZES[0])), rng.uniform(size=(3, SIZES[-1])), states


def _network(setting: Setting, weights: list[np.ndarray], seed: int) -> Network:
    net = Network(list(weights), linear_output=setting.linear_output, keeps=setting.keeps)
    if setting.linear:
        net.f, net.slope = (lambda u: u), np.ones_like
    if setting.precise:
        rng = np.random.default_rng(seed + 1)
        roots = [rng.normal(size=(n, n)) / 3 for n in SIZES[1:]]
        net.pi = [np.eye(len(a)) + a @ a.T for a in roots]
    return net


def _expected(
    setting: Setting, net: Network, x: list[np.ndarray]
) -> tuple[list[list[np.ndarray]], list[np.ndarray]]:
    """The states after each step of inference, and the weights in the end."""
    if setting.held:
        f, slope = net.predictions(x)
        net.held = (f, slope, list(x))
    path, weights = [x], net.weights
    for step in range(setting.steps):
        new = net.step(x, setting.h, set(setting.free))
        changes = net.updates(x)
        if setting.each_step:
            chosen = range(DEPTH) if setting.each_step == "all" else [DEPTH - 1 - step]
            net.weights = [
                w + setting.eta * changes[k] if k in chosen else w
                for k, w in enumerate(net.weights)
            ]
        x = new
        path.append(x)
    if setting.each_step:
        return path, net.weights
    changes = net.updates(x)
    if setting.adam:  # the first step of Adam: a step of eta in the direction of each change
        changes = [c / (np.abs(c) + 1e-8) for c in changes]
    return path, [w + setting.eta * c for w, c in zip(weights, changes, strict=True)]


def _file(variant: str, net: Network) -> Simulator:
    weights = {f"W[{k}]": w for k, w in enumerate(net.weights, 1)}
    if net.pi is not None:
        weights |= {f"Pi[{k}]": p for k, p in enumerate(net.pi, 1)}
    return simulator("pc", [variant] if variant else [], weights=weights, sizes=list(SIZES))


def learns(variant: str, seed: int) -> float:
    """How far a presentation of `train` is from the equations: states, energies, weights."""
    setting = VARIANTS[variant]
    weights, image, label, states = _drawn(seed)
    net = _network(setting, weights, seed)
    streams = {"image": image, "label": label}
    initial = {NAMES[k]: states[k] for k in setting.free} if setting.starts == "given" else None
    if 0 in setting.free:
        del streams["image"]
    energies = [] if variant == "zil" else ["F", "loss"]
    done = present(_file(variant, net), streams, [*NAMES, *energies], initial=initial)
    start = states if setting.starts == "given" else net.forward(image)
    if 0 not in setting.free:
        start = [image, *start[1:]]
    if DEPTH not in setting.free:
        start = [*start[:-1], label]
    path, after = _expected(setting, net, start)
    pairs = [(done.path(NAMES[k], "infer"), _rows(path, k)) for k in setting.free]
    pairs += [(done.weight(f"W[{k}]"), w) for k, w in enumerate(after, 1)]
    if variant not in ("zil", "incremental"):  # there errors are of other weights in each row
        found = np.stack([done.path(name, "infer")[..., None] for name in ("F", "loss")])
        expected = np.stack([net.energy(x) for x in path], axis=-1)
        pairs.append((found.reshape(expected.shape), expected))
    return worst(pairs)


def _rows(path: list[list[np.ndarray]], k: int) -> np.ndarray:
    return np.stack([x[k] for x in path], axis=1)


def predicts(variant: str, seed: int) -> float:
    """How far `predict` is from the forward pass."""
    weights, image, _, _ = _drawn(seed)
    net = _network(VARIANTS[variant], weights, seed)
    found = _file(variant, net).predict({"image": image})["label"]
    return apart(np.reshape(found, (len(image), -1)), net.forward(image)[-1])


def generates(variant: str, seed: int) -> float:
    """How far `generate` is from eq. 1 with only the label held, ten times as many steps."""
    weights, _, label, states = _drawn(seed)
    setting = VARIANTS[variant]
    net = _network(setting, weights, seed)
    initial = {NAMES[k]: states[k] for k in range(DEPTH)}
    sim = _file(variant, net)
    done = present(sim, {"label": label}, NAMES, "generate", False, initial=initial)
    x = [*states[:-1], label]
    for _ in range(10 * setting.steps):
        x = net.step(x, setting.h, set(range(DEPTH)))
    return worst((done.end(NAMES[k]), x[k]) for k in range(DEPTH))


def starts(seed: int) -> float:
    """How far the first weights are from Glorot's: uniform in +-sqrt(6/(n_pre + n_post))."""
    sim = simulator("pc", ["precision"], seed=seed, sizes=[300, 200])
    bound = np.sqrt(6 / 500)
    found = spread(sim.weights["W[1]"], -bound, bound)
    return found + apart(sim.weights["Pi[1]"], np.eye(200))


def _no_energy(seed: int) -> float:
    return float(len(simulator("pc", ["zil"], sizes=list(SIZES)).circuit.energies))


FILE = "the file's equations"
CLAIMS = (
    *(
        Claim(
            f"pc.learns{'-' if variant else ''}{variant}",
            FILE,
            "`train` is eqs. 1-2 in plain numpy: states, energies and weights, to 1e-10; "
            + (f"variant {variant}" if variant else "as the file stands"),
            partial(learns, variant),
            tolerance=1e-10,
            rows=rows,
        )
        for variant, rows in ROWS.items()
    ),
    *(
        Claim(
            f"pc.predicts{'-' if variant else ''}{variant}",
            FILE,
            "`predict` is the forward pass",
            partial(predicts, variant),
            tolerance=1e-12,
            rows=(155,),
        )
        for variant in ("", "fashion")
    ),
    *(
        Claim(
            f"pc.generates{'-' if variant else ''}{variant}",
            FILE,
            "`generate` is eq. 1 with the input free, over ten times as many steps",
            partial(generates, variant),
            tolerance=1e-10,
            rows=(60, 155),
        )
        for variant in ("", "fashion")
    ),
    Claim(
        "pc.starts",
        FILE,
        "first weights are Glorot's, first precisions 1: extremes and mean to .02 of their range",
        starts,
        tolerance=0.02,
    ),
    Claim("pc.no-energy-zil", FILE, "whole steps lower no energy: `zil` declares none", _no_energy),
)
