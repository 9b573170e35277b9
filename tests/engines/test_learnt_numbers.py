"""A weight that leaves the numbers is named, with the presentation and not an innocent later one.

`w += eta * sqrt(pre) ...`: the square root of a negative input is no number. Which sample is
negative is known, so is which connection.
"""

from __future__ import annotations

import numpy as np
import pytest

import apical

CIRCUIT = """
apical: 1
name: root
title: A rule that takes the root of its input
parameters:
  eta: 0.01
data:
  image: 4
cells:
  sensory:
    soma: r = image
  neuron:
    basal: v = input
    soma: du/dt = v - u
    slow:
      theta: 0
    rules: theta += eta * u
populations:
  x:
    cell: sensory
    size: 4
  y:
    cell: neuron
    size: 3
synapses:
  W:
    from: x.r
    to: y.basal
    init: 0.1
    rule: w += eta * sqrt(pre)
protocols:
  train:
    settle:
      steps: 3
      dt: 0.1
      learn: W; y.theta
    after:
      steps: 2
      dt: 0.1
"""
VARIANTS = {
    "weight": (CIRCUIT, "W", "weight W of connection (post 0, pre 2)"),
    "optimizer": (
        CIRCUIT.replace("sqrt(pre)\n", "sqrt(pre)\n    optimizer: adam(0.01)\n"),
        "W",
        "weight W of connection (post 0, pre 2)",
    ),
    "slow": (
        CIRCUIT.replace("eta * sqrt(pre)", "eta * pre").replace("eta * u", "sqrt(0.05 + u)"),
        "y.theta",
        "slow variable y.theta of unit 0",
    ),
    "each step": (
        CIRCUIT.replace("learn: W; y.theta", "learn_each_step: W"),
        "W",
        "weight W of connection (post 0, pre 2)",
    ),
}
ENGINES = ["numpy", "numba", "torch"]
BAD = 37


def simulator(engine: str, text: str = CIRCUIT, **settings) -> apical.Simulator:
    if engine == "torch":
        pytest.importorskip("torch")
    return apical.Simulator(apical.load_text(text), engine=engine, **settings)


def images(replicas: int = 1) -> np.ndarray:
    """Positive, but for unit 2 of sample 37."""
    image = np.full((60, 4), 0.5)
    image[BAD, 2] = -40
    return image


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", VARIANTS)
@pytest.mark.parametrize("batch", [1, 7])
def test_the_presentation_that_broke_it_is_named(engine, kind, batch):
    text, name, said = VARIANTS[kind]
    sim = simulator(engine, text)
    with pytest.raises(apical.Divergence) as caught:
        sim.fit({"image": images()}, epochs=2, batch=batch, shuffle=False)
    error = caught.value
    assert str(error).startswith(f"{said} is not finite")
    assert error.variable == name and error.phase == "settle" and error.epoch == 1
    assert error.presentation == BAD // batch
    assert f"of presentation {BAD // batch} (epoch 1, sample" in str(error)
    assert error.sample == (BAD if batch == 1 else None)
    assert error.connection == (None if kind == "slow" else (0, 2))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", [1, 7])
def test_what_was_learnt_before_it_stays(engine, batch):
    """w = 0.1 + n eta sqrt(0.5) after the n presentations before the one that breaks."""
    sim = simulator(engine)
    with pytest.raises(apical.Divergence):
        sim.fit({"image": images()}, batch=batch, shuffle=False)
    whole = BAD // batch
    np.testing.assert_allclose(sim.weights["W"], 0.1 + whole * 0.01 * np.sqrt(0.5), rtol=1e-12)
    assert (sim.presentation, sim.sample) == (whole, whole * batch)
    assert np.isfinite(sim.state["y.u"]).all()
    sim.run("train", image=np.ones((1, 4)))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_later_epoch_is_named(engine):
    """w += 2 pre w + ...: overflow takes several epochs, and happens where arithmetic says."""
    text = CIRCUIT.replace("eta * sqrt(pre)", "1e30 * w * pre").replace("v - u", "-u")
    sim = simulator(engine, text)
    with pytest.raises(apical.Divergence) as caught:
        sim.fit({"image": np.ones((4, 4))}, epochs=9, batch=1)
    steps = int((np.log10(np.finfo(float).max) + 1) / 30)  # 0.1 * 1e30^n, and the next is too much
    assert (caught.value.presentation, caught.value.epoch) == (steps, steps // 4 + 1)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_replica_is_named_by_its_seed(engine, refused):
    image = np.full((2, 60, 4), 0.5)
    image[1, BAD, 3] = -1
    sim = simulator(engine, seed=5, replicas=2)
    with refused(apical.Divergence) as caught:
        sim.fit({"image": image}, batch=1, shuffle=False)
    assert (caught.value.seed, caught.value.sample) == (6, BAD)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_learns_keeps_what_it_recorded(engine):
    sim = simulator(engine)
    with pytest.raises(apical.Divergence) as caught:
        sim.run("train", learn=True, batch=1, record=["y.u"], image=images())
    kept = caught.value.traces.arrays["y.u"][0]
    assert np.isfinite(kept[:BAD]).all() and np.isnan(kept[BAD + 1 :]).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_states_that_break_are_still_told_as_states(engine, refused):
    """The weights of presentation 37 are sound: its sample is too large for the cell."""
    text = CIRCUIT.replace("sqrt(pre)", "pre").replace("du/dt = v - u", "du/dt = 1e200 * v^9")
    image = np.full((60, 4), 1e-9)
    image[BAD] = 1e30
    sim = simulator(engine, text)
    with refused(apical.Divergence) as caught:
        sim.fit({"image": image}, batch=1, shuffle=False)
    assert caught.value.variable == "y.u" and caught.value.presentation == BAD
    assert np.isfinite(sim.weights["W"]).all() and sim.presentation == BAD


def test_weights_that_are_not_finite_are_not_saved(tmp_path, refused):
    sim = simulator("numpy")
    sim.save(tmp_path / "a.safetensors")
    before = (tmp_path / "a.safetensors").read_bytes()
    sim.weights["W"][1, 2] = np.nan  # through the view, past every check
    with refused(ValueError):
        sim.save(tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == before
