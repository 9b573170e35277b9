"""`presentation`, `sample` and `epoch`: what was learnt before the presentation."""

from __future__ import annotations

import numpy as np
import pytest

import apical
from apical.graphs.load import load_text

TEXT = """
apical: 1
name: counting
data:
  image: 1
cells:
  c:
    soma: y = image + presentation + 0.01*sample + 100*epoch
populations:
  n:
    cell: c
    size: 1
protocols:
  train:
    now:
      steps: 0
"""


@pytest.mark.parametrize("engine", ["numpy", "numba", "torch"])
def test_only_what_is_learnt_is_counted(engine):
    sim = apical.Simulator(load_text(TEXT), engine)

    def seen(samples, batch, learn):
        image = np.zeros((samples, 1))
        return sim.run(image=image, batch=batch, learn=learn, record=["n.y"]).arrays["n.y"].ravel()

    def close(found, expected):
        np.testing.assert_allclose(found, expected, atol=1e-12)

    close(seen(4, 2, False), [0, 0, 0, 0])
    close(seen(5, 2, True), [0, 0, 1.02, 1.02, 2.04])
    close(seen(4, 1, False), [3.05] * 4)
    sim.fit({"image": np.zeros((3, 1))}, epochs=2, batch=2)
    close(seen(1, 1, True), [207.11])
