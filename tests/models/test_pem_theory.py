"""The surrogate of log det: its rest, bounds and gradient, against numpy and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from apical.models import pem as theory


def covariance(seed, n=5, samples=40):
    a = np.random.default_rng(seed).normal(size=(n, samples))
    return a @ a.T / samples


def test_two_by_two():
    c = np.array([[2.0, 0.6], [0.6, 1.5]])
    rho2 = 0.36 / 3.0
    assert theory.log_det(c) == pytest.approx(np.log(3.0 - 0.36))
    assert theory.surrogate_log_det(c) == pytest.approx(np.log(3.0) - rho2)
    assert theory.remainder(c) == pytest.approx(np.log(1 - rho2) + rho2)


@pytest.mark.parametrize("seed", range(20))
def test_bounds(seed):
    c = covariance(seed)
    assert abs(theory.remainder(c)) <= theory.tight_bound(c) <= theory.loose_bound(c)


def test_uncorrelated_is_exact():
    assert theory.remainder(np.diag([1.0, 2.0, 3.0])) == pytest.approx(0, abs=1e-15)
    assert theory.tight_bound(np.diag([1.0, 2.0, 3.0])) == 0


@pytest.mark.parametrize("seed", range(3))
def test_full_gradient_is_that_of_the_objective(seed):
    """dJ/dy through C + s ybar ybar^T, by central differences in a small s, over its factor 2 s."""
    c, eps, s = covariance(seed), 0.1, 1e-6
    y = np.random.default_rng(seed + 9).normal(size=5)

    def entropy(y):
        return theory.objective(c + s * np.outer(y, y), eps, 0.0, np.zeros(5))["total"]

    step = 1e-2
    found = [(entropy(y + step * e) - entropy(y - step * e)) / (2 * step) for e in np.eye(5)]
    assert_allclose(np.array(found) / (2 * s), theory.gradient(c, eps, y, full=True), rtol=1e-4)
    nonlocal_term = theory.gradient(c, eps, y) - theory.gradient(c, eps, y, full=True)
    d, off = np.diag(c) + eps, c - np.diag(np.diag(c))
    expected = [y[i] * sum(off[i, j] ** 2 / (d[i] ** 2 * d[j]) for j in range(5)) for i in range(5)]
    assert_allclose(nonlocal_term, expected, rtol=1e-12)


def test_terms():
    terms = theory.objective(np.diag([1.0, np.e]), 0.0, 2.0, np.array([1.0, 2.0]))
    assert terms == pytest.approx(
        {"variances": -1.0, "redundancy": 0.0, "prediction": 5.0, "total": 4.0}
    )
