"""Source separation by a circuit that sees one sample at a time: published settings and runs.

Streams with other sources, mixings and noise are learnt side by side, one in each replica.
Source: the Predictive-Entropy-Maximization programs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from .metrics import match, sinr
from .tasks.sources import mix, start_weights


@dataclass(frozen=True)
class Setting:
    """Constants and variants of the circuit `pem` for sources of one kind.

    `variance` is the output variance it starts with, where that is not the circuit's.
    """

    constants: Mapping[str, float]
    variants: tuple[str, ...] = ()
    variance: float | None = None


SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        "antisparse": Setting({"eps": 1.1e-5, "h0": 0.1}),
        "sparse": Setting(
            {"eps": 1e-5, "gamma": 150, "h0": 0.05, "h_stop": 1e-4, "T": 100, "tol": 1e-6},
            ("sparse",),
        ),
        "nnsparse": Setting(
            {"eps": 1e-4, "div": 2000, "h0": 0.1, "h_stop": 1e-4, "T": 100},
            ("sparse", "nonnegative_sparse"),
            variance=0.1,
        ),
        "simplex": Setting(
            {"eps": 1e-5, "gamma": 150, "h0": 0.1, "h_stop": 1e-4, "T": 100, "eta_q": 0.05},
            ("sparse", "simplex", "log_rate"),
        ),
        "nnantisparse": Setting(
            {"eps": 1.01e-4, "lam": 0.95, "gamma": 750, "div": 20000, "h0": 0.05, "h_stop": 1e-4}
            | {"T": 500, "tol": 1e-6},
            ("nonnegative",),
            variance=2.0,
        ),
    }
)


def learn(setting: Setting, mixtures: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The separators (replica, n, m) after one pass over mixtures (replica, m, N), in order.

    `weights` (replica, n, m) are the feed-forward weights at the start.
    """
    from ..engines.simulator import Simulator
    from ..graphs.load import load

    replicas, n, m = weights.shape
    circuit = load("pem", variants=list(setting.variants), n=n, m=m, **setting.constants)
    sim = Simulator(circuit, engine="numba", replicas=replicas)
    sim.weights["W"] = weights
    if setting.variance is not None:
        sim.slow["y.var"] = np.full(n, setting.variance)
    sim.fit({"mixture": mixtures.transpose(0, 2, 1)}, epochs=1, batch=1, shuffle=False)
    return np.reshape(sim.weights["W"], weights.shape)


def separated(domain: str, rho: float, snr: float, seeds: Sequence[int]) -> list[float]:
    """The SINR (dB) that the circuit `pem` reaches on the published stream of each seed.

    100,000 samples of five sources in `domain` with correlation `rho`, ten mixtures at `snr` dB,
    published constants; scored on the linear map W x.
    """
    drawn = [mix(domain, rho=rho, snr=snr, seed=seed) for seed in seeds]
    first = np.stack([_start(domain, seed) for seed in seeds])
    found = learn(SETTINGS[domain], np.stack([d.mixtures for d in drawn]), first)
    scores = []
    for d, w in zip(drawn, found, strict=True):
        scores.append(sinr(d.sources, match(d.sources, w @ d.mixtures).estimate))
    return scores


def _start(domain: str, seed: int) -> np.ndarray:
    """The published first weights; noise of another size in the nonnegative domains."""
    if domain not in ("nnantisparse", "nnsparse"):
        return start_weights(seed=seed)
    noise = (start_weights(seed=seed) - np.eye(5, 10)) / 0.01
    return noise / 15 + 0.01 * np.eye(5, 10)
