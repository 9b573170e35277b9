"""Source separation by a circuit that sees one sample at a time: the published streams, learnt.

Streams with other sources, mixings and noise are learnt side by side, one in each replica, from the
published first weights. The constants stand in the circuit's variants.
Source: the Predictive-Entropy-Maximization programs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .metrics import match, mean_snr, sinr
from .tasks.sources import mix, start_weights, whiten

if TYPE_CHECKING:
    from ..engines.simulation.simulator import Simulator

TOGETHER = 10  # streams in memory at once, 120 MB


class Score(NamedTuple):
    """SINR and the mean over sources of the SNR, in dB."""

    sinr: float
    mean_snr: float


VARIANTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "antisparse": (),
        "sparse": ("sparse",),
        "nnsparse": ("sparse", "nonnegative_sparse"),
        "simplex": ("sparse", "simplex"),
        "nnantisparse": ("nonnegative",),
        "music": ("sparse", "music"),
        "photographs": ("nonnegative", "photographs"),
    }
)  # of the circuit `pem`, for sources of one kind


def learn(variants: Sequence[str], mixtures: np.ndarray, weights: np.ndarray) -> Simulator:
    """The circuit `pem` after one pass over mixtures (replica, m, N), in order.

    `weights` (replica, n, m) are the feed-forward weights at the start.
    """
    from ..engines.simulation.simulator import Simulator
    from ..graphs.load import load

    replicas, n, m = weights.shape
    sim = Simulator(load("pem", variants, n=n, m=m), engine="numba", replicas=replicas)
    sim.weights["W"] = weights
    sim.fit({"mixture": mixtures.transpose(0, 2, 1)}, epochs=1, batch=1, shuffle=False)
    return sim


def separators(variants: Sequence[str], mixtures: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The feed-forward weights (replica, n, m) that `learn` ends with."""
    return np.reshape(learn(variants, mixtures, weights).weights["W"], weights.shape)


def covariances(domain: str, rho: float, snr: float, seeds: Sequence[int]) -> list[np.ndarray]:
    """The covariance (n, n) that the circuit `pem` holds after the published stream of each seed.

    It forgets: one of lam .99 is that of the last hundred samples or so.
    """
    found = []
    for _, mixtures, first in _drawn(domain, rho, snr, seeds):
        sim = learn(VARIANTS[domain], mixtures, first)
        replicas, n, _ = first.shape
        lateral = np.reshape(sim.weights["C"], (replicas, n, n))
        variances = np.reshape(sim.slow["y.var"], (replicas, n))
        found += [c + np.diag(v) for c, v in zip(lateral, variances, strict=True)]
    return found


def learn_similarity(circuit: str, mixtures: np.ndarray, count: int) -> np.ndarray:
    """The separators (replica, n, m) of the circuits `bsm` and `nsm`, after one pass in order.

    They see whitened mixtures, x = V X; the scored map is that of an output at rest inside its
    domain, (M D)^-1 W V and (I + M)^-1 W V.
    """
    from ..engines.simulation.simulator import Simulator
    from ..graphs.load import load

    replicas = len(mixtures)
    spheres = np.stack([whiten(x, count) for x in mixtures])
    sim = Simulator(load(circuit, n=count, m_x=count), engine="numba", replicas=replicas)
    streams = {"mixture": (spheres @ mixtures).transpose(0, 2, 1)}
    sim.fit(streams, epochs=1, batch=1, shuffle=False)
    w, m = (np.reshape(sim.weights[name], (replicas, count, count)) for name in ("W", "M"))
    if circuit == "nsm":
        return np.linalg.solve(np.eye(count) + m, w) @ spheres
    own, gains = (np.reshape(sim.slow[f"y.{v}"], (replicas, 1, count)) for v in ("m", "D"))
    return np.linalg.solve((m + own * np.eye(count)) * gains, w) @ spheres


def separated(
    domain: str, rho: float, snr: float, seeds: Sequence[int], method: str = "pem"
) -> list[Score]:
    """How well a circuit separates the published stream of each seed.

    100,000 samples of five sources in `domain` with correlation `rho`, ten mixtures at `snr` dB,
    published constants; scored on the linear map of the mixtures. `method` is "pem", a variant of
    it for antisparse sources, "bsm" or "nsm".
    """
    variants = VARIANTS[domain] if method == "pem" else (method,)
    scores: list[Score] = []
    for sources, mixtures, first in _drawn(domain, rho, snr, seeds):
        if method in ("bsm", "nsm"):
            found = learn_similarity(method, mixtures, sources.shape[1])
        else:
            found = separators(variants, mixtures, first)
        scores += [score(*pair) for pair in zip(sources, found @ mixtures, strict=True)]
    return scores


def separated_recordings(name: str, seeds: Sequence[int]) -> list[Score]:
    """How well the circuit `pem` separates the task "music" or "photographs", for each mixing."""
    from .tasks import KINDS

    tasks = [KINDS[name].make(seed=seed) for seed in seeds]
    mixtures = np.stack([np.transpose(task.train["mixture"]) for task in tasks])
    first = np.stack([task.extras["start_weights"] for task in tasks])
    found = separators(VARIANTS[name], mixtures, first)
    return [
        score(task.extras["sources"], w @ task.extras["mixtures"])
        for task, w in zip(tasks, found, strict=True)
    ]


def score(sources: np.ndarray, estimate: np.ndarray) -> Score:
    """The scores of estimates (n, N), matched with their sources (n, N)."""
    matched = match(sources, estimate).estimate
    return Score(sinr(sources, matched), mean_snr(sources, matched))


def _drawn(
    domain: str, rho: float, snr: float, seeds: Sequence[int]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Sources, mixtures and first weights of the published streams, some replicas at a time."""
    for place in range(0, len(seeds), TOGETHER):
        part = seeds[place : place + TOGETHER]
        drawn = [mix(domain, rho=rho, snr=snr, seed=seed) for seed in part]
        yield (
            np.stack([d.sources for d in drawn]),
            np.stack([d.mixtures for d in drawn]),
            np.stack([_start(domain, seed) for seed in part]),
        )


def _start(domain: str, seed: int) -> np.ndarray:
    """The published first weights; noise of another size in the nonnegative domains."""
    if domain not in ("nnantisparse", "nnsparse"):
        return start_weights(seed=seed)
    noise = (start_weights(seed=seed) - np.eye(5, 10)) / 0.01
    return noise / 15 + 0.01 * np.eye(5, 10)
