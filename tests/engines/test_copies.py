"""Copies of a simulator, in this process or another, go on as it would, and leave it alone."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import apical

COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda sim: pickle.loads(pickle.dumps(sim)),
}
CIRCUIT = """
apical: 1
name: copied
title: A slow variable, an optimizer and a weight
parameters:
  eta: 0.1
data:
  image: 4
cells:
  sensory:
    soma: r = image
  neuron:
    basal: v = input
    soma: du/dt = v - u - theta
    slow:
      theta: 0.5
    rules: theta += eta * (u - theta)
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
    init: xavier_uniform
    rule: w += post.u * (pre - post.u * w)
    optimizer: adam(eta)
protocols:
  train:
    settle:
      steps: 5
      dt: 0.1
      learn: W; y.theta
"""
DATA = {"image": np.linspace(-1, 1, 40).reshape(10, 4)}


def trained(engine: str, **settings):
    if engine == "torch":
        pytest.importorskip("torch")
    sim = apical.Simulator(apical.load_text(CIRCUIT), engine=engine, seed=3, **settings)
    sim.fit(DATA, batch=3)
    return sim


def arrays(sim) -> dict[str, np.ndarray]:
    return {n: a.copy() for n, a in (*sim.weights.items(), *sim.slow.items())}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return set(one) == set(other) and all((one[n] == other[n]).all() for n in one)


@pytest.mark.parametrize("engine", ["numpy", "numba", "torch"])
@pytest.mark.parametrize("how", COPIES)
def test_a_copy_goes_on_as_the_original_would(engine, how):
    sim = trained(engine)
    made = COPIES[how](sim)
    sim.fit(DATA, batch=3)
    made.fit(DATA, batch=3)
    assert same(arrays(sim), arrays(made))
    assert (made.presentation, made.sample, made.epoch) == (8, 20, 2)


@pytest.mark.parametrize("engine", ["numpy", "numba", "torch"])
@pytest.mark.parametrize("how", COPIES)
def test_a_copy_leaves_the_original_alone(engine, how):
    sim = trained(engine)
    before, eta = arrays(sim), sim.parameters["eta"]
    made = COPIES[how](sim)
    made.weights["W"] = np.ones((3, 4))
    made.slow["y.theta"] = np.full(3, 7.0)
    made.slow["y.theta"][:] = 8
    made.parameters["eta"] = 0.5
    made.fit(DATA)
    assert same(arrays(sim), before) and sim.parameters["eta"] == eta
    sim.slow["y.theta"] = np.zeros(3)
    assert not (made.slow["y.theta"] == 0).any()


def _fit(sim):
    sim.fit(DATA, batch=3)
    return sim


def test_simulators_go_to_other_processes_and_come_back():
    sims = [trained("numpy", replicas=2), trained("numpy")]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        back = pool.map(copy.copy, sims)
    for sim, other in zip(sims, back, strict=True):
        assert same(arrays(_fit(sim)), arrays(_fit(other)))


def test_a_divergence_can_be_pickled_with_its_traces():
    text = CIRCUIT.replace("v - u - theta", "1e200 * u * u")
    sim = apical.Simulator(apical.load_text(text), engine="numpy")
    with pytest.raises(apical.Divergence) as caught:
        sim.run("train", initial={"y.u": np.ones((10, 3))}, record=["y.u"], **DATA)
    error, again = caught.value, pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(error) and again.args == error.args
    for name in ("variable", "unit", "sample", "phase", "time", "seed"):
        assert getattr(again, name) == getattr(error, name)
    np.testing.assert_array_equal(again.traces.arrays["y.u"], error.traces.arrays["y.u"])


THREADS = """
import threading, numpy as np, apical
circuit = apical.load("pc", variants="adam", sizes=[6, 5, 3])
data = {"image": np.ones((4, 6)), "label": np.ones((4, 3))}
found, gate = [], threading.Barrier(8)
def work():
    sim = apical.Simulator(circuit, engine="numba", seed=0)
    gate.wait()
    sim.fit(data)
    found.append(sim.weights["W[1]"].tobytes())
threads = [threading.Thread(target=work) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
assert len(found) == 8 and len(set(found)) == 1, len(found)
"""


def test_engines_in_threads_do_not_race_for_a_module(tmp_path):
    """A fresh process and cache, so that all threads want the same module at the same moment."""
    import os

    env = os.environ | {"APICAL_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", THREADS], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_module_is_seen_when_it_is_whole(monkeypatch, tmp_path):
    """While one thread executes the module's text, another that asks for it waits."""
    from apical.engines import kernel_cache

    monkeypatch.setenv("APICAL_CACHE_DIR", str(tmp_path))
    source = "import time\ntime.sleep(0.3)\nanswer = 42\n"
    found = []
    threads = [
        threading.Thread(
            target=lambda: found.append(getattr(kernel_cache.load(source), "answer", None))
        )
        for _ in range(2)
    ]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert found == [42, 42]
