"""Random numbers in generated code: those of `philox`, one at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import philox
from ..kernel_cache import njit
from .options import INLINE, PLAIN

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
