"""Random numbers from counters: Philox 4x32-10 of Salmon, Moraes, Dror & Shaw 2011, on integers.

    number = f(seed, place in the file, unit, sample, step)

A place is a name: seed and name make the key (BLAKE2b of `seed:name`), the rest is the counter.
"""

from __future__ import annotations

from hashlib import blake2b
from math import cos, log1p, pi, sqrt

import numpy as np
from scipy.special import pdtr

from apical.graphs.expressions import tree

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


def table(draw, seed, name, units, step, samples):
    """(sample, unit) numbers; `samples` are the numbers of the samples presented."""
    rows = [[draw(seed, name, counted(u, step, s)) for u in range(units)] for s in samples]
    return np.array(rows)


def events(u, mean):
    """The least k with more than u of the Poisson distribution at or below it."""
    k = 0
    while pdtr(k, mean) <= u:
        k += 1
    return float(k)


STANDARD = {
    "uniform": uniform,
    "normal": normal,
    "random_sign": random_sign,
    "bernoulli": uniform,
    "poisson": uniform,
}
MADE = {  # of a standard number and the arguments
    "uniform": lambda u, a, b: a + (b - a) * u,
    "normal": lambda z, m, s: m + s * z,
    "random_sign": lambda s: s,
    "bernoulli": lambda u, p: (u < p) * 1.0,
    "poisson": np.vectorize(events, otypes=[float]),
}


def numbered(lines):
    """(row, where it stands) -> the number of each draw, over all lines; one that is repeated
    by a function of the file stands at one place."""
    places = [
        (row, node.span)
        for row, line in enumerate(lines)
        for node in tree.walk(line)
        if isinstance(node, tree.Call) and node.function in MADE
    ]
    return {place: number for number, place in enumerate(dict.fromkeys(places))}


def laid(lines, row, number):
    """A line with what `number(function, its number, its arguments)` gives for each draw."""
    places = numbered(lines)

    def each(node):
        if not isinstance(node, tree.Call) or node.function not in MADE:
            return None
        arguments = [tree.transform(a, each) for a in node.arguments]
        return number(node.function, places[row, node.span], arguments)

    return tree.transform(lines[row], each)


def place(kind, where, number):
    """The name of the n-th draw of a line."""
    return f"{kind}({where})" + (f"#{number}" if number else "")
