"""Weights and traces of synapses recorded inside a presentation, against a loop in numpy."""

from __future__ import annotations

import numpy as np
import pytest

from apical import CircuitError, Simulator, Traces, load_text
from apical.traces.recording_budget import BudgetError

ENGINES = ("numpy", pytest.param("numba", marks=pytest.mark.slow), "torch")
TEXT = """\
apical: 1
name: watched
data:
  image: 3
cells:
  source:
    soma: r = image
  neuron:
    soma: du/dt = input - u
populations:
  x:
    cell: source
    size: 3
  y:
    cell: neuron
    size: 2
synapses:
  W:
    from: x.r
    to: y.soma
    init: normal(0, 1)
    bias: true
    trace: 2*dm/dt = -m + pre
    rule: w += 0.1*post.u*pre
  R:
    from: y.u
    to: y.soma
    connect: all_but_self
    init: 0.5
    rule: dw/dt = -w
  S:
    from: y.u
    to: y.soma
    connect: one_to_one
    init: 0.3
record:
  - W every 2 steps
  - W norm
protocols:
  train:
    rest:
      steps: 2
      dt: 0.1
    settle:
      steps: 5
      dt: 0.1
      learn_each_step: W
"""
IMAGE = np.random.default_rng(0).normal(size=(4, 3))


def watched(w, image):
    """W, its trace and R at each row, the first of each phase after its `begin`."""
    u, r, m, rows = np.zeros((len(image), 2)), 0.5 * (1 - np.eye(2)), np.zeros((2, 4)), []
    pre = np.hstack([image, np.ones((len(image), 1))])
    for steps, learns in ((2, False), (5, True)):
        rows.append((w, m, r))
        for _ in range(steps):
            change = 0.1 * u.T @ pre / len(image)
            u = u + 0.1 * (pre @ w.T + u @ r.T + 0.3 * u - u)
            m, r = m + 0.05 * (pre.mean(0) - m), 0.9 * r
            w = w + change * learns
            rows.append((w, m, r))
    return [np.stack(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("replicas", [1, 2])
def test_each_row_is_what_the_synapse_holds_then(engine, replicas, tmp_path):
    sim = Simulator(load_text(TEXT), engine=engine, seed=1, replicas=replicas)
    start = np.array(sim.weights["W"]).reshape(replicas, 2, 4)
    lines = ["W every 1 steps", "W.m in settle every 2", "R every 1 steps mean"]
    lines += ["W in rest norm", "S every 3 steps"]
    traces = sim.run("train", image=IMAGE, learn=True, record=lines)
    for replica in range(replicas):
        w, m, r = watched(start[replica], IMAGE)
        for sample in range(4):
            found = {name: array[replica, sample] for name, array in traces.arrays.items()}
            np.testing.assert_allclose(found["W"], w, rtol=1e-12)
            np.testing.assert_allclose(found["mean(R)"], r.sum((1, 2)) / 2, rtol=1e-12)
            norms = np.sqrt((w**2).sum((1, 2)))
            np.testing.assert_allclose(found["norm(W)"][:3], norms[:3], rtol=1e-12)
            assert np.isnan(found["norm(W)"][3:]).all()
            np.testing.assert_allclose(found["W.m"][3::2], m[3::2], rtol=1e-12, atol=1e-15)
            assert np.isnan(found["W.m"][[0, 1, 2, 4, 6, 8]]).all()
            assert (found["S"][[0, 3, 6]] == 0.3).all() and np.isnan(found["S"][1]).all()
    assert traces["W"].dims == ("replica", "sample", "step", "W.post", "W.pre")
    assert traces["W"].coords["W.pre"].values.tolist() == ["0", "1", "2", "bias"]
    assert traces["S"].dims == ("replica", "sample", "step", "S.unit")
    for name in ("run.nc", "run.npz"):
        traces.save(tmp_path / name)
        again = Traces.open(tmp_path / name)
        np.testing.assert_array_equal(again.arrays["W"], traces.arrays["W"])
        assert again.dims("W") == traces.dims("W")


def test_a_table_and_a_picture_have_connections(tmp_path):
    pytest.importorskip("matplotlib")
    sim = Simulator(load_text(TEXT), engine="numpy", seed=1)
    traces = sim.run("train", image=IMAGE[:1], record=["W in rest"])
    traces.to_csv(tmp_path / "run.csv")
    header, first, *rest = (tmp_path / "run.csv").read_text().replace('"', "").splitlines()
    assert header.split(",")[-2:] == ["post", "pre"] and first.split(",")[-2:] == ["0", "0"]
    assert len(rest) == 3 * 8 - 1 and rest[-1].split(",")[-2:] == ["1", "3"]
    assert traces.plot() is not None


def test_a_file_says_which_moments_are_meant():
    circuit = load_text(TEXT)
    assert load_text(circuit.to_yaml()).record == circuit.record
    sim = Simulator(circuit, engine="numpy", seed=1)
    traces = sim.run("train", image=IMAGE)
    assert traces["W"].dims[2] == "step" and traces["norm(W)"].dims == ("replica", "presentation")


def test_connections_count_for_the_budget():
    sim = Simulator(load_text(TEXT), engine="numpy", seed=1)
    with pytest.raises(BudgetError, match=r"8 unit\(s\) in all x 9 rows x 4 sample"):
        sim.run("train", image=IMAGE, record="W every 1 steps", budget=8 * 9 * 4 * 8 - 1)
    sim.run("train", image=IMAGE, record="W every 1 steps", budget=8 * 9 * 4 * 8)


@pytest.mark.messages
def test_one_name_is_one_array(snapshot):
    sim = Simulator(load_text(TEXT), engine="numpy", seed=1)
    with pytest.raises(ValueError) as caught:
        sim.run("train", image=IMAGE, record=["W every 2 steps", "W"])
    assert str(caught.value) == snapshot
    with pytest.raises(ValueError) as caught:
        sim.fit({"image": IMAGE}, record="W every 2 steps")
    assert str(caught.value) == snapshot
    with pytest.raises(CircuitError) as refused:
        load_text(TEXT.replace("W every 2 steps", "W in settle every 2 presentations"))
    assert str(refused.value) == snapshot
