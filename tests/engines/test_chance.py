"""What is drawn, when, and for whom: against Philox on integers and the distributions of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import apical
from apical.graphs.diagnostics import CircuitError
from apical.graphs.reports.show import show
from apical.graphs.reports.yaml_text import comparable

from ..interpreter import draws
from ..interpreter.interpreter import Interpreter

TEXT = """
apical: 1
name: chance
parameters: {p: 0.3, beta: 1}
cells:
  neuron:
    basal: v = input
    soma: [tau * du/dt = v - u + beta, r = tanh(u) + g]
    after_step:
      - a := normal(0, 1)
      - b += poisson(2*p) - bernoulli(p)
      - b -= uniform(0, 1 + |u|)
      - c := poisson(l)
    slow:
      mu: normal(0, 2) + index
    rules: mu += 0.1*(r - mu)
populations:
  y:
    cell: neuron
    size: 5
    parameters: {tau: "uniform(1, 2)", g: "bernoulli(0.5) + normal(1, 0.1)", l: 9*index^2}
synapses:
  W:
    from: y.r
    to: y.basal
    init: normal(0, 1) * bernoulli(exp(-(post.index - pre.index)^2)) + poisson(0.1)
protocols:
  train:
    go:
      set: beta = bernoulli(p) + poisson(3) + random_sign()
      begin: y.u := normal(0, 1) + 0.1*poisson(3)
      steps: 4
      dt: 0.1
      learn: y.mu
    still:
      begin: y.u := u + normal(0, 0.1)
    again:
      steps: 3
      dt: 0.1
      until: change(y.u) < 0.3*norm(y.u)
"""
ENGINES = ["numpy", "torch", pytest.param("numba", marks=pytest.mark.slow)]
RECORD = ["y.u", "y.a", "y.b", "y.c"]


def simulator(engine="numpy", text=TEXT, **settings):
    if engine == "torch":
        pytest.importorskip("torch")
    return apical.Simulator(apical.load_text(text), engine=engine, **settings)


def samples(traces):
    """name -> (sample, row, unit) of the first replica."""
    return {name: np.array(array[0]) for name, array in traces.arrays.items()}


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_draws_what_the_interpreter_draws(engine):
    sim = simulator(engine, seed=3)
    weights = {"W": sim.weights["W"].copy()}
    meant = Interpreter(sim.circuit, weights, seed=3)
    assert_allclose(sim.slow["y.mu"], meant.slow["y", "mu"], rtol=1e-14)
    for name in ("y.tau", "y.g"):
        assert_allclose(sim.parameters[name], meant.constants[name], rtol=1e-14)
    for batch, carry in ((3, False), (2, False), (2, True)):
        count = 4 if batch == 2 else 5
        found = samples(sim.run("train", samples=count, batch=batch, carry=carry, record=RECORD))
        records = apical.traces.recording.recordings(RECORD, sim.circuit)
        told = meant.run("train", records, batch=batch, carry=carry, samples=count)
        for name, array in found.items():
            assert_allclose(array, told.arrays[name], rtol=1e-10, atol=1e-10)
        assert_array_equal(found["y.c"], told.arrays["y.c"])


@pytest.mark.parametrize("engine", ENGINES)
def test_float32_draws_the_same_integers(engine):
    wide = samples(simulator(seed=3).run("train", samples=20, record=RECORD))
    narrow = samples(
        simulator(engine, seed=3, dtype="float32").run("train", samples=20, record=RECORD)
    )
    assert_array_equal(narrow["y.c"], wide["y.c"])
    assert_allclose(narrow["y.a"], wide["y.a"], rtol=1e-6, atol=1e-7)


def test_a_draw_is_counted_by_unit_sample_and_step():
    """`a` of the phase `go`, step n: the n-th counter; of `again`, where steps go on."""
    found = samples(simulator(seed=7).run("train", samples=3, record=["y.a"]))["y.a"]
    rows = [("go", 0, 1), ("go", 3, 4), ("again", 4, 7)]
    for phase, step, row in rows:
        name = f"after_step({phase}.y.a)"
        assert_allclose(found[:, row], draws.table(draws.normal, 7, name, 5, step, range(3)))


@pytest.mark.parametrize("engine", ENGINES)
def test_batches_and_stopped_samples_change_no_draw(engine):
    """One batch of 6, six of 1, a run that starts at 2, the second of two replicas."""
    whole = samples(simulator(engine, seed=1).run("train", samples=6, record=RECORD))
    single = samples(simulator(engine, seed=1).run("train", samples=6, batch=1, record=RECORD))
    some = samples(simulator(engine, seed=1).run("train", samples=4, first=2, record=RECORD))
    second = simulator(engine, seed=0, replicas=2).run("train", samples=6, record=RECORD)
    for name, array in whole.items():
        if name in ("y.a", "y.c"):  # beta is one for a batch
            assert_array_equal(single[name][:, :6], array[:, :6])
            assert_array_equal(some[name][:, :6], array[2:, :6])
        assert_allclose(second.arrays[name][1], array, rtol=1e-13)


def test_a_checkpoint_draws_on(tmp_path):
    sim, other = simulator(seed=4), simulator(seed=4)
    first = samples(sim.run("train", samples=2, record=RECORD))
    other.run("train", samples=2)
    other.save(tmp_path / "sim")
    again = apical.Simulator.resume(tmp_path / "sim")
    more, same = (samples(s.run("train", samples=2, record=RECORD)) for s in (sim, again))
    for name in RECORD:
        assert_array_equal(more[name], same[name])
        assert name == "y.b" or np.any(more[name][:, 2] != first[name][:, 2])
    assert_array_equal(sim.parameters["y.tau"], again.parameters["y.tau"])


MANY = """
apical: 1
name: many
parameters: {m: 2, l: 4}
cells:
  one:
    soma: r = u
    after_step:
      - n := normal(m, 3)
      - u := uniform(-1, m)
      - b := bernoulli(0.3)
      - k := poisson(l)
      - few := poisson(0.2)
      - s := random_sign()
populations: {y: {cell: one, size: 100, parameters: {g: "normal(1, 2)"}}}
synapses: {}
protocols:
  train: {go: {steps: 4, dt: 1}}
"""


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_the_distributions_are_those_of_scipy(engine):
    names = ["y.n", "y.u", "y.b", "y.k", "y.few", "y.s"]
    traces = simulator(engine, MANY, seed=5).run("train", samples=50, record=names)
    found = {name: array[0, :, 1:].ravel() for name, array in samples_of(traces).items()}
    assert all(array.size == 20000 for array in found.values())
    assert stats.kstest(found["y.n"], stats.norm(2, 3).cdf).pvalue > 0.01
    assert stats.kstest(found["y.u"], stats.uniform(-1, 3).cdf).pvalue > 0.01
    assert stats.binomtest(int(found["y.b"].sum()), 20000, 0.3).pvalue > 0.01
    assert stats.binomtest(int((found["y.s"] == 1).sum()), 20000, 0.5).pvalue > 0.01
    for name, mean in (("y.k", 4), ("y.few", 0.2)):
        most = 12 if mean == 4 else 3
        seen = np.bincount(np.minimum(found[name].astype(int), most), minlength=most + 1)
        share = stats.poisson(mean).pmf(np.arange(most))
        meant = 20000 * np.append(share, 1 - share.sum())
        assert stats.chisquare(seen, meant).pvalue > 0.01
    lags = np.corrcoef(found["y.n"][:-1], found["y.n"][1:])[0, 1]
    assert abs(lags) < 4 / np.sqrt(20000)


def samples_of(traces):
    return {name: np.array(array) for name, array in traces.arrays.items()}


@pytest.mark.parametrize("mean", [0, 0.01, 1, 30, 300, 699, 700])
def test_events_are_counted_alike_for_every_mean(mean):
    """numpy counts up, torch halves an interval of the incomplete gamma function, scipy inverts."""
    pytest.importorskip("torch")
    text = MANY.replace("l: 4", f"l: {mean}")
    one, other = (
        simulator(engine, text, seed=9).run("train", samples=10, record=["y.k"]).arrays["y.k"]
        for engine in ("numpy", "torch")
    )
    assert_array_equal(one, other)
    u = draws.table(draws.uniform, 9, "after_step(go.y.k)", 100, 2, range(10))
    assert_array_equal(one[0, :, 3], stats.poisson(mean).ppf(np.nextafter(u, 1)).clip(0))


def test_parameters_are_drawn_once_for_each_unit_and_seed():
    sim = simulator(text=MANY, seed=11, replicas=2)
    for replica in (0, 1):
        z = draws.table(draws.normal, 11 + replica, "start(y.g)", 100, 0, [0])[0]
        assert_allclose(sim.parameters["y.g"][replica], 1 + 2 * z, rtol=1e-13)
    given = np.linspace(0, 1, 100)
    assert_array_equal(simulator(text=MANY, parameters={"y.g": given}).parameters["y.g"], given)


def test_an_init_draws_one_for_each_connection():
    text = TEXT.replace("exp(-(post.index - pre.index)^2)", "0.25").replace("+ poisson(0.1)", "")
    text = text.replace("size: 5", "size: 100").replace("l: 9*index^2", "l: 1")
    weights = simulator(text=text, seed=2).weights["W"]
    there = weights != 0
    assert stats.binomtest(int(there.sum()), 10000, 0.25).pvalue > 0.01
    assert stats.kstest(weights[there], stats.norm.cdf).pvalue > 0.01
    banded = simulator(text=text.replace("0.25", "|post.index - pre.index| < 1.5")).weights["W"]
    distance = np.abs(np.arange(100)[:, None] - np.arange(100))
    assert_array_equal(banded != 0, distance <= 1)


def test_what_is_drawn_is_said():
    circuit = apical.load_text(TEXT)
    shown = show(circuit)
    assert "of each unit, drawn once: τ = uniform(1, 2)" in shown
    assert "of each unit: l = 9 · index²" in shown
    assert "random_sign, drawn for the whole batch" in shown
    assert comparable(apical.load_text(circuit.to_yaml())) == comparable(circuit)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("r = tanh(u) + g", "'r = normal(0, 1)'"),
        ("mu += 0.1*(r - mu)", "mu += 0.1*(normal(0, 1) - mu)"),
        ("p: 0.3", "p: 'uniform(0, 1)'"),
        ("steps: 4", "steps: poisson(3)"),
        ("p: 0.3", "p: 1.3"),
        ("poisson(2*p)", "poisson(-2)"),
        ("normal(0, 1) + 0.1*poisson(3)", "normal(0, -1)"),
        ('"uniform(1, 2)"', '"uniform(2, 1)"'),
        ('"uniform(1, 2)"', '"normal(-1, 1)"'),
        ("bernoulli(exp(", "bernoulli(2*exp("),
        ("normal(0, 2) + index", "r + index"),
        ("normal(0, 2) + index", "normal(0)"),
    ],
)
def test_a_draw_that_cannot_be_is_refused(old, new, snapshot):
    with pytest.raises(CircuitError) as caught:
        apical.load_text(TEXT.replace(old, new), "chance.yaml")
    assert str(caught.value) == snapshot


def test_what_a_seed_or_a_value_makes_impossible_is_told_before_the_run(snapshot):
    drawn = simulator(text=TEXT.replace('"uniform(1, 2)"', '"normal(1, 1)"'))
    for sim in (drawn, simulator(parameters={"p": 2})):
        with pytest.raises(ValueError) as caught:
            sim.run("train", samples=1)
        assert str(caught.value) == snapshot


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("draw", ["poisson(u - 10)", "bernoulli(2 + u^2)"])
def test_what_a_state_makes_impossible_stops_the_run(engine, draw):
    text = TEXT.replace("u + normal(0, 0.1)", draw)
    with pytest.raises(apical.Divergence):
        simulator(engine, text).run("train", samples=2)
