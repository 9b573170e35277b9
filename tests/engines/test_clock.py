"""t = origin + n dt, n counted since dt last changed: in equations and in the traces."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import apical
from apical.engines.row_times import Clock

pytest.importorskip("torch")
ENGINES = ["numpy", "numba", "torch"]

TEXT = """\
apical: 1
name: clock
parameters:
  h: 0.1
  g: 0.25
data:
  speed: 1
cells:
  cell:
    soma:
      - dx/dt = speed * (1 - x)
      - y = t
populations:
  n:
    cell: cell
    size: 1
protocols:
  train:
    first:
      steps: 300
      dt: h
    moment:
      begin: n.x := 0
    second:
      steps: 200
      dt: h
    other:
      steps: 40
      dt: g
"""
UNEVEN = TEXT.replace("dt: h\n", "dt: h\n      until: change(n.x) < 0.001\n", 1)
HEAD, TAIL = TEXT[: TEXT.index("  train:")], "    then:\n      steps: 3\n      dt: 0.25\n"


def simulator(text, engine, **options):
    return apical.Simulator(apical.load_text(text), engine=engine, **options)


def in_time(traces, phase):
    """The recorded t of a phase, (sample, step)."""
    return traces.arrays["n.y"][0][:, traces.phases == phase, 0]


@pytest.mark.parametrize("engine", ENGINES)
def test_time_is_a_product_from_phase_to_phase(engine):
    traces = simulator(TEXT, engine).run(speed=[[1.0]], record=["n.y"])
    last = 500 * 0.1
    expected = {
        "first": np.arange(301) * 0.1,
        "moment": [300 * 0.1],
        "second": np.arange(300, 501) * 0.1,
        "other": last + np.arange(41) * 0.25,
    }
    for phase, times in expected.items():
        assert_array_equal(in_time(traces, phase)[0], times)
    assert_array_equal(traces.time, traces.arrays["n.y"][0, 0, :, 0])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_phase_that_stops_takes_all_its_time(engine):
    """Whoever else is in the batch: alone, with a slower sample, with samples that all stop."""
    sim = simulator(UNEVEN, engine)
    speeds = np.array([[2.0], [0.2], [5.0]])
    together = sim.run(speed=speeds, record=["n.y", "n.x"])
    assert len(np.unique(sim.stopped["first"])) == 3
    start = in_time(together, "second")[:, 0]
    assert_array_equal(start, np.full(3, 300 * 0.1))
    for sample in range(3):
        alone = simulator(UNEVEN, engine).run(speed=speeds[[sample]], record=["n.y", "n.x"])
        for name in ("n.y", "n.x"):
            assert_allclose(alone.arrays[name][0, 0], together.arrays[name][0, sample], rtol=1e-14)
    assert_array_equal(together.time[together.phases == "second"], np.arange(300, 501) * 0.1)


VARYING = {  # dt of a step -> its length
    "h * (1 + (step >= 30))": lambda step: 0.1 * (1 + (step >= 30)),
    "h / (1 + 0.5*step)": lambda step: 0.1 / (1 + 0.5 * step),
}


def walked(lengths):
    """Time after each step, from the definition."""
    origin, count, dt, now = 0.0, 0, 0.0, 0.0
    times = [now]
    for length in lengths:
        if length != dt:
            origin, count, dt = now, 0, length
        count += 1
        now = origin + count * dt
        times.append(now)
    return np.array(times)


@pytest.mark.parametrize("until", ["", "      until: change(n.x) < 0.01\n"], ids=["all", "until"])
@pytest.mark.parametrize("dt", VARYING)
@pytest.mark.parametrize("engine", ENGINES)
def test_steps_of_other_lengths(engine, dt, until):
    """Exact where dt holds for a while; where it never does, a sum of what it was."""
    text = f"{HEAD}  train:\n    go:\n      steps: 60\n      dt: {dt}\n{until}{TAIL}"
    traces = simulator(text, engine).run(speed=[[1.0], [6.0]], record=["n.y"])
    expected = walked([VARYING[dt](step) for step in range(60)])
    assert_array_equal(traces.time[traces.phases == "go"], expected)
    found = in_time(traces, "go")
    there = ~np.isnan(found)
    assert there.all() or (until and there[:, 1].all())
    assert_allclose(
        found[there], np.stack([expected] * 2)[there], rtol=1e-15 if not until else 1e-14
    )
    assert_allclose(in_time(traces, "then")[:, 0], expected[-1], rtol=1e-15)
    assert len(np.unique(in_time(traces, "then")[:, 0])) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_every_turn_reads_the_stages_of_its_own_step(engine):
    """rk4 integrates 4 t^3 exactly, also for the second population of an `order`."""
    text = TEXT[: TEXT.index("protocols:")].replace("speed * (1 - x)", "4 * t^3 + 0*speed")
    text += "  m:\n    cell: cell\n    size: 1\n"
    text += "protocols:\n  train:\n    go:\n      steps: 20\n      dt: 0.25\n      method: rk4\n"
    for order in ("", "      order: n, m\n", "      order: m, n\n"):
        traces = simulator(text + order, engine).run(speed=[[1.0]], record=["n.x", "m.x"])
        for name in ("n.x", "m.x"):
            x = traces.arrays[name][0, 0, :, 0]
            assert_allclose(x, traces.time**4, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_phase_in_which_nothing_moves_takes_its_time(engine):
    text = f"{HEAD}  train:\n    held:\n      clamp: n.x = 1\n      steps: 3\n      dt: h\n{TAIL}"
    traces = simulator(text.replace("      - y = t\n", ""), engine).run(
        speed=[[1.0]], record=["n.x in then"]
    )
    assert_array_equal(traces.time, 3 * 0.1 + np.arange(4) * 0.25)
    assert_array_equal(traces.arrays["n.x"], np.ones((1, 1, 4, 1)))


LEARNING = """\
apical: 1
name: own
parameters:
  h: 0.1
  tau: 2
  double: 2 * tau
  list: [1, 2]
data:
  drive: 2
cells:
  eye:
    soma: r = drive
  cell:
    port: v = input
    soma:
      - tau * dx/dt = v - x + sin(t)
      - y = t
populations:
  e:
    cell: eye
    size: 2
  n:
    cell: cell
    size: 2
synapses:
  W:
    from: e.r
    to: n.port
    init: normal(0, 1)
    rule: w += 0.1 * post.x * pre
protocols:
  train:
    go:
      steps: 30
      dt: h
      learn_each_step: W when t > 1
"""


@pytest.mark.parametrize("carry", [False, True])
@pytest.mark.parametrize("engine", ENGINES)
def test_replicas_with_steps_of_their_own_are_single_runs(engine, carry):
    """Their time, and a rule that acts from a time on."""
    circuit = apical.load_text(LEARNING)
    lengths = [0.1, 0.025, 0.07]
    streams = {"drive": np.random.default_rng(1).normal(size=(4, 2)), "record": ["n.x", "n.y"]}
    options = streams | {"batch": 2, "learn": True, "carry": carry}
    many = apical.Simulator(circuit, engine=engine, seed=2, replicas=3, parameters={"h": lengths})
    traces = many.run(**options)
    assert traces.time.shape == (3, 4 if carry else 1, 31)
    for replica, h in enumerate(lengths):
        one = apical.Simulator(circuit, engine=engine, seed=2 + replica, parameters={"h": h})
        alone = one.run(**options)
        for name in ("n.x", "n.y"):
            assert_allclose(traces.arrays[name][replica], alone.arrays[name][0], rtol=1e-12)
        assert_array_equal(np.squeeze(traces.time[replica]), alone.time)
        assert_allclose(many.weights["W"][replica], one.weights["W"], rtol=1e-12)
        assert_array_equal(alone.arrays["n.y"][0, 0, :, 0], np.arange(31) * h)
    dims = ("replica", "sample", "step") if carry else ("replica", "step")
    assert traces.dataset["time"].dims == dims


def test_what_replicas_differ_in_is_written_down(tmp_path):
    """Coordinates of the replicas; the manifest says what was given."""
    circuit = apical.load_text(LEARNING)
    given = {"h": 0.05, "tau": [1, 2, 3], "list": [[1, 2], [3, 4], [5, 6]]}
    sim = apical.Simulator(circuit, engine="numpy", replicas=3, parameters=given)
    traces = sim.run(drive=np.ones((2, 2)), record=["n.x"])
    dataset = traces.dataset
    assert_array_equal(dataset["tau"], [1, 2, 3])
    assert dataset["tau"].dims == ("replica",)
    assert_array_equal(dataset["double"], [2, 4, 6])
    assert_array_equal(dataset["list"], given["list"])
    assert "h" not in dataset.coords
    assert traces.manifest["parameters"] == {
        "h": 0.05,
        "tau": [1.0, 2.0, 3.0],
        "double": [2.0, 4.0, 6.0],
        "list": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
    }
    for ending in ("nc", "npz"):
        traces.save(tmp_path / f"own.{ending}")
        again = apical.Traces.open(tmp_path / f"own.{ending}")
        assert_array_equal(again.dataset["tau"], [1, 2, 3])
        assert_array_equal(again.dataset["list"], given["list"])
        assert_array_equal(again.time, traces.time)


def test_times_of_replicas_survive_files(tmp_path):
    import pandas

    circuit = apical.load_text(LEARNING)
    sim = apical.Simulator(circuit, engine="numpy", replicas=2, parameters={"h": [0.1, 0.2]})
    traces = sim.run(drive=np.ones((2, 2)), record=["n.y"])
    for ending in ("nc", "npz"):
        traces.save(tmp_path / f"own.{ending}")
        assert_array_equal(apical.Traces.open(tmp_path / f"own.{ending}").time, traces.time)
    traces.save(tmp_path / "own.csv")
    table = pandas.read_csv(tmp_path / "own.csv")
    assert_allclose(table["time"], table["value"])  # n.y is t


@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_that_a_phase_sets(engine):
    """The time of the traces is that of the equations, also where the length is drawn."""
    text = TEXT.replace("      steps: 40\n", "      set: g = uniform(1, 2)\n      steps: 40\n")
    sim = simulator(text, engine, replicas=2)
    for carry in (False, True):
        traces = sim.run(speed=np.ones((3, 1)), batch=1, record=["n.y"], carry=carry)
        assert_allclose(traces.time, traces.arrays["n.y"][..., 0], rtol=1e-14)
        lengths = traces.time[..., -1] - traces.time[..., -2]
        assert len(np.unique(lengths)) == 6 and (lengths > 0.99).all()


def test_steps_that_nobody_looks_at_end_where_the_others_do():
    """To the bit, also where dt changes between phases or within one."""
    random = np.random.default_rng(0)
    taken, skipped = Clock.zero(2), Clock.zero(2)
    for steps in (3, 1, 7, 7, 100):
        for dt in (np.full((2, 1), 0.1), np.array([[0.1], [0.3]]), random.uniform(size=(2, steps))):
            assert_array_equal(taken.steps(dt, steps)[:, -1], taken.now)
            skipped.skip(dt, steps)
            for mine, others in zip(vars(skipped).values(), vars(taken).values(), strict=True):
                assert_array_equal(mine, others)


def test_a_run_without_records_has_no_rows():
    """Nothing is kept for them, however many steps are taken."""
    circuit = apical.load("neuron", duration=4)
    traces = apical.Simulator(circuit, engine="numpy").run("train", record=[], samples=2)
    assert len(traces.time) == len(traces.phases) == 0 and len(traces.sample) == 2
