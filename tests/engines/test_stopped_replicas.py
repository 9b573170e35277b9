"""A replica whose samples have all stopped learns no more, however long others run on."""

from __future__ import annotations

import numpy as np
import pytest

import apical
from apical.graphs.load import load_text

TEXT = """
apical: 1
name: stopping
data:
  x: 2
cells:
  sensory:
    soma: r = x
  neuron:
    slow:
      mu: 0
    basal: v = input
    soma: du/dt = v - u
    rules:
      - mu += 0.1*u
populations:
  a:
    cell: sensory
    size: 2
  b:
    cell: neuron
    size: 3
synapses:
  W:
    from: a.r
    to: b.basal
    init: 0.5
    rule: {rule}
protocols:
  train:
    settle:
      steps: 40
      dt: 0.25
      until: change(b.u) < 0.05
      {learn}
    look:
      plasticity: off
      steps: 1
      dt: 0.25
"""
KINDS = {
    "continuous": ("dw/dt = -0.1*post.u*pre", "learn_each_step: b.mu"),
    "each step": ("w -= 0.025*post.u*pre", "learn_each_step: W, b.mu"),
    "momentum": (
        "w -= 0.025*post.u*pre\n    optimizer: momentum(1, 0.5)",
        "learn_each_step: W, b.mu",
    ),
}


def loop(x, momentum):
    """One replica: u, w and mu until the last of its samples stops."""
    u, w, mu, v = np.zeros((len(x), 3)), np.full((3, 2), 0.5), np.zeros(3), 0.0
    running, steps = np.ones(len(x), bool), np.zeros(len(x), int)
    while running.any() and steps.max() < 40:
        du = 0.25 * (x @ w.T - u)
        v = momentum * v - 0.025 * (u.T @ x) / len(x)
        w, mu = w + v, mu + 0.1 * u.mean(0)
        u = np.where(running[:, None], u + du, u)
        steps += running
        running &= ~(np.linalg.norm(du, axis=1) < 0.05)
    return w, mu, steps


@pytest.mark.parametrize("engine", ["numpy", "numba", "torch", "rehearsal"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_replica_that_has_stopped_learns_no_more(engine, kind, monkeypatch):
    if engine in ("torch", "rehearsal"):
        pytest.importorskip("torch")
    if engine == "rehearsal":
        from apical.engines.torch import engine as torch_engine

        def rehearsed(self, *arguments, **options):
            made(self, *arguments, **options, capture="rehearse")

        made = torch_engine.TorchExecutable.__init__
        monkeypatch.setattr(torch_engine.TorchExecutable, "__init__", rehearsed)
        engine = "torch"
    rule, learn = KINDS[kind]
    circuit = load_text(TEXT.format(rule=rule, learn=learn))
    x = np.random.default_rng(2).normal(size=(2, 3, 2)) * np.array([0.3, 3.0])[:, None, None]
    sim = apical.Simulator(circuit, engine=engine, replicas=2)
    traces = sim.run("train", x=x, learn=True, record=["b.v"])
    stops = []
    for replica in range(2):
        w, mu, steps = loop(x[replica], 0.5 if kind == "momentum" else 0)
        np.testing.assert_allclose(sim.weights["W"][replica], w, rtol=1e-11)
        np.testing.assert_allclose(sim.slow["b.mu"][replica], mu, rtol=1e-11)
        stops.append(steps.max())
        found = traces.phase("look")["b.v"].isel(replica=replica).values[:, 0]
        np.testing.assert_allclose(found, x[replica] @ w.T, rtol=1e-11)
    assert stops[0] < stops[1] < 40
