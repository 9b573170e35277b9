"""`until: residual < tol`: max over states of |dx/dt| / (1 + |x|), both of the same moment."""

from __future__ import annotations

import numpy as np
import pytest

import apical
from apical.graphs.load import load_text

TEXT = """
apical: 1
name: decay
cells:
  c:
    soma: du/dt = -u
populations:
  n:
    cell: c
    size: 2
protocols:
  train:
    settle:
      steps: 40
      dt: 0.2
      method: METHOD
      until: residual < 0.3
"""
GROWTH = {  # of du/dt = -u in one step of 0.2
    "euler": 1 - 0.2,
    "heun": 1 - 0.2 + 0.2**2 / 2,
    "rk4": 1 - 0.2 + 0.2**2 / 2 - 0.2**3 / 6 + 0.2**4 / 24,
    "exponential_euler": np.exp(-0.2),
}


@pytest.mark.parametrize("engine", ["numpy", "numba", "torch"])
@pytest.mark.parametrize("method", GROWTH)
def test_a_sample_stops_after_the_first_step_whose_state_is_still_enough(engine, method):
    """u(n) = u(0) q^n, and the residual of a sample is u/(1 + u) of its larger unit."""
    start = np.array([[1.0, 0.2], [0.5, 3.0], [0.1, 0.0]])
    sim = apical.Simulator(load_text(TEXT.replace("METHOD", method)), engine=engine)
    traces = sim.run(samples=3, initial={"n.u": start}, record=["n.u"])
    for sample, largest in enumerate(start.max(axis=1)):
        after = largest * GROWTH[method] ** np.arange(1, 41)
        steps = 1 + int(np.argmax(after / (1 + after) < 0.3))
        assert sim.stopped["settle"][0, sample] == steps
        assert np.isfinite(traces.arrays["n.u"][0, sample, steps]).all()
        assert np.isnan(traces.arrays["n.u"][0, sample, steps + 1 :]).all()


@pytest.mark.parametrize("engine", ["numpy", "numba", "torch"])
def test_a_record_that_no_row_fills_is_nan(engine):
    """x@p of the last phase has its value when every row is taken."""
    sim = apical.Simulator(load_text(TEXT.replace("METHOD", "euler")), engine=engine)
    alone = sim.run(record=["n.u@settle"]).arrays["n.u@settle"]
    assert alone.shape == (1, 1, 41, 2) and np.isnan(alone).all()
    traces = sim.run(record=["n.u@settle", "n.u"], initial={"n.u": [[1.0, 1.0]]})
    assert np.isnan(traces.arrays["n.u@settle"]).all()
    assert traces.arrays["n.u"][0, 0, 0, 0] == 1


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_two_lines_that_record_one_variable(engine):
    text = TEXT.replace("METHOD", "euler").replace("      until: residual < 0.3\n", "")
    sim = apical.Simulator(load_text(text), engine=engine)
    both = sim.run(record=["n.u every 10", "n.u every 4"], initial={"n.u": [[1.0, 1.0]]})
    steps = [s for s in range(41) if s % 10 == 0 or s % 4 == 0]
    assert both.phase_step.tolist() == steps
    expected = GROWTH["euler"] ** np.array(steps)
    np.testing.assert_allclose(both.arrays["n.u"][0, 0, :, 0], expected, rtol=1e-12)
