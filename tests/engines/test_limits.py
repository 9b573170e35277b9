"""`bounds` and `sign`: weights stay where they are kept, the bias is free, Dale's law is read."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical
from apical.graphs.reports.show import show

TEXT = """
apical: 1
name: kept
parameters: {top: 0.3, eta: 2}
data: {image: 4}
cells:
  sensory: {soma: r = image}
  neuron: {soma: du/dt = input - u}
populations:
  x: {cell: sensory, size: 4}
  y: {cell: neuron, size: 3}
synapses:
  W:
    from: x.r
    to: y.soma
    init: uniform(0, 0.3)
    bias: true
    bounds: [0, top]
    rule: w += eta * post.u * pre
    optimizer: momentum(1, 0.5)
  O: {from: y.u, to: y.soma, connect: one_to_one, init: 0.2, sign: positive, rule: dw/dt = -pre^2}
  V: {from: y.u, to: y.soma, connect: all_but_self, init: -0.1, bounds: [-0.5, -0.1]}
protocols:
  train: {run: {steps: 3, dt: 0.5, learn: W}}
"""
ENGINES = ["numpy", "torch", pytest.param("numba", marks=pytest.mark.slow)]


def by_hand(image, w, other, across, rounds):
    """The circuit by itself, one sample at a time."""
    v = np.zeros_like(w)
    for sample in [*image] * rounds:
        u = np.zeros(3)
        for _ in range(3):
            du = w[:, :4] @ sample + w[:, 4] + other * u + across @ u - u
            other = np.maximum(other - 0.5 * u**2, 0)
            u = u + 0.5 * du
        v = 0.5 * v + 2 * np.outer(u, [*sample, 1])
        w = w + v
        w[:, :4] = np.clip(w[:, :4], 0, 0.3)
    return w, other


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("engine", ENGINES)
def test_weights_are_kept_after_the_optimizer_and_after_each_step(engine, dtype):
    image = np.random.default_rng(0).normal(size=(5, 4))
    sim = apical.Simulator(apical.load_text(TEXT), engine=engine, seed=1, dtype=dtype)
    arrays = [np.array(sim.weights[name], np.float64) for name in ("W", "O", "V")]
    assert arrays[0][:, :4].min() >= 0
    w, other = by_hand(image, *arrays, rounds=2)
    for _ in range(2):
        sim.run("train", image=image, learn=True, batch=1, record=[])
    close = 1e-12 if dtype == "float64" else 1e-4
    assert_allclose(sim.weights["W"], w, rtol=close, atol=close)
    assert_allclose(sim.weights["O"], other, rtol=close, atol=close)
    assert (w[:, :4] == 0).any() and (w[:, :4] == 0.3).any() and np.abs(w[:, 4]).max() > 0.3
    assert np.all(np.diag(sim.weights["V"]) == 0)


@pytest.mark.parametrize("engine", ["numpy", "torch", "numba"])
def test_the_bias_of_each_replica_is_free(engine):
    """The bias column was held, too, on numba with replicas: where it is lay in pieces."""
    image = np.random.default_rng(0).normal(size=(5, 4))
    circuit = apical.load_text(TEXT)
    sim = apical.Simulator(circuit, engine=engine, seed=[1, 2, 3], replicas=3)
    starts = [[np.array(sim.weights[n][r]) for n in ("W", "O", "V")] for r in range(3)]
    sim.run("train", image=image, learn=True, batch=1, record=[])
    for replica, arrays in enumerate(starts):
        w, _ = by_hand(image, *arrays, rounds=1)
        assert_allclose(sim.weights["W"][replica], w, rtol=1e-12, atol=1e-12)
        assert np.abs(w[:, 4]).max() > 0.3


def test_a_checkpoint_holds_weights_and_nothing_of_their_limits(tmp_path):
    circuit = apical.load_text(TEXT)
    sim = apical.Simulator(circuit, engine="numpy", seed=1)
    image = np.ones((2, 4))
    sim.run("train", image=image, learn=True, batch=1, record=[])
    sim.save(tmp_path / "kept.safetensors")
    other = apical.Simulator.resume(tmp_path / "kept.safetensors")
    for one in (sim, other):
        one.run("train", image=image, learn=True, batch=1, record=[])
    assert np.array_equal(sim.weights["W"], other.weights["W"])


def test_a_start_outside_names_the_synapse():
    drawn = TEXT.replace("uniform(0, 0.3)", "normal(0, 1)")
    with pytest.raises(ValueError, match=r"W: \d+ of 12 weights.*clip\(normal\(0, 1\), 0, 0.3\)"):
        apical.Simulator(apical.load_text(drawn), engine="numpy")
    with pytest.raises(ValueError, match=r"W: .*bounds: \[0, 0.1\]"):
        apical.Simulator(apical.load_text(TEXT), engine="numpy", parameters={"top": 0.1})


def test_weights_that_are_given_lie_within():
    sim = apical.Simulator(apical.load_text(TEXT), engine="numpy")
    free = np.array(sim.weights["W"])
    free[:, 4] = 7
    sim.weights["W"] = free
    with pytest.raises(ValueError, match="O: 1 of 3 weights are not within `sign: positive`"):
        sim.weights["O"] = [0.1, -0.1, 0]


@pytest.mark.parametrize(
    ("old", "new", "said", "better"),
    [
        ("init: 0.2", "init: -0.2", "kept by its `sign`, is -0.2", "init: 0.2"),
        ("[-0.5, -0.1]", "[-0.1, -0.5]", "the width of the bounds of 'V' is -0.4", "[-0.5, -0.1]"),
        ("sign: positive", "sign: positiv", "there is no sign 'positiv'", "sign: positive"),
        ("[-0.5, -0.1]", "[-0.5]", "the smallest and the largest", None),
        ("bounds: [0, top]", "bounds: [0, top]\n    sign: positive", "which say what `sign`", None),
        ("init: -0.1, bounds", "weight: -0.1, bounds", "`bounds` has no effect", None),
    ],
)
def test_a_mistake_is_told_at_load(old, new, said, better):
    assert old in TEXT
    with pytest.raises(apical.CircuitError) as caught:
        apical.load_text(TEXT.replace(old, new))
    assert said in str(caught.value)
    assert better is None or f"{better}" in (caught.value.diagnostics[0].suggestion or "")


def test_dales_law_reads_signs_and_bounds():
    found = {d.population: d.signs for d in apical.load_text(TEXT).audit().dale}
    assert found == {"x": {"W": "+"}, "y": {"O": "+", "V": "-"}}


def test_the_text_of_a_circuit_has_its_limits():
    circuit = apical.load_text(TEXT)
    again = apical.load_text(circuit.to_yaml())
    assert again.synapses == circuit.synapses
    assert "bounds 0 to top, the bias free" in show(circuit)
