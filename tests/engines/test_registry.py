"""A fourth engine: a module and a row of the registry, and everything else follows."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

import apical
from apical.engines.capabilities import table
from apical.engines.doctor import examine
from apical.engines.executable import Executable
from apical.engines.host_memory import HostMemory
from apical.engines.numpy.engine import NumpyExecutable
from apical.engines.registry import ENGINES, Engine

TEXT = """\
apical: 1
name: leaky
data:
  image: 2
cells:
  sensory:
    soma: r = image
  neuron:
    basal: v = input
    soma: du/dt = v - u
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
    rule: w += 0.1 * post.u * pre
predicts:
  image: x.r
protocols:
  train:
    settle:
      steps: 4
      dt: 0.5
      learn: W
  predict: settle
"""
IMAGE = np.random.default_rng(0).normal(size=(6, 2))


class Fourth(HostMemory):
    """Has numpy do the work, and counts the presentations it was asked for."""

    asked = 0

    def __init__(self, program, dtype):
        super().__init__(program, dtype)
        self.walker = NumpyExecutable(program, dtype)

    def run(self, memory, work, start, stop):
        Fourth.asked += stop - start
        return self.walker.run(memory, work, start, stop)


@pytest.fixture
def fourth(monkeypatch):
    module = ModuleType("fourth_engine")
    module.__dict__["Fourth"] = Fourth
    row = Engine(
        "fourth",
        about="for this test",
        place=("fourth_engine", "Fourth"),
        package="pytest",
        dtypes=("float64",),
    )
    monkeypatch.setitem(sys.modules, "fourth_engine", module)
    monkeypatch.setitem(ENGINES, "fourth", row)
    monkeypatch.setattr(Fourth, "asked", 0)
    return "fourth"


def test_a_row_is_enough_to_run_learn_save_and_go_on(fourth, tmp_path):
    circuit = apical.load_text(TEXT)
    sim, referee = (apical.Simulator(circuit, engine=e, seed=1) for e in (fourth, "numpy"))
    traces = [s.run("train", record=["y.u"], batch=2, image=IMAGE) for s in (sim, referee)]
    assert Fourth.asked == 3
    np.testing.assert_array_equal(traces[0]["y.u"].values, traces[1]["y.u"].values)
    assert traces[0].manifest["engine"] == "fourth"
    for one in (sim, referee):
        one.fit({"image": IMAGE}, epochs=2, batch=3)
    assert Fourth.asked == 7
    np.testing.assert_array_equal(sim.weights["W"], referee.weights["W"])
    sim.save(tmp_path / "run.safetensors")
    again = apical.Simulator.resume(tmp_path / "run.safetensors")
    assert again.engine == "fourth"
    np.testing.assert_array_equal(again.predict({"image": IMAGE})["image"], IMAGE)
    assert Fourth.asked == 8


def test_a_row_says_what_an_engine_can_do(fourth):
    facts = examine()
    assert facts["engines"]["fourth"] == "for this test"
    assert table()["float64"]["fourth"] and not table()["a GPU"]["fourth"]
    circuit = apical.load_text(TEXT)
    with pytest.raises(ValueError, match="'fourth' runs on the CPU; 'torch' does not"):
        apical.Simulator(circuit, engine=fourth, device="cuda")
    with pytest.raises(ValueError, match="engine 'fourth' computes in 'float64'; 'torch' holds"):
        apical.Simulator(circuit, engine=fourth, dtype="bfloat16")
    with pytest.raises(ValueError, match="'float64'; 'numpy' or 'numba' or 'torch' holds activity"):
        apical.Simulator(circuit, engine=fourth, dtype="float32")
    with pytest.raises(ValueError, match="no engine 'fifth'; there are: numpy, numba, torch, f"):
        apical.Simulator(circuit, engine="fifth")


def test_an_engine_whose_package_is_missing_says_what_to_install(fourth, monkeypatch):
    row = Engine("fourth", "", place=("nowhere", "None"), package="no_such_package", extra="more")
    monkeypatch.setitem(ENGINES, "fourth", row)
    with pytest.raises(ImportError, match=r"no_such_package: .* install 'apical\[more\]'"):
        apical.Simulator(apical.load_text(TEXT), engine=fourth)
    assert examine()["engines"]["fourth"] == "not here: pip install apical[more]"


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_is_an_executable(name):
    pytest.importorskip(ENGINES[name].package)
    kind = ENGINES[name].executable()
    assert issubclass(kind, Executable) and not kind.__abstractmethods__
