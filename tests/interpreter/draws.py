"""Random numbers from counters: Philox 4x32-10 of Salmon, Moraes, Dror & Shaw 2011, on integers.

    number = f(seed, place in the file, unit, sample, step)

A place is a name: seed and name make the key (BLAKE2b of `seed:name`), the rest is the counter.
"""

from __future__ import annotations

from hashlib import blake2b
from math import cos, log1p, pi, sqrt

import numpy as np

WORD = 2**32


def philox(counter, key):
    """Ten rounds; four words of 32 bits and two of the key, as in section 3.2 of the paper."""
    (left0, right0, left1, right1), (k0, k1) = counter, key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * left0, WORD)
        high1, low1 = divmod(0xCD9E8D57 * left1, WORD)
        left0, right0, left1, right1 = high1 ^ right0 ^ k0, low1, high0 ^ right1 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % WORD, (k1 + 0xBB67AE85) % WORD
    return left0, right0, left1, right1


def words(seed, name, counter):
    digest = blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
    key = int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")
    return philox([int(c) % WORD for c in counter], key)


def fraction(high, low):
    """53 bits in [0, 1)."""
    return ((high >> 5) * 2**26 + (low >> 6)) / 2**53


def uniform(seed, name, counter):
    high, low, _, _ = words(seed, name, counter)
    return fraction(high, low)


def normal(seed, name, counter):
    """Standard normal, by Box and Muller."""
    a, b, c, d = words(seed, name, counter)
    return sqrt(-2 * log1p(-fraction(a, b))) * cos(2 * pi * fraction(c, d))


def random_sign(seed, name, counter):
    return 1.0 if words(seed, name, counter)[0] >> 31 else -1.0


def counted(unit, step, sample):
    """The four words of a counter."""
    return unit, step % WORD, sample % WORD, (step // WORD) * 2**16 + sample // WORD


def normals(seed, name, units, step, samples):
    """(sample, unit) standard normals; `samples` are the numbers of the samples presented."""
    rows = [[normal(seed, name, counted(u, step, s)) for u in range(units)] for s in samples]
    return np.array(rows)


def place(kind, where, number):
    """The name of the n-th draw of a line."""
    return f"{kind}({where})" + (f"#{number}" if number else "")
