"""Convolution and pooling: against torch's autograd, and against a loop over connections."""

from __future__ import annotations

import numpy as np
import pytest
import xarray
from numpy.testing import assert_allclose

import apical
from apical.graphs.circuit import Record
from apical.graphs.expressions.tree import Variable
from apical.graphs.reports.show import show

from ..interpreter.interpreter import Interpreter

NET = """
apical: 1
name: net
data: {image: 98, label: 5}
cells:
  sensory: {soma: r = image}
  hidden:
    soma: ["u = input", "r = tanh(u)"]
    apical: ["g = input", "e = g * (1 - r^2)"]
  flat:
    soma: r = input
    apical: e = input
  output:
    soma: ["r = input", "e = label - r"]
populations:
  x: {cell: sensory, shape: [2, 7, 7]}
  a: {cell: hidden, shape: [3, 4, 4]}
  p: {cell: flat, shape: [3, 2, 2]}
  b: {cell: hidden, shape: [4, 2, 2]}
  y: {cell: output, size: 5}
synapses:
  K1: {from: x.r, to: a.soma, connect: 'convolution(3, 2, 1)', bias: true,
       init: 'normal(0, 0.3)', rule: w += post.e * pre}
  P: {from: a.r, to: p.soma, connect: 'pooling(POOL, 2)'}
  K2: {from: p.r, to: b.soma, connect: 'convolution(3, 1, 1)', bias: true,
       init: 'normal(0, 0.3)', rule: w += post.e * pre}
  W: {from: b.r, to: y.soma, init: 'normal(0, 0.3)', bias: true, rule: w += post.e * pre}
  WT: {from: y.e, to: b.apical, weight: transpose(W)}
  K2T: {from: b.e, to: p.apical, weight: transpose(K2)}
  PT: {from: p.e, to: a.apical, weight: transpose(P)}
protocols:
  train: {once: {learn: 'K1, K2, W'}}
"""


@pytest.mark.parametrize(
    ("engine", "pool"),
    [
        ("numpy", "max"),
        ("numpy", "mean"),
        ("torch", "max"),
        ("torch", "mean"),
        pytest.param("numba", "max", marks=pytest.mark.slow),
        pytest.param("numba", "mean", marks=pytest.mark.slow),
    ],
)
def test_backprop_through_convolutions_and_pooling_is_autograd(engine, pool):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    image, label = rng.normal(size=(6, 98)), rng.normal(size=(6, 5))
    image[:, :20] = 0.5  # ties: the first maximum counts
    sim = apical.Simulator(apical.load_text(NET.replace("POOL", pool)), engine=engine, seed=1)
    sim.weights["K1.bias"] = rng.normal(size=3)
    before = {name: np.array(array) for name, array in sim.weights.items()}
    assert before["K1"].shape == (3, 2, 3, 3) and before["K2.bias"].shape == (4,)

    given = {n: torch.tensor(a, requires_grad=True) for n, a in before.items()}
    layer = torch.nn.functional
    u = layer.conv2d(
        torch.tensor(image).view(6, 2, 7, 7), given["K1"], given["K1.bias"], stride=2, padding=1
    )
    pooled = {"max": layer.max_pool2d, "mean": layer.avg_pool2d}[pool](torch.tanh(u), 2)
    r = torch.tanh(layer.conv2d(pooled, given["K2"], given["K2.bias"], padding=1)).flatten(1)
    out = r @ given["W"][:, :-1].T + given["W"][:, -1]
    (((torch.tensor(label) - out) ** 2).sum() / 2 / 6).backward()

    told = sim.run("train", learn=True, batch=6, image=image, label=label, record=["y.r"])
    assert_allclose(told.arrays["y.r"][0, :, 0], out.detach().numpy(), rtol=1e-12, atol=1e-12)
    for name, array in sim.weights.items():
        assert_allclose(
            array - before[name], -given[name].grad.numpy(), rtol=1e-12, atol=1e-12, err_msg=name
        )


EVERY = """
apical: 1
name: every
parameters: {eta: 0.1, tau: 2}
data: {image: 20}
cells:
  sensory: {soma: ["r = image", "q = 0.5 + image^2"]}
  cell:
    basal: v = input
    soma: ["du/dt = v - u", "r = tanh(u)"]
    lateral: l = input
  seen: {basal: v = input, soma: "r = v^2"}
populations:
  x: {cell: sensory, shape: [5, 4]}
  a: {cell: cell, shape: [2, 3, 3]}
  b: {cell: cell, shape: [2, 3, 3]}
  c: {cell: seen, shape: [5, 4]}
  p: {cell: seen, shape: [2, 1, 1]}
  q: {cell: seen, shape: [3, 3, 3]}
synapses:
  K: {from: x.q, to: a.basal, connect: 'convolution(2, 2, 1)', bias: true, filter: [0.3, 0.5],
      init: 'uniform(-0.8, 0.8)', batch: sum, optimizer: 'momentum(0.1, 0.5)', bounds: [-1, 0.9],
      rule: ['w += eta * post.u^2 * (pre + sin(pre))', 'w -= 0.1 * eta * w * post.r * pre']}
  L: {from: a.r, to: b.basal, connect: 'convolution(3, 1, 1)', init: xavier_normal, bias: true,
      rule: tau * dw/dt = post.u * pre - 0.1 * w * post.r^2}
  M: {from: b.u, to: a.basal, weight: -0.5*transpose(L)}
  N: {from: a.u, to: a.lateral, weight: copy(L)}
  T: {from: a.u, to: c.basal, weight: transpose(K), rule: w += eta * post.r * pre}
  S: {from: x.r, to: b.basal, weight: 2*K}
  F: {from: b.u, to: q.basal, connect: convolution(1), weight: 0.25}
  P: {from: a.r, to: p.basal, connect: 'pooling(max, 2)'}
  Q: {from: p.r, to: b.basal, weight: 3*transpose(P)}
protocols:
  train:
    move: {steps: 3, dt: 0.2, method: METHOD, learn_each_step: K}
    end: {learn: 'K, T'}
"""


@pytest.mark.parametrize(
    ("engine", "method"),
    [
        ("numpy", "heun"),
        ("numpy", "exponential_euler"),
        ("torch", "heun"),
        pytest.param("numba", "exponential_euler", marks=pytest.mark.slow),
    ],
)
def test_engines_do_what_the_loop_over_connections_does(engine, method):
    circuit = apical.load_text(EVERY.replace("METHOD", method))
    image = np.random.default_rng(0).normal(size=(3, 20))
    sim = apical.Simulator(circuit, engine=engine, seed=2)
    loop = Interpreter(circuit, {n: np.array(a) for n, a in sim.weights.items()}, seed=2)
    record = ["a.u", "b.u", "c.r", "p.r", "q.r", "a.l"]
    wanted = [Record(Variable(*name.split("."))) for name in record]
    for batch in (3, 2):
        given = image[:batch]
        told = sim.run("train", image=given, learn=True, batch=batch, record=record)
        expected = loop.run("train", image=given, learn=True, batch=batch, record=wanted)
        for name in record:
            assert_allclose(told.arrays[name][0], expected.arrays[name], rtol=1e-9, atol=1e-11)
    for name, array in sim.weights.items():
        assert_allclose(array, loop.weights[name].reshape(array.shape), rtol=1e-9, err_msg=name)


def test_what_is_printed_is_read_back():
    circuit = apical.load_text(EVERY.replace("METHOD", "euler"))
    again = apical.load_text(circuit.to_yaml())
    assert [s.windows for s in again.synapses.values()] == [
        s.windows for s in circuit.synapses.values()
    ]
    for protocol in circuit.protocols:
        assert apical.lower(again, protocol).digest == apical.lower(circuit, protocol).digest
    shown = show(circuit)
    assert "convolution(2, 2, 1)" in shown and "2 x 1 x 2 x 2 weights" in shown
    assert "transpose of convolution(3, 1, 1)" in shown and "pooling(max, 2)" in shown
    edges = {d["synapse"]: d for *_, d in circuit.graph.edges(data=True) if "synapse" in d}
    assert [edges["K"][side] for side in ("out", "in", "rows", "columns")] == [2, 1, 2, 2]
    found = {one.name: one for one in circuit.audit().findings}
    assert found["K"].shared == "sum over the samples, sum over 9 places"
    assert found["T"].verdict == "transport" and found["Q"].verdict == "fixed"


def test_kernels_are_recorded_saved_and_given(tmp_path):
    circuit = apical.load_text(EVERY.replace("METHOD", "euler"))
    image = np.random.default_rng(0).normal(size=(4, 20))
    sim = apical.Simulator(circuit, replicas=2)
    told = sim.run("train", image=image, learn=True, batch=2, record=["K", "K norm"])
    assert told.dims("K") == ("replica", "presentation", "K.out", "K.in", "K.row", "K.column")
    assert told["K"].shape == (2, 3, 2, 1, 2, 2) and told["K.bias"].dims[-1] == "K.out"
    assert_allclose(told["K"][:, -1], sim.weights["K"])
    both = (told["K"].values ** 2).sum((2, 3, 4, 5)) + (told["K.bias"].values ** 2).sum(2)
    assert_allclose(told["norm(K)"], np.sqrt(both))
    told.to_netcdf(tmp_path / "t.nc")
    told.to_csv(tmp_path / "t.csv")
    with xarray.open_dataset(tmp_path / "t.nc") as found:
        assert_allclose(found["K"], told["K"])
    sim.save(tmp_path / "s.safetensors")
    again = apical.Simulator.resume(tmp_path / "s.safetensors")
    for name, array in sim.weights.items():
        assert np.array_equal(again.weights[name], array), name
    sim.weights["L"] = np.ones((2, 2, 3, 3))
    sim.weights["L.bias"] = [1, 2]
    held = sim.weights["L"]
    assert np.all(held == 1) and np.all(sim.weights["L.bias"] == [1, 2])
    with pytest.raises(ValueError, match="not within `bounds"):
        sim.weights["K"] = np.full((2, 1, 2, 2), 2.0)
    with pytest.raises(ValueError, match=r"expected shape \(2, 1, 2, 2\)"):
        sim.weights["K"] = np.zeros((2, 4))


def test_replicas_are_single_runs():
    circuit = apical.load_text(EVERY.replace("METHOD", "heun"))
    image = np.random.default_rng(0).normal(size=(4, 20))
    for engine in ("numpy", "torch"):
        if engine == "torch":
            pytest.importorskip("torch")
        both = apical.Simulator(circuit, engine=engine, seed=0, replicas=2)
        both.run("train", image=image, learn=True, batch=4, record=[])
        for seed in (0, 1):
            one = apical.Simulator(circuit, engine=engine, seed=seed)
            one.run("train", image=image, learn=True, batch=4, record=[])
            for name, array in one.weights.items():
                assert_allclose(both.weights[name][seed], array, rtol=1e-12, atol=1e-14)


def test_a_kernel_starts_from_an_array():
    kernel = np.arange(8.0).reshape(2, 1, 2, 2) / 10
    text = EVERY.replace("METHOD", "euler").replace("weight: 0.25", "init: 'array(\"F\")'")
    text = text.replace("convolution(1), init", "convolution(1), init")
    given = np.array([[[[0.5]], [[1]]]] * 3)
    sim = apical.Simulator(apical.load_text(text, arrays={"F": given}))
    assert np.array_equal(sim.weights["F"], given)
    with pytest.raises(apical.CircuitError, match="has the shape"):
        apical.load_text(text, arrays={"F": kernel})
