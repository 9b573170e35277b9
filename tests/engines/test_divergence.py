"""A state that leaves the numbers stops the run and says where and when."""

from __future__ import annotations

import numpy as np
import pytest

import apical
from apical.graphs.load import load_text

GROWTH = """
apical: 1
name: growth
title: x' = rate x, which overflows
parameters:
  rate: 400
data:
  start: 2
cells:
  cell:
    soma: dx/dt = rate * x
populations:
  net:
    cell: cell
    size: 2
protocols:
  train:
    begin_at:
      begin: net.x := start
    grow:
      steps: 200
      dt: 1
"""


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("batch", [1, None])
def test_the_first_number_that_is_not_finite_is_named(engine, batch):
    """Euler multiplies x by 1 + rate = 401 each step: x_n = 401^n overflows at a known step."""
    circuit = apical.load_text(GROWTH)
    sim = apical.Simulator(circuit, engine=engine, seed=0)
    start = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    with pytest.raises(apical.Divergence) as caught:
        sim.run("train", start=start, record=["net.x"], batch=batch)
    error = caught.value
    steps = int(np.floor(np.log(np.finfo(float).max) / np.log(401))) + 1
    assert (error.variable, error.unit, error.sample) == ("net.x", 1, 1)
    assert (error.phase, error.time) == ("grow", steps)
    assert f"at time {steps}" in str(error)
    kept = error.traces.phase("grow")["net.x"].values
    np.testing.assert_allclose(kept[0, 1, :steps, 1], 401.0 ** np.arange(steps), rtol=1e-12)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_a_rate_that_is_not_finite_from_the_start_is_not_for_a_smaller_step(engine):
    text = (
        "apical: 1\nname: singular\ncells:\n  cell:\n    soma: du/dt = {rate}\n"
        "populations:\n  x:\n    cell: cell\n    size: 1\n"
        "protocols:\n  train:\n    go:\n      begin: x.u := 1\n      steps: 5000\n      dt: 0.1\n"
    )
    for rate, advice in (("1/(u - 1)", "a division by 0"), ("40*u", "a smaller step")):
        circuit = load_text(text.replace("{rate}", rate))
        with pytest.raises(apical.Divergence, match=advice):
            apical.Simulator(circuit, engine=engine).run("train", record=[])
