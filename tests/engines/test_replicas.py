"""Replicas with samples of their own are as many single runs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical

TEXT = """\
apical: 1
name: mean
parameters:
  eta: 0.1
data:
  image: 3
  label: 2
cells:
  sensory:
    soma: r = image
  output:
    basal: v = input
    soma:
      - du/dt = v - u
      - e = label - u
populations:
  x:
    cell: sensory
    size: 3
  y:
    cell: output
    size: 2
synapses:
  W:
    from: x.r
    to: y.basal
    init: normal(0, 1)
    rule: w += eta * post.e * pre.r
predicts:
  label: y.u
protocols:
  train:
    settle:
      steps: 3
      dt: 0.5
      learn: W
  predict: settle
"""


@pytest.fixture
def streams():
    rng = np.random.default_rng(0)
    return rng.normal(size=(3, 5, 3)), rng.normal(size=(5, 2))


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_own_samples_equal_single_runs(engine, streams):
    """Images of each replica's own, labels for all, shuffled."""
    images, labels = streams
    circuit = apical.load_text(TEXT)
    many = apical.Simulator(circuit, engine=engine, seed=4, replicas=3)
    many.fit({"image": images, "label": labels}, epochs=2, batch=1)
    for r in range(3):
        one = apical.Simulator(circuit, engine=engine, seed=4 + r)
        one.fit({"image": images[r], "label": labels}, epochs=2, batch=1)
        assert_allclose(many.weights["W"][r], one.weights["W"], rtol=1e-12)


def test_own_samples_in_predict_and_run(streams):
    """The last batch is smaller; states start where `initial` says."""
    images, labels = streams
    circuit = apical.load_text(TEXT)
    many = apical.Simulator(circuit, engine="numpy", seed=4, replicas=3)
    guesses = many.predict({"image": images}, batch=2)["label"]
    starts = {"y.u": np.random.default_rng(1).normal(size=(5, 2))}
    options = {"initial": starts, "batch": 2, "record": ["y.u"]}
    traces = many.run(image=images, label=labels, **options).dataset["y.u"].values
    for r in range(3):
        one = apical.Simulator(circuit, engine="numpy", seed=4 + r)
        assert_allclose(guesses[r], one.predict({"image": images[r]})["label"], rtol=1e-12)
        alone = one.run(image=images[r], label=labels, **options).dataset["y.u"].values
        assert_allclose(traces[r], alone[0], rtol=1e-12)


def test_divergence_names_the_sample_of_its_replica(streams):
    images, labels = streams
    images[2, 3] = 1e308
    sim = apical.Simulator(apical.load_text(TEXT), engine="numpy", replicas=3)
    sim.weights["W"] = np.full((2, 3), 10.0)
    with pytest.raises(apical.Divergence) as caught, np.errstate(all="ignore"):
        sim.run(image=images, label=labels, batch=1, record=[])
    assert caught.value.sample == 3


def test_streams_of_another_number_of_replicas_are_refused(streams, refused):
    images, labels = streams
    sim = apical.Simulator(apical.load_text(TEXT), engine="numpy", replicas=2)
    with refused(ValueError):
        sim.fit({"image": images, "label": labels})
