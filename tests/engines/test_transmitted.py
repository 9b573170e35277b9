"""What a synapse may transmit: a slow variable too, one number per unit for all samples."""

from __future__ import annotations

import numpy as np
import pytest

import apical
from apical.graphs.load import load_text

TEXT = """
apical: 1
name: slow-presynaptic
parameters:
  n: 3
data:
  drive: n
cells:
  relay:
    soma: x = drive
  adapting:
    slow:
      D: 1
    basal: p = input
    lateral:
      - l = input
      - q = input.power
    soma: du/dt = p - l + 10*q
    rules:
      - D += 0.1*(u - D)
populations:
  x:
    cell: relay
    size: n
  y:
    cell: adapting
    size: n
synapses:
  W:
    from: x.x
    to: y.basal
    init: normal(0, 1)
  M:
    from: y.D
    to: y.lateral
    connect: all_but_self
    init: normal(0, 1)
    rule: w += 0.1*post.u*pre
  P:
    from: y.D
    to: y.lateral.power
    connect: all_but_self
    init: normal(0, 1)
    current: w^2*pre
protocols:
  train:
    settle:
      steps: 1
      dt: 1
      learn: M; y.D
"""


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("engine", ["numpy", "numba", "torch"])
def test_a_slow_variable_is_transmitted(engine: str, batch: int) -> None:
    if engine == "torch":
        pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, d = rng.standard_normal((batch, 3)), rng.uniform(0.5, 2.0, 3)
    simulator = apical.Simulator(load_text(TEXT), engine=engine)
    w, m, p = (np.array(simulator.weights[name]) for name in ("W", "M", "P"))
    simulator.slow["y.D"] = d

    traces = simulator.run("train", drive=x, learn=True, batch=batch, record=["y.u"])

    u = x @ w.T - m @ d + 10 * (p**2 @ d)
    found = traces.dataset["y.u"].isel(step=-1).values.reshape(batch, 3)
    outer = u.mean(axis=0)[:, None] * d * (1 - np.eye(3))
    np.testing.assert_allclose(found, u, rtol=1e-12)
    np.testing.assert_allclose(simulator.weights["M"], m + 0.1 * outer, rtol=1e-12)
    np.testing.assert_allclose(simulator.slow["y.D"], d + 0.1 * (u.mean(axis=0) - d), rtol=1e-12)
