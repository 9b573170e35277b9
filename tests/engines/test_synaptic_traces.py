"""Synaptic traces: one number for each synapse and sample, 0 at the start of each presentation.

The oracle is a loop that keeps traces (sample, post, pre) and averages nothing but the changes of
the weights, which all samples share.
"""

from __future__ import annotations

import numpy as np
import pytest

import apical
from apical.graphs.load import load_text
from apical.graphs.reports.counting import counts
from apical.graphs.reports.show import show

TEXT = """
apical: 1
name: traced
parameters:
  steps: 5
data:
  x: 2
  target: 3
cells:
  sensory:
    soma: r = x
  neuron:
    slow:
      gain: 0.5
    basal: v = input
    soma:
      - 2 * du/dt = v - u
      - e = target - u
populations:
  source:
    cell: sensory
    size: 2
  sink:
    cell: neuron
    size: {size}
synapses:
  W:
    from: source.r
    to: sink.basal
    connect: {connect}
    init: 0.5
    trace: {trace}
    rule: {rule}
    batch: {over}
    bias: {bias}
protocols:
  train:
    settle:
      steps: steps
      dt: 0.25
      method: {method}
{more}
"""
DT, STEPS = 0.25, 5


@pytest.fixture(autouse=True)
def rng():
    """Each test draws the same numbers, whatever ran before it in the same process."""
    global RNG
    RNG = np.random.default_rng(4)


@pytest.fixture(params=["numpy", "numba", "torch"])
def engine(request):
    if request.param == "torch":
        pytest.importorskip("torch")
    return request.param


def circuit(
    trace, rule, connect="dense", learn="", over="mean", method="euler", more="", bias=False
):
    size = 2 if connect == "one_to_one" else 3
    text = TEXT.format(
        trace=trace,
        rule=rule,
        connect=connect,
        learn=learn,
        over=over,
        size=size,
        method=method,
        bias="true" if bias else "false",
        more=f"      learn: {learn}\n{more}" if learn else more,
    )
    return load_text(text.replace("target: 3", f"target: {size}"))


def samples(count, connect="dense"):
    size = 2 if connect == "one_to_one" else 3
    return {"x": RNG.normal(size=(count, 2)), "target": RNG.normal(size=(count, size))}


class Loop:
    """The circuit above, written out: `trace` gives dm/dt, `rate` dw/dt, `change` what w gains.

    All are functions of w, m, e, u, p and t: p and pre laid along the last axis, e and u along the
    one before; of one synapse to one unit there is only one axis.
    """

    def __init__(self, connect, trace, rate=None, change=None, over=np.mean):
        self.pairs = connect != "one_to_one"
        self.trace, self.rate, self.change, self.over = trace, rate, change, over
        self.w = np.full((3, 2) if self.pairs else 2, 0.5)
        self.m = None

    def present(self, x, target):
        count = len(x)
        u, self.m = np.zeros_like(target), np.zeros((count, *self.w.shape))
        self.go_on(x, target, u)

    def go_on(self, x, target, u, start=0):
        for step in range(start, start + STEPS):
            v = x @ self.w.T if self.pairs else x * self.w
            names = self.names(x, target, u, step * DT)
            dm = self.trace(**names)
            dw = 0 if self.rate is None else self.summed(self.rate(**names))
            self.m, u, self.w = self.m + DT * dm, u + DT * (v - u) / 2, self.w + DT * dw
        if self.change is not None:
            self.w = self.w + self.summed(self.change(**self.names(x, target, u, 0)))
        self.u = u

    def names(self, x, target, u, t):
        e = target - u
        if self.pairs:
            x, e, u = x[:, None, :], e[:, :, None], u[:, :, None]
        return {"w": self.w, "m": self.m, "e": e, "u": u, "p": x, "t": t}

    def summed(self, change):
        return self.over(np.broadcast_to(change, self.m.shape), axis=0)


def agrees(sim, loop, average=True):
    np.testing.assert_allclose(sim.weights["W"], loop.w, rtol=1e-12)
    if average:
        np.testing.assert_allclose(np.squeeze(sim.state["W.m"]), loop.m.mean(0), rtol=1e-11)


# --- the start of a presentation -----------------------------------------------------------------

HEBB = {"trace": "2 * dm/dt = post.e * pre - m", "rule": "dw/dt = 0.5*m"}


def hebb(connect, **options):
    return Loop(connect, lambda e, p, m, **_: (e * p - m) / 2, lambda m, **_: 0.5 * m, **options)


@pytest.mark.parametrize("connect", ["dense", "one_to_one"])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_presentation_starts_without_traces(engine, connect, batch):
    given = samples(4, connect)
    sim = apical.Simulator(circuit(**HEBB, connect=connect), engine=engine)
    sim.fit(given, epochs=2, batch=batch, shuffle=False)
    sim.run("train", **given, learn=True, batch=batch, record=[])
    loop = hebb(connect)
    for _ in range(3):
        for k in range(0, 4, batch):
            loop.present(given["x"][k : k + batch], given["target"][k : k + batch])
    agrees(sim, loop)


def test_also_where_states_start_elsewhere(engine):
    given = samples(2)
    sim = apical.Simulator(circuit(**HEBB), engine=engine)
    start = RNG.normal(size=(2, 3))
    sim.run("train", **given, learn=True, batch=1, initial={"sink.u": start}, record=[])
    loop = hebb("dense")
    for k in range(2):
        loop.m = np.zeros((1, 3, 2))
        loop.go_on(given["x"][k : k + 1], given["target"][k : k + 1], start[k : k + 1])
    agrees(sim, loop)


def test_carry_keeps_them(engine):
    given = samples(2)
    sim = apical.Simulator(circuit(**HEBB), engine=engine)
    for number in range(3):
        sim.run("train", **given, learn=True, carry=number > 0, record=[])
    loop = hebb("dense")
    loop.present(**given)
    for _ in range(2):
        loop.go_on(given["x"], given["target"], loop.u)
    agrees(sim, loop)


def test_they_stand_still_where_nothing_learns(engine):
    given = samples(2)
    sim = apical.Simulator(circuit(**HEBB), engine=engine)
    sim.run("train", **given, learn=True, record=[])
    before = sim.state["W.m"].copy()
    sim.run("train", **samples(3), record=[])
    np.testing.assert_array_equal(sim.state["W.m"], before)
    assert np.abs(before).min() > 0


def test_traces_of_a_checkpoint_load_and_only_carry_goes_on_with_them(tmp_path):
    given = samples(2)
    sim = apical.Simulator(circuit(**HEBB), engine="numpy")
    sim.run("train", **given, learn=True, record=[])
    sim.save(tmp_path / "old.safetensors")
    loop = hebb("dense")
    loop.present(**given)
    for carry in (True, False):
        again = apical.Simulator.resume(tmp_path / "old.safetensors")
        np.testing.assert_array_equal(again.state["W.m"], sim.state["W.m"])
        again.run("train", **given, learn=True, carry=carry, record=[])
        after = hebb("dense")
        after.present(**given)
        if carry:
            after.go_on(given["x"], given["target"], after.u)
        else:
            after.present(**given)
        agrees(again, after)


# --- a batch -------------------------------------------------------------------------------------


@pytest.mark.parametrize("connect", ["dense", "one_to_one"])
def test_with_shared_coefficients_the_mean_is_exact(engine, connect):
    made = circuit(
        "2 * dm/dt = post.e * pre^2 - m*(1 + t + w^2) - post.gain*m + post.e + w",
        "w += 0.1*(w*m + post.u*pre - m/2) - 0.05*w",
        connect,
        learn="W",
    )
    loop = Loop(
        connect,
        lambda e, p, m, t, w, **_: (e * p**2 - m * (1 + t + w**2) - 0.5 * m + e + w) / 2,
        change=lambda w, m, u, p, **_: 0.1 * (w * m + u * p - m / 2) - 0.05 * w,
    )
    sim = apical.Simulator(made, engine=engine)
    given = samples(6, connect)
    sim.fit(given, batch=3, shuffle=False)
    for k in (0, 3):
        loop.present(given["x"][k : k + 3], given["target"][k : k + 3])
    agrees(sim, loop)


@pytest.mark.parametrize("method", ["heun", "rk4", "exponential_euler"])
def test_the_mean_is_exact_with_every_method(method):
    """Of a batch of three, one step of w follows the mean of its three traces."""
    text = {"trace": "2 * dm/dt = post.e * pre - m*(1 + t)", "rule": "w += m", "learn": "W"}
    given = samples(3)
    sim = apical.Simulator(circuit(**text, method=method), engine="numpy")
    sim.fit(given, batch=3)
    changes, traces = [], []
    for k in range(3):
        one = apical.Simulator(circuit(**text, method=method), engine="numpy")
        one.fit({n: v[k : k + 1] for n, v in given.items()}, batch=1)
        changes.append(one.weights["W"] - 0.5)
        traces.append(one.state["W.m"])
    np.testing.assert_allclose(sim.weights["W"], 0.5 + np.mean(changes, 0), rtol=1e-12)
    np.testing.assert_allclose(sim.state["W.m"], np.mean(traces, 0), rtol=1e-11)


SUMS = {  # rule, what the loop does
    "event": ("w += 0.1*(w*m + post.u*pre - m) - 0.02*w + 0.01", "change"),
    "continuous": ("dw/dt = 0.1*(w*m + post.u*pre - m) - 0.02*w + 0.01", "rate"),
}


@pytest.mark.parametrize("kind", SUMS)
@pytest.mark.parametrize("connect", ["dense", "one_to_one"])
def test_the_sum_over_samples_is_that_of_every_part(engine, connect, kind):
    """`batch: sum` adds up what each sample brings; a trace is its own sample's all the same."""
    rule, how = SUMS[kind]
    made = circuit(
        "2 * dm/dt = post.e * pre - m + 0.5 + w",
        rule,
        connect,
        learn="W" if kind == "event" else "",
        over="sum",
    )
    loop = Loop(
        connect,
        lambda e, p, m, w, **_: (e * p - m + 0.5 + w) / 2,
        over=np.sum,
        **{how: lambda w, m, u, p, **_: 0.1 * (w * m + u * p - m) - 0.02 * w + 0.01},
    )
    sim = apical.Simulator(made, engine=engine)
    given = samples(6, connect)
    sim.fit(given, batch=3, shuffle=False)
    for k in (0, 3):
        loop.present(given["x"][k : k + 3], given["target"][k : k + 3])
    agrees(sim, loop)


# --- where the mean is not enough ----------------------------------------------------------------

EACH = {  # trace, rule, dm/dt, what w gains or dw/dt
    "a rule that reads an end": (
        "dm/dt = post.e*pre - m",
        "w += 0.1*m*post.u - 0.05*w",
        lambda e, p, m, **_: e * p - m,
        {"change": lambda m, u, w, **_: 0.1 * m * u - 0.05 * w},
    ),
    "a square": (
        "dm/dt = post.e*pre - m",
        "dw/dt = 0.3*m^2 - w*m^2",
        lambda e, p, m, **_: e * p - m,
        {"rate": lambda m, w, **_: 0.3 * m**2 - w * m**2},
    ),
    "a decay with activity": (
        "2 * dm/dt = post.e - m*pre^2",
        "dw/dt = m",
        lambda e, p, m, **_: (e - m * p**2) / 2,
        {"rate": lambda m, **_: m},
    ),
    "no product at all": (
        "dm/dt = tanh(post.u*pre - m)",
        "w -= |m|/(1 + w^2)",
        lambda u, p, m, **_: np.tanh(u * p - m),
        {"change": lambda m, w, **_: -np.abs(m) / (1 + w**2)},
    ),
}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("connect", ["dense", "one_to_one"])
@pytest.mark.parametrize("what", EACH)
def test_each_sample_has_traces_of_its_own(engine, what, connect, batch):
    trace, rule, rate, gains = EACH[what]
    made = circuit(trace, rule, connect, learn="" if "dw" in rule else "W")
    loop = Loop(connect, rate, **gains)
    given = samples(6, connect)
    sim = apical.Simulator(made, engine=engine)
    sim.fit(given, batch=batch, shuffle=False)
    for k in range(0, 6, batch):
        loop.present(given["x"][k : k + batch], given["target"][k : k + batch])
    np.testing.assert_allclose(sim.weights["W"], loop.w, rtol=1e-11)
    np.testing.assert_allclose(sim.state["W.m"], loop.m, rtol=1e-11)


def test_the_sum_of_them_and_each_step(engine):
    made = circuit(
        "dm/dt = pre - m*post.u",
        "w += 0.01*m*post.e - 0.02*w",
        over="sum",
        more="      learn_each_step: W",
    )

    class EachStep(Loop):
        """Rules are read before the states move, and applied after."""

        def go_on(self, x, target, u, start=0):
            for step in range(STEPS):
                v = x @ self.w.T
                names = self.names(x, target, u, step * DT)
                gain = self.summed(0.01 * names["m"] * names["e"] - 0.02 * self.w)
                self.m = self.m + DT * (names["p"] - names["m"] * names["u"])
                u, self.w = u + DT * (v - u) / 2, self.w + gain

    loop = EachStep("dense", None, over=np.sum)
    given = samples(3)
    sim = apical.Simulator(made, engine=engine)
    sim.fit(given, batch=3)
    loop.present(**given)
    np.testing.assert_allclose(sim.weights["W"], loop.w, rtol=1e-11)


def test_the_bias_unit_sends_one_to_every_sample(engine):
    made = circuit("dm/dt = pre*post.e - pre^2*m", "w += 0.1*m*post.u", learn="W", bias=True)
    given = samples(3)
    sim = apical.Simulator(made, engine=engine)
    assert sim.weights["W"].shape == (3, 3)
    sim.fit(given, batch=3)
    loop = Loop(
        "dense", lambda p, e, m, **_: p * e - p**2 * m, change=lambda m, u, **_: 0.1 * m * u
    )
    loop.w = np.full((3, 3), 0.5)
    loop.present(np.concatenate([given["x"], np.ones((3, 1))], axis=1), given["target"])
    np.testing.assert_allclose(sim.weights["W"], loop.w, rtol=1e-11)


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_sample_that_stops_takes_its_traces_with_it(engine, replicas):
    """`until`: also traces of which the mean would be enough in a batch that runs together."""
    more = "      until: change(sink.u) < 0.1"
    made = circuit(HEBB["trace"], "w += 0.5*m", learn="W", more=more)
    given = samples(4)
    sim = apical.Simulator(made, engine=engine, replicas=replicas)
    sim.fit(given, batch=4, shuffle=False)
    u, m, stopped = np.zeros((4, 3)), np.zeros((4, 3, 2)), np.zeros(4, dtype=bool)
    steps = np.zeros(4)
    for _ in range(STEPS):
        du = DT * (given["x"] @ np.full((2, 3), 0.5) - u) / 2
        e = given["target"] - u
        dm = DT * (e[:, :, None] * given["x"][:, None] - m) / 2
        m, u = np.where(stopped[:, None, None], m, m + dm), np.where(stopped[:, None], u, u + du)
        steps += ~stopped
        stopped |= np.linalg.norm(du, axis=1) < 0.1
    assert len(set(steps)) > 1
    weights = sim.weights["W"].reshape(replicas, 3, 2)
    for found in weights:
        np.testing.assert_allclose(found, 0.5 + 0.5 * m.mean(0), rtol=1e-12)


def test_traces_of_each_sample_are_carried_saved_and_left_alone(engine, tmp_path):
    trace, rule, rate, gains = EACH["a rule that reads an end"]
    made, given = circuit(trace, rule, learn="W"), samples(2)
    sim = apical.Simulator(made, engine=engine)
    sim.run("train", **given, learn=True, record=[])
    sim.save(tmp_path / "each.safetensors")
    sim.run("train", **samples(2), record=[])
    loop = Loop("dense", rate, **gains)
    loop.present(**given)
    np.testing.assert_allclose(sim.state["W.m"], loop.m, rtol=1e-11)
    again = apical.Simulator.resume(tmp_path / "each.safetensors")
    again.run("train", **given, learn=True, carry=True, record=[])
    loop.go_on(given["x"], given["target"], loop.u)
    np.testing.assert_allclose(again.weights["W"], loop.w, rtol=1e-11)
    np.testing.assert_allclose(again.state["W.m"], loop.m, rtol=1e-11)


@pytest.mark.parametrize("method", ["heun", "rk4", "exponential_euler"])
def test_every_method_moves_them(method):
    """A batch of three is the mean of three single samples."""
    text = {"trace": "dm/dt = post.e*pre - m*post.u^2", "rule": "w += m*post.u", "learn": "W"}
    given = samples(3)
    sim = apical.Simulator(circuit(**text, method=method), engine="numpy")
    sim.fit(given, batch=3, shuffle=False)
    changes = []
    for k in range(3):
        one = apical.Simulator(circuit(**text, method=method), engine="numpy")
        one.fit({n: v[k : k + 1] for n, v in given.items()}, batch=1)
        changes.append(one.weights["W"] - 0.5)
        np.testing.assert_allclose(one.state["W.m"][0], sim.state["W.m"][k], rtol=1e-12)
    np.testing.assert_allclose(sim.weights["W"], 0.5 + np.mean(changes, 0), rtol=1e-12)


# --- what takes one sample at a time -------------------------------------------------------------

ALONE = {  # what is wrong; trace, rule
    "`norm(m)` in its rule": ("dm/dt = post.e*pre - m", "w += 0.1*m - norm(m)*w"),
    "`m^2` in its rule": ("dm/dt = post.e*pre - m", "\n      - w += 0.1*m\n      - w -= m^2*w"),
}


@pytest.mark.parametrize("part", ALONE)
def test_a_batch_is_refused_before_anything_runs(engine, part, refused):
    sim = apical.Simulator(circuit(*ALONE[part], learn="W"), engine)
    given = samples(5)
    for call in (
        lambda: sim.fit(given, batch=2),
        lambda: sim.run("train", **given, learn=True, batch=2),
    ):
        with refused(ValueError):
            call()
    np.testing.assert_array_equal(sim.weights["W"], 0.5)
    assert sim.presentation == 0
    sim.run("train", **given)  # without plasticity no trace moves
    assert "one sample at a time: the trace m of W" in str(sim.program("train"))
    loop = Loop("dense", lambda e, p, m, **_: e * p - m)
    loop.present(**{n: v[:1] for n, v in given.items()})
    sim.fit({n: v[:1] for n, v in given.items()}, batch=20)  # there is but one sample
    m, w = loop.m[0], np.full((3, 2), 0.5)
    if "norm" in part:
        w = w + 0.1 * m - np.linalg.norm(m, axis=1, keepdims=True) * w
    else:
        w = (w + 0.1 * m) * (1 - m**2)
    np.testing.assert_allclose(sim.weights["W"], w, rtol=1e-11)


def test_what_no_protocol_uses_is_no_reason():
    """One array where a rule that would need more is never learnt, or no trace moves."""
    mixed, trace = "w += 0.1*m*post.u", "dm/dt = post.e*pre - m"
    off = circuit(trace, mixed, learn="W", more="      plasticity: off")
    for made in (circuit(trace, mixed), off):
        program = apical.Simulator(made, engine="numpy").program("train")
        assert program.buffers["W.m"].shape == ("matrix", 3, 2)
        assert program.single_sample is None


def test_the_listing_says_what_starts_at_zero():
    program = apical.Simulator(circuit(**HEBB), engine="numpy").program("train")
    assert "reset sink.u, W.m\n" in str(program)


def test_show_says_which_traces_are_of_each_sample():
    trace, rule, *_ = EACH["a square"]
    made = circuit(trace, rule)
    assert "traces of each sample, not their mean over the batch: W" in show(made)
    assert counts(made).activity - counts(circuit(**HEBB)).activity == 6
    assert "traces of each sample" not in show(circuit(**HEBB))


def test_a_trace_that_breaks_is_named(engine, refused):
    sim = apical.Simulator(circuit("dm/dt = pre*post.e + m^3", "w += m", learn="W"), engine)
    given = {"x": [[1.0, 1.0], [1.0, 1e60]], "target": np.ones((2, 3))}
    with refused(apical.Divergence) as error:
        sim.fit(given, batch=2, shuffle=False)
    assert (error.value.connection, error.value.sample) == ((0, 1), 1)
    assert error.value.variable == "W.m"


def test_they_cannot_be_given(refused):
    trace, rule, *_ = EACH["a square"]
    sim = apical.Simulator(circuit(trace, rule), engine="numpy")
    for name in ("W.m", "W.m~each"):
        with refused(ValueError):
            sim.run("train", **samples(2), learn=True, initial={name: np.zeros((2, 6))})
