"""What is learnt, recorded between presentations; the oracle is a loop of the delta rule."""

from __future__ import annotations

import numpy as np
import pytest

import apical
from apical.graphs.load import load_text
from apical.graphs.reports.show import show
from apical.traces.recording import RecordingError
from apical.traces.recording_budget import BudgetError
from apical.traces.traces import Traces

TEXT = """
apical: 1
name: delta
parameters:
  eta: 0.1
data:
  x: 3
  target: 2
cells:
  sensory:
    soma: r = x
  neuron:
    basal: v = input
    soma: e = target - v
    slow:
      mu: 0.5
    rules: mu += 0.25*(e - mu)
populations:
  eye:
    cell: sensory
    size: 3
  out:
    cell: neuron
    size: 2
synapses:
  W:
    from: eye.r
    to: out.basal
    bias: true
    init: uniform(-1, 1)
    trace: dm/dt = pre - m
    rule: w += eta*post.e*pre
predicts:
  target: out.v
record:
  - W every 3 presentations
  - out.v
protocols:
  train:
    show:
      steps: 2
      dt: 0.5
      learn: W, out.mu
  predict:
    look:
      steps: 0
"""
SAMPLES, BATCH = 14, 2


@pytest.fixture(params=["numpy", "numba", "torch"])
def engine(request):
    if request.param == "torch":
        pytest.importorskip("torch")
    return request.param


@pytest.fixture
def shown():
    rng = np.random.default_rng(11)
    return {"x": rng.normal(size=(SAMPLES, 3)), "target": rng.normal(size=(SAMPLES, 2))}


def expected(start, shown, presentations, batch=BATCH, order=None):
    """Weights (presentation, post, pre), slow variables and traces after each presentation."""
    order = np.arange(SAMPLES) if order is None else order
    w, mu, m = start.copy(), np.full(2, 0.5), np.zeros_like(start)
    rows = [(w, mu, m)]
    for number in range(presentations):
        chosen = order[number % -(-len(order) // batch) * batch :][:batch]
        pre = np.hstack([shown["x"][chosen], np.ones((len(chosen), 1))])
        error = shown["target"][chosen] - pre @ w.T
        m = np.zeros_like(w)
        for _ in range(2):
            m = m + 0.5 * (pre.mean(axis=0) - m)
        w = w + 0.1 * error.T @ pre / len(chosen)
        mu = mu + 0.25 * (error.mean(axis=0) - mu)
        rows.append((w, mu, m))
    return [np.stack(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_each_row_of_a_run(engine, dtype, shown):
    sim = apical.Simulator(load_text(TEXT), engine=engine, dtype=dtype, replicas=2, seed=3)
    starts = sim.weights["W"].astype(np.float64)
    lines = ["W every 3 presentations", "out.mu every 2 presentations", "W.m", "out.v mean"]
    lines += ["W every 3 presentations mean", "W norm"]
    traces = sim.run("train", **shown, learn=True, batch=BATCH, record=lines)
    assert traces.presentation.tolist() == list(range(8))
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    for replica in range(2):
        w, mu, m = expected(starts[replica], shown, 7)
        rare, seldom = np.full_like(w, np.nan), np.full_like(mu, np.nan)
        rare[::3], seldom[::2] = w[::3], mu[::2]
        for name, rows in {
            "W": rare,
            "out.mu": seldom,
            "W.m": m,
            "mean(W)": rare.mean(axis=(1, 2)),
            "norm(W)": np.sqrt((w**2).sum(axis=(1, 2))),
        }.items():
            np.testing.assert_allclose(traces.learnt[name][replica], rows, tolerance, tolerance)
    assert traces["W"].dtype == dtype
    assert traces["W"].dims == ("replica", "presentation", "W.post", "W.pre")
    assert traces["W.m"].dims == traces["W"].dims
    assert traces["out.mu"].dims == ("replica", "presentation", "out.unit")
    assert traces["norm(W)"].dims == ("replica", "presentation")
    assert traces["W"].coords["W.pre"].values.tolist() == ["0", "1", "2", "bias"]
    biases = traces["W"].sel({"W.pre": "bias", "presentation": 6})
    np.testing.assert_array_equal(biases, traces.learnt["W"][:, 6, :, 3])
    assert traces["mean(out.v)"].dims == ("replica", "sample", "step")


def test_each_row_of_a_training(engine, shown):
    circuit = load_text(TEXT)
    sim = apical.Simulator(circuit, engine=engine)
    start = sim.weights["W"].copy()
    history = sim.fit(shown, epochs=2, batch=4, shuffle=False, record="W")
    np.testing.assert_allclose(
        history.traces.learnt["W"][0], expected(start, shown, 8, 4)[0], rtol=0, atol=1e-12
    )
    assert history.traces.presentation.tolist() == list(range(9))
    again = history.traces.learnt["W"][0, -1]
    of_file = sim.fit(shown, epochs=2, batch=4).traces  # 8 to 16, after 9, 12, 15 as the file says
    assert of_file.presentation.tolist() == [8, 9, 12, 15]
    np.testing.assert_array_equal(of_file.learnt["W"][0, 0], again)
    assert sim.fit(shown, batch=7, record=()).recorded is None


@pytest.mark.parametrize("carry", [False, True])
def test_a_row_is_what_a_call_of_so_many_presentations_leaves(engine, shown, carry):
    whole, parts = (apical.Simulator(load_text(TEXT), engine=engine, seed=5) for _ in range(2))
    lines = ["W", "out.mu every 1 presentations", "W.m"]
    traces = whole.run("train", **shown, learn=True, batch=BATCH, carry=carry, record=lines)
    for number in range(1, 8):
        chosen = slice(BATCH * (number - 1), BATCH * number)
        part = {name: array[chosen] for name, array in shown.items()}
        parts.run("train", **part, learn=True, carry=carry, record=())
        for name, held in (("W", parts.weights), ("out.mu", parts.slow), ("W.m", parts.state)):
            np.testing.assert_array_equal(traces.learnt[name][0, number], held[name])


def test_without_learning_there_is_one_row(shown):
    sim = apical.Simulator(load_text(TEXT), engine="numpy")
    traces = sim.run("train", **shown, batch=BATCH)
    assert traces.presentation.tolist() == [0]
    np.testing.assert_array_equal(traces.learnt["W"][0, 0], sim.weights["W"])


def test_one_number_for_each_unit_and_no_autapses_in_a_mean():
    text = TEXT.replace("    from: eye.r\n", "    from: out.e\n    connect: all_but_self\n")
    text = text.replace("    bias: true\n", "").replace("    trace: dm/dt = pre - m\n", "")
    text = text.replace("e = target - v", "e = target").replace("uniform(-1, 1)", "0.5")
    one = text.replace("all_but_self", "one_to_one")
    streams = {"x": np.zeros((1, 3)), "target": np.ones((1, 2))}
    for source, shape, mean in ((text, (2, 2), 0.6), (one, (2,), 0.6)):
        sim = apical.Simulator(load_text(source), engine="numpy")
        traces = sim.run("train", **streams, learn=True, record=["W", "W mean"])
        assert traces.learnt["W"].shape == (1, 2, *shape)
        np.testing.assert_allclose(traces.learnt["mean(W)"], [[0.5, mean]], atol=1e-15)


@pytest.mark.parametrize("ending", ["nc", "npz"])
def test_a_file_gives_back_what_was_recorded(tmp_path, shown, ending):
    sim = apical.Simulator(load_text(TEXT), engine="numpy", replicas=2)
    lines = ["W every 3 presentations", "W norm", "out.v", "out.mu every 2 presentations"]
    traces = sim.run("train", **shown, learn=True, batch=BATCH, record=lines)
    path = tmp_path / f"traces.{ending}"
    traces.save(path)
    again = Traces.open(path)
    assert list(again) == list(traces)
    for name in traces:
        np.testing.assert_array_equal(again[name].values, traces[name].values)
        assert again[name].dims == traces[name].dims
    assert again["W"].coords["W.pre"].values[-1] == "bias"
    assert again.presentation.tolist() == traces.presentation.tolist()
    assert len(traces.plot().axes) == 4


def test_a_table_has_a_line_for_each_weight(tmp_path, shown):
    import pandas

    sim = apical.Simulator(load_text(TEXT), engine="numpy")
    lines = ["W every 5 presentations", "W norm", "out.v", "out.mu every 7 presentations"]
    traces = sim.run("train", **shown, learn=True, batch=BATCH, record=lines)
    traces.save(tmp_path / "traces.csv")
    table = pandas.read_csv(tmp_path / "traces.csv").set_index("variable")
    weights = table.loc["W"]
    assert len(weights) == 2 * 2 * 4
    assert weights.presentation.unique().tolist() == [0, 5]
    one = weights[(weights.presentation == 5) & (weights.post == 1) & (weights.pre == 3)]
    assert one.value.item() == traces.learnt["W"][0, 5, 1, 3]
    assert table.loc["out.mu"].unit.tolist() == [0, 1, 0, 1]
    assert len(table.loc["norm(W)"]) == 8
    assert table.loc["out.v"].presentation.isna().all()


class Stop:
    """An engine's `run` that is stopped when so many presentations are over."""

    def __init__(self, executable, after):
        self.executable, self.after = executable, after

    def __getattr__(self, name):
        return getattr(self.executable, name)

    def run(self, memory, work, start, stop):
        if start >= self.after:
            raise KeyboardInterrupt
        return self.executable.run(memory, work, start, stop)


def stopped(sim, monkeypatch, after):
    programs = sim._core.programs
    whole = programs.executable
    monkeypatch.setattr(programs, "executable", lambda *a, **k: Stop(whole(*a, **k), after))


def test_ctrl_c_gives_what_was_recorded(monkeypatch, engine, shown):
    sim = apical.Simulator(load_text(TEXT), engine=engine)
    start = sim.weights["W"].copy()
    rows = expected(start, shown, 4)[0]
    stopped(sim, monkeypatch, 4)
    with pytest.raises(apical.Interrupted) as caught:
        sim.run("train", **shown, learn=True, batch=BATCH, record=["W", "out.v"])
    assert caught.value.traces.presentation.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(caught.value.traces.learnt["W"][0], rows, rtol=0, atol=1e-12)
    monkeypatch.undo()
    sim = apical.Simulator(load_text(TEXT), engine=engine)
    stopped(sim, monkeypatch, 4)
    history = sim.fit(shown, batch=BATCH, shuffle=False, record="W")
    assert history.interrupted
    np.testing.assert_allclose(history.traces.learnt["W"][0], rows, rtol=0, atol=1e-12)
    monkeypatch.undo()
    rest = sim.fit(shown, batch=BATCH, shuffle=False, record="W").traces
    np.testing.assert_array_equal(rest.learnt["W"][0, 0], history.traces.learnt["W"][0, -1])
    assert rest.presentation.tolist() == [4, 5, 6, 7]


def test_a_divergence_gives_what_was_recorded(engine, shown):
    shown["x"][9] = 1e200
    start = apical.Simulator(load_text(TEXT)).weights["W"].copy()
    rows = expected(start, shown, 4)[0]
    for call in ("run", "fit"):
        sim = apical.Simulator(load_text(TEXT), engine=engine)
        with pytest.raises(apical.Divergence) as caught:
            if call == "run":
                sim.run("train", **shown, learn=True, batch=BATCH, record="W every 2 presentations")
            else:
                sim.fit(shown, batch=BATCH, shuffle=False, record="W every 2 presentations")
        traces = caught.value.traces
        assert traces.presentation.tolist() == [0, 2, 4]
        np.testing.assert_allclose(traces.learnt["W"][0], rows[::2], rtol=0, atol=1e-12)


def test_a_resumed_simulator_goes_on(tmp_path, shown):
    sim = apical.Simulator(load_text(TEXT), engine="numpy")
    start = sim.weights["W"].copy()
    first = {name: array[:8] for name, array in shown.items()}
    rest = {name: array[8:] for name, array in shown.items()}
    sim.run("train", **first, learn=True, batch=BATCH)
    sim.save(tmp_path / "delta.safetensors")
    again = apical.Simulator.resume(tmp_path / "delta.safetensors")
    traces = again.run("train", **rest, learn=True, batch=BATCH)
    assert traces.presentation.tolist() == [4, 6]
    np.testing.assert_allclose(
        traces.learnt["W"][0], expected(start, shown, 7)[0][[4, 6]], rtol=0, atol=1e-12
    )


def test_a_sweep_reduces_weights(tmp_path, shown):
    path = tmp_path / "delta.yaml"
    path.write_text(TEXT, encoding="utf-8")
    sweep = apical.Sweep(path, {"eta": [0.1, 0.2]}, engine="numpy")
    few = {name: array[:2] for name, array in shown.items()}
    runs = sweep.run("train", **few, learn=True, batch=1, record=["W norm", "W"])
    rows = sweep.rows(runs, "last")
    ends = np.concatenate([traces.learnt["W"][:, -1] for traces in runs])
    assert [row["eta"] for row in rows] == [0.1, 0.1, 0.2, 0.2]
    np.testing.assert_allclose(
        [row["norm(W) last"] for row in rows[::2]], np.sqrt((ends**2).sum(axis=(1, 2)))
    )
    np.testing.assert_array_equal(rows[2]["W last"], ends[1])


@pytest.mark.parametrize("call", ["run", "fit"])
def test_a_budget_counts_weights(call, shown, refused):
    sim = apical.Simulator(load_text(TEXT), engine="numpy")
    with refused(BudgetError):
        if call == "run":
            sim.run("train", **shown, learn=True, batch=2, record="W", budget=500)
        else:
            sim.fit(shown, batch=2, epochs=10, record=["W", "W norm"], budget=2000)
    assert sim.presentation == 0


@pytest.mark.parametrize(
    "lines", [["out.v"], ["out.mu", "out.mu every 2 presentations"], ["W", "target"]]
)
def test_what_a_training_does_not_record(lines, shown, refused):
    sim = apical.Simulator(load_text(TEXT), engine="numpy")
    with refused(RecordingError):
        sim.fit(shown, record=lines)


def test_a_name_is_recorded_by_steps_or_by_presentations(shown, refused):
    sim = apical.Simulator(load_text(TEXT), engine="numpy")
    with refused(RecordingError):
        sim.run("train", **shown, record=["out.mu", "out.mu every 2 presentations"])


def test_a_trace_of_each_sample_is_refused(shown, refused):
    text = TEXT.replace("w += eta*post.e*pre", "w += eta*m^2")
    with refused(RecordingError):
        apical.Simulator(load_text(text), engine="numpy").run("train", **shown, record="W.m")


@pytest.mark.parametrize(
    "line",
    [
        "W every 5",
        "W every 5 norm",
        "W in show every 2 presentations",
        "W.k",
        "out.v every 2 presentations",
        "U",
    ],
)
def test_a_wrong_line_of_a_file(line, refused):
    with refused(apical.CircuitError):
        load_text(TEXT.replace("W every 3 presentations", line))


def test_a_file_prints_its_lines():
    circuit = load_text(TEXT)
    assert load_text(circuit.to_yaml()).record == circuit.record
    assert "record W every 3 presentations" in show(circuit)
