"""Copies that equal their original, terms with one end in common, and what a step hands on."""

from __future__ import annotations

import numpy as np
import pytest

import apical
from apical.graphs.instructions import Block, RankUpdate
from apical.graphs.load import load_text
from apical.graphs.program import Program

TEXT = """
apical: 1
name: contrast
parameters:
  n: 4
  m: 3
  eta: 0.3
  nudge: 0
data:
  image: n
  label: m
cells:
  sensory:
    soma: r = image
  output:
    basal: p = input
    soma: du/dt = -u + p + nudge*(label - p)
populations:
  x:
    cell: sensory
    size: n
  y:
    cell: output
    size: m
synapses:
  W:
    from: x.r
    to: y.basal
    bias: true
    init: normal(0, 1)
    rule: w += eta*(post.u*pre.r - post.u@free*pre.r@free)
protocols:
  train:
    free:
      steps: 1
      dt: 1
    nudged:
      set: nudge = 1
      steps: 1
      dt: 1
      learn: W
"""
SILENCED = TEXT.replace(
    "      set: nudge = 1\n", "      set: nudge = 1\n      clamp: x.r = 0*image\n"
)


def terms(program: Program, weight: str) -> list[tuple[str, str]]:
    """(post, pre) of the terms that change a weight."""
    ranks = [i for p in program.phases for i in p.instructions if isinstance(i, RankUpdate)]
    return [(t.post, t.pre) for r in ranks if r.target == weight for t in r.terms]


def test_a_presynaptic_layer_that_stands_still_is_multiplied_once():
    program = apical.Simulator(apical.load("corinfomax")).program("train")
    assert [pre for _, pre in terms(program, "W[1]")] == ["layer[0].r"]
    assert "layer[0].r@free" not in program.buffers
    assert [pre for _, pre in terms(program, "W[2]")] == ["layer[1].r", "layer[1].r@free"]


@pytest.mark.parametrize("engine", ["numpy", "numba", "torch"])
@pytest.mark.parametrize("batch", [1, 5])
def test_the_contrast_of_a_nudge_by_one_is_the_delta_rule(engine, batch):
    """u is W x when free and the label when nudged: W moves by eta mean (label - W x) (x, 1)^T."""
    if engine == "torch":
        pytest.importorskip("torch")
    sim = apical.Simulator(load_text(TEXT), engine=engine, seed=2)
    assert len(terms(sim.program("train"), "W")) == 1
    rng = np.random.default_rng(3)
    images, labels = rng.normal(size=(batch, 4)), rng.normal(size=(batch, 3))
    before = np.array(sim.weights["W"])
    sim.fit({"image": images, "label": labels}, epochs=1, batch=batch, shuffle=False)
    x = np.hstack([images, np.ones((batch, 1))])
    expected = before + 0.3 * (labels - x @ before.T).T @ x / batch
    np.testing.assert_allclose(sim.weights["W"], expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_a_presynaptic_layer_that_is_clamped_anew_keeps_its_copy(engine):
    """x is silent when nudged: u = label - b + b, with b the bias; then only the bias sees it."""
    sim = apical.Simulator(load_text(SILENCED), engine=engine, seed=2)
    assert [pre for _, pre in terms(sim.program("train"), "W")] == ["x.r", "x.r@free"]
    rng = np.random.default_rng(3)
    images, labels = rng.normal(size=(5, 4)), rng.normal(size=(5, 3))
    before = np.array(sim.weights["W"])
    sim.fit({"image": images, "label": labels}, epochs=1, batch=5, shuffle=False)
    free, nudged = np.hstack([images, np.ones((5, 1))]), np.eye(5)[[4] * 5]
    expected = before + 0.3 * (labels.T @ nudged - (free @ before.T).T @ free) / 5
    np.testing.assert_allclose(sim.weights["W"], expected, rtol=1e-12, atol=1e-13)


def test_what_a_phase_left_can_still_be_recorded():
    sim = apical.Simulator(load_text(TEXT), seed=2)
    image = np.arange(4.0)[None]
    data = {"image": image, "label": np.zeros((1, 3))}
    traces = sim.run("train", **data, record=["x.r@free"])
    np.testing.assert_array_equal(traces["x.r@free"].values.ravel()[-4:], image.ravel())


def test_what_a_step_makes_for_the_next_is_not_made_twice():
    program = apical.Simulator(apical.load("corinfomax")).program("train")
    for phase in program.phases:
        made = [m.target for i in phase.body if isinstance(i, Block) for m in i.maps]
        assert made.count("layer[1].r") == 1


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_a_phase_from_the_end_of_the_one_before_assigns_nothing(engine):
    """u is W x when free; nudged from there it is the label, whatever W is."""
    text = TEXT.replace("    nudged:\n", "    nudged:\n      from: free\n")
    sim = apical.Simulator(load_text(text), engine=engine, seed=2)
    assert "y.u := y.u\n" not in str(sim.program("train"))
    label = np.array([[0.5, -2.0, 1.0]])
    sim.run("train", image=np.ones((1, 4)), label=label, record=[])
    np.testing.assert_allclose(sim.state["y.u"], label, rtol=1e-12)
