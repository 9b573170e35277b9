"""`where(c, a, b)`: what is taken counts, whatever the other one is, and so do its slopes."""

from __future__ import annotations

import numpy as np
import pytest

import apical
from apical.graphs.load import load_text

ENGINES = ["numpy", "numba", "torch"]

CIRCUIT = """
apical: 1
name: where
title: A choice, element by element
parameters:
  low: -0.5
data:
  x: 8
cells:
  cell:
    soma:
      - y = where(x > 0, log(x), low*x)
      - n = where(x, 1/x, 0)
      - du/dt = where(x > 0, -2*u, 1 + where(x > -9, 0, sqrt(u - 1)))
populations:
  p:
    cell: cell
    size: 8
protocols:
  train:
    still:
      begin: p.u := 0.5
    only:
      steps: 3
      dt: 0.5
      method: exponential_euler
"""


@pytest.fixture(params=ENGINES)
def engine(request):
    if request.param == "torch":
        pytest.importorskip("torch")
    return request.param


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_is_not_taken_may_be_no_number(engine, dtype):
    """Log of a negative number, 1/0 and the slope of sqrt(u - 1) where u is below 1."""
    x = np.array([-3.0, -1.0, -0.0, 0.0, 1e-3, 0.5, 1.0, 7.0])
    x = x.astype(dtype).astype(float)
    sim = apical.Simulator(load_text(CIRCUIT), engine=engine, dtype=dtype)
    traces = sim.run("train", x=x[None], record=["p.y", "p.n", "p.u"])
    rtol = {"float64": 1e-14, "float32": 1e-6}[dtype]
    positive = x > 0
    log = np.log(np.where(positive, x, 1))
    found = traces["p.y"].values[0, 0, -1]
    np.testing.assert_allclose(found, np.where(positive, log, -0.5 * x), rtol=rtol)
    reciprocal = np.where(x == 0, 0, 1 / np.where(x == 0, 1, x))
    np.testing.assert_allclose(traces["p.n"].values[0, 0, -1], reciprocal, rtol=rtol)
    u = 0.5 + 0.5 * np.arange(4)  # du/dt = 1
    decayed = 0.5 * np.exp(-2 * 0.5 * np.arange(4))  # exact: linear in u
    expected = np.where(positive[:, None], decayed, u)
    np.testing.assert_allclose(traces["p.u"].values[0, 0, 1:].T, expected, rtol=10 * rtol)


def test_the_condition_of_a_rule_stands_at_one_end(engine):
    """w += where(post.e > 0.2, post.e, 0) * pre: a product of both ends."""
    text = """
apical: 1
name: gated
data:
  x: 3
  target: 2
cells:
  sensory:
    soma: r = x
  neuron:
    basal: v = input
    soma: e = target - v
populations:
  a:
    cell: sensory
    size: 3
  b:
    cell: neuron
    size: 2
synapses:
  W:
    from: a.r
    to: b.basal
    init: 0
    rule: w += where(post.e > 0.2, post.e, 0) * pre
protocols:
  train:
    once:
      learn: W
"""
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(5, 3)), rng.uniform(0, 0.4, (5, 2))
    sim = apical.Simulator(load_text(text), engine=engine)
    sim.fit({"x": x, "target": target}, batch=5, shuffle=False)
    gated = np.where(target > 0.2, target, 0)
    np.testing.assert_allclose(sim.weights["W"], gated.T @ x / 5, atol=1e-15)
