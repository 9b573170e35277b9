"""Numbers that run-time parameters make impossible: told when a run starts, in each replica."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest

import apical

TEXT = """\
apical: 1
name: demands
parameters:
  tau: 2
  h: 0.1
  keep: 0.9
  spread: 0.1
  eta: [0.1, 0.2]
data:
  image: 2
cells:
  sensory:
    soma: s = image
  neuron:
    basal: v = input
    soma: tau * du/dt = v - u
populations:
  a:
    cell: sensory
    size: 2
  c:
    cell: neuron
    size: 3
synapses:
  W:
    from: a.s
    to: c.basal
    init: normal(0, spread)
    rule: w += eta[1] * post.u * pre
    optimizer: momentum(0.1, keep)
protocols:
  train:
    go:
      steps: 4
      dt: h*(1 - presentation/4)
      learn: W
  look:
    go:
      steps: 4
      dt: 0.1
"""
SAMPLES = {"image": np.ones((2, 2))}


def made(**options):
    return apical.Simulator(apical.load_text(TEXT, "net.yaml"), engine="numpy", **options)


@pytest.fixture
def told(refused):
    """`with told(16): ...`: refused, with the line of the file that says it."""

    @contextmanager
    def refusal(line):
        with refused(ValueError) as caught:
            yield
        assert str(caught.value).startswith(f"net.yaml:{line}: ")

    return refusal


def test_a_parameter_of_a_simulator(told):
    simulator = made(parameters={"tau": 0})
    for run in (lambda: simulator.fit(SAMPLES), lambda: simulator.run("look", **SAMPLES)):
        with told(16):
            run()
    simulator.parameters["tau"] = 1
    simulator.fit(SAMPLES)
    simulator.parameters["tau"] = -1
    with told(16):
        simulator.fit(SAMPLES)


def test_each_replica(told):
    simulator = made(replicas=3, parameters={"keep": [0.5, 0.9, 1.0]})
    with told(30):
        simulator.fit(SAMPLES)


def test_what_weights_are_drawn_with(told):
    with told(28):
        made(parameters={"spread": -1})


def test_a_step_that_shrinks_with_the_presentations(told):
    simulator = made()
    simulator.fit(SAMPLES, batch=1)
    simulator.run("look", **SAMPLES)  # has a step of its own
    simulator.fit(SAMPLES, batch=1)
    before = simulator.weights["W"].copy()
    with told(35):
        simulator.fit(SAMPLES, batch=1)
    with told(35):
        made().fit(SAMPLES, batch=1, epochs=4)  # at its start, not at its fifth presentation
    assert (simulator.weights["W"] == before).all()


def test_a_sweep(tmp_path, refused):
    file = tmp_path / "net.yaml"
    file.write_text(TEXT)
    with refused(apical.CircuitError):
        apical.Sweep(file, {"tau": [1, -1]}, engine="numpy")


@pytest.mark.parametrize("engine", ["numpy", "numba", "torch"])
def test_an_entry_of_a_list_is_the_number_it_says(engine):
    """w += mean_s eta[1] u s, with the u that four Euler steps give, for eta[1] = 0.2 and 0.7."""
    if engine == "torch":
        pytest.importorskip("torch")
    circuit = apical.load_text(TEXT.replace("momentum(0.1, keep)", "sgd(1)"))
    simulator = apical.Simulator(circuit, engine=engine)
    for rate in (0.2, 0.7):
        simulator.parameters["eta"] = [5, rate]
        before = simulator.weights["W"].copy()
        dt = 0.1 * (1 - simulator.presentation / 4)
        u = np.zeros(3)
        for _ in range(4):
            u = u + dt / 2 * (before @ np.ones(2) - u)
        simulator.fit(SAMPLES, batch=2)
        assert np.allclose(simulator.weights["W"] - before, rate * u[:, None], rtol=1e-12)


@pytest.mark.parametrize("engine", ["numpy", "numba", "torch"])
def test_a_constant_of_two_sizes_is_not_shared(engine):
    """z = tanh(2) for 2 and for 3 units: one function value, two vectors."""
    if engine == "torch":
        pytest.importorskip("torch")
    text = TEXT.replace("soma: s = image", "soma:\n      - s = image\n      - z = tanh(2)")
    text = text.replace("    soma: tau", "    apical: y = tanh(2)\n    soma: tau")
    circuit = apical.load_text(text)
    simulator = apical.Simulator(circuit, engine=engine)
    found = simulator.run("look", record=["a.z", "c.y"], **SAMPLES)
    for name, size in (("a.z", 2), ("c.y", 3)):
        assert found.arrays[name].shape[-1] == size
        assert np.allclose(found.arrays[name], np.tanh(2.0), rtol=1e-12)
