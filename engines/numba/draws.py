"""Random numbers in generated code: those of `philox`, one at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...compartments.distributions import MOST_EVENTS
from .. import philox
from ..kernel_cache import njit
from .options import EXACT, INLINE, PLAIN

rounds = njit(**INLINE)(philox.rounds)
counter = njit(**INLINE)(philox.counter)


@njit(**INLINE)
def words(k0: Any, k1: Any, unit: Any, step: Any, sample: Any) -> Any:
    """The four words of one block, as `philox.random_bits` has them for `philox.counter`."""
    c0, c1, c2, c3 = counter(np.uint64(unit), np.uint64(step), np.uint64(sample))
    return rounds(c0, c1, c2, c3, k0, k1)


@njit(**PLAIN)
def uniform_at(k0: Any, k1: Any, unit: Any, step: Any, sample: Any) -> Any:
    """Uniform in [0, 1); as `philox.uniform`."""
    a, b, _, _ = words(k0, k1, unit, step, sample)
    return float(((a >> np.uint64(5)) << np.uint64(26)) | (b >> np.uint64(6))) * 2.0**-53


@njit(**PLAIN)
def normal_at(k0: Any, k1: Any, unit: Any, step: Any, sample: Any) -> Any:
    """Standard normal; as `philox.normal`."""
    a, b, c, d = words(k0, k1, unit, step, sample)
    u = float(((a >> np.uint64(5)) << np.uint64(26)) | (b >> np.uint64(6))) * 2.0**-53
    v = float(((c >> np.uint64(5)) << np.uint64(26)) | (d >> np.uint64(6))) * 2.0**-53
    return math.sqrt(-2.0 * math.log1p(-u)) * math.cos(2.0 * math.pi * v)


@njit(**PLAIN)
def random_sign_at(k0: Any, k1: Any, unit: Any, step: Any, sample: Any) -> Any:
    """-1.0 or 1.0; as `philox.random_sign`."""
    a, _, _, _ = words(k0, k1, unit, step, sample)
    return 2.0 * float(a >> np.uint64(31)) - 1.0


# --- what distributions with arguments make of standard numbers ----------------------------------


@njit(**PLAIN)
def uniform(u: Any, a: Any, b: Any) -> Any:
    """Uniform in [a, b)."""
    return a + (b - a) * u


@njit(**PLAIN)
def normal(z: Any, m: Any, s: Any) -> Any:
    """Normal, mean m, standard deviation s."""
    return m + s * z


@njit(**EXACT)
def bernoulli(u: Any, p: Any) -> Any:
    """1 where u < p; NaN where p is no probability."""
    if not 0.0 <= p <= 1.0:
        return math.nan
    return 1.0 if u < p else 0.0


@njit(**EXACT)
def poisson(u: Any, l: Any) -> Any:  # noqa: E741
    """The least k whose cumulated probability is above u; as `distributions.poisson`."""
    if not 0.0 <= l <= MOST_EVENTS:
        return math.nan
    rate = np.float64(l)  # float() of numba leaves float32 what it is, and e^-104 is 0 there
    k, probability = 0.0, math.exp(-rate)
    below = probability
    while u >= below and probability > 0.0:
        k += 1.0
        probability *= rate / k
        below += probability
    return k
