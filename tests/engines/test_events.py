"""Events: conditions, what they do and hold, on every engine against loops and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import apical
from apical.graphs.diagnostics import CircuitError
from apical.graphs.reports.show import show

pytest.importorskip("torch")
ENGINES = ["numpy", "numba", "torch"]

LIF = """\
apical: 1
name: lif
parameters:
  h: 0.1
  tau: 10
  E_L: -70
  V_th: -50
  V_r: -65
  N: 5
cells:
  lif:
    soma: tau * dV/dt = E_L - V + I
    events:
      spike:
        when: V >= V_th
        do:
          - V := V_r
          - count += 1
        hold: V
        for: 2
populations:
  n:
    cell: lif
    size: N
    parameters:
      I: 15 + 2.7*index
protocols:
  train:
    go:
      begin: n.V := V_r
      for: 300
      dt: h
      method: exponential_euler
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_the_rate_of_an_integrate_and_fire_neuron(engine):
    """T = t_ref + tau ln((E_L + I - V_r) / (E_L + I - V_th)), in whole steps of the exact flow."""
    sim = apical.Simulator(apical.load_text(LIF), engine=engine)
    traces = sim.run(record=["n.V", "n.spike", "n.count"])
    table = traces.events("n.spike")
    current = 15 + 2.7 * np.arange(5)
    assert set(table.unit) == {2, 3, 4}  # the others end below the threshold
    for unit in (2, 3, 4):
        rise = 10 * np.log((current[unit] - 5) / (current[unit] - 20))
        period = 2 + 0.1 * np.ceil(rise / 0.1)
        times = table.time[table.unit == unit].to_numpy()
        assert_allclose(times, period * np.arange(1, len(times) + 1) - 2, atol=1e-9)
        assert len(times) == int((300 + 2 + 1e-9) / period)
    assert_array_equal(traces.arrays["n.count"][0, 0, -1], table.unit.value_counts().reindex(
        range(5), fill_value=0
    ))  # fmt: skip
    V, spike = traces.arrays["n.V"][0, 0], traces.arrays["n.spike"][0, 0]
    for row, unit in zip(*np.nonzero(spike), strict=True):
        assert_array_equal(V[row : row + 21, unit], -65)  # 20 steps of refractory time


NETWORK = """\
apical: 1
name: network
parameters:
  h: 0.5
  N: 12
data:
  drive: 4
cells:
  lif:
    soma:
      - 10 * dV/dt = drive - V + g + 0.5*xi
      - 5 * dg/dt = -g
      - jump = input
    after_step:
      - g += jump
      - V += 0.1*jump
    events:
      spike:
        when: V >= 1
        do:
          - V := 0
          - theta += uniform(0, 1)
        hold: V
        for: 2
      rest:
        when: theta > 2
        do: theta := 0
populations:
  n:
    cell: lif
    size: 4
synapses:
  near:
    from: n.spike
    to: n.soma
    connect: all_but_self
    init: 0.3
    rule: w += 0.01 * post.spike * pre
  far:
    from: n.spike
    to: n.soma
    init: normal(0, 0.2)
    delay: 1.5
protocols:
  train:
    go:
      steps: N
      dt: h
      learn_each_step: near
"""


def drive(batch, count=1):
    return np.tile(1 + np.random.default_rng(0).uniform(0, 2, (batch, 4)), (count, 1))


@pytest.mark.parametrize(("engine", "batch"), [("numpy", 2), ("numba", 1), ("torch", 3)])
def test_presentations_that_go_on_are_one_long_one(engine, batch):
    """200 of 5 steps are one of 1000, to the last bit: spikes, refractory times, draws."""
    many, one = (
        apical.Simulator(apical.load_text(NETWORK, N=n), engine=engine, seed=1) for n in (5, 1000)
    )
    one.run(drive=drive(batch), batch=batch, learn=True, record=[])
    many.run(drive=drive(batch, 200), batch=batch, learn=True, carry=True, first=0, record=[])
    assert one.state["n.V"].any()
    for name in one.state:
        assert_array_equal(many.state[name], one.state[name], err_msg=name)
    assert_array_equal(many.weights["near"], one.weights["near"])


def test_what_a_held_variable_does():
    """Neither its equation nor `after_step` moves it; the second event sees what the first did."""
    sim = apical.Simulator(apical.load_text(NETWORK, N=400), engine="numpy", seed=1)
    record = ["n.V", "n.spike", "n.rest", "n.theta"]
    arrays = sim.run(drive=drive(3), record=record).arrays
    V, spike, rest, theta = (arrays[name][0] for name in record)
    assert spike.sum() > 20 and rest.sum() > 3
    for row in range(5):  # the row of the spike, and four steps
        for sample, step, unit in zip(*np.nonzero(spike[:, :-5]), strict=True):
            assert V[sample, step + row, unit] == 0
    assert theta.max() <= 2 and np.all(theta[rest == 1] == 0)


STOPS = """\
apical: 1
name: stops
data:
  speed: 1
cells:
  cell:
    soma: dx/dt = speed
    events:
      tick:
        when: x >= 1
        do:
          - x := 0
          - n += 1
        for: 0.5
populations:
  c:
    cell: cell
    size: 1
protocols:
  train:
    go:
      steps: 400
      dt: 0.0625
      until: norm(c.n) >= 3
    after:
      steps: 12
      dt: 0.0625
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_samples_that_stop_keep_what_happened(engine):
    """x rises by speed dt and is 0 after it reached 1; three times, then for 12 steps more."""
    speeds = np.random.default_rng(3).integers(1, 8, 128) / 4
    traces = apical.Simulator(apical.load_text(STOPS), engine=engine).run(
        speed=speeds[:, None], record=["c.x", "c.n", "c.tick"]
    )
    once = np.ceil(16 / speeds)
    found = {name: array[0, :, -1, 0] for name, array in traces.arrays.items()}
    more = 12 >= once
    assert_array_equal(found["c.n"], 3 + more)
    assert_allclose(found["c.x"], np.where(more, 12 - once, 12) * speeds / 16, atol=1e-12)
    counts = traces.events("c.tick").groupby("sample").time.apply(list)
    for sample in range(128):
        assert_allclose(counts[sample][:3], once[sample] * np.arange(1, 4) / 16)


SWAP = """\
apical: 1
name: swap
cells:
  cell:
    soma: v = input
    events:
      turn:
        when: x > -1
        do:
          - x := v
          - y := v
    after_step: x += 0
populations:
  a:
    cell: cell
    size: 1
  b:
    cell: cell
    size: 1
synapses:
  to:
    from: a.x
    to: b.soma
    weight: 1
  fro:
    from: b.x
    to: a.soma
    weight: 1
protocols:
  train:
    go:
      begin:
        - a.x := 1
        - b.x := 2
      steps: 1
      dt: 1
"""


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_of_each_line_all_populations_read_then_write(engine):
    traces = apical.Simulator(apical.load_text(SWAP), engine=engine).run(
        record=["a.x", "b.x", "a.y", "b.y"]
    )
    found = {name: array[0, 0, -1, 0] for name, array in traces.arrays.items()}
    assert found == {"a.x": 2, "b.x": 1, "a.y": 1, "b.y": 2}


def test_what_is_clamped_stays():
    text = SWAP.replace("      begin:", "      clamp: a.x = 5\n      begin:")
    text = text.replace("        - a.x := 1\n", "")
    traces = apical.Simulator(apical.load_text(text), engine="numpy").run(record=["a.x", "b.x"])
    assert traces.arrays["a.x"][0, 0, -1, 0] == 5 == traces.arrays["b.x"][0, 0, -1, 0]


def test_poisson_input_has_its_rate():
    text = (
        SWAP[: SWAP.index("cells:")]
        + """\
cells:
  poisson:
    events:
      spike:
        when: uniform(0, 1) < 0.05
populations:
  p:
    cell: poisson
    size: 100
protocols:
  train:
    go:
      steps: 1000
      dt: 1
"""
    )
    traces = apical.Simulator(apical.load_text(text), engine="numpy").run(record=["p.spike"])
    spikes = traces.arrays["p.spike"][0, 0, 1:]
    assert abs(spikes.mean() - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 1e5)
    table = traces.events("p.spike")
    assert len(table) == spikes.sum() and table.time.is_monotonic_increasing
    between = np.concatenate([np.diff(t) for _, t in table.groupby("unit").time])
    assert abs(between.mean() - 20) < 4 * np.sqrt(380 / len(between)) + 0.5


MANY = """\
apical: 1
name: many
parameters:
  N: 200
cells:
  lif:
    soma:
      - dV/dt = I - V
      - jump = input
    after_step: V += jump
    events:
      spike:
        when: V >= 1
        do: V := 0
populations:
  n:
    cell: lif
    size: N
    parameters:
      I: 1.02 + 0.5*index/N
synapses:
  W:
    from: n.spike
    to: n.soma
    init: 0.1*uniform(0, 1)/n_pre
protocols:
  train:
    go:
      begin: n.V := floor(8*index/N)/8
      steps: 150
      dt: 0.05
"""


@pytest.mark.parametrize(
    ("engine", "batch"), [("numpy", 1), ("numpy", 3), ("numba", 1), ("numba", 3), ("torch", 1)]
)
def test_few_and_many_spikes_at_once(engine, batch):
    """Where few cells fire their columns alone are used: the same numbers."""
    sim = apical.Simulator(apical.load_text(MANY), engine=engine)
    W = np.array(sim.weights["W"])
    arrays = sim.run(samples=batch, batch=batch, record=["n.V", "n.spike"]).arrays
    index = np.arange(200)
    V, spike = np.floor(8 * index / 200) / 8, np.zeros(200)
    at_once = []
    for step in range(150):
        V = V + 0.05 * (1.02 + 0.5 * index / 200 - V) + W @ spike
        spike = (V >= 1) * 1.0
        V = np.where(spike, 0, V)
        at_once.append(spike.sum())
        assert_array_equal(arrays["n.spike"][0, -1, step + 1], spike)
        assert_allclose(arrays["n.V"][0, -1, step + 1], V, atol=1e-12)
    assert min(at_once) < 5 and max(at_once) > 13


MISTAKES = [  # what is changed, where it is told, what should stand there
    ("a name that is taken", "spike:", "V:", (14, 7), None),
    ("hold without for", "        for: 2\n", "", (19, 15), "for: 2"),
    ("hold of nothing", "hold: V", "hold: U", (19, 15), None),
    ("negative", "for: 2", "for: -2", (20, 14), "for: 2"),
    ("no condition", "        when: V >= V_th\n", "", (14, 7), "when: ..."),
    ("misspelt", "when:", "whn:", (15, 9), "when: V >= V_th"),
    ("an equation in do", "V := V_r", "V = V_r", (17, 13), "V := V_r"),
    ("an event as a target", "count += 1", "spike := 0", (18, 13), None),
    ("no mapping", "      spike:\n", "      other: V > 0\n      spike:\n", (14, 14), None),
    ("input", "V >= V_th", "input >= V_th", (15, 15), None),
    ("a slip of the pen", "V >= V_th", "V >= V_t", (15, 20), "when: V >= V_th"),
]


@pytest.mark.parametrize(
    ("old", "new", "place", "suggestion"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_a_mistake_has_its_message(old, new, place, suggestion, snapshot):
    with pytest.raises(CircuitError) as caught:
        apical.load_text(LIF.replace(old, new, 1), "lif.yaml")
    one = caught.value.diagnostics[0]
    assert ((one.place.line, one.place.column), one.suggestion) == (place, suggestion)
    assert str(caught.value) == snapshot


def test_a_trace_of_a_synapse_does_not_jump_yet(snapshot):
    text = NETWORK.replace("    init: 0.3\n", "    init: 0.3\n    trace: m += post.spike*pre\n")
    with pytest.raises(CircuitError) as caught:
        apical.load_text(text, "jump.yaml")
    (one,) = caught.value.diagnostics
    assert (one.place.line, one.place.column) == (38, 12)
    assert str(caught.value) == snapshot


def test_show_and_to_yaml_print_it():
    circuit = apical.load_text(LIF)
    assert "event spike when V >= V_th: V := V_r; count += 1\n      holds V for 2" in show(circuit)
    again = apical.load_text(circuit.to_yaml())
    assert again.populations["n"].events == circuit.populations["n"].events


def test_an_heir_changes_one_key_of_an_event():
    heir = "  quick:\n    is: lif\n    events:\n      spike:\n        for: 1\npopulations:"
    text = LIF.replace("populations:", heir).replace("cell: lif", "cell: quick")
    (event,) = apical.load_text(text).populations["n"].events
    assert event.duration.value == 1 and event.hold == ("V",) and len(event.do) == 2


def test_no_list_of_what_is_not_recorded():
    traces = apical.Simulator(apical.load_text(LIF), engine="numpy").run(record=["n.V norm"])
    with pytest.raises(KeyError, match="'n.spike' is not recorded for each unit; there is nothing"):
        traces.events("n.spike")
