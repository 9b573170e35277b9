"""Signals, streams with a time axis, against closed forms, scipy and loops written here.

The random circuits of `tests/explored` compare them with the interpreter; here stand the cases that
have an answer of their own, and what chance would draw too seldom.
"""

from __future__ import annotations

import tracemalloc
from fractions import Fraction
from functools import partialmethod
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.integrate import solve_ivp

import apical
from apical.graphs.instructions import Branch, Product, ReadRow
from apical.graphs.load import load_text

ENGINES = ["numpy", "numba", "torch"]
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}


@pytest.fixture(params=[*ENGINES, "captured"])
def engine(request, monkeypatch):
    """Each engine; torch also as it is captured for a GPU, in blocks of three masked steps."""
    if request.param not in ("torch", "captured"):
        return request.param
    pytest.importorskip("torch")
    if request.param == "captured":
        from apical.engines.torch.engine import TorchExecutable

        made = partialmethod(TorchExecutable.__init__, capture="rehearse", block=3)
        monkeypatch.setattr(TorchExecutable, "__init__", made)
    return "torch"


FOLLOWING = """
apical: 1
name: following
title: A membrane that follows a current
parameters:
  tau: 2
  h: 0.125
  row: 0.5
data:
  drive:
    size: 2
    every: {every}
    between: {between}
cells:
  membrane:
    soma:
      - tau * dV/dt = drive - V
      - now = drive
populations:
  p:
    cell: membrane
    size: 2
protocols:
  train:
    go:
      steps: {steps}
      dt: h
      method: {method}
"""


def following(every="row", between="hold", steps=40, method="euler", **more):
    return load_text(
        FOLLOWING.format(every=every, between=between, steps=steps, method=method), **more
    )


def recorded(circuit, engine, record=("p.V",), dtype="float64", **given):
    """(sample, row of the traces, unit) of each record."""
    traces = apical.Simulator(circuit, engine=engine, dtype=dtype).run(
        "train", record=list(record), **given
    )
    return [traces[name].values[0] for name in record]


# --- closed forms --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_membrane_under_a_step_current_is_exact(engine, dtype):
    """V = I + (V0 - I) e^(-t/tau) row by row: `exponential_euler` makes no error where I holds."""
    circuit = following(method="exponential_euler")
    drive = np.random.default_rng(0).normal(size=(3, 10, 2))
    (found,) = recorded(circuit, engine, dtype=dtype, drive=drive)
    expected = np.zeros((3, 41, 2))
    for step in range(40):
        current, before = drive[:, step // 4], expected[:, step]
        expected[:, step + 1] = current + (before - current) * np.exp(-0.125 / 2)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE[dtype])


def test_a_membrane_under_a_ramp(engine):
    """V = a (t - tau + tau e^(-t/tau)) for I = a t; order 4 of `rk4`, whose stages read I."""
    slope = np.array([1.0, -0.3])
    errors = []
    for number in (20, 40):
        dt = 5 / number
        circuit = following(every=5, between="linear", steps=number, method="rk4", h=dt)
        drive = np.stack([0 * slope, 5 * slope])[None]
        (found,) = recorded(circuit, engine, drive=drive)
        t = dt * np.arange(number + 1)[:, None]
        expected = slope * (t - 2 + 2 * np.exp(-t / 2))
        errors.append(np.abs(found[0] - expected).max())
    assert 14 < errors[0] / errors[1] < 18


@pytest.mark.parametrize("between", ["hold", "linear"])
def test_against_scipy(engine, between):
    """Row by row, so that neither steps over a kink."""
    every = 0.5
    drive = np.random.default_rng(1).normal(size=(5 + (between == "linear"), 2))
    circuit = following(every, between, 200, "rk4", h=0.0125)
    (found,) = recorded(circuit, engine, drive=drive)

    def current(t, row):
        if between == "hold":
            return drive[row]
        part = t / every - row
        return (1 - part) * drive[row] + part * drive[row + 1]

    value = np.zeros(2)
    for row in range(5):
        start, end = row * every, (row + 1) * every
        solved = solve_ivp(
            lambda t, v, row=row: (current(t, row) - v) / 2, (start, end), value, rtol=1e-12,
            atol=1e-14,
        )  # fmt: skip
        value = solved.y[:, -1]
    np.testing.assert_allclose(found[0, -1], value, atol=1e-9)


# --- which row -----------------------------------------------------------------------------------

PHASES = """
apical: 1
name: phases
title: Three phases, each with its own step; the cell shows which row is read
parameters:
  first: 0.1
  second: 0.3
  third: 0.2
  row: 1
  a: 3
  b: 2
  c: 4
data:
  drive:
    size: 1
    every: row
    between: hold
cells:
  cell:
    soma:
      - now = drive
      - du/dt = drive
populations:
  p:
    cell: cell
    size: 1
protocols:
  train:
    before:
      begin: p.u := 0
    one:
      steps: a
      dt: first
    two:
      steps: b
      dt: second
    moment:
      begin: p.u := p.now
    three:
      steps: c
      dt: third
"""


def read(steps, lengths, every):
    """(rows read by each row of the traces, positions of a linear one), in fractions."""
    rows, positions, elapsed, row = [0], [Fraction(0)], Fraction(0), 0
    for number, (count, dt) in enumerate(zip(steps, lengths, strict=True)):
        if number == 2:
            rows.append(row)  # the moment reads what stood
            positions.append(elapsed / every)
        rows.append(floor(elapsed / every))
        positions.append(elapsed / every)
        for _ in range(count):
            row = floor(elapsed / every)
            elapsed += dt
            rows.append(row)
            positions.append(elapsed / every)
    return rows, positions


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.integers(1, 9)] * 3),
    st.tuples(*[st.sampled_from(["0.1", "0.2", "0.05", "0.025", "0.3", "1/7", "0.15"])] * 3),
    st.integers(1, 5),
)
def test_rows_are_counted_in_whole_numbers(steps, lengths, many):
    """Rows of `hold` are those of exact fractions, wherever a phase begins."""
    exact = [Fraction(length) for length in lengths]
    every = (
        many
        * np.lcm.reduce([f.numerator for f in exact])
        * Fraction(1, int(np.gcd.reduce([f.denominator for f in exact])))
    )
    rows, _ = read(steps, exact, every)
    given_ = dict(zip(("first", "second", "third"), lengths, strict=True))
    given_ |= dict(zip("abc", steps, strict=True)) | {"row": f"{every}"}
    circuit = load_text(PHASES, **given_)
    needed = max(rows) + 1
    drive = np.arange(needed, dtype=float).reshape(1, -1, 1)
    (found,) = recorded(circuit, "numpy", ("p.now",), drive=drive)
    assert found[0, :, 0].tolist() == rows
    if needed > 1:
        with pytest.raises(ValueError, match=f"with {needed} rows or more.*got {needed - 1}$"):
            recorded(circuit, "numpy", ("p.now",), drive=drive[:, :-1])


@pytest.mark.parametrize("between", ["hold", "linear", "step"])
def test_phases_with_steps_of_their_own(engine, between):
    text = PHASES.replace("between: hold", f"between: {between}")
    if between == "step":
        text = PHASES.replace("every: row", "every: step").replace("    between: hold\n", "")
    steps, lengths = (3, 2, 4), [Fraction(1, 10), Fraction(3, 10), Fraction(1, 5)]
    every = Fraction("0.6") if between == "hold" else Fraction("0.35")
    circuit = load_text(text, row=str(float(every)))
    rows, positions = read(steps, lengths, every)
    drive = np.random.default_rng(2).normal(size=(2, 12, 1))
    (found,) = recorded(circuit, engine, ("p.now",), drive=drive)
    if between == "step":
        rows = [0, 0, 0, 1, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8]
    expected = drive[:, rows]
    if between == "linear":
        at = np.array(positions, dtype=float)
        expected = np.array([np.interp(at, np.arange(12), one) for one in drive[..., 0]])[..., None]
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_a_long_phase_loses_no_row():
    """A million steps of 0.1: their sum would be off by a thousandth of a step."""
    circuit = load_text(PHASES, a=10**6, b=0, c=7, third=0.1, row=0.3)
    drive = np.arange(333336.0).reshape(1, -1, 1)
    sim = apical.Simulator(circuit, engine="numba")
    found = sim.run("train", record=["p.now in three"], drive=drive)["p.now"].values[0, 0, -7:, 0]
    assert found.tolist() == [(10**6 + step) // 3 for step in range(7)]


def test_what_follows_from_a_row_is_made_once_for_it():
    """The product of weights with a held row is made when another row comes, not at each step."""
    text = READOUT.replace("soma: du/dt = x - u", "soma: u = x").replace(
        "learn_each_step: W", "learn: W"
    )
    text = text.replace("basal: v = input", "basal: dv/dt = input - v")
    program = apical.lower(load_text(text), "train")
    (loop,) = (phase.loop for phase in program.phases)
    (branch,) = (i for i in loop.body if isinstance(i, Branch))
    assert any(isinstance(i, Product) for i in branch.body)
    assert not any(isinstance(i, Product | ReadRow) for i in loop.body)


# --- methods -------------------------------------------------------------------------------------

STAGES = {"euler": [0], "heun": [0, 1], "rk4": [0, 0.5, 0.5, 1]}
COEFFICIENTS = {
    "euler": ([[]], [1]),
    "heun": ([[], [1]], [0.5, 0.5]),
    "rk4": ([[], [0.5], [0, 0.5], [0, 0, 1]], [1 / 6, 1 / 3, 1 / 3, 1 / 6]),
}


@pytest.mark.parametrize("between", ["hold", "linear"])
@pytest.mark.parametrize("method", STAGES)
def test_stages_read_their_own_time_or_the_row_of_the_step(method, between):
    """Rows of a linear one fall inside steps."""
    every = 0.25 if between == "hold" else 0.3
    circuit = following(every, between, 12, method)
    drive = np.random.default_rng(3).normal(size=(1, 7, 2))
    (a, b), v = COEFFICIENTS[method], np.zeros(2)
    for step in range(12):
        slopes = []
        for row, offset in zip(a, STAGES[method], strict=True):
            moved = v + 0.125 * sum((c * k for c, k in zip(row, slopes, strict=False)), np.zeros(2))
            position = (step + offset) * 0.125 / every
            low = min(int(position), 5)
            current = drive[0, low] + (position - low) * (drive[0, low + 1] - drive[0, low])
            if between == "hold":
                current = drive[0, step // 2]
            slopes.append((current - moved) / 2)
        v = v + 0.125 * sum(c * k for c, k in zip(b, slopes, strict=True))
    for engine in ENGINES if method == "rk4" else ("numpy",):
        (found,) = recorded(circuit, engine, drive=drive)
        np.testing.assert_allclose(found[0, -1], v, atol=1e-14)


# --- carried on ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("every", "between"), [("row", "hold"), ("row", "linear"), ("step", "hold")]
)
def test_two_hundred_presentations_are_one_long_run(engine, every, between):
    """Bit for bit; those of a linear one share the row at their ends."""
    rng = np.random.default_rng(4)
    rows = 4 if every == "step" else 1  # of a presentation
    ends = between == "linear"
    long = rng.normal(size=(3, 200 * rows + ends, 2))
    (whole,) = recorded(following(every, between, 800), engine, drive=long)
    parts = [long[:, k * rows : (k + 1) * rows + ends] for k in range(200)]
    sim = apical.Simulator(following(every, between, 4), engine=engine)
    traces = sim.run("train", record=["p.V"], batch=3, carry=True, drive=np.concatenate(parts))
    found = traces["p.V"].values[0].reshape(200, 3, 5, 2)
    expected = np.stack([whole[:, 4 * k : 4 * k + 5] for k in range(200)])
    np.testing.assert_array_equal(found, expected)
    assert float(sim.counters.going.clock.now[0]) == 100.0


def test_calls_are_one_call(engine):
    drive = np.random.default_rng(5).normal(size=(6, 10, 2))
    circuit = following()
    one = apical.Simulator(circuit, engine=engine)
    whole = one.run("train", record=["p.V"], batch=2, carry=True, drive=drive)["p.V"].values
    several = apical.Simulator(circuit, engine=engine)
    for start in (0, 2, 4):
        found = several.run("train", record=["p.V"], carry=True, drive=drive[start : start + 2])
        np.testing.assert_array_equal(found["p.V"].values[0], whole[0, start : start + 2])


# --- learning ------------------------------------------------------------------------------------

READOUT = """
apical: 1
name: readout
title: A readout of a filtered sequence, learnt while it goes by
parameters:
  eta: 0.05
  h: 0.5
data:
  x:
    size: 3
    every: 1
  y:
    size: 2
    every: 1
cells:
  sensory:
    soma: du/dt = x - u
  readout:
    basal: v = input
    soma: e = y - v
populations:
  a:
    cell: sensory
    size: 3
  b:
    cell: readout
    size: 2
synapses:
  W:
    from: a.u
    to: b.basal
    init: 0
    rule: w += eta * post.e * pre
predicts:
  y: b.v
energy:
  loss: sum(b.e^2) / 2
protocols:
  train:
    listen:
      steps: 12
      dt: h
      learn_each_step: W
  predict:
    listen:
      steps: 12
      dt: h
"""


def sequences(samples, rng):
    x = rng.normal(size=(samples, 6, 3))
    return {"x": x, "y": np.tanh(np.cumsum(x, axis=1))[..., :2]}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_fit_learns_sequences_in_batches(engine, dtype):
    """Online, the rule reads before the states move; and the predictions at the end of each row."""
    task = sequences(7, np.random.default_rng(6))
    sim = apical.Simulator(load_text(READOUT), engine=engine, dtype=dtype)
    sim.fit(task, epochs=2, batch=3, shuffle=False)
    w = np.zeros((2, 3))

    def listen(chosen, w, learn):
        u, predicted = np.zeros((len(chosen), 3)), np.zeros((len(chosen), 6, 2))
        for step in range(12):
            x, y = (task[name][chosen, step // 2] for name in ("x", "y"))
            change = 0.05 * (y - u @ w.T).T @ u / len(chosen)
            u = u + 0.5 * (x - u)
            w = w + change * learn
            predicted[:, step // 2] = u @ w.T
        return w, predicted

    for _ in range(2):
        for start in (0, 3, 6):
            w, _ = listen(np.arange(start, min(start + 3, 7)), w, True)
    np.testing.assert_allclose(sim.weights["W"], w, atol=TOLERANCE[dtype])
    _, expected = listen(np.arange(7), w, False)
    found = sim.predict(task, batch=4)["y"]
    np.testing.assert_allclose(found, expected, atol=TOLERANCE[dtype])
    error = np.mean(np.sum((expected - task["y"]) ** 2, axis=-1))
    np.testing.assert_allclose(
        sim.evaluate(task)["squared_error"], error, rtol=100 * TOLERANCE[dtype]
    )


def test_a_linear_prediction_is_read_at_the_moments_of_its_rows(engine):
    text = READOUT.replace("every: 1\n", "every: 1\n    between: linear\n")
    rng = np.random.default_rng(7)
    task = {"x": rng.normal(size=(3, 7, 3)), "y": rng.normal(size=(3, 7, 2))}
    sim = apical.Simulator(load_text(text), engine=engine)
    w = rng.normal(size=(2, 3))
    sim.weights["W"] = w
    found = sim.predict(task)["y"]
    u = [np.zeros((3, 3))]
    for step in range(12):
        x = (task["x"][:, step // 2] + task["x"][:, (step + 1) // 2]) / 2  # rows and their middles
        u.append(u[-1] + 0.5 * (x - u[-1]))
    expected = np.stack([u[2 * row] @ w.T for row in range(7)], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-14)


BIASED = """
apical: 1
name: biased
data: {x: {size: 2, every: 1}, y: {size: 2, every: 1}}
cells:
  sensory: {soma: r = x}
  neuron: {basal: v = input, soma: [du/dt = v - u, r = u + 1]}
populations:
  a: {cell: sensory, size: 2}
  b: {cell: neuron, size: 2}
  c: {cell: neuron, size: 3}
synapses:
  W: {from: a.r, to: b.basal, connect: one_to_one}
  V: {from: b.r, to: c.basal, init: 1, bias: true}
predicts: {y: b.r}
protocols:
  train:
    listen: {for: 3, dt: 0.5}
  predict: listen
"""


def test_a_prediction_leaves_the_bias_unit_out_that_reads_the_same_variable(engine):
    task = {name: np.random.default_rng(3).normal(size=(3, 3, 2)) for name in "xy"}
    found = apical.Simulator(load_text(BIASED), engine=engine).predict(task, batch=2)["y"]
    u, expected = np.zeros((3, 2)), []
    for row in range(3):
        for _ in range(2):
            u = u + 0.5 * (task["x"][:, row] - u)
        expected.append(u + 1)
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-14)


def test_a_presentation_without_steps_has_one_row(engine):
    text = READOUT[: READOUT.rindex("    listen:")] + "    begin: a.u := x\n"
    text = text.replace("  predict:\n    begin", "  predict:\n    still:\n      begin")
    rng = np.random.default_rng(14)
    task = {"x": rng.normal(size=(3, 1, 3)), "y": rng.normal(size=(3, 1, 2))}
    sim = apical.Simulator(load_text(text), engine=engine)
    sim.weights["W"] = w = rng.normal(size=(2, 3))
    assert sim.signal_rows("predict") == {"x": 1}
    np.testing.assert_allclose(sim.predict(task)["y"], task["x"] @ w.T, atol=1e-14)


def test_a_target_in_continuous_plasticity_and_at_the_end(engine):
    """`dw/dt` reads the row of each step; `learn` at the end that of the last one."""
    text = READOUT.replace("rule: w += eta * post.e * pre", "rule: dw/dt = eta * post.e * pre")
    text = text.replace("      learn_each_step: W\n", "")
    task = sequences(4, np.random.default_rng(8))
    sim = apical.Simulator(load_text(text), engine=engine)
    sim.fit(task, batch=4, shuffle=False)
    u, w = np.zeros((4, 3)), np.zeros((2, 3))
    for step in range(12):
        x, y = (task[name][:, step // 2] for name in ("x", "y"))
        change = 0.05 * (y - u @ w.T).T @ u / 4
        u, w = u + 0.5 * (x - u), w + 0.5 * change
    np.testing.assert_allclose(sim.weights["W"], w, atol=1e-14)
    end = apical.Simulator(load_text(READOUT.replace("learn_each_step", "learn")), engine=engine)
    end.fit(task, batch=4, shuffle=False)
    change = 0.05 * task["y"][:, 5].T @ u / 4
    np.testing.assert_allclose(end.weights["W"], change, atol=1e-14)


def test_an_epoch_goes_on_after_a_checkpoint(engine, tmp_path):
    """Sequences in another order in each epoch; saved in the middle, the weights are the same."""
    task = sequences(8, np.random.default_rng(9))
    whole = apical.Simulator(load_text(READOUT), engine=engine, seed=3)
    whole.fit(task, epochs=3, batch=2)
    parts = apical.Simulator(load_text(READOUT), engine=engine, seed=3)
    parts.fit(task, epochs=1, batch=2)
    parts.save(tmp_path / "half.safetensors")
    again = apical.Simulator.resume(tmp_path / "half.safetensors")
    again.fit(task, epochs=2, batch=2)
    np.testing.assert_array_equal(again.weights["W"], whole.weights["W"])


def test_a_sequence_that_diverges_is_named_and_taken_back(engine):
    text = READOUT.replace("soma: du/dt = x - u", "soma: du/dt = x - u + 1e9*max(u - 50, 0)^3")
    task = sequences(8, np.random.default_rng(17))
    sim = apical.Simulator(load_text(text), engine=engine)
    sim.fit({name: array[:4] for name, array in task.items()}, batch=2, shuffle=False)
    before = np.array(sim.weights["W"])
    task["x"][5, 3] = 1e3
    with pytest.raises(apical.Divergence) as told:
        sim.fit({n: a[4:] for n, a in task.items()}, batch=2, shuffle=False)
    assert (told.value.variable, told.value.sample) == ("a.u", 1)
    assert 1.5 <= told.value.time <= 6
    np.testing.assert_array_equal(sim.weights["W"], before)


# --- replicas, stops, other keys -----------------------------------------------------------------


def test_replicas_with_sequences_and_steps_of_their_own(engine):
    """One has rows of four steps, the other of two; a signal that is shared is not copied."""
    rng = np.random.default_rng(10)
    own, shared = rng.normal(size=(2, 3, 10, 2)), rng.normal(size=(3, 20, 2))
    text = FOLLOWING.format(every="row", between="hold", steps=40, method="euler")
    text = text.replace("cells:", "  extra:\n    size: 2\n    every: h*2\ncells:")
    circuit = load_text(text.replace("drive - V", "drive + extra - V"))
    sim = apical.Simulator(circuit, engine=engine, replicas=2, parameters={"h": [0.125, 0.0625]})
    found = sim.run("train", record=["p.V"], drive=own, extra=shared)["p.V"].values
    for replica, (dt, each) in enumerate([(0.125, 4), (0.0625, 8)]):
        v = np.zeros((3, 2))
        for step in range(40):
            v = v + dt / 2 * (own[replica][:, step // each] + shared[:, step // 2] - v)
        np.testing.assert_allclose(found[replica][:, -1], v, atol=1e-13)


STOPPING = """
apical: 1
name: stopping
title: Relaxation towards a signal, until it is near
data:
  drive:
    size: 1
    every: 2
    between: {between}
cells:
  cell:
    soma:
      - du/dt = drive - u
      - now = drive
populations:
  p:
    cell: cell
    size: 1
protocols:
  train:
    settle:
      steps: 30
      dt: 0.2
      until: residual < 0.5
    after:
      steps: 5
      dt: 0.2
"""


@pytest.mark.parametrize("between", ["hold", "linear"])
def test_samples_that_stop_read_on_alone_and_together(engine, between):
    """A phase takes all its steps for the signal, whenever its samples stop; 80 of them, of which
    the last go on in a smaller layout on torch."""
    circuit = load_text(STOPPING.format(between=between))
    drive = (
        np.random.default_rng(11).normal(size=(80, 5, 1)) * np.geomspace(0.3, 9, 80)[:, None, None]
    )
    sim = apical.Simulator(circuit, engine=engine)
    found = sim.run("train", record=["p.u", "p.now"], drive=drive)
    stopped = sim.stopped["settle"].ravel()

    def current(sample, t, step):
        if between == "hold":
            return drive[sample, step // 10, 0]
        return np.interp(t / 2, np.arange(5), drive[sample, :, 0])

    for sample in (0, 13, 40, 66, 79):
        u, last = 0.0, -1
        for step in range(30):
            u += 0.2 * (current(sample, 0.2 * step, step) - u)
            rate = current(sample, 0.2 * (step + 1), step) - u
            if abs(rate) / (1 + abs(u)) < 0.5:
                last = step + 1
                break
        assert stopped[sample] == last
        for step in range(30, 35):
            u += 0.2 * (current(sample, 0.2 * step, step) - u)
        np.testing.assert_allclose(found["p.u"].values[0, sample, -1, 0], u, atol=1e-12)
    assert len(set(stopped)) > 4
    times = 0.2 * np.arange(35)
    rows = [[current(s, t, k) for k, t in enumerate(times)][30] for s in range(80)]
    np.testing.assert_allclose(found["p.now"].values[0, :, 31, 0], rows, atol=1e-12)


def test_where_a_stream_may_stand(engine):
    """Clamp, begin, an energy's variable, `after_step`, a condition, a size of 1 read by two."""
    text = """
apical: 1
name: places
data:
  a:
    size: 2
    every: 0.5
  b:
    size: 1
    every: step
cells:
  cell:
    soma:
      - du/dt = b - u
      - e = a - u
    after_step: n += where(b > 0, b, 0)
populations:
  p:
    cell: cell
    size: 2
  q:
    cell: cell
    size: 2
energy:
  loss: sum(p.e^2)
protocols:
  train:
    first:
      begin: p.u := a
      clamp: q.u = 2*a
      steps: 3
      dt: 0.25
    second:
      release: q.u
      begin: p.u := a
      steps: 2
      dt: 0.25
"""
    rng = np.random.default_rng(12)
    a, b = rng.normal(size=(2, 3, 2)), rng.normal(size=(2, 5, 1))
    names = ["p.u", "q.u", "p.n", "loss"]
    traces = apical.Simulator(load_text(text), engine=engine).run("train", record=names, a=a, b=b)
    found = {name: traces[name].values[0] for name in names}
    held = [0, 0, 1, 1, 2]  # row of `a` of each step
    u, n, q = a[:, 0], np.zeros((2, 2)), None
    states, clamped, counted, losses = [u], [2 * a[:, 0]], [n], [((a[:, 0] - u) ** 2).sum(-1)]
    for step in range(5):
        if step == 3:
            u, q = a[:, 1], 2 * a[:, 1]  # row 1 stood at the last step of the first phase
            states.append(u), clamped.append(q), counted.append(n)
            losses.append(((a[:, 1] - u) ** 2).sum(-1))
        u = u + 0.25 * (b[:, step] - u)
        n = n + np.maximum(b[:, step], 0)
        q = 2 * a[:, held[step]] if step < 3 else q + 0.25 * (b[:, step] - q)
        states.append(u), clamped.append(q), counted.append(n)
        losses.append(((a[:, held[step]] - u) ** 2).sum(-1))
    np.testing.assert_allclose(found["p.u"], np.stack(states, 1), atol=1e-14)
    np.testing.assert_allclose(found["q.u"], np.stack(clamped, 1), atol=1e-14)
    np.testing.assert_allclose(found["p.n"], np.stack(counted, 1), atol=1e-14)
    np.testing.assert_allclose(found["loss"], np.stack(losses, 1), atol=1e-13)


# --- what is given -------------------------------------------------------------------------------


def test_more_rows_are_not_read_and_one_sample_stands_alone(engine):
    drive = np.random.default_rng(13).normal(size=(1, 30, 2))
    (short,) = recorded(following(), engine, drive=drive[:, :10])
    (long,) = recorded(following(), engine, drive=drive)
    (alone,) = recorded(following(), engine, drive=drive[0])
    np.testing.assert_array_equal(long, short)
    np.testing.assert_array_equal(alone, short)


def test_each_call_reads_what_it_is_given(engine):
    """Other numbers, other samples, other rows: nothing of the last call is left."""
    rng = np.random.default_rng(15)
    sim = apical.Simulator(following(between="linear"), engine=engine)
    for samples, rows in [(4, 11), (4, 11), (2, 11), (4, 13), (4, 11)]:
        drive = rng.normal(size=(samples, rows, 2))
        found = sim.run("train", record=["p.V"], batch=2, drive=drive)["p.V"].values[0]
        (expected,) = recorded(following(between="linear"), "numpy", drive=drive)
        np.testing.assert_allclose(found, expected, atol=1e-14)


def test_activity_in_bfloat16():
    pytest.importorskip("torch")
    drive = np.random.default_rng(16).normal(size=(2, 11, 2))
    for between in ("hold", "linear"):
        (narrow,) = recorded(following(between=between), "torch", dtype="bfloat16", drive=drive)
        (wide,) = recorded(following(between=between), "numpy", drive=drive)
        np.testing.assert_allclose(narrow, wide, atol=0.02)


@pytest.mark.parametrize("axis", ["1", "{size: 1, every: step}"])
def test_one_number_for_all_units_in_bfloat16(axis):
    """A stream of size 1 is no activity; it was given as such, and torch refused it."""
    pytest.importorskip("torch")
    text = PHASES.replace(
        "  drive:\n    size: 1\n    every: row\n    between: hold", f"  drive: {axis}"
    )
    circuit = load_text(
        text.replace("  row: 1\n", "").replace("size: 1\nprotocols", "size: 3\nprotocols")
    )
    drive = np.ones((2, 9, 1) if "every" in axis else (2, 1))
    (found,) = recorded(circuit, "torch", ("p.u",), dtype="bfloat16", drive=drive)
    np.testing.assert_allclose(found[:, -1], 1 + 4 * 0.2, atol=0.02)


@pytest.mark.parametrize(
    ("change", "given", "said"),
    [
        (
            {}, {"drive": np.zeros((3, 9, 2))},
            "signal 'drive': expected (sample, row, unit) with 10 rows or more, as many as the "
            "protocol takes, got 9",
        ),
        (
            {"between": "linear"}, {"drive": np.zeros((3, 10, 2))},
            "signal 'drive': expected (sample, row, unit) with 11 rows or more, as many as the "
            "protocol takes, got 10; `linear` reads the row at the end, too",
        ),
        (
            {}, {"drive": np.zeros((3, 10, 5))},
            "stream 'drive': expected (sample, row, unit) with 2 units, got (3, 10, 5); the rows "
            "of one sample may stand alone: (row, unit)",
        ),
        (
            {}, {"drive": np.zeros((4, 3, 10, 2))},
            "stream 'drive': expected (sample, row, unit) with 2 units, got (4, 3, 10, 2); "
            "(replica, sample, row, unit) is for as many replicas as there are, 1",
        ),
        (
            {}, {"drive": np.zeros((0, 10, 2))},
            "stream 'drive': expected at least 1 sample, got none",
        ),
        (
            {}, {"drive": np.full((1, 10, 2), np.nan)},
            "stream 'drive': nan at (0, 0, 0) is not finite; every number has to be",
        ),
    ],
    ids=["rows", "ends", "units", "replicas", "none", "nan"],
)  # fmt: skip
def test_what_is_given_wrongly_is_told_before_the_run(change, given, said):
    with pytest.raises(ValueError) as told:
        recorded(following(**change), "numpy", **given)
    assert str(told.value) == said


def test_parameters_of_a_run_that_rows_do_not_fit():
    sim = apical.Simulator(following(), engine="numpy", parameters={"h": 0.3})
    with pytest.raises(ValueError) as told:
        sim.run("train", drive=np.zeros((1, 100, 2)))
    assert str(told.value) == (
        "signal 'drive': a row lasts 0.5, which is 1.66667 steps of the phase 'go'; expected a "
        "whole number, as with dt = 0.25, or with `every` = 0.6; `between: linear` needs none"
    )
    sim.parameters["row"] = -1
    with pytest.raises(ValueError, match="`every` of the signal 'drive' is -1 .row = -1."):
        sim.run("train", drive=np.zeros((1, 100, 2)))


@pytest.mark.parametrize("name", ENGINES)
def test_a_long_signal_is_not_copied(name):
    """20 MB in one sample: less than a tenth of it is added while it is read, and by any batch."""
    if name == "torch":
        pytest.importorskip("torch")
    circuit = following("step", "hold", 50)
    drive = np.zeros((25, 50_000, 2))
    sim = apical.Simulator(circuit, engine=name)
    recorded_few = {"record": ["p.V in go every 50"], "batch": 5}
    sim.run("train", drive=drive[:, :50], **recorded_few)
    tracemalloc.start()
    try:
        sim.run("train", drive=drive, **recorded_few)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < drive.nbytes / 4


# --- what is refused at load ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("every: row", "evry: row", "unknown key 'evry' in a signal"),
        ("every: row", "every: steps", "`every` of a signal is a time, or `step`; there is no"),
        ("every: row", "every: -1", "`every` of the signal 'drive' is -1"),
        ("every: row", "every: 0.3", "a row of the signal 'drive' lasts 0.3, which is 2.4 steps"),
        ("    every: row\n", "", "a signal needs the key 'every'"),
        ("size: 2\n    ", "", "a signal needs the key 'size'"),
        ("between: hold", "between: linar", "`between` is hold or linear"),
        ("dt: h", "dt: h\n      set: row = 1", "'row' says when the signal 'drive' has its rows"),
        ("dt: h", "dt: h + 0.1*step", "the rows of the signal 'drive' are counted before the run"),
        ("now = drive", "now = drive[0]", "the signal 'drive' has no parts"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(old, new, said):
    text = FOLLOWING.format(every="row", between="hold", steps=40, method="euler")
    text = text.replace("h: 0.125", "h: 0.125\n  unused: 1").replace("  unused: 1\n", "")
    assert old in text
    with pytest.raises(apical.CircuitError) as told:
        load_text(text.replace(old, new, 1))
    (first, *_) = told.value.diagnostics
    assert first.message.startswith(said)
    assert first.place.line > 1


def test_a_row_each_step_has_nothing_between():
    with pytest.raises(apical.CircuitError) as told:
        following("step", "linear")
    assert "try: between: hold" in str(told.value)


def test_a_stream_with_an_index_points_to_signals():
    text = FOLLOWING.format(every="row", between="hold", steps=40, method="euler")
    plain = text.replace(
        "  drive:\n    size: 2\n    every: row\n    between: hold\n", "  drive: 2\n"
    )
    with pytest.raises(apical.CircuitError) as told:
        load_text(plain.replace("now = drive", "now = drive[step]"))
    assert "`drive` alone; with another row in every step it is a signal, in `data`" in str(
        told.value
    )
    assert "try: drive: {size: 2, every: step}" in str(told.value)


def test_predictions_of_samples_that_stop_are_refused():
    text = READOUT.replace(
        "  predict:\n    listen:\n", "  predict:\n    listen:\n      until: residual < 0.1\n"
    )
    sim = apical.Simulator(load_text(text), engine="numpy")
    with pytest.raises(ValueError, match="the signal 'y' is read at the end of each of its rows"):
        sim.predict(sequences(2, np.random.default_rng(0)))


def test_a_signal_is_printed_and_read_again():
    from apical.graphs.reports.latex import latex
    from apical.graphs.reports.show import show
    from apical.graphs.reports.yaml_text import comparable, print_circuit

    for circuit in (following(between="linear"), following("step"), load_text(READOUT)):
        again = load_text(print_circuit(circuit))
        assert comparable(again) == comparable(circuit)
    assert r"\mathrm{drive}(t)" in latex(following())
    shown = show(following(between="linear"))
    assert "signal drive: 2 per sample and row, a row every row = 0.5, linear between" in shown
