"""A slow variable has one number per unit for all samples, and records show it for each."""

from __future__ import annotations

import numpy as np
import pytest

import apical
from apical.graphs.load import load_text

TEXT = """
apical: 1
name: slow
data:
  x: 3
  y: 3
cells:
  cell:
    soma: r = x + mu
    slow:
      mu: 0
    rules:
      - mu += r
populations:
  p:
    cell: cell
    size: 3
predicts:
  y: p.mu
protocols:
  train:
    first:
      steps: 2
      dt: 1
    second:
      steps: 1
      dt: 1
      learn: p.mu
  predict: first
"""


@pytest.mark.parametrize("engine", ["numpy", "numba", "torch"])
@pytest.mark.parametrize("samples", [1, 4])
def test_a_slow_variable_in_records_and_predictions(engine, samples):
    if engine == "torch":
        pytest.importorskip("torch")
    sim = apical.Simulator(load_text(TEXT), engine=engine)
    mu = np.array([0.25, -2.0, 3.0])
    sim.slow["p.mu"] = mu
    x = np.arange(3.0 * samples).reshape(samples, 3)
    names = ["p.mu", "p.mu mean", "p.mu@first", "p.r"]
    traces = sim.run("train", x=x, record=names)
    found = {name: np.asarray(traces[name].values) for name in traces.dataset.data_vars}
    np.testing.assert_array_equal(found["p.mu"], np.broadcast_to(mu, (1, samples, 5, 3)))
    np.testing.assert_allclose(found["mean(p.mu)"], np.full((1, samples, 5), mu.mean()))
    latched = found["p.mu@first"][:, :, 3:]
    np.testing.assert_array_equal(latched, np.broadcast_to(mu, latched.shape))
    np.testing.assert_array_equal(found["p.r"][0, :, 0], x + mu)
    predicted = sim.predict({"x": x})["y"]
    np.testing.assert_array_equal(predicted, np.broadcast_to(mu, (samples, 3)))
