"""Patterns of connections: their chances, and that they depend on the target alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from apical.compartments.patterns import each_with_probability, so_many
from apical.engines import philox

TARGETS, SOURCES = 3000, 17


def uniform(number, target):
    return philox.uniform(5, "connect(W)", number, target)


def matrix(find, given, targets=TARGETS, sources=SOURCES):
    found = np.zeros((targets, sources), int)
    post, pre = find(given, np.arange(targets), sources, uniform)
    assert_array_equal(np.lexsort((pre, post)), np.arange(len(post)))  # sorted by both
    np.add.at(found, (post, pre), 1)
    assert found.max(initial=0) <= 1
    return found


@pytest.mark.parametrize("p", [0.03, 0.3, 0.9])
def test_each_connection_has_its_probability_and_no_other_matters(p):
    found = matrix(each_with_probability, p)
    counts = np.bincount(found.sum(1), minlength=SOURCES + 1)
    expected = TARGETS * stats.binom.pmf(np.arange(SOURCES + 1), SOURCES, p)
    some = expected > 5
    rest = counts[~some].sum(), expected[~some].sum()
    assert stats.chisquare([*counts[some], rest[0]], [*expected[some], rest[1]]).pvalue > 1e-3
    of_source = (found.sum(0) - TARGETS * p) / np.sqrt(TARGETS * p * (1 - p))
    assert np.abs(of_source).max() < 4
    covariance = np.cov(found.T)[~np.eye(SOURCES, dtype=bool)]
    assert np.abs(covariance).max() < 5 * p * (1 - p) / np.sqrt(TARGETS)


def test_none_and_all():
    assert matrix(each_with_probability, 0.0).sum() == 0
    assert matrix(each_with_probability, 1.0).sum() == TARGETS * SOURCES
    assert matrix(so_many, 17).sum() == TARGETS * SOURCES
    assert matrix(each_with_probability, 1e-300).sum() == 0


@pytest.mark.parametrize("k", [1, 4, 13, 16])
def test_every_target_has_so_many_sources_and_every_set_is_as_likely(k):
    found = matrix(so_many, k)
    assert (found.sum(1) == k).all()
    p = k / SOURCES
    assert np.abs((found.sum(0) - TARGETS * p) / np.sqrt(TARGETS * p * (1 - p))).max() < 4
    expected = -p * (1 - p) / (SOURCES - 1)  # hypergeometric
    covariance = np.cov(found.T)[~np.eye(SOURCES, dtype=bool)]
    assert np.abs(covariance - expected).max() < 5 * p * (1 - p) / np.sqrt(TARGETS)


@pytest.mark.parametrize(("find", "given"), [(each_with_probability, 0.2), (so_many, 5)])
def test_a_target_has_its_sources_whatever_targets_are_asked_for_with_it(find, given):
    whole = matrix(find, given)
    for chosen in (np.array([7]), np.arange(40, 60)):
        post, pre = find(given, chosen, SOURCES, uniform)
        part = np.zeros_like(whole)
        part[post, pre] = 1
        assert_array_equal(part[chosen], whole[chosen])


def test_gaps_are_geometric_numbers_of_their_own_draws():
    """By hand: log(1 - u)/log(1 - p) rounded down is what is passed over."""
    post, pre = each_with_probability(0.1, np.array([3]), 400, uniform)
    at, number, expected = -1, 0, []
    while True:
        gap = int(np.log1p(-uniform(number, 3)) / np.log1p(-0.1))
        at, number = at + gap + 1, number + 1
        if at >= 400:
            break
        expected.append(at)
    assert pre.tolist() == expected and set(post.tolist()) == {3}
