"""Bias units, currents of their own, and sums over connections, against loops over connections."""

from __future__ import annotations

import numpy as np
import pytest

import apical

ENGINES = ("numpy", pytest.param("numba", marks=pytest.mark.slow), "torch")
POSTS, PRES = 3, 4

CIRCUIT = """
apical: 1
name: connections
parameters:
  theta: 0.3
  gain: [0.5, 2, -1]
data:
  image: {pres}
  target: 3
cells:
  source:
    soma:
      - x = image
      - c = 2*image + 1
  sink:
    basal:
{ports}
    soma: e = target
populations:
  a:
    cell: source
    size: {pres}
  b:
    cell: sink
    size: 3
    parameters:
      g: gain
synapses:
{synapses}
protocols:
  train:
    once:
      steps: 1
      dt: 1
{learn}
"""


def text_of(synapses, pres=PRES, learn=None):
    """A circuit with these synapses, name -> lines, each to a port of its own."""
    ports = "\n".join(f"      - v_{name} = input.{name}" for name in synapses)
    written = []
    for name, lines in synapses.items():
        written += [f"  {name}:", "    from: a.x", f"    to: b.basal.{name}"]
        written += [f"    {line}" for line in lines]
    acts = f"      {learn}: {', '.join(synapses)}" if learn else ""
    return CIRCUIT.format(pres=pres, ports=ports, synapses="\n".join(written), learn=acts)


def simulator(engine, synapses, pres=PRES, learn=None):
    if engine == "torch":
        pytest.importorskip("torch")
    return apical.Simulator(apical.load_text(text_of(synapses, pres, learn)), engine=engine)


def samples(batch, pres=PRES):
    rng = np.random.default_rng(batch)
    return {"image": rng.normal(size=(batch, pres)), "target": rng.normal(size=(batch, POSTS))}


def learnt(engine, batch, synapses, learn="learn", pres=PRES):
    """(weights before, weights after, samples) of one presentation."""
    sim = simulator(engine, synapses, pres, learn)
    before = {name: np.array(w) for name, w in sim.weights.items()}
    data = samples(batch, pres)
    sim.run("train", **data, learn=True, record=[])
    return before, {name: np.array(w) for name, w in sim.weights.items()}, data


def currents(engine, batch, synapses, pres=PRES):
    """(weights, currents, samples) of one presentation."""
    sim = simulator(engine, synapses, pres=pres)
    data = samples(batch, pres)
    traces = sim.run("train", **data, record=[f"b.v_{name}" for name in synapses])
    found = {name: traces.arrays[f"b.v_{name}"][0, :, 0] for name in synapses}
    return {name: np.array(w) for name, w in sim.weights.items()}, found, data


def assert_same(found, expected, name):
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12, err_msg=name)


# --- the bias unit -------------------------------------------------------------------------------

BIASED = {
    "tanh": ("post.e * tanh(pre)", lambda e, x: e * np.tanh(x)),
    "difference": ("post.e * (pre - 0.5)", lambda e, x: e * (x - 0.5)),
    "parameter": ("post.e * (theta - pre)", lambda e, x: e * (0.3 - x)),
    "maximum": ("post.e * max(pre, 0.25)", lambda e, x: e * np.maximum(x, 0.25)),
    "quotient": ("post.e * pre / (1 + pre^2)", lambda e, x: e * x / (1 + x**2)),
    "constant": ("post.e * 3 * pre^0", lambda e, x: e * 3 + 0 * x),
    "pre alone": ("0.5 * tanh(pre)", lambda e, x: 0.5 * np.tanh(x) + 0 * e),
    "named": ("post.e * tanh(pre.x) * 2", lambda e, x: 2 * e * np.tanh(x)),
    "two terms": ("post.e * pre + post.e^2 * (1 - pre^2)", lambda e, x: e * x + e**2 * (1 - x**2)),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", (1, 3))
def test_the_bias_learns_as_a_unit_that_sends_one(engine, batch):
    synapses, rates = {}, {}
    for number, (text, _) in enumerate(BIASED.values()):
        for rate in (1, 0.5):
            name = f"W{number}_{rate * 10:.0f}"
            synapses[name] = ["bias: true", f"rule: w += {text}", f"optimizer: sgd({rate})"]
            rates[name] = rate
            if rate == 1:
                synapses[name].pop()
    before, after, data = learnt(engine, batch, synapses)
    for name, rate in rates.items():
        _, function = list(BIASED.values())[int(name[1:].partition("_")[0])]
        expected = before[name].copy()
        for image, target in zip(data["image"], data["target"], strict=True):
            for i in range(POSTS):
                for j, x in enumerate([*image, 1.0]):
                    expected[i, j] += rate * function(target[i], x) / batch
        assert_same(after[name], expected, str(synapses[name]))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_weight_beside_an_end_reaches_the_bias(engine):
    rule = ["bias: true", "rule: w += post.e * (pre - w)"]
    before, after, data = learnt(engine, 3, {"W": rule})
    x = np.concatenate([data["image"], np.ones((3, 1))], axis=1)
    change = data["target"][:, :, None] * (x[:, None] - before["W"][None])
    assert_same(after["W"], before["W"] + change.mean(0), "W")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", (1, 3))
def test_a_bias_is_one_more_connection_of_a_current(engine, batch):
    own = ["bias: true", "init: normal(0, 1)", "current: w * tanh(pre) * (1 + post.e)"]
    synapses = {"plain": own, "filtered": [*own, "filter: [1, 2]"]}
    weights, found, data = currents(engine, batch, synapses)
    sums = [*own[:2], "current: w*pre/sum(pre^2) + max(pre)/5 + mean(w*pre) + norm(w)"]
    for name, image in (("plain", data["image"]), ("filtered", 0 * data["image"])):
        sent = np.concatenate([image, np.ones((batch, 1))], axis=1)
        expected = (np.tanh(sent) @ weights[name].T) * (1 + data["target"])
        assert_same(found[name], expected, name)  # a filter starts at 0
    weights, found, data = currents(engine, batch, {"W": sums})
    w = weights["W"]
    for b, image in enumerate(data["image"]):
        x = np.array([*image, 1.0])
        each = x.max() + w @ x + 5 * np.sqrt((w**2).sum(1))
        assert_same(found["W"][b], w @ x / (x**2).sum() + each, "sums")


def test_the_bias_unit_has_only_what_it_sends(refused):
    for lines, learn in (
        (("rule: w += post.e * pre.c",), "learn"),
        (("init: 1", "current: w * pre * pre.c"), None),
        (("trace: dm/dt = post.e * pre.c - m", "rule: w += m"), "learn"),
    ):
        with refused(apical.CircuitError):
            simulator("numpy", {"W": ["bias: true", *lines]}, learn=learn)


# --- currents ------------------------------------------------------------------------------------

CURRENTS = {
    "another variable": ("w * pre * pre.c", lambda w, x, e: (w * x * (2 * x + 1)).sum(-1)),
    "without a weight": ("pre * post.e", lambda w, x, e: (x * e[:, None]).sum(-1)),
    "a list": ("w * pre * post.g", lambda w, x, e: (w * x).sum(-1) * np.array([0.5, 2, -1])),
    "sum of squares": ("w * pre / sum(pre^2)", lambda w, x, e: (w * x).sum(-1) / (x**2).sum()),
    "sum of another": ("w * sum(pre.c)", lambda w, x, e: w.sum(-1) * (2 * x + 1).sum()),
    "sum at the target": ("w * pre * sum(post.e)", lambda w, x, e: (w * x).sum(-1) * e.sum()),
    "norm of weights": (
        "w * pre / norm(w)",
        lambda w, x, e: (w * x).sum(-1) / np.sqrt((w**2).sum(-1)),
    ),
    "mean of both": ("pre * mean(w*pre)", lambda w, x, e: x.sum() * (w * x).mean(-1)),
    "largest": ("w * max(w*pre)", lambda w, x, e: w.sum(-1) * (w * x).max(-1)),
    "softmax": (
        "softmax(2*pre) * w",
        lambda w, x, e: (w * np.exp(2 * x) / np.exp(2 * x).sum()).sum(-1),
    ),
    "softmax of another": (
        "w * softmax(pre.c)",
        lambda w, x, e: (w * np.exp(2 * x + 1) / np.exp(2 * x + 1).sum()).sum(-1),
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("batch", "pres"), ((1, POSTS), (3, PRES)))
def test_a_current_means_what_it_says(engine, batch, pres):
    texts = list(CURRENTS.values())
    synapses = {
        f"W{n}": ["init: normal(0, 1)", f"current: {text}"] for n, (text, _) in enumerate(texts)
    }
    weights, found, data = currents(engine, batch, synapses, pres)
    for name, (text, function) in zip(synapses, texts, strict=True):
        for b in range(batch):
            expected = function(weights[name], data["image"][b], data["target"][b])
            assert_same(found[name][b], expected, text)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", (1, 3))
def test_kinds_of_connection_have_their_own_sums(engine, batch):
    """All but self leaves the unit itself out of every sum; one connection is its own sum."""
    synapses = {
        "others": [
            "connect: all_but_self",
            "init: normal(0, 1)",
            "current: (w + 1) * pre + sum(pre) - max(pre) + mean(w) + norm(w*pre)",
        ],
        "single": [
            "connect: one_to_one",
            "init: normal(0, 1)",
            "current: sum(w*pre) + norm(w) + mean(pre)*softmax(w) + sum(pre.x)",
        ],
    }
    weights, found, data = currents(engine, batch, synapses, POSTS)
    for b, x in enumerate(data["image"]):
        for i in range(POSTS):
            others = [j for j in range(POSTS) if j != i]
            o, v = x[others], weights["others"][i, others]
            each = o.sum() - o.max() + v.mean() + np.sqrt(((v * o) ** 2).sum())
            assert_same(found["others"][b, i], ((v + 1) * o).sum() + 2 * each, "others")
    w, x = weights["single"], data["image"]
    assert_same(found["single"], w * x + np.abs(w) + x + x.sum(1, keepdims=True), "single")


# --- sums over connections in rules --------------------------------------------------------------

RULES = {
    "norm": (("w -= w / norm(w)",), lambda w, x, e: w - w / np.sqrt((w**2).sum(1))[:, None]),
    "put in place": (("w := w / sum(|w|)",), lambda w, x, e: w / np.abs(w).sum(1)[:, None]),
    "sum of weights": (
        ("w += post.e * pre * sum(w)",),
        lambda w, x, e: w + (e[:, :, None] * x[:, None]).mean(0) * w.sum(1)[:, None],
    ),
    "sum of squares": (
        ("w += post.e * pre / sum(pre^2)",),
        lambda w, x, e: w + (e[:, :, None] * (x / (x**2).sum(1)[:, None])[:, None]).mean(0),
    ),
    "what arrives": (
        ("w += (post.e - sum(w*pre)) * pre",),
        lambda w, x, e: w + ((e - x @ w.T)[:, :, None] * x[:, None]).mean(0),
    ),
    "largest": (
        ("w -= 0.1 * w * max(w)",),
        lambda w, x, e: w - 0.1 * w * w.max(1)[:, None],
    ),
    "after the line before": (
        ("w += post.e * pre", "w := w / norm(w)"),
        lambda w, x, e: (lambda v: v / np.sqrt((v**2).sum(1))[:, None])(
            w + (e[:, :, None] * x[:, None]).mean(0)
        ),
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("batch", "learn"), ((1, "learn_each_step"), (3, "learn")))
def test_a_rule_sums_over_the_connections_of_one_cell(engine, batch, learn):
    synapses, functions = {}, {}
    for number, (lines, function) in enumerate(RULES.values()):
        for bias in (False, True):
            name = f"W{number}_{bias}"
            synapses[name] = ["init: 0.1 + uniform(0, 1)", "rule:", *(f"  - {n}" for n in lines)]
            synapses[name] += ["bias: true"] if bias else []
            functions[name] = function
    before, after, data = learnt(engine, batch, synapses, learn)
    for name, function in functions.items():
        x = data["image"]
        if name.endswith("True"):
            x = np.concatenate([x, np.ones((batch, 1))], axis=1)
        assert_same(after[name], function(before[name], x, data["target"]), str(synapses[name]))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_second_line_of_a_one_to_one_rule_sees_the_first(engine):
    own = ["connect: one_to_one", "init: 2", "rule:", "  - w += post.e", "  - w -= 0.5*w*post.e"]
    sim = simulator(engine, {"W": own}, 3, "learn")
    data = samples(2, 3)
    sim.run("train", **data, learn=True, record=[])
    e = data["target"].mean(0)
    assert_same(sim.weights["W"], (2 + e) - 0.5 * (2 + e) * e, "W")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("connect", ("dense", "one_to_one"))
def test_a_sum_over_samples_sums_what_a_rule_says_of_the_weight(engine, connect):
    own = [f"connect: {connect}", "init: 2", "batch: sum", "rule: w += post.e*pre - 0.1*w"]
    _, after, data = learnt(engine, 4, {"W": own}, pres=3)
    x, e = data["image"], data["target"]
    hebb = x * e if connect == "one_to_one" else e[:, :, None] * x[:, None]
    assert_same(after["W"], 2 + hebb.sum(0) - 4 * 0.1 * 2, connect)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_optimizer_of_one_to_one_weights_sees_them(engine):
    same = ["connect: one_to_one", "init: 1", "rule: w := clip(w, -1, 1)", "optimizer: sgd(0.5)"]
    less = ["connect: one_to_one", "init: 1", "rule: w -= 0.1*w", "optimizer: momentum(1, 0)"]
    _, after, _ = learnt(engine, 2, {"same": same, "less": less}, pres=3)
    assert_same(after["same"], np.ones(3), "same")
    assert_same(after["less"], np.full(3, 0.9), "less")


def test_what_cannot_be_known_is_refused_with_its_line(refused):
    two = ["rule:", "  - w += post.e * pre", "  - w += sum(w*pre) * pre"]
    with refused(apical.CircuitError):
        simulator("numpy", {"W": two}, learn="learn")
    with refused(apical.CircuitError):
        simulator("numpy", {"W": ["init: 1", "current: w * pre * sum(theta)"]})


# --- live weights --------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", (1, 3))
def test_a_live_weight_keeps_to_its_connections(engine, batch):
    """all_but_self of a dense array is that array without its diagonal, and without its bias."""
    live = {"number": "0.5", "copied": "copy(A)", "turned": "-2*transpose(A)"}
    synapses = {n: ["connect: all_but_self", f"weight: {w}"] for n, w in live.items()}
    synapses |= {f"whole_{n}": [f"weight: {w}"] for n, w in live.items()}
    synapses["A"] = ["init: normal(0, 1)", "bias: true"]
    weights, found, data = currents(engine, batch, synapses, POSTS)
    a = weights["A"][:, :-1]
    arrays = {"number": np.full((3, 3), 0.5), "copied": a, "turned": -2 * a.T}
    for name, w in arrays.items():
        assert_same(found[f"whole_{name}"], data["image"] @ w.T, f"whole {name}")
        hollow = w - np.diag(np.diag(w))
        assert_same(found[name], data["image"] @ hollow.T, name)


def test_a_start_from_other_weights_takes_their_connections(refused):
    both = ["init: A", "bias: true", "rule: w += 0*pre*post.e"]
    synapses = {
        "A": ["init: normal(0, 1)", "bias: true"],
        "same": ["init: -A"],
        "turned": ["init: 2*transpose(A)"],
        "biased": both,
    }
    weights = simulator("numpy", synapses, POSTS).weights
    assert_same(weights["same"], -weights["A"][:, :-1], "same")
    assert_same(weights["turned"], 2 * weights["A"][:, :-1].T, "turned")
    assert_same(weights["biased"], weights["A"], "biased")
    for init in ("B", "transpose(A)"):
        wrong = {"A": synapses["A"], "B": ["init: 1"], "C": ["bias: true", f"init: {init}"]}
        with refused(apical.CircuitError):
            simulator("numpy", wrong, POSTS)
