"""Samples of a batch that run longest go on in a smaller layout; nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import apical

torch = pytest.importorskip("torch")

from apical.engines.torch import (  # noqa: E402
    engine as torch_engine,
    stopping as torch_stopping,
)

CLOSE = {"rtol": 1e-12, "atol": 1e-12}
UNEVEN = """\
apical: 1
name: uneven
data:
  drive: 2
  speed: 3
cells:
  sensory:
    soma: r = drive
  neuron:
    basal: v = input
    soma:
      - du/dt = speed * (v - u)
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
protocols:
  train:
    settle:
      steps: 200
      dt: 0.1
      until: change(y.u) < 0.001
      learn: W
"""
NOISY = UNEVEN.replace("(v - u)", "(v - u) + 0.02 * xi").replace("0.001", "0.01")


def use(monkeypatch, **options):
    """Executables made from now on get these options."""
    made = torch_engine.TorchExecutable.__init__

    def start(self, program, dtype, device=None):
        made(self, program, dtype, device, **options)

    monkeypatch.setattr(torch_engine.TorchExecutable, "__init__", start)


def load(tmp_path, text):
    path = tmp_path / "uneven.yaml"
    path.write_text(text)
    return apical.load(path)


def result(monkeypatch, circuit, **engine):
    """Traces, weights, stops, and the batch sizes that were laid out."""
    with monkeypatch.context() as patch:
        use(patch, **engine)
        sim = apical.Simulator(circuit, engine="torch", seed=0, replicas=2)
        rng = np.random.default_rng(0)
        data = {n: rng.uniform(0, 1, (256, size)) for n, size in circuit.streams.items()}
        traces = sim.run("train", learn=True, record=["y.u"], **data).dataset
        (executable,) = sim._core.programs.made.values()
        sizes = sorted(
            {batch for batch, careful in executable.runs if careful == (not engine["capture"])}
        )
        arrays = {"y.u": traces["y.u"].values} | dict(sim.weights)
        return arrays, dict(sim.stopped), sizes


@pytest.mark.parametrize("capture", [None, "rehearse"])
@pytest.mark.parametrize("text", [UNEVEN, NOISY], ids=["uneven", "noisy"])
def test_survivors_go_on_as_they_would_have(monkeypatch, tmp_path, text, capture):
    circuit = load(tmp_path, text)
    options = {"capture": capture, "block": 4 if capture else None}
    whole, stops, sizes = result(monkeypatch, circuit, compact=False, **options)
    assert sizes == [256]
    few, stops_few, sizes = result(monkeypatch, circuit, **options)
    assert len(sizes) > 1 and sizes[-1] == 256 and all(s & (s - 1) == 0 for s in sizes)
    for name, expected in whole.items():
        assert_allclose(few[name], expected, **CLOSE, err_msg=name)
    assert np.ptp(stops["settle"]) > 20
    assert_array_equal(stops_few["settle"], stops["settle"])


def test_sizes():
    assert torch_stopping.smaller(127, 256) == 128
    assert torch_stopping.smaller(33, 256) == 64
    assert torch_stopping.smaller(128, 256) is None
    assert torch_stopping.smaller(1, torch_stopping.LEAST - 1) is None


def test_samples_that_learn_together_stay_together(tmp_path):
    """A rule that acts in the loop averages over all samples of the batch."""
    circuit = load(tmp_path, UNEVEN.replace("w += 0.1", "dw/dt = 0.1").replace("learn: W", ""))
    sim = apical.Simulator(circuit, engine="numpy")
    assert not sim.program("train").phases[0].loop.apart
    assert sim.program("train", learn=False).phases[0].loop.apart
