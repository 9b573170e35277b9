"""Delays: what a synapse transmits is what entered it, whole steps ago."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial import Polynomial
from numpy.testing import assert_allclose, assert_array_equal

import apical
from apical.graphs.diagnostics import CircuitError
from apical.graphs.reports.show import show

pytest.importorskip("torch")
ENGINES = ["numpy", "numba", "torch"]

FEEDBACK = """\
apical: 1
name: feedback
parameters:
  d: 1
  h: 0.02
cells:
  cell:
    basal: v = input
    soma: dx/dt = -v
populations:
  n:
    cell: cell
    size: 1
synapses:
  W:
    from: n.x
    to: n.basal
    weight: 1
    delay: d
protocols:
  train:
    go:
      begin: n.x := 1
      for: 4
      dt: h
      method: METHOD
"""


def solution(t):
    """x' = -x(t - 1), 1 before 0, by the method of steps: a polynomial for each unit of time."""
    pieces = [Polynomial([1.0])]
    for start in range(4):
        late = pieces[-1](Polynomial([-1.0, 1.0]))
        gone = late.integ()
        pieces.append(pieces[-1](float(start)) + gone(float(start)) - gone)
    return np.array([pieces[min(int(s), 3) + 1](s) for s in t])


@pytest.mark.parametrize(("method", "error"), [("euler", 2e-2), ("heun", 6e-5), ("rk4", 6e-5)])
def test_feedback_is_that_of_the_method_of_steps(method, error):
    """Of order 1, and 2 where stages read the line between two steps."""
    text = FEEDBACK.replace("METHOD", method)
    worst = []
    for h in (0.02, 0.01):
        circuit = apical.load_text(text, h=h)
        traces = apical.Simulator(circuit, engine="numpy").run(record=["n.x"])
        found = traces.arrays["n.x"][0, 0, :, 0]
        worst.append(np.abs(found - solution(np.round(traces.time, 9))).max())
    order = np.log2(worst[0] / worst[1])
    assert worst[0] < error and abs(order - (1 if method == "euler" else 2)) < 0.1


RING = """\
apical: 1
name: three
parameters:
  h: 0.1
  N: 12
data:
  drive: 3
cells:
  eye:
    soma: r = drive * (1 + t)
  cell:
    basal: v = input
    apical: a = input
    soma:
      - 2 * dx/dt = tanh(v) + a - x + 0.1*xi
      - y = tanh(x)
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
    to: n.basal
    init: normal(0, 1)
    delay: 3*h
    trace: 3 * dc/dt = -c + post.x * pre
    rule: dw/dt = 0.05 * c
  late:
    from: n.y
    to: n.apical
    connect: one_to_one
    weight: 1
    delay: 0.5
  filtered:
    from: n.y
    to: n.basal
    filter: [1, 2]
    bias: true
    delay: h
    init: normal(0, 1)
protocols:
  train:
    go:
      steps: N
      dt: h
"""
RECORD = ["n.x", "n.y", "n.a"]


@pytest.fixture(scope="module")
def short():
    return apical.load_text(RING)


def drive(batch, count=1):
    return np.tile(np.random.default_rng(0).normal(size=(batch, 3)), (count, 1))


@pytest.mark.parametrize("engine", ENGINES)
def test_what_arrives_is_what_was_recorded_a_delay_ago(short, engine):
    sim = apical.Simulator(short, engine=engine, replicas=2)
    arrays = sim.run(drive=drive(4), batch=4, record=RECORD).arrays
    sent, came = arrays["n.y"], arrays["n.a"]
    assert_array_equal(came[:, :, 5:], sent[:, :, :-5])
    assert_array_equal(came[:, :, :5], np.repeat(sent[:, :, :1], 5, axis=2))


@pytest.mark.parametrize(("engine", "batch"), [("numpy", 3), ("numba", 1), ("torch", 2)])
def test_presentations_that_go_on_are_one_long_one(engine, batch):
    """200 of 4 steps, and one of 800, to the last bit; what is on its way is carried, too."""
    texts = [apical.load_text(RING, N=n) for n in (800, 4)]
    one, many = (apical.Simulator(c, engine=engine, seed=1) for c in texts)
    one.run(drive=drive(batch), batch=batch, learn=True, record=[])
    many.run(drive=drive(batch, 200), batch=batch, learn=True, carry=True, first=0, record=["n.x"])
    for name in one.state:
        assert_array_equal(many.state[name], one.state[name], err_msg=name)
    for name in one.weights:
        assert_array_equal(many.weights[name], one.weights[name], err_msg=name)


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_a_checkpoint_has_what_is_on_its_way(short, engine, tmp_path):
    sim = apical.Simulator(short, engine=engine, seed=2)
    sim.run(drive=drive(2), record=[])
    sim.save(tmp_path / "late.safetensors")
    again = apical.Simulator.resume(tmp_path / "late.safetensors")
    found, meant = (s.run(drive=drive(2), carry=True, record=RECORD).arrays for s in (again, sim))
    for name, array in meant.items():
        assert_array_equal(found[name], array)
    fresh = sim.run(drive=drive(2), record=RECORD).arrays["n.a"]
    assert np.abs(fresh[:, :, :3] - meant["n.a"][:, :, :3]).max() > 1e-3


STOPS = """\
apical: 1
name: stops
data:
  goal: 1
cells:
  cell:
    basal: v = input
    soma:
      - dx/dt = goal - 0.3*v
      - y = x^2
populations:
  n:
    cell: cell
    size: 2
synapses:
  W:
    from: n.y
    to: n.basal
    connect: one_to_one
    weight: 1
    delay: 0.3
protocols:
  train:
    first:
      begin: n.x := goal
      steps: 40
      dt: 0.1
      until: norm(n.x) > 2
    second:
      steps: 6
      dt: 0.1
    third:
      from: first
      steps: 4
      dt: 0.1
"""


def alone(goal):
    """One unit: the loop that the file says, and (x after the second phase, after the third)."""
    x, past = goal, [goal**2] * 4

    def step():
        nonlocal x, past
        x, past = x + 0.1 * (goal - 0.3 * past[0]), past[1:]
        past = [*past, x**2]

    for _ in range(40):
        step()
        if np.sqrt(2 * x**2) > 2:
            break
    end = x, list(past)
    for _ in range(6):
        step()
    second = x
    x, past = end
    for _ in range(4):
        step()
    return second, x


@pytest.mark.parametrize("engine", ENGINES)
def test_samples_that_stop_keep_what_is_on_its_way_and_from_restores_it(engine):
    """128 of them, of which few run long: torch goes on with those alone."""
    goals = np.concatenate([np.linspace(1.2, 1.6, 100), np.linspace(0.1, 1.3, 28)])
    sim = apical.Simulator(apical.load_text(STOPS), engine=engine)
    arrays = sim.run(goal=goals[:, None], record=["n.x"]).arrays["n.x"][0]
    meant = np.array([alone(goal) for goal in goals])
    assert len(set(sim.stopped["first"][0].tolist())) > 5
    assert_allclose(arrays[:, 41 + 6, 1], meant[:, 0], rtol=1e-12)
    assert_allclose(arrays[:, -1, 0], meant[:, 1], rtol=1e-12)


@pytest.mark.parametrize("engine", ["numba", "torch"])
def test_in_float32(short, engine):
    wide, narrow = (
        apical.Simulator(short, engine=engine, dtype=dtype).run(drive=drive(3), record=RECORD)
        for dtype in ("float64", "float32")
    )
    for name in RECORD:
        assert_allclose(narrow.arrays[name], wide.arrays[name], atol=2e-5)


RELAYS = """\
apical: 1
name: relays
cells:
  source:
    soma: dx/dt = 1
  relay:
    basal: v = input
populations:
  c:
    cell: relay
    size: 1
  b:
    cell: relay
    size: 1
  a:
    cell: source
    size: 1
synapses:
  second:
    from: b.v
    to: c.basal
    weight: 1
    delay: 2
  first:
    from: a.x
    to: b.basal
    weight: 1
    delay: 1
protocols:
  train:
    go:
      begin: a.x := 5
      steps: 6
      dt: 1
"""


def test_lines_that_feed_each_other_start_with_what_the_first_one_sends():
    """Whatever their order in the file; a chain of delays is their sum."""
    traces = apical.Simulator(apical.load_text(RELAYS), engine="numpy").run(record=["b.v", "c.v"])
    assert_array_equal(traces.arrays["b.v"][0, 0, :, 0], [5, 5, 6, 7, 8, 9, 10])
    assert_array_equal(traces.arrays["c.v"][0, 0, :, 0], [5, 5, 5, 5, 6, 7, 8])


def test_a_loop_through_a_delay_is_no_algebraic_loop():
    text = RELAYS.replace("from: a.x\n", "from: c.v\n")
    traces = apical.Simulator(apical.load_text(text), engine="numpy").run(record=["c.v"])
    assert_array_equal(traces.arrays["c.v"], 0)
    with pytest.raises(CircuitError, match="algebraic loop"):
        apical.load_text(text.replace("delay: 1", "delay: 0").replace("delay: 2", "delay: 0"))


def test_what_is_on_its_way_is_not_for_the_caller_to_say(short):
    sim = apical.Simulator(short, engine="numpy")
    with pytest.raises(ValueError, match=r"no state 'line\(A\)'; there are: n.x"):
        sim.run(drive=drive(1), initial={"line(A)": np.zeros((1, 12))})


def test_the_eigenvalue_of_a_step_sees_the_delay(monkeypatch):
    """Of x' = -g x(t - k dt) it is the largest root of z^(k+1) = z^k - g dt."""
    from apical.engines.numpy import step_spectrum

    text = FEEDBACK.replace("METHOD", "euler").replace("weight: 1", "weight: 2 + 0*d")
    text = text.replace("cells:", "data:\n  goal: 1\ncells:", 1).replace("= -v", "= goal - v")
    text = text.replace(
        "protocols:", "energy:\n  E: sum(n.x^2)\npredicts:\n  goal: n.x\nprotocols:"
    )
    text += "  predict: go\n"
    watched, seen = step_spectrum.watched, []

    def look(program, memory, work, suspicious):
        seen.extend(watched(program, memory, work, lambda *_: True))
        return seen

    monkeypatch.setattr(step_spectrum, "watched", look)
    sim = apical.Simulator(apical.load_text(text, h=0.1), engine="numpy")
    sim.fit({"goal": np.ones((4, 1))}, batch=2)
    roots = np.roots([1, -1, *[0] * 9, 0.2])
    largest = roots[np.argmax(np.abs(roots))]
    assert_allclose(np.abs(seen[0].eigenvalue), abs(largest), rtol=3e-3)
    assert_allclose(seen[0].eigenvalue.real, largest.real, rtol=1e-2)


MISTAKES = [  # what is changed, where it is told, what should stand there
    ("no whole number", "delay: d", "delay: 1.05", (19, 12), None),
    ("negative", "delay: d", "delay: -1", (19, 12), "delay: 1"),
    ("in pre", "delay: d", "delay: 1 + pre.index", (19, 16), None),
    ("drawn", "delay: d", "delay: uniform(1, 2)", (19, 12), None),
    ("dt that changes", "dt: h", "dt: h/(1 + step)", (25, 11), None),
    ("set", "begin: n.x := 1", "set: h = 0.01", (23, 12), None),
    ("set delay", "begin: n.x := 1", "set: d = 0.01", (23, 12), None),
    (
        "another dt",
        "METHOD",
        "euler\n    after:\n      steps: 3\n      dt: 0.03",
        (29, 11),
        "dt: h",
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "place", "suggestion"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_a_mistake_has_its_message(old, new, place, suggestion, snapshot):
    text = FEEDBACK.replace(old, new).replace("METHOD", "euler")
    if "for: 4" in text and "dt: h/" in text:
        text = text.replace("for: 4", "steps: 4")
    with pytest.raises(CircuitError) as caught:
        apical.load_text(text, "late.yaml")
    (one,) = caught.value.diagnostics
    assert (one.place.line, one.place.column) == place
    assert one.suggestion == suggestion
    assert str(caught.value) == snapshot


def test_steps_without_dt_are_told(snapshot):
    text = RELAYS.replace("      dt: 1\n", "").replace("soma: dx/dt = 1", "soma: x = 1")
    with pytest.raises(CircuitError) as caught:
        apical.load_text(text.replace("      begin: a.x := 5\n", ""), "late.yaml")
    (one,) = caught.value.diagnostics
    assert one.place.line == 32 and one.suggestion == "dt: 0.1"
    assert str(caught.value) == snapshot


def test_show_and_to_yaml_print_it(short):
    assert "delay  3 · h, 3 steps" in show(short)
    again = apical.load_text(short.to_yaml())
    steps = {n: s.delay_steps for n, s in short.synapses.items()}
    assert steps == {n: s.delay_steps for n, s in again.synapses.items()}
    assert steps == {"A": 3, "late": 5, "filtered": 1}
