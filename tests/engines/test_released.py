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
