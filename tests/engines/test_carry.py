"""Going on: slot b of a batch goes on where slot b of the last one was, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import apical

pytest.importorskip("torch")
ENGINES = ["numpy", "numba", "torch"]

COUNT = """\
apical: 1
name: count
cells:
  cell:
    soma:
      - dx/dt = 2
      - y = t
populations:
  n:
    cell: cell
    size: 1
protocols:
  train:
    go:
      steps: 10
      dt: 0.1
"""
NOISY = """\
apical: 1
name: noisy
parameters:
  h: 0.1
  N: 5
data:
  drive: 3
cells:
  eye:
    soma: r = drive
  cell:
    port: v = input
    soma:
      - 2 * dx/dt = tanh(v) - x + 0.3*xi
      - dm/dt = x - m
      - y = tanh(x) + 0.01*t
populations:
  e:
    cell: eye
    size: 3
  n:
    cell: cell
    size: 3
synapses:
  A:
    from: e.r
    to: n.port
    init: normal(0, 1)
  W:
    from: n.y
    to: n.port
    filter: [1, 2]
    init: normal(0, 1)
    trace: 3 * dc/dt = -c + post.m * pre
    rule: dw/dt = 0.05 * c
protocols:
  train:
    go:
      steps: N
      dt: h
"""


@pytest.fixture(scope="module")
def short():
    return apical.load_text(NOISY)


@pytest.fixture(scope="module")
def long():
    return apical.load_text(NOISY, N=1000)


def drive(batch, count):
    """The same samples in each presentation."""
    return np.tile(np.random.default_rng(0).normal(size=(batch, 3)), (count, 1))


def everything(sim):
    return {**dict(sim.state), **dict(sim.weights)}


def check_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize("engine", ENGINES)
def test_presentations_of_one_call_go_on(engine):
    """x starts at 0 2 4 6 8 10, and time at 0 1 2 3 4 5, in one call and in six."""
    circuit = apical.load_text(COUNT)
    one = apical.Simulator(circuit, engine=engine)
    traces = one.run(samples=6, batch=1, carry=True, record=["n.x", "n.y"])
    np.testing.assert_allclose(traces.arrays["n.x"][0, :, 0, 0], np.arange(0, 12, 2), rtol=1e-13)
    times = (10 * np.arange(6)[:, None] + np.arange(11)) * 0.1
    assert_array_equal(traces.time, times)
    assert_array_equal(traces.arrays["n.y"][0, ..., 0], times)
    assert traces.dataset["time"].dims == ("sample", "step")
    six = apical.Simulator(circuit, engine=engine)
    parts = [six.run(carry=True, record=["n.x", "n.y"]) for _ in range(6)]
    for name, array in traces.arrays.items():
        assert_array_equal(np.concatenate([p.arrays[name] for p in parts], axis=1), array)
    assert_array_equal([p.time for p in parts], times)
    six.run(record=["n.x"])  # begins anew
    assert six.run(record=["n.x"]).time[0] == 0
    np.testing.assert_allclose(six.run(carry=True, record=["n.x"]).arrays["n.x"][0, 0, 0], 2)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("engine", ENGINES)
def test_presentations_calls_and_steps_are_the_same(short, long, engine, dtype):
    """200 presentations of 5 steps, in one call and in 200, and one of 1000 steps."""
    found = []
    for circuit, count, calls in ((short, 200, 1), (short, 1, 200), (long, 1, 1)):
        sim = apical.Simulator(circuit, engine=engine, seed=4, dtype=dtype)
        rows = []
        for _ in range(calls):
            traces = sim.run(
                drive=drive(4, count), batch=4, carry=True, learn=True, record=["n.x", "n.y"]
            )
            presented = traces.arrays["n.x"].reshape(count, 4, -1, 3)
            rows += [row for part in presented for row in part[:, 1:].swapaxes(0, 1)]
        found.append((everything(sim), np.array(rows), sim.counters.going))
    for others, rows, going in found[1:]:
        check_equal(others, found[0][0])
        assert_array_equal(rows, found[0][1])
        assert_array_equal(going.clock.now, found[0][2].clock.now)
        assert going.clock.now[0] == 1000 * 0.1
        assert (going.first, going.steps) == (0, 1000)
    assert found[0][1].std(axis=0).min() > 0.05  # there is noise


@pytest.mark.parametrize("engine", ENGINES)
def test_fit_goes_on(short, engine):
    """From batch to batch, epoch to epoch and call to call; what is scored between is not seen."""
    samples = {"drive": drive(2, 6)}
    one = apical.Simulator(short, engine=engine, seed=4)
    one.fit(samples, epochs=2, batch=2, shuffle=False, carry=True)
    two = apical.Simulator(short, engine=engine, seed=4)
    for _ in range(2):
        two.fit(samples, batch=2, shuffle=False, carry=True)
        two.predict({"drive": drive(5, 1)}, protocol="train")
    by_run = apical.Simulator(short, engine=engine, seed=4)
    for _ in range(2):
        by_run.run(**samples, batch=2, learn=True, carry=True, record=[])
    for other in (two, by_run):
        check_equal(everything(other), everything(one))
    anew = apical.Simulator(short, engine=engine, seed=4)
    anew.fit(samples, epochs=2, batch=2, shuffle=False)
    assert np.abs(anew.weights["W"] - one.weights["W"]).max() > 1e-4


@pytest.mark.parametrize("engine", ENGINES)
def test_predictions_leave_the_batch_alone(engine):
    circuit = apical.load_text(
        NOISY.replace("  drive: 3\n", "  drive: 3\n  label: 3\n").replace(
            "protocols:", "predicts:\n  label: n.x\nprotocols:"
        )
        + "  predict: go\n"
    )
    streams = {"drive": drive(4, 1), "label": np.zeros((4, 3))}
    arrays = []
    for scored in (False, True):
        sim = apical.Simulator(circuit, engine=engine, seed=4)
        sim.run(**streams)
        if scored:
            before = everything(sim)
            sim.evaluate(streams, batch=3)
            check_equal(everything(sim), before)
        traces = sim.run(**streams, carry=True, record=["n.x", "n.y"])
        arrays.append({**traces.arrays, "time": traces.time})
    check_equal(*arrays)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_checkpoint_goes_on(short, engine, tmp_path):
    sim = apical.Simulator(short, engine=engine, seed=4, replicas=2)
    sim.run(drive=drive(4, 1), carry=True)
    sim.save(tmp_path / "half.safetensors")
    again = apical.Simulator.resume(tmp_path / "half.safetensors")
    parts = [s.run(drive=drive(4, 1), carry=True, record=["n.y"]) for s in (sim, again)]
    assert_array_equal(parts[0].arrays["n.y"], parts[1].arrays["n.y"])
    assert_array_equal(parts[0].time, parts[1].time)
    assert parts[1].time[0] == 5 * 0.1


@pytest.mark.parametrize("rule", ["0.05 * c", "0.05 * c * post.x"], ids=["mean", "each"])
def test_traces_begin_anew_where_nothing_moves_them(rule):
    """A presentation without plasticity begins anew: what goes on from it has traces of 0."""
    circuit = apical.load_text(NOISY.replace("0.05 * c", rule))
    learnt = apical.Simulator(circuit, engine="numpy", seed=4)
    learnt.run(drive=drive(4, 1), learn=True)
    fresh = apical.Simulator(circuit, engine="numpy", seed=4)
    for name in fresh.weights:
        fresh.weights[name] = learnt.weights[name]
    for sim in (learnt, fresh):
        sim.run(drive=drive(4, 1), first=0)
        sim.run(drive=drive(4, 1), learn=True, carry=True)
    check_equal(everything(learnt), everything(fresh))


def test_begin_and_set_act_in_each_presentation():
    text = COUNT.replace("      steps", "      set: k = k + 1\n      begin: n.z := 5\n      steps")
    text = text.replace("dx/dt = 2", "dx/dt = k\n      - dz/dt = 1")
    text = text.replace("cells:\n", "parameters:\n  k: 1\ncells:\n", 1)
    sim = apical.Simulator(apical.load_text(text), engine="numpy")
    arrays = sim.run(samples=3, batch=1, carry=True, record=["n.x", "n.z"]).arrays
    np.testing.assert_allclose(arrays["n.x"][0, :, -1, 0], [2, 4, 6])
    np.testing.assert_allclose(arrays["n.z"][0, :, 0, 0], 5)


def test_initial_values_start_the_first_presentation():
    sim = apical.Simulator(apical.load_text(COUNT), engine="numpy")
    traces = sim.run(samples=2, batch=1, carry=True, initial={"n.x": [[7.0], [9.0]]}, record="n.x")
    np.testing.assert_allclose(traces.arrays["n.x"][0, :, 0, 0], [7, 9])


@pytest.mark.parametrize("engine", ENGINES)
def test_what_cannot_go_on_is_said_before_anything_runs(short, engine, refused):
    sim = apical.Simulator(short, engine=engine, seed=4)
    with refused(ValueError):
        sim.run(drive=drive(10, 1), batch=4, carry=True)
    with refused(ValueError):
        sim.fit({"drive": drive(10, 1)}, batch=4, carry=True)
    assert sim.presentation == 0 and not sim.counters.samples["run"]
    sim.run(drive=drive(4, 1))
    before = everything(sim)
    with refused(ValueError):
        sim.fit({"drive": drive(4, 1)}, batch=2, carry=True)
    check_equal(everything(sim), before)
