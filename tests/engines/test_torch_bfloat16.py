"""Activity in bfloat16 beside weights and states in float32.

Rounding to bfloat16 changes a number by at most u = 2^-9 of it. A product of rounded rates and
rounded weights, rounded again, is off by 3 u of the sum of |w| |r|.
"""

from __future__ import annotations

import numpy as np
import pytest

import apical
from apical.graphs.load import bundled
from apical.graphs.texts import bundled_text

torch = pytest.importorskip("torch")

from apical.engines.torch import engine as torch_engine  # noqa: E402

from ..circuits.small import parameters, random_streams as streams, small  # noqa: E402

U = 2.0**-9
SPIKING = {"eprop"}  # a spike more or less is no rounding
ROUTED = {"convolutional_pc": ("pooling(max", "pooling(mean")}  # nor is another largest unit
WIDER = {"pc": {"sizes": [16, 12, 8, 4]}, "corinfomax": {"sizes": [16, 12, 4]}}
LINEAR = """\
apical: 1
name: linear
parameters:
  eta: 0.0001
data:
  image: 64
cells:
  sensory:
    soma: r = image
  neuron:
    basal: v = input
    soma: e = 1
populations:
  x:
    cell: sensory
    size: 64
  y:
    cell: neuron
    size: 16
synapses:
  W:
    from: x.r
    to: y.basal
    init: uniform(-1, 1)
    rule: w += eta * post.e * pre.r
protocols:
  train:
    moment:
      learn: W
"""


def linear(tmp_path):
    path = tmp_path / "linear.yaml"
    path.write_text(LINEAR)
    return apical.load(path)


def test_a_product_is_off_by_three_roundings(tmp_path):
    sim = apical.Simulator(linear(tmp_path), engine="torch", dtype="bfloat16")
    weights = np.array(sim.weights["W"], np.float64)
    assert sim.weights["W"].dtype == np.float32
    data = streams(sim.circuit, 32)
    found = sim.run("train", record=["y.v"], **data)["y.v"].values[0, :, 0]
    image = data["image"]
    off = np.abs(found - image @ weights.T) / (image @ np.abs(weights).T)
    assert np.max(off) <= 3 * U
    assert np.max(off) > U / 64  # it is no float32


def test_weights_take_updates_that_bfloat16_would_not_see(tmp_path):
    """50 updates of 10^-4 onto weights of about 0.5, whose bfloat16 neighbours are 0.002 away."""
    sim = apical.Simulator(linear(tmp_path), engine="torch", dtype="bfloat16")
    before = np.array(sim.weights["W"], np.float64)
    sim.fit({"image": np.ones((50, 64))}, batch=1)
    np.testing.assert_allclose(sim.weights["W"] - before, 0.005, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", [n for n in bundled() if n not in SPIKING])
def test_every_circuit_runs(name):
    """States after one presentation within 2^-5 of the largest one in float64."""
    text = bundled_text(name).replace(*ROUTED.get(name, ("", "")))
    circuit = apical.load_text(text, **parameters(name) | WIDER.get(name, {}))
    protocol = "train" if "train" in circuit.protocols else next(iter(circuit.protocols))
    data = streams(circuit, 4 if circuit.streams else 1)
    names = [f"{p.name}.{v}" for p in circuit.populations.values() for v in p.states]
    found = {}
    for dtype in ("float64", "bfloat16"):
        sim = apical.Simulator(circuit, engine="torch", dtype=dtype)
        sim.run(protocol, learn=True, record=[], **data)
        found[dtype] = {name: np.array(sim.state[name], np.float64) for name in names}
    for key, expected in found["float64"].items():
        off = np.max(np.abs(found["bfloat16"][key] - expected))
        assert off <= 2.0**-5 * np.max(np.abs(expected)), key


def test_other_engines_say_no(tmp_path, refused):
    with refused(ValueError):
        apical.Simulator(linear(tmp_path), engine="numpy", dtype="bfloat16")


@pytest.mark.parametrize("name", ["pc", "pem", "sacramento"])
def test_what_is_captured_is_the_same(monkeypatch, name):
    """As blocks of three steps through the stand-in of a CUDA graph, to the last bit."""
    made = torch_engine.TorchExecutable.__init__

    def start(self, program, dtype, device=None, **options):
        made(self, program, dtype, device, capture="rehearse", block=3, **options)

    circuit = small(name, **WIDER.get(name, {}))
    data = streams(circuit, 4)
    found = []
    for patched in (False, True):
        if patched:
            monkeypatch.setattr(torch_engine.TorchExecutable, "__init__", start)
        sim = apical.Simulator(circuit, engine="torch", dtype="bfloat16", replicas=2)
        sim.run("train", learn=True, record=[], **data)
        found.append(dict(sim.weights) | dict(sim.state))
    for key, expected in found[0].items():
        np.testing.assert_array_equal(found[1][key], expected, err_msg=key)
