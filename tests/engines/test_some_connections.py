"""`connect: when`, `sparse`, `indegree`: which connections there are, and that no other ever is."""

from __future__ import annotations

import warnings

import networkx
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

import apical
from apical.compartments.optimizers import OPTIMIZERS
from apical.engines.philox import uniform
from apical.graphs.diagnostics import CircuitError
from apical.graphs.reports.show import show
from apical.graphs.reports.yaml_text import comparable

HEAD = """
apical: 1
name: some
parameters: {N: 6, eta: 0.1, p: 0.4}
data: {image: 5}
cells:
  sensory: {soma: r = image}
  neuron:
    basal: v = input
    soma: [du/dt = v - u, "r = tanh(u)"]
populations:
  x: {cell: sensory, size: 5}
  y: {cell: neuron, size: N, parameters: {g: "uniform(0, 1)", h: [1, 2, 3, 4, 5, 6]}}
synapses:
"""
PHASE = "protocols: {{train: {{settle: {{steps: 4, dt: 0.2{}}}}}}}\n"
TRIANGLE = np.tril(np.ones((6, 6), bool), -1)


def text(*synapses, more=""):
    return HEAD + "".join(f"  {line}\n" for line in synapses) + PHASE.format(more)


def simulator(*synapses, more="", **options):
    return apical.Simulator(apical.load_text(text(*synapses, more=more)), **options)


def of(connect, ends="from: y.r, to: y.basal", init="normal(0, 1)", more=""):
    return f"W: {{{ends}, connect: '{connect}', init: '{init}'{more}}}"


# --- which connections ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("pre.index < post.index", TRIANGLE),
        ("|post.index - pre.index| == 1", np.abs(np.subtract.outer(range(6), range(6))) == 1),
        ("2*pre.h - post.h > 1", 2 * np.arange(1, 7)[None] - np.arange(1, 7)[:, None] > 1),
        ("N*p - 2", np.ones((6, 6), bool)),
        ("where(pre.index > 2, n_pre == 6, 0)", np.tile(np.arange(6) > 2, (6, 1))),
    ],
)
def test_a_condition_of_places_and_parameters(condition, expected):
    sim = simulator(of(f"when {condition}"), engine="numpy")
    assert_array_equal(sim.connections["W"], expected)
    assert_array_equal(sim.weights["W"] != 0, expected)


def test_a_condition_draws_for_each_pair_by_its_number():
    sim = simulator(
        of("when (uniform(0, 1) < post.g) * bernoulli(0.8)", "from: x.r, to: y.basal"),
        engine="numpy", seed=4, replicas=2,
    )  # fmt: skip
    assert sim.connections["W"].shape == (2, 6, 5)
    for replica in range(2):
        for post in range(6):
            for pre in range(5):
                first, second = (uniform(4 + replica, "connect(W)", post * 5 + pre, 0, 0, draw)
                                 for draw in (0, 1))  # fmt: skip
                g = sim.parameters["y.g"][replica, post]
                expected = first < g and second < 0.8
                assert sim.connections["W"][replica, post, pre] == expected


@pytest.mark.parametrize("connect", ["sparse(p)", "indegree(3)", "when bernoulli(0.5)"])
def test_a_replica_is_a_run_with_its_seed_and_init_draws_as_in_a_dense_array(connect):
    both = simulator(of(connect), engine="numpy", seed=7, replicas=2)
    alone = simulator(of(connect), engine="numpy", seed=8)
    dense = simulator(of("dense"), engine="numpy", seed=8)
    exist = alone.connections["W"]
    assert_array_equal(both.connections["W"][1], exist)
    assert_array_equal(both.weights["W"][1], alone.weights["W"])
    assert_array_equal(alone.weights["W"], np.where(exist, dense.weights["W"], 0))
    assert np.any(both.connections["W"][0] != exist) and exist.any() and not exist.all()
    if connect.startswith("indegree"):
        assert (exist.sum(1) == 3).all()


def test_a_bias_is_always_there():
    sim = simulator(of("sparse(0)", "from: x.r, to: y.basal", more=", bias: true"), engine="numpy")
    assert_array_equal(sim.connections["W"], np.tile([False] * 5 + [True], (6, 1)))
    assert (sim.weights["W"][:, -1] != 0).all() and not sim.weights["W"][:, :-1].any()
    traces = sim.run("train", image=np.ones((1, 5)), record=["y.v"])
    assert_allclose(traces.arrays["y.v"][0, 0, -1], sim.weights["W"][:, -1])


# --- nothing else is ever there ------------------------------------------------------------------

RULES = {
    **{name: f"rule: w += 0.2 + post.u*pre, optimizer: '{name}({first})'"
       for name, first in ((n, ", ".join(str(r.ranges[p].example)
                                         for p, d in r.parameters.items() if d is None))
                           for n, r in OPTIMIZERS.items())},
    "put": "rule: 'w := 0.5 + post.u*pre'",
    "infinite": "rule: w += 0.1/w",
    "lines": "rule: ['w += post.u*pre', 'w -= 0.1*(w + 1)']",
    "bounds": "bounds: [0.1, 2], rule: w += eta*post.u*pre",
    "continuous": "rule: dw/dt = post.u*pre + 1",
    "trace": "trace: dm/dt = -m + post.u*pre + 1, rule: w += m",
    "trace of each sample": "trace: dm/dt = -m*post.u^2 + 1, rule: w += m*post.u + 0.1",
    "reductions": "rule: w += post.u*pre/norm(w) - w*mean(w) + softmax(w) + max(w)",
}  # fmt: skip


@pytest.mark.parametrize("method", ["euler", "exponential_euler"])
@pytest.mark.parametrize("rule", RULES)
def test_rules_leave_the_rest_alone(rule, method):
    learn = "" if rule == "continuous" else ", learn: W"
    sim = simulator(
        of("sparse(p)", "from: x.r, to: y.basal", "uniform(0.2, 1)", f", {RULES[rule]}"),
        more=f", method: {method}{learn}", engine="numpy",
    )  # fmt: skip
    exist, before = sim.connections["W"], np.array(sim.weights["W"])
    image = np.random.default_rng(0).normal(size=(4, 5))
    traces = sim.run("train", image=image, learn=True, batch=2, record=["W mean", "y.u"])
    after = sim.weights["W"]
    assert not after[~exist].any() and np.isfinite(after).all()
    assert np.all(after[exist] != before[exist])
    assert_allclose(np.ravel(traces.learnt["mean(W)"])[-1], after[exist].mean())
    if rule == "trace":
        assert not sim.state["W.m"][~exist].any() and sim.state["W.m"][exist].all()


def test_the_running_mean_of_an_optimizer_is_over_connections():
    """mq: v := keep v + (1 - keep) mean |g|, w += (alpha/(v + r) + alpha_min) g; here g = 1."""
    sim = simulator(
        of("indegree(2)", init="1", more=", rule: w += 1, optimizer: 'mq(0.3, 0.1, 0, 0.9)'"),
        more=", learn: W", engine="numpy",
    )  # fmt: skip
    for _ in range(2):
        sim.run("train", image=np.ones((1, 5)), learn=True, record=[])
    expected = 1 + (0.3 / 0.3 + 0.1) + (0.3 / (0.5 * 0.3 + 0.5) + 0.1)
    assert_allclose(sim.weights["W"][sim.connections["W"]], expected)


# --- the synapses that share them ----------------------------------------------------------------


def test_a_transpose_has_the_connections_of_its_array():
    sim = apical.Simulator(
        apical.load_text(
            text(
                of("sparse(p)", "from: x.r, to: y.basal", more=", rule: w += eta*post.u*pre"),
                "B: {from: y.r, to: z.basal, weight: transpose(W), current: w*pre + 1, "
                "rule: w += 0.1*(post.u + pre + 1)}",
                more=", learn: 'W, B'",
            ).replace("synapses:", "  z: {cell: neuron, size: 5}\nsynapses:")
        ),
        engine="numpy",
    )  # fmt: skip
    exist = sim.connections["W"]
    assert list(sim.connections) == ["W"]
    traces = sim.run("train", image=np.zeros((1, 5)), record=["z.v"])
    assert_allclose(traces.arrays["z.v"][0, 0, -1], exist.sum(0))  # y is silent: 1 for each
    sim.run("train", image=np.ones((1, 5)), record=[], learn=True)
    assert not sim.weights["W"][~exist].any()


def test_a_mean_is_over_the_connections_there_are():
    """Also of a synapse that shares the array of a biased one, and of its transpose."""
    lines = text(
        "A: {from: x.r, to: y.basal, connect: sparse(0.5), bias: true, init: 1}",
        "B: {from: x.r, to: z.basal, weight: A, current: mean(pre)*w*pre}",
        "C: {from: x.r, to: z.soma, connect: indegree(2), init: 1, current: mean(pre)*w*pre}",
        "D: {from: y.u, to: q.basal, weight: transpose(A), current: mean(pre + 2)}",
    ).replace("synapses:", "  z: {cell: both, size: 6}\n  q: {cell: neuron, size: 5}\nsynapses:")
    both = "  both: {basal: v = input, soma: [c = input, du/dt = v - u]}\npopulations:"
    circuit = apical.load_text(lines.replace("populations:", both))
    sim = apical.Simulator(circuit, engine="numpy", seed=1)
    x = np.arange(1.0, 6.0)
    traces = sim.run("train", image=x[None], record=["z.v", "z.c", "q.v"])
    shared, own = sim.connections["A"][:, :-1], sim.connections["C"]
    assert not shared.any(axis=1).all()  # some cell has no connection
    for name, exist in (("z.v", shared), ("z.c", own)):
        meant = [x[row].mean() * x[row].sum() if row.any() else 0 for row in exist]
        assert_allclose(traces.arrays[name][0, 0, 0], meant)
    assert_allclose(traces.arrays["q.v"][0, 0, 0], 2 * shared.sum(axis=0))


# --- what people and files are told --------------------------------------------------------------


def test_weights_are_given_where_connections_are(tmp_path):
    sim = simulator(of("indegree(2)"), engine="numpy")
    exist = sim.connections["W"]
    sim.weights["W"] = 2.0 * exist
    place = ", ".join(str(i) for i in np.argwhere(~exist)[0])
    with pytest.raises(ValueError, match=rf"24 places .* such as \[{place}\]"):
        sim.weights["W"] = np.ones((6, 6))
    sim.save(tmp_path / "a.safetensors")
    again = apical.Simulator.resume(tmp_path / "a.safetensors")
    assert_array_equal(again.connections["W"], exist)
    assert_array_equal(again.weights["W"], sim.weights["W"])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([of("sparse(p)", init="wishart")], "`wishart` fills a whole array"),
        (["A: {from: y.r, to: y.basal, init: 1}", of("sparse(p)", init="product(A, A)")],
         "`product` fills a whole array"),
        (["A: {from: y.r, to: y.basal, init: 1}",
          "B: {from: y.r, to: y.basal, connect: sparse(p), weight: transpose(A)}"],
         "the weight of 'B' is made of that of 'A', whose connections it has"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(lines, message):
    with pytest.raises(CircuitError) as error:
        apical.load_text(text(*lines))
    assert message in str(error.value)


@pytest.mark.parametrize("connect", ["when pre.index == post.index", "sparse(p)", "indegree(3)"])
def test_too_many_pairs_are_refused(connect):
    many = text(of(connect)).replace("N: 6", "N: 40000")
    with pytest.raises(CircuitError, match="40000 x 40000 pairs of units, at most 1,000,000,000"):
        apical.load_text(many.replace(", h: [1, 2, 3, 4, 5, 6]", ""))


def test_a_condition_without_value_is_told():
    with pytest.raises(ValueError, match=r"W: .* 6 pairs .* post.index = 0, pre.index = 0"):
        simulator(of("when log(post.index - 1)"), engine="numpy")


@pytest.mark.parametrize(
    "connect", ["sparse(2*p)", "indegree(N - 2)", "when uniform(0, 1) < post.g*pre.h"]
)
def test_the_printed_circuit_is_the_circuit(connect):
    circuit = apical.load_text(text(of(connect)))
    again = apical.load_text(circuit.to_yaml())
    assert comparable(again) == comparable(circuit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, other = (apical.Simulator(c, engine="numpy", seed=2) for c in (circuit, again))
    assert_array_equal(one.connections["W"], other.connections["W"])
    shown = show(circuit)
    assert connect.split("(")[0].split(" ")[0] in shown and "stored dense, with a mask" in shown
    assert "weights: 36, of them 0 plastic" in shown and "576 bytes stored" in shown


def test_parameters_that_reach_connect_are_structural():
    sim = simulator(of("when pre.h + p > post.g"), engine="numpy")
    for name, value in (("p", 0.2), ("y.g", np.ones(6)), ("y.h", np.ones(6))):
        with pytest.raises(ValueError, match="structural"):
            sim.parameters[name] = value


# --- arrays --------------------------------------------------------------------------------------


def test_an_array_says_where_connections_are(tmp_path):
    rng = np.random.default_rng(2)
    exist = rng.random((6, 6)) < 0.4
    weights = np.where(exist, rng.normal(size=(6, 6)), 0)
    np.savez(tmp_path / "W.npz", W=weights)
    graph = networkx.DiGraph([(int(pre), int(post)) for post, pre in np.argwhere(exist)])
    graph.add_nodes_from(range(6))
    path = tmp_path / "net.yaml"
    for lines, given in (
        (of('file("W.npz", "W")', init='file("W.npz")'), {}),
        (of('when |file("W.npz")| > 0', init='file("W.npz")'), {}),
        (of('array("A")', init='file("W.npz")'), {"A": scipy.sparse.coo_array(exist * 1.0)}),
        (of('array("A")', init='file("W.npz")'), {"A": graph}),
    ):
        path.write_text(text(lines))
        circuit = apical.load(path, arrays=given)
        sim = apical.Simulator(circuit, engine="numpy")
        assert_array_equal(sim.connections["W"], exist)
        assert_array_equal(sim.weights["W"], weights)
        printed = path.with_name("again.yaml")
        printed.write_text(circuit.to_yaml())
        assert apical.load(printed, arrays=given).to_yaml() == circuit.to_yaml()
    sim.save(tmp_path / "a.safetensors")
    again = apical.Simulator.resume(tmp_path / "a.safetensors")
    assert_array_equal(again.connections["W"], exist)
    with pytest.raises(CircuitError, match=r"'W' has connections has the shape \(5, 6\)"):
        apical.load(path, arrays={"A": np.ones((5, 6))})


def test_storage_is_refused_by_name():
    with pytest.raises(CircuitError, match="'storage' of a synapse is reserved"):
        apical.load_text(text(of("sparse(p)", more=", storage: compressed")))
