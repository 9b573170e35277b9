"""Oja's rules: a loop, and the principal components that numpy finds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical

RNG = np.random.default_rng(0)
SPREAD = np.linalg.qr(RNG.normal(size=(6, 6)))[0] * np.array([2, 1.5, 0.5, 0.3, 0.2, 0.1])
IMAGES = RNG.normal(size=(400, 6)) @ SPREAD.T
COMPONENTS = np.linalg.svd(IMAGES, full_matrices=False)[2]


def trained(variants, cells, images, **parameters):
    circuit = apical.load("oja", variants=variants, inputs=6, cells=cells, **parameters)
    sim = apical.Simulator(circuit, engine="numpy", seed=1)
    before = np.array(sim.weights["W"])
    sim.run("train", image=images, batch=1, learn=True, record=[])
    return before, np.array(sim.weights["W"])


@pytest.mark.parametrize(("variants", "cells"), [([], 1), (["subspace"], 3)])
def test_it_is_the_rule_of_the_paper(variants, cells):
    w, found = trained(variants, cells, IMAGES[:10], eta=0.05)
    for x in IMAGES[:10]:
        y = w @ x
        w = w + 0.05 * (np.outer(y, x) - np.outer(y, y) @ w)
    assert_allclose(found, w, rtol=0, atol=1e-13)


def test_one_cell_finds_the_first_component():
    _, w = trained([], 1, IMAGES, eta=0.01)
    assert_allclose(np.linalg.norm(w), 1, atol=0.05)
    assert abs(w[0] @ COMPONENTS[0]) > 0.98 * np.linalg.norm(w)


def test_two_cells_span_the_first_two():
    _, w = trained(["subspace"], 2, np.tile(IMAGES, (2, 1)), eta=0.01)
    assert_allclose(w @ w.T, np.eye(2), atol=0.1)
    assert np.linalg.norm(w @ COMPONENTS[:2].T) > 0.97 * np.linalg.norm(w)
