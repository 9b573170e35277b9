"""One number read by many units is the same number for all of them, on every engine."""

from __future__ import annotations

import numpy as np
import pytest

import apical

ENGINES = ("numpy", "numba", "torch")

CIRCUIT = """
apical: 1
name: ones
data:
  level: 1
  image: 3
cells:
  one:
    soma: x = 2*level
  many:
    soma:
      - du/dt = level * image - u + 0*free
      - y = u + level
      - z = level + sum(level) + mean(image)
      - free = 0*u
populations:
  single:
    cell: one
    size: 1
  several:
    cell: many
    size: 3
energy:
  E: sum(several.y)
protocols:
  train:
    first:
      clamp: several.free = single.x
      begin: several.u := single.x + level
      steps: 2
      dt: 0.5
    second:
      release: several.free
      begin: several.u := single.x
"""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", (1, 4))
@pytest.mark.parametrize("dtype", ("float64", "float32"))
def test_a_stream_of_one_is_the_same_for_all_units(engine, batch, dtype):
    if engine == "torch":
        pytest.importorskip("torch")
    sim = apical.Simulator(apical.load_text(CIRCUIT), engine=engine, dtype=dtype)
    rng = np.random.default_rng(0)
    level, image = rng.normal(size=(4, 1)), rng.normal(size=(4, 3))
    record = ["several.u", "several.z", "several.free", "E"]
    found = sim.run("train", level=level, image=image, batch=batch, record=record).arrays
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    same = dict(rtol=tolerance, atol=tolerance)
    u = np.broadcast_to(3 * level, (4, 3))
    for row in range(3):
        np.testing.assert_allclose(found["several.u"][0, :, row], u, **same)
        np.testing.assert_allclose(found["E"][0, :, row], (u + level).sum(1), **same)
        np.testing.assert_allclose(
            found["several.free"][0, :, row], np.broadcast_to(2 * level, (4, 3)), **same
        )
        z = 2 * level + image.mean(1, keepdims=True)
        np.testing.assert_allclose(
            found["several.z"][0, :, row], np.broadcast_to(z, (4, 3)), **same
        )
        u = u + 0.5 * (level * image - u)
    last = np.broadcast_to(2 * level, (4, 3))
    np.testing.assert_allclose(found["several.u"][0, :, 3], last, **same)


def test_a_list_of_one_is_no_list_of_three(refused):
    text = CIRCUIT.replace("data:", "parameters:\n  one: [2]\ndata:").replace(
        "y = u + level", "y = u + one"
    )
    with refused(apical.CircuitError):
        apical.load_text(text)
