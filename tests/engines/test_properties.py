"""A synapse that is checked for a property warns when its weights lose it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import apical
from apical.compartments import PROPERTIES
from apical.engines.simulation.weight_warnings import WeightWarning

SIZES = {"sizes": [5, 4, 3], "lam": 0.9, "T_free": 1, "T_nudged": 1, "h0": 0.5}


def trained(variants=(), dtype="float64", replicas=1, scale=1.0, epochs=1, copies=1):
    """Large B on active units: gam r^T B r > 1, so that eq. 28 turns an eigenvalue negative."""
    circuit = apical.load("corinfomax", variants=list(variants), **SIZES)
    sim = apical.Simulator(circuit, engine="numpy", seed=3, dtype=dtype, replicas=replicas)
    for name in ("B[1]", "B[2]"):
        size = sim.weights[name].shape[-1]
        sim.weights[name] = scale * np.eye(size)
    sim.weights["W[1]"] = np.ones((4, 5))
    rng = np.random.default_rng(0)
    samples = {"image": rng.uniform(size=(2, 5)), "label": np.eye(3)[:2]}
    samples = {name: np.tile(array, (copies, 1)) for name, array in samples.items()}
    sim.fit(samples, epochs=epochs, batch=1)
    return sim


def about_b(caught):
    """What the warnings say about B[1]."""
    return [str(w.message) for w in caught if "B[1]" in str(w.message)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_epoch_that_loses_definiteness_warns_once(dtype, snapshot):
    with pytest.warns(WeightWarning) as caught:
        sim = trained(dtype=dtype, scale=40.0, epochs=3)
    smallest = np.linalg.eigvalsh(sim.weights["B[1]"])[0]
    assert smallest < 0
    (said,) = about_b(caught)
    number = said.split()[-1]
    assert float(number) < 0
    assert said.removesuffix(number) == snapshot


def test_the_number_is_the_smallest_eigenvalue():
    with pytest.warns(WeightWarning) as caught:
        sim = trained(scale=40.0)
    (said,) = about_b(caught)
    smallest = np.linalg.eigvalsh(sim.weights["B[1]"])[0]
    assert float(said.split()[-1]) == pytest.approx(smallest, rel=1e-2)


def test_replicas_are_counted(snapshot):
    with pytest.warns(WeightWarning) as caught:
        trained(replicas=2, scale=40.0)
    first = str(caught[0].message)
    assert first.removesuffix(first.split()[-1]) == snapshot


def test_a_divergence_in_mid_epoch_is_explained(snapshot):
    """B: about 1e80, then -1e160, which is not definite, then -1e320, which is no number."""
    with pytest.warns(WeightWarning) as caught:
        with pytest.raises(apical.Divergence), np.errstate(all="ignore"):
            trained(scale=1e80, copies=3)
    first = about_b(caught)[0]
    assert first.removesuffix(first.split()[-1]) == snapshot


@pytest.mark.parametrize(("variants", "scale"), [([], 1.0), (["exact_inverse"], 40.0)])
def test_definite_weights_say_nothing(variants, scale):
    with warnings.catch_warnings():
        warnings.simplefilter("error", WeightWarning)
        sim = trained(variants, scale=scale)
    assert np.linalg.eigvalsh(sim.weights["B[1]"])[0] > 0


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rounding_is_no_loss(dtype):
    """A random Q Q^T, smallest eigenvalue near 0, stays; minus a thousandth along it does not."""
    q = np.random.default_rng(0).uniform(-0.08, 0.08, (300, 300))
    b = q @ q.T
    least = np.linalg.eigh(b)[1][:, 0]
    lost = PROPERTIES["positive_definite"].lost
    found = lost(np.array([b, b - 1e-3 * np.outer(least, least)], dtype=dtype))
    assert list(found) == [1]
    assert lost(np.full((1, 2, 2), np.nan)) == {0: "some of it is not finite"}
