"""What the docstring of `Simulator` says: its attributes, and what its methods raise."""

from __future__ import annotations

import re

import numpy as np
import pytest

import apical
from apical.traces.recording import RecordingError
from apical.traces.recording_budget import BudgetError

TEXT = """
apical: 1
name: documented
parameters:
  n: 2
  rate: 1
data:
  image: n
cells:
  source:
    soma: r = image
  neuron:
    basal: v = input
    soma: du/dt = v - rate*u
    slow:
      bias: 3
    rules: bias += 0.5
populations:
  a:
    cell: source
    size: n
  b:
    cell: neuron
    size: 1
synapses:
  W:
    from: a.r
    to: b.basal
    init: 0.5
    rule: w += post.u * pre
predicts:
  image: a.r
protocols:
  train:
    settle:
      until: change(b.u) < 0.01
      steps: 9
      dt: 1
      learn: W, b.bias
  predict: settle
"""
IMAGE = np.array([[1.0, 0.0], [0.0, 0.0], [2.0, 2.0]])


def simulator(**options):
    return apical.Simulator(apical.load_text(TEXT), engine="numpy", **options)


def test_every_attribute_that_is_documented_is_there():
    sim = simulator()
    section = apical.Simulator.__doc__.split("Attributes:\n")[1].split("\n\n")[0]
    names = [
        name.strip()
        for line in re.findall(r"^ {8}(\w[\w, ]*):", section, re.M)
        for name in line.split(",")
    ]
    assert {"slow", "stopped", "compensated", "weights"} <= set(names)
    kind = type(sim)
    public = {*vars(sim), *(n for n in vars(kind) if isinstance(getattr(kind, n), property))}
    public = {name for name in public if not name.startswith("_")}
    assert public - {"activity"} == set(names) and "`activity`" in section


def test_what_they_hold():
    """With dt = 1, u is v after one step and stays: the second step changes nothing."""
    sim = simulator(replicas=2)
    sim.run(streams={"image": IMAGE}, batch=1)
    np.testing.assert_array_equal(sim.stopped["settle"], [[2, 1, 2]] * 2)
    assert (sim.presentation, sim.sample, sim.epoch) == (0, 0, 0)
    sim.run(streams={"image": IMAGE}, batch=3, learn=True)
    assert (sim.presentation, sim.sample, sim.epoch) == (1, 3, 0)
    sim.fit({"image": IMAGE}, batch=2, epochs=2)
    assert (sim.presentation, sim.sample, sim.epoch) == (5, 9, 2)
    assert sim.weights["W"].shape == (2, 1, 2) and sim.state["b.u"].shape == (2, 1, 1)
    np.testing.assert_array_equal(sim.slow["b.bias"], [[5.5]] * 2)  # 3 + 5 presentations of 0.5
    with pytest.raises(ValueError, match="'n'"):
        sim.parameters["n"] = 3


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda s: s.predict({"image": IMAGE * 1e300}), apical.Divergence),
        (lambda s: s.evaluate({"image": IMAGE * 1e300}), apical.Divergence),
        (lambda s: s.fit({"image": IMAGE * 1e300}), apical.Divergence),
        (lambda s: s.run(image=IMAGE * 1e300), apical.Divergence),
        (lambda s: s.predict({"image": IMAGE}, protocol="dream"), ValueError),
        (lambda s: s.predict({"picture": IMAGE}), ValueError),
        (lambda s: s.evaluate({}), ValueError),
        (lambda s: s.run(image=IMAGE, record="b.w"), RecordingError),
        (lambda s: s.run(image=IMAGE, record="b.u", budget=1), BudgetError),
    ],
    ids=["predict", "evaluate", "fit", "run", "protocol", "stream", "scores", "record", "budget"],
)
def test_what_they_raise(call, kind):
    sim = simulator(parameters={"rate": -1e300} if kind is apical.Divergence else None)
    with pytest.raises(kind), np.errstate(all="ignore"):
        call(sim)
