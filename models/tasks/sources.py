"""Blind source separation: sources in a domain, a random mixing, noise; the published recipe.

    X = A S + noise,  S (n, N) in the domain,  A (m, n) standard normal

Everything is drawn from numpy's legacy generator (`RandomState(seed)`) in the published order, so
that the published numbers can be had again: sources, mixing, noise.

Source: the Predictive-Entropy-Maximization programs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from .separation_picture import drawing
from .task import Samples, Task


def project_l1_ball(columns: np.ndarray, radius: float = 1.0) -> np.ndarray:
    """Every column moved to the nearest point with |x|_1 <= radius.

    Source: Duchi, Shalev-Shwartz, Singer & Chandra 2008, figure 1.
    """
    sizes = np.abs(columns)
    inside = np.sum(sizes, axis=0) <= radius
    outside = np.sign(columns) * project_simplex(sizes, radius)
    return np.where(inside, columns, outside)


def project_simplex(columns: np.ndarray, total: float = 1.0) -> np.ndarray:
    """Every column moved to the nearest point with x >= 0 and sum x = total.

        x_i -> max(x_i - theta, 0), theta = (sum of the rho largest - total) / rho

    Source: Duchi et al. 2008, figure 1.
    """
    n = len(columns)
    ordered = -np.sort(-columns, axis=0)
    excess = np.cumsum(ordered, axis=0) - total
    counts = np.arange(1, n + 1)[:, None]
    rho = np.sum(ordered - excess / counts > 0, axis=0)
    theta = excess[rho - 1, np.arange(columns.shape[1])] / rho
    return np.maximum(columns - theta, 0.0)


def correlation_root(count: int, rho: float) -> np.ndarray:
    """F (count, count) with F^T F = (1 - rho) I + rho 1 1^T.

    The symmetric root, or at a published rho the root of the published draws, sqrt(s) V of a
    singular value decomposition. All but one s are equal there, so V is the choice of a LAPACK and
    its processor (OpenBLAS with AVX2 kernels); it is written down to be the same everywhere.
    """
    base, along = np.sqrt(1 - rho), np.sqrt(1 + (count - 1) * rho)
    if count == 5 and rho in PUBLISHED_BASES:
        return np.array([along, *4 * [base]])[:, None] * PUBLISHED_BASES[rho]
    return base * np.eye(count) + (along - base) / count * np.ones((count, count))


_ROOT3 = np.sqrt(3)
_ALONG, _FIRST = -np.ones(5) / np.sqrt(5), np.array([4, -1, -1, -1, -1]) / np.sqrt(20)
PUBLISHED_BASES: Mapping[float, np.ndarray] = MappingProxyType(
    {
        0.4: np.array(
            [
                _ALONG,
                np.array([0, 3, -1, -1, -1]) / np.sqrt(12),
                np.array([0, 0, -2, _ROOT3 + 1, 1 - _ROOT3]) / np.sqrt(12),
                np.array([0, 0, -2, 1 - _ROOT3, _ROOT3 + 1]) / np.sqrt(12),
                _FIRST,
            ]
        ),
        0.5: np.array(
            [
                _ALONG,
                _FIRST,
                np.array([0, 15, -7, -1, -7]) / 18,
                np.array([0, -21, -37, 77, -19]) / 90,
                np.array([0, 3, -59, -11, 67]) / 90,
            ]
        ),
    }
)


def copula_t(rng: np.random.RandomState, count: int, samples: int, rho: float) -> np.ndarray:
    """(count, samples) in (0, 1): a t copula with 4 degrees of freedom and equal correlations rho.

    U = T_4(sqrt(4/s) Z),  Z ~ N(0, (1 - rho) I + rho 1 1^T),  s ~ chi^2_4 per sample
    """
    from scipy import stats

    s = stats.chi2.rvs(4, size=samples, random_state=rng)
    z = rng.standard_normal((samples, count)) @ correlation_root(count, rho)
    return np.asarray(stats.t.cdf(np.sqrt(4 / s)[:, None] * z, 4)).T


def _antisparse(rng: np.random.RandomState, count: int, samples: int, rho: float) -> np.ndarray:
    return 2 * copula_t(rng, count, samples, rho) - 1


def _sparse(rng: np.random.RandomState, count: int, samples: int, rho: float) -> np.ndarray:
    return project_l1_ball(rng.uniform(-4, 4, (count, samples)))


def _nnsparse(rng: np.random.RandomState, count: int, samples: int, rho: float) -> np.ndarray:
    return np.maximum(project_l1_ball(rng.uniform(-2, 2, (count, samples))), 0.0)


def _simplex(rng: np.random.RandomState, count: int, samples: int, rho: float) -> np.ndarray:
    return project_simplex(rng.uniform(-4, 4, (count, samples)))


@dataclass(frozen=True)
class Domain:
    """Where sources live. `correlated` says whether a correlation rho can be asked for."""

    name: str
    draw: Callable[[np.random.RandomState, int, int, float], np.ndarray]
    correlated: bool
    text: str


_TABLE = (
    Domain("antisparse", _antisparse, True, "-1 <= s_i <= 1; t copula, uniform margins"),
    Domain("nnantisparse", copula_t, True, "0 <= s_i <= 1; t copula, uniform margins"),
    Domain("sparse", _sparse, False, "|s|_1 <= 1; uniform in [-4, 4), projected"),
    Domain("nnsparse", _nnsparse, False, "s >= 0, sum s <= 1; uniform in [-2, 2), projected"),
    Domain("simplex", _simplex, False, "s >= 0, sum s = 1; uniform in [-4, 4), projected"),
)

DOMAINS: Mapping[str, Domain] = MappingProxyType({domain.name: domain for domain in _TABLE})


@dataclass(frozen=True, eq=False)
class Mixture:
    """Sources (n, N), mixing (m, n) and noisy mixtures (m, N), as the papers write them."""

    sources: np.ndarray
    mixing: np.ndarray
    mixtures: np.ndarray


def mix(
    domain: str = "antisparse",
    *,
    sources: int = 5,
    mixtures: int = 10,
    samples: int = 100_000,
    rho: float = 0.0,
    snr: float = 30.0,
    seed: int = 0,
) -> Mixture:
    """Sources of a domain, mixed, with noise of `snr` dB per mixture.

        X = A S + sqrt(10^(-snr/10) mean_t (A S)^2) N(0, 1)

    Raises KeyError for an unknown domain, ValueError for a correlation that the domain cannot have.
    """
    where = DOMAINS[domain]
    if rho and not where.correlated:
        raise ValueError(f"sources of the domain {domain} are drawn without correlation, rho = 0")
    rng = np.random.RandomState(seed)
    s = where.draw(rng, sources, samples, rho)
    a = rng.randn(mixtures, sources)
    return Mixture(s, a, noisy(a @ s, snr, rng))


def noisy(clean: np.ndarray, snr: float, rng: np.random.RandomState) -> np.ndarray:
    """Mixtures (m, N) with noise of `snr` dB: + sqrt(10^(-snr/10) mean_t clean^2) N(0, 1)."""
    scale = np.sqrt(10 ** (-snr / 10) * np.mean(clean**2, axis=1, keepdims=True))
    return clean + scale * rng.standard_normal(clean.shape)


def whiten(mixtures: np.ndarray, count: int) -> np.ndarray:
    """The map (count, m) after which `mixtures` (m, N) have unit covariance; no mean is removed.

    L^-1/2 V^T of the `count` largest eigenvalues L and eigenvectors V of the covariance
    """
    values, vectors = np.linalg.eigh(np.cov(mixtures, bias=True))
    return (vectors[:, ::-1][:, :count] / np.sqrt(values[::-1][:count])).T


def start_weights(sources: int = 5, mixtures: int = 10, seed: int = 0) -> np.ndarray:
    """The published first feed-forward weights: eye + 0.01 N(0, 1), (source, mixture)."""
    noise = np.random.default_rng(seed + 123456).standard_normal((sources, mixtures))
    return np.eye(sources, mixtures) + 0.01 * noise


def separation(
    domain: str = "antisparse",
    sources: int = 5,
    mixtures: int = 10,
    samples: int = 100_000,
    rho: float = 0.0,
    snr: float = 30.0,
    whitened: bool = False,
    seed: int = 0,
) -> Task:
    """The task "separation": stream mixture (sample, m), to be presented once and in order.

    Options as for `mix`; `whitened`: the circuit is shown n whitened mixtures. Scored are estimates
    of the stream source (sample, n) from the same mixtures. `extras` holds `sources` (n, N),
    `mixing` (m, n) and the published `start_weights` (n, m).
    """
    if domain not in DOMAINS:
        raise ValueError(f"domain {domain!r}: expected one of {', '.join(DOMAINS)}")
    drawn = mix(
        domain, sources=sources, mixtures=mixtures, samples=samples, rho=rho, snr=snr, seed=seed
    )
    shown = whiten(drawn.mixtures, sources) @ drawn.mixtures if whitened else drawn.mixtures
    what = f"{mixtures} mixtures" + (", whitened" if whitened else "")
    return mixed(
        name="separation",
        about=f"{sources} {domain} sources, correlation {rho:g}, in {what}, {snr:g} dB",
        train=shown,
        test=shown,
        sources=drawn.sources,
        mixing=drawn.mixing,
        start_weights=start_weights(sources, mixtures, seed),
        options={"domain": domain, "rho": rho, "snr": snr},
    )


def mixed(
    name: str,
    about: str,
    train: np.ndarray,
    test: np.ndarray,
    sources: np.ndarray,
    **extras: Any,
) -> Task:
    """A task of sources (n, N) in mixtures (m, N): those learnt from, one by one, and those scored.

    `shape` of `extras`, where a source is a picture, and `rate` (1/s), where it is a sound, say how
    it is drawn.
    """
    streams = {"mixture": np.ascontiguousarray(test.T), "source": np.ascontiguousarray(sources.T)}
    return Task(
        name=name,
        train=Samples({"mixture": np.ascontiguousarray(train.T)}),
        test=Samples(streams, {"source": ("sinr", "mean_snr")}),
        about=about,
        extras={"sources": sources, **extras},
        batch=1,
        shuffle=False,
        picture=lambda predictions: drawing(
            sources, test, predictions["source"].T, extras.get("shape"), extras.get("rate")
        ),
    )
