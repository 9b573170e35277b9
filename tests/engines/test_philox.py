"""Philox 4x32-10 against the published vectors, and the distributions built on it."""

from __future__ import annotations

import numpy as np
import pytest

from apical.engines import philox

# Known-answer vectors of Random123 (kat_vectors, philox4x32 10): counter + key, result.
KNOWN = [
    ("0 0 0 0", "0 0", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def words(text: str) -> list[int]:
    return [int(w, 16) for w in text.split()]


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_known_answers(counter: str, key: str, result: str) -> None:
    k0, k1 = words(key)
    assert [int(w) for w in philox.random_bits((k0, k1), *words(counter))] == words(result)


def philox_in_plain_integers(counter: list[int], key: tuple[int, int]) -> list[int]:
    """Transcribed from the paper, on Python integers."""
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c[0], 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c[2], 2**32)
        c = [high1 ^ c[1] ^ k0, low1, high0 ^ c[3] ^ k1, low0]
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c


def test_arrays_agree_with_plain_integers() -> None:
    key = philox.key_of(3, "W[1]")
    x = philox.random_bits(key, np.arange(5)[:, None], np.arange(3), 7, 2**32 - 1)
    assert x[0].shape == (5, 3)
    for i in range(5):
        for j in range(3):
            expected = philox_in_plain_integers([i, j, 7, 2**32 - 1], key)
            assert [int(w[i, j]) for w in x] == expected


def test_uniform_is_a_pure_function_of_seed_name_and_counter() -> None:
    a = philox.uniform(0, "noise", np.arange(1000), 5)
    b = philox.uniform(0, "noise", np.arange(999, -1, -1), 5)[::-1]
    assert np.array_equal(a, b)
    assert not np.array_equal(a, philox.uniform(1, "noise", np.arange(1000), 5))
    assert not np.array_equal(a, philox.uniform(0, "noise2", np.arange(1000), 5))
    assert not np.array_equal(a, philox.uniform(0, "noise", np.arange(1000), 6))
    assert a.dtype == np.float64
    x = philox.random_bits(philox.key_of(0, "noise"), 17, 5)
    assert a[17] == ((int(x[0]) >> 5) * 2**26 + (int(x[1]) >> 6)) / 2**53


def test_distributions() -> None:
    from scipy import stats

    n = 100_000
    u = philox.uniform(1, "u", np.arange(n))
    z = philox.normal(1, "z", np.arange(n))
    s = philox.random_sign(1, "s", np.arange(n))
    assert u.min() >= 0 and u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert stats.kstest(z, "norm").pvalue > 1e-3
    assert set(np.unique(s)) == {-1.0, 1.0}
    assert abs(s.mean()) < 4 / np.sqrt(n)
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 4 / np.sqrt(n)


def test_permutation() -> None:
    p = philox.permutation(0, "order", 3, 1000)
    assert sorted(p) == list(range(1000))
    assert not np.array_equal(p, philox.permutation(0, "order", 4, 1000))
    assert np.array_equal(p, philox.permutation(0, "order", 3, 1000))
    assert philox.permutation(0, "order", 0, 0).shape == (0,)


def test_stream_draws_differ_and_repeat() -> None:
    a, b = philox.PhiloxStream(2, "W"), philox.PhiloxStream(2, "W")
    first = a.uniform((3, 4))
    assert first.shape == (3, 4)
    assert np.array_equal(first, b.uniform((3, 4)))
    assert not np.array_equal(first, a.uniform((3, 4)))
    assert np.array_equal(first.ravel(), philox.PhiloxStream(2, "W").uniform((12,)))
    assert a.normal().shape == ()
    assert set(np.unique(a.random_sign((50,)))) == {-1.0, 1.0}


def test_the_scalar_text_compiles() -> None:
    numba = pytest.importorskip("numba")
    rounds = numba.njit(philox.rounds)
    for counter, key, result in KNOWN:
        arguments = [np.uint64(w) for w in words(counter) + words(key)]
        assert [int(w) for w in rounds(*arguments)] == words(result)
