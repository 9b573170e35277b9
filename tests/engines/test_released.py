"""A clamped variable is what its clamp says up to the moment of release."""

from __future__ import annotations

import numpy as np
import pytest

import apical

CIRCUIT = """
apical: 1
name: released
data:
  image: 2
cells:
  cell:
    soma:
      - du/dt = -u
      - y = image
    slow:
      m: 1
    rules: m += y
populations:
  a:
    cell: cell
    size: 2
protocols:
  train:
    held:
      clamp: a.u = 2*m
      steps: 1
      dt: 0.5
      learn: a.m
    free:
      release: a.u
      steps: 1
      dt: 0.5
"""


@pytest.mark.parametrize("engine", ("numpy", "numba", "torch"))
def test_what_was_learnt_reaches_a_clamp_before_it_ends(engine):
    if engine == "torch":
        pytest.importorskip("torch")
    sim = apical.Simulator(apical.load_text(CIRCUIT), engine=engine)
    image = np.array([[0.5, -1.0]])
    traces = sim.run("train", image=image, learn=True, record=["a.u"])
    u = traces.arrays["a.u"][0, 0]
    np.testing.assert_allclose(u[:2], 2.0)
    np.testing.assert_allclose(u[2], 2 * (1 + image[0]), rtol=1e-12)
    np.testing.assert_allclose(u[3], (1 - 0.5) * 2 * (1 + image[0]), rtol=1e-12)


def test_from_says_what_a_released_variable_is():
    """In one phase with `from: free`, u is as at the end of `free`, not as its clamp held it."""
    text = """
apical: 1
name: restored
data:
  target: 1
cells:
  c:
    soma: du/dt = 1
populations:
  a:
    cell: c
    size: 1
protocols:
  train:
    free:
      steps: 2
      dt: 0.5
    held:
      clamp: a.u = target
      steps: 1
      dt: 0.5
    again:
      from: free
      release: a.u
      steps: 1
      dt: 0.5
"""
    sim = apical.Simulator(apical.load_text(text), engine="numpy")
    traces = sim.run(target=np.full((1, 1), 7.0), record=["a.u"])
    assert traces.arrays["a.u"].ravel().tolist() == [0, 0.5, 1, 7, 7, 1, 1.5]


@pytest.mark.parametrize("engine", ("numpy", "numba", "torch"))
def test_what_was_learnt_reaches_a_clamp_before_its_presentation_ends(engine):
    """The clamp ends with the presentation; the next, carried on, begins with what it said then."""
    text = (
        CIRCUIT[: CIRCUIT.index("    free:")]
        + "  alone:\n    free:\n      steps: 0\n      dt: 0.1\n"
    )
    sim = apical.Simulator(apical.load_text(text), engine=engine)
    image = np.array([[0.5, -1.0]])
    sim.run("train", image=image, learn=True)
    traces = sim.run("alone", carry=True, record=["a.u"])
    np.testing.assert_allclose(traces.arrays["a.u"].ravel(), 2 * (1 + image[0]), rtol=1e-12)
