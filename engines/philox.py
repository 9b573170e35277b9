"""Counter-based random numbers: Philox 4x32-10.

    (x0, x1, x2, x3) = philox(counter (c0, c1, c2, c3), key (k0, k1)),  all 32-bit words

A number is a pure function of (seed, name, counter): the same on every engine, in every order and
for any number of threads. The key is a hash of (seed, name); replica r of seed s draws with seed
s + r. What a circuit draws is counted by unit, step and sample (see `counter`); what starts it, by
the place in an array (see `Stream`).

`rounds` uses only `+ * & ^ >>` on unsigned 64-bit words, so the same text serves numpy scalars,
numpy arrays and a compiler of scalar code.

Source: Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"; the
known-answer vectors of Random123 are in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np

LOW = np.uint64(0xFFFFFFFF)
SHIFT = np.uint64(32)
MULTIPLIER_0 = np.uint64(0xD2511F53)
MULTIPLIER_1 = np.uint64(0xCD9E8D57)
WEYL_0 = np.uint64(0x9E3779B9)
WEYL_1 = np.uint64(0xBB67AE85)
FIVE = np.uint64(5)
SIX = np.uint64(6)
SIXTEEN = np.uint64(16)
TWENTY_SIX = np.uint64(26)

Words = tuple[Any, Any, Any, Any]


def rounds(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Words:
    """Ten Philox rounds; every argument is a `np.uint64` (scalar or array) below 2^32."""
    for _ in range(10):
        p0 = MULTIPLIER_0 * c0
        p1 = MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (p1 >> SHIFT) ^ c1 ^ k0, p1 & LOW, (p0 >> SHIFT) ^ c3 ^ k1, p0 & LOW
        k0 = (k0 + WEYL_0) & LOW
        k1 = (k1 + WEYL_1) & LOW
    return c0, c1, c2, c3


def counter(unit: Any, step: Any, sample: Any) -> Words:
    """The counter words of a draw: c3 has the bits of step and sample that c1 and c2 do not hold.

        (unit, step mod 2^32, sample mod 2^32, (step div 2^32) 2^16 + sample div 2^32)

    Each is a `np.uint64`; unit below 2^32, step and sample below 2^48.
    """
    return unit, step & LOW, sample & LOW, ((step >> SHIFT) << SIXTEEN) | (sample >> SHIFT)


def unit_interval(high: Any, low: Any) -> Any:
    """A float64 in [0, 1) with 53 random bits from two 32-bit words."""
    return (((high >> FIVE) << TWENTY_SIX) | (low >> SIX)) * 2.0**-53


def box_muller(x0: Any, x1: Any, x2: Any, x3: Any) -> Any:
    """sqrt(-2 log(1 - u)) cos(2 pi v), standard normal, from the four words of one block."""
    u = unit_interval(x0, x1)
    v = unit_interval(x2, x3)
    return np.sqrt(-2.0 * np.log1p(-u)) * np.cos(2.0 * np.pi * v)


def key_of(seed: int, name: str) -> tuple[int, int]:
    """The two key words of (seed, name): the first 8 bytes of BLAKE2b of `seed:name`."""
    digest = blake2b(f"{int(seed)}:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


def random_bits(key: tuple[int, int], c0: Any, c1: Any = 0, c2: Any = 0, c3: Any = 0) -> Words:
    """Four uint64 arrays of 32 random bits each; counters broadcast and are taken modulo 2^32."""
    words = [np.asarray(c).astype(np.uint64) & LOW for c in (c0, c1, c2, c3)]
    c0, c1, c2, c3 = np.broadcast_arrays(*words)
    return rounds(c0, c1, c2, c3, np.uint64(key[0]), np.uint64(key[1]))


def uniform(seed: int, name: str, c0: Any, c1: Any = 0, c2: Any = 0, c3: Any = 0) -> Any:
    """Uniform float64 in [0, 1), one per counter."""
    x = random_bits(key_of(seed, name), c0, c1, c2, c3)
    return unit_interval(x[0], x[1])


def normal(seed: int, name: str, c0: Any, c1: Any = 0, c2: Any = 0, c3: Any = 0) -> Any:
    """Standard normal float64, one per counter."""
    return box_muller(*random_bits(key_of(seed, name), c0, c1, c2, c3))


def random_sign(seed: int, name: str, c0: Any, c1: Any = 0, c2: Any = 0, c3: Any = 0) -> Any:
    """-1.0 or 1.0 with equal probability, one per counter."""
    x = random_bits(key_of(seed, name), c0, c1, c2, c3)
    return np.where(x[0] >> np.uint64(31), 1.0, -1.0)


def permutation(seed: int, name: str, epoch: int, count: int) -> np.ndarray:
    """A permutation of range(count): the stable order of one 64-bit draw per index."""
    x = random_bits(key_of(seed, name), np.arange(count), epoch)
    return np.argsort((x[0] << SHIFT) | x[1], kind="stable")


@dataclass
class PhiloxStream:
    """Arrays of random numbers drawn one after another under one (seed, name).

    Each call takes the next draw number: draw d of element i has counter (i mod 2^32, i div 2^32,
    0, d). Initialisers draw from one stream per weight array.
    """

    seed: int
    name: str
    draws: int = field(default=0)

    def _counters(self, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, int, int]:
        index = np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.uint64).reshape(shape)
        self.draws += 1
        return index & LOW, index >> SHIFT, 0, self.draws - 1

    def uniform(self, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Uniform float64 in [0, 1) of that shape."""
        return uniform(self.seed, self.name, *self._counters(shape))

    def normal(self, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Standard normal float64 of that shape."""
        return normal(self.seed, self.name, *self._counters(shape))

    def random_sign(self, shape: tuple[int, ...] = ()) -> np.ndarray:
        """-1.0 or 1.0, of that shape."""
        return random_sign(self.seed, self.name, *self._counters(shape))
