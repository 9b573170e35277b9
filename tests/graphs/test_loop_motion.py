"""What a loop repeats without need: moved out of it, or noted; by hand, and by the numbers."""

from __future__ import annotations

import numpy as np
import pytest

import apical
from apical.graphs.expressions.text import text

SHRINKING = """\
apical: 1
name: shrinking
data:
  image: 2
cells:
  sensory:
    soma: r = image
  neuron:
    basal: v = input
    soma: u = v
populations:
  x:
    cell: sensory
    size: 2
  y:
    cell: neuron
    size: 3
synapses:
  W:
    from: x.r
    to: y.basal
    init: xavier_uniform
    rule: w += dt * post.u * pre
protocols:
  train:
    settle:
      steps: 4
      dt: 0.5 / (1 + step)
      learn: W
"""
RELAXING = """\
apical: 1
name: relaxing
parameters:
  g: 3
  tau: 2
data:
  image: 2
cells:
  sensory:
    soma: r = image
  neuron:
    basal: v = input
    soma:
      - tau * du/dt = v + g * image - (1 + g) * u
      - e = (v - 1)^2 * u
populations:
  x:
    cell: sensory
    size: 2
  y:
    cell: neuron
    size: 2
synapses:
  W:
    from: x.r
    to: y.basal
    rule: {rule}
protocols:
  train:
    settle:
      steps: 4
      dt: 0.5
      {learn}
"""


def loop_of(source: str, learn: bool = True):
    (phase,) = apical.lower(apical.load_text(source), "train", learn=learn).phases
    return phase.loop


def test_a_scalar_that_only_the_last_step_decides_is_computed_on_leaving():
    program = apical.lower(apical.load_text(SHRINKING))
    lines = [line.strip() for line in str(program).splitlines()]
    loop = lines.index("loop 4 steps")
    assert lines[loop + 1] == "#dt := 0.5 / (1 + #step)"
    (phase,) = program.phases
    assert phase.loop.body == () and "#dt" in phase.leave[0].writes


@pytest.mark.parametrize("engine", ["numpy", "numba", "torch"])
def test_it_has_the_value_of_the_last_step(engine):
    """W' = W + dt (W x) x', with dt = 0.5 / (1 + 3)."""
    if engine == "torch":
        pytest.importorskip("torch")
    sim = apical.Simulator(apical.load_text(SHRINKING), engine=engine)
    before, x = sim.weights["W"].copy(), np.array([0.4, -1.2])
    sim.run("train", learn=True, image=x[None])
    expected = before + 0.125 * np.outer(before @ x, x)
    np.testing.assert_allclose(sim.weights["W"], expected, rtol=1e-14)


def test_a_scalar_that_a_step_reads_stays():
    source = SHRINKING.replace("u = v", "du/dt = v - u")
    assert "#dt" in {name for i in loop_of(source).body for name in i.writes}


def test_the_largest_parts_that_a_loop_does_not_change_are_noted():
    source = RELAXING.format(rule="w += 0.1 * post.e * pre", learn="learn: W")
    found = {text(part) for part in loop_of(source, learn=True).invariants}
    assert found == {"y.v + $g * @image", "1 + $g"}
    assert loop_of(source).apart and not loop_of(source).learns


def test_what_a_rule_changes_at_every_step_is_not_noted():
    source = RELAXING.format(rule="dw/dt = 0.1 * post.e * pre", learn="")
    learning, still = loop_of(source), loop_of(source, learn=False)
    assert {text(part) for part in learning.invariants} == {"$g * @image", "1 + $g"}
    assert learning.learns and not learning.apart
    assert still.apart and not still.learns
