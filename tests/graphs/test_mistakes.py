"""Mistakes: what a wrong file is told, where, and what to write; the words are in snapshots."""

from __future__ import annotations

import random

import pytest

from apical.graphs.diagnostics import CircuitError, Place
from apical.graphs.load import bundled, load, load_text

SMALL = """\
apical: 1
name: small
title: A small circuit

parameters:
  sizes: [4, 3, 2]
  L: len(sizes) - 1
  tau: 2
  eta[k=1..L]: [0.1, 0.2]
  beta: 0
  T: 5

functions:
  f: tanh
  h(s): max(0.1 / (1 + s), 0.01)

data:
  image: sizes[0]
  label: sizes[L]

cells:
  sensory:
    soma: r = image
  neuron:
    basal: v = input
    apical: a = input.top
    soma:
      - tau * du/dt = -u + v + a
      - r = f(u)
      - e = r - v
  output:
    basal: v = input
    soma:
      - tau * du/dt = v - u - beta*(r - label)
      - r = f(u)
      - e = r - v

populations:
  layer[0]:
    cell: sensory
    size: sizes[0]
  layer[k=1..L-1]:
    cell: neuron
    size: sizes[k]
  layer[L]:
    cell: output
    size: sizes[L]

synapses:
  W[k=1..L]:
    from: layer[k-1].r
    to: layer[k].basal
    init: xavier_uniform
    rule: w += eta[k] * post.e * pre.r
  F[k=1..L-1]:
    from: layer[k+1].r
    to: layer[k].apical.top
    weight: transpose(W[k+1])

energy:
  E: sum(layer[1..L].e^2) / 2

predicts:
  label: layer[L].r

protocols:
  predict: free
  train:
    free:
      begin: layer[k].u := 0 for k = 1..L
      steps: T
      dt: h(step)
      order: k = 1..L
    nudged:
      set: beta = 1
      steps: T
      dt: 0.1
      learn: W

variants:
  still:
    protocols:
      train:
        nudged:
          learn: null
"""

# what it is, the text that is replaced, by what, and of what is then said line, column, suggestion
MISTAKES = [
    (
        "population misspelt key",
        "    size: sizes[k]\n",
        "    sise: sizes[k]\n",
        44,
        5,
        "size: sizes[k]",
    ),
    (
        "top key",
        "protocols:\n  predict: free\n  train",
        "protocol:\n  predict: free\n  train",
        66,
        1,
        "protocols:",
    ),
    ("var misspelt", "-u + v + a", "-u + v_ + a", 28, 28, "- tau * du/dt = -u + v + a"),
    ("rule var", "post.e * pre.r\n  F", "post.err * pre.r\n  F", 54, 30, None),
    ("rule no side", "eta[k] * post.e", "eta[k] * e", 54, 25, "rule: w += eta[k] * post.e * pre.r"),
    ("family index", "from: layer[k-1].r", "from: layer[k+1].r", 51, 11, None),
    ("param index", "eta[k] * post", "eta[k-1] * post", 54, 16, None),
    ("param family bare", "eta[k] * post", "eta * post", 54, 16, None),
    ("list count", "[0.1, 0.2]", "[0.1, 0.2, 0.3]", 9, 16, None),
    ("bracket", "max(0.1 / (1 + s), 0.01)", "max(0.1 / (1 + s, 0.01)", 15, 12, None),
    (
        "flow",
        "    soma: r = image",
        "    soma: {r: clip(u, 0, 1)}",
        23,
        19,
        "    soma:\n      r: clip(u, 0, 1)",
    ),
    ("size", "    size: sizes[L]\n", "    size: -1\n", 47, 11, None),
    ("undeclared set", "set: beta = 1", "set: betta = 1", 75, 12, "set: beta = 1"),
    ("structural set", "set: beta = 1", "set: T = 1", 75, 12, None),
    (
        "input outside",
        "      - e = r - v\n  output:",
        "      - e = r - v\n    after_step: u := clip(input, 0, 1)\n  output:",
        31,
        27,
        None,
    ),
    ("unknown cell", "cell: neuron", "cell: neurom", 43, 11, "cell: neuron"),
    (
        "unknown compartment",
        "to: layer[k].basal",
        "to: layer[k].bassal",
        52,
        18,
        "to: layer[k].basal",
    ),
    ("dup key", "  tau: 2\n", "  tau: 2\n  tau: 3\n", 9, 3, None),
    (
        "dup var",
        "      - e = r - v\n  output:",
        "      - e = r - v\n      - v = 2\n  output:",
        31,
        9,
        None,
    ),
    (
        "update in compartment",
        "      - r = f(u)\n      - e = r - v\n  output",
        "      - r := f(u)\n      - e = r - v\n  output",
        29,
        9,
        None,
    ),
    ("remainder", "-u + v + a", "-u % v + a", 28, 26, None),
    (
        "matrix product",
        "basal: v = input\n    apical",
        "basal: v = W @ layer[0].r\n    apical",
        25,
        18,
        None,
    ),
    (
        "synapse in a cell",
        "basal: v = input\n    apical",
        "basal: v = W * r\n    apical",
        25,
        16,
        None,
    ),
    (
        "named argument",
        "    rule: w += eta[k] * post.e * pre.r\n",
        "    rule: w += eta[k] * post.e * pre.r\n    optimizer: adam(lr=0.1)\n",
        55,
        23,
        "adam(0.1)",
    ),
    ("rate of post", "eta[k] * post.e * pre.r", "eta[k] * post.du/dt * pre.r", 54, 30, None),
    ("draw in an equation", "soma: r = image", "soma: r = normal(0, 1)", 23, 15, None),
    ("phase that repeats", "      learn: W\n", "      learn: W\n      repeat: 3\n", 79, 7, None),
    ("file of an array", "init: xavier_uniform", "init: F.npy", 53, 11, 'init: file("F.npy")'),
    (
        "file without quotation marks",
        "init: xavier_uniform",
        "init: 2*file(a/F.npz, W)",
        53,
        13,
        'init: 2*file("a/F.npz", "W")',
    ),
    (
        "single quotation marks",
        "init: xavier_uniform",
        "init: file('F.npy')",
        53,
        16,
        'file("F.npy")',
    ),
    ("text that is no file", "init: xavier_uniform", 'init: 1 + "F"', 53, 15, None),
    ("file in a rule", "eta[k] * post.e * pre.r", 'file("F.npy") * pre.r', 54, 16, None),
    ("file that is not there", "init: xavier_uniform", 'init: file("F.npy")', 53, 11, None),
    ("file elsewhere", "init: xavier_uniform", 'init: file("../F.npy")', 53, 11, None),
    ("file of another kind", "init: xavier_uniform", 'init: file("F.mat")', 53, 11, None),
    ("array that nobody gives", "init: xavier_uniform", 'init: array("A")', 53, 11, None),
    ("ternary", "soma: r = image", "soma: r = image > 0 ? 1 ; 0", 23, 25, None),
    (
        "unknown function",
        "f(u)\n      - e = r - v\n  output",
        "tahn(u)\n      - e = r - v\n  output",
        29,
        13,
        "- r = tanh(u)",
    ),
    (
        "arity",
        "f(u)\n      - e = r - v\n  output",
        "f(u, 2)\n      - e = r - v\n  output",
        29,
        13,
        None,
    ),
    ("no turn", "order: k = 1..L", "order: k = 1..1", 73, 14, None),
    ("weight shape", "transpose(W[k+1])", "W[k+1]", 58, 13, "weight: transpose(W[k+1])"),
    (
        "one_to_one",
        "    init: xavier_uniform\n",
        "    init: xavier_uniform\n    connect: one_to_one\n",
        54,
        5,
        None,
    ),
    (
        "delay",
        "    init: xavier_uniform\n",
        "    init: xavier_uniform\n    delay: 0.1*|post.index - pre.index|\n",
        54,
        17,
        None,
    ),
    (
        "connect indices",
        "    init: xavier_uniform\n",
        "    init: xavier_uniform\n    connect: indices(a)\n",
        54,
        14,
        None,
    ),
    *(
        (
            f"connect: {wrong}",
            "    init: xavier_uniform\n",
            f"    init: xavier_uniform\n    connect: {wrong}\n",
            54,
            column,
            right,
        )
        for wrong, column, right in (
            ("sparse", 14, "connect: sparse(0.1)"),
            ("sparse(0.1, 2)", 14, "connect: sparse(0.1)"),
            ("spars(0.1)", 14, "connect: sparse(0.1)"),
            ("sparse(1.5)", 14, "connect: sparse(0.1)"),
            ("sparse(uniform(0, 1))", 21, None),
            ("sparse(post.index)", 21, None),
            ("indegree(1.5)", 14, "connect: indegree(1)"),
            ("indegree(9)", 14, "connect: indegree(1)"),
            ("when", 14, None),
            ("when index == 1", 19, None),
            ("when post.u > 0", 24, None),
            ("when V > 0", 19, None),
            ("when bernoulli(2)", 29, "connect: when bernoulli(0.5)"),
            ("when sum(pre.index) > 0", 19, None),
        )
    ),
    (
        "unknown check",
        "    init: xavier_uniform\n",
        "    init: xavier_uniform\n    check: positive_definit\n",
        54,
        12,
        "check: positive_definite",
    ),
    (
        "check of a wide array",
        "    init: xavier_uniform\n",
        "    init: xavier_uniform\n    check: positive_definite\n",
        54,
        12,
        None,
    ),
    (
        "rk45",
        "      order: k = 1..L\n",
        "      order: k = 1..L\n      method: rk45\n",
        74,
        15,
        None,
    ),
    (
        "unknown phase",
        "post.e * pre.r\n",
        "post.e * pre.r@fre\n",
        54,
        40,
        "rule: w += eta[k] * post.e * pre.r@free",
    ),
    (
        "phase too early",
        "f(u)\n      - e = r - v\n  output",
        "f(u@nudged)\n      - e = r - v\n  output",
        29,
        16,
        None,
    ),
    ("learn no rule", "learn: W", "learn: F", 78, 14, None),
    ("learn unknown", "learn: W", "learn: V", 78, 14, None),
    ("begin =", "layer[k].u := 0", "layer[k].u = 0", 70, 14, "layer[k].u := 0 for k = 1..L"),
    ("begin algebraic", "layer[k].u := 0", "layer[k].r := 0", 70, 14, None),
    ("circle param2", "  beta: 0\n  T: 5", "  beta: T\n  T: beta", 10, 3, None),
    (
        "missing colon space",
        "    size: sizes[k]\n",
        "    size:sizes[k]\n",
        44,
        10,
        "    size: sizes[k]",
    ),
    ("tab", "  tau: 2\n", "\ttau: 2\n", 8, 1, "  tau: 2"),
    (
        "null value energy",
        "E: sum(layer[1..L].e^2) / 2",
        "E: sum(layer[0..L].e^2) / 2",
        61,
        22,
        None,
    ),
    ("variant typo", "          learn: null", "          lern: null", 85, 11, "learn: null"),
    (
        "missing size",
        "    cell: neuron\n    size: sizes[k]\n",
        "    cell: neuron\n",
        42,
        3,
        "size: ...",
    ),
    ("other pop in cell", "v - u - beta", "v - u - layer[1].r - beta", 34, 31, None),
    (
        "softmax prime",
        "r = f(u)\n      - e = r - v\n  output",
        "r = softmax'(u)\n      - e = r - v\n  output",
        29,
        13,
        None,
    ),
    ("apical 2", "apical: 1", "apical: 2", 1, 9, "apical: 1"),
    (
        "colon in expr",
        "max(0.1 / (1 + s), 0.01)",
        "max(0.1 : (1 + s), 0.01)",
        15,
        17,
        '  h(s): "max(0.1 : (1 + s), 0.01)"',
    ),
    ("dt constant", "      dt: 0.1\n", "      dt: 0.1*q\n", 77, 15, None),
    ("no dt", "      dt: 0.1\n", "", 76, 7, "dt: 0.1"),
    ("predict phase", "predict: free", "predict: fre", 67, 12, "predict: free"),
    ("division by zero", "tau: 2", "tau: 1/0", 8, 8, None),
    (
        "algebraic loop",
        "      - e = r - v\n  output",
        "      - e = r - c\n      - c = 2*e\n  output",
        30,
        9,
        None,
    ),
    ("reserved name", "      - e = r - v\n  output", "      - post = r - v\n  output", 30, 9, None),
    (
        "undeclared parameter of a population",
        "    cell: output\n",
        "    cell: output\n    parameters:\n      g: taus\n",
        48,
        10,
        "g: tau",
    ),
    ("learn a member that is not there", "learn: W", "learn: W[k] for k = 1..3", 78, 14, None),
    ("functions in a circle", "  f: tanh\n", "  f: g\n  g: f\n", 15, 3, None),
    ("heirs in a circle", "  neuron:\n", "  neuron:\n    is: neuron\n", 25, 9, None),
    (
        "record",
        "predicts:\n",
        "record: layer[1].e in nudgd\n\npredicts:\n",
        63,
        23,
        "record: layer[1].e in nudged",
    ),
    (
        "optimizer",
        "    init: xavier_uniform\n",
        "    init: xavier_uniform\n    optimizer: adm(0.1)\n",
        54,
        16,
        "optimizer: adam(0.1)",
    ),
    (
        "noise outside a state",
        "      - r = f(u)\n      - e = r - v\n  output",
        "      - r = f(u) + xi\n      - e = r - v\n  output",
        29,
        20,
        None,
    ),
]


def told(text: str, **chosen) -> CircuitError:
    """What is said about a wrong text."""
    with pytest.raises(CircuitError) as caught:
        load_text(text, "small.yaml", **chosen)
    return caught.value


def places(error: CircuitError) -> list[tuple[int, int]]:
    """Line and column of each message."""
    return [(d.place.line, d.place.column) for d in error.diagnostics]


def changed(*pairs: tuple[str, str]) -> str:
    """The small circuit with texts replaced."""
    text = SMALL
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def test_the_small_circuit_is_right():
    assert not load_text(SMALL).warnings
    assert load_text(SMALL, variants="still").protocols["train"].phases[1].learn == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "suggestion"),
    [m[1:] for m in MISTAKES],
    ids=[m[0] for m in MISTAKES],
)
def test_a_mistake_has_its_message(old, new, line, column, suggestion, snapshot):
    error = told(changed((old, new)))
    (one,) = error.diagnostics
    assert (one.place.path, one.place.line, one.place.column) == ("small.yaml", line, column)
    assert one.suggestion == suggestion
    assert str(error) == snapshot


def test_a_port_is_told_where_it_is_read_and_where_it_is_reached(snapshot):
    error = told(changed(("input.top", "input.up")))
    assert places(error) == [(26, 17), (57, 9)]
    assert str(error) == snapshot


def test_all_mistakes_of_a_file_are_said_at_once_in_its_order():
    text = changed(
        ("    cell: output\n", "    cell: outputt\n"),
        ("-u + v + a", "-u + vv + aa"),
        ("learn: W", "learn: V"),
        ("set: beta = 1", "set: betta = 1"),
        ("[0.1, 0.2]", "[0.1]"),
    )
    assert places(told(text)) == [(9, 16), (28, 28), (28, 33), (46, 11), (75, 12), (78, 14)]


def test_a_problem_in_a_folded_text_has_its_true_place():
    text = changed(
        ("    rule: w += eta[k] * post.e * pre.r\n",
         "    rule: >-\n      w += eta[k] * post.e\n      * pre.rr\n"),
    )  # fmt: skip
    (one,) = told(text).diagnostics
    assert (one.place.line, one.place.column) == (56, 13) and "'rr'" in one.message


def test_a_mistake_in_a_library_cell_or_its_use_names_the_file():
    text = changed(("    cell: neuron\n", "    cell: pyramidal\n"))
    found = {d.message: d.place.path for d in told(text).diagnostics if "'g_lk'" in d.message}
    assert set(found.values()) == {"compartments/pyramidal.yaml"}


def test_what_is_not_there(snapshot):
    error = told(SMALL, variants=["stil"])
    assert places(error) == [(80, 1)] and error.diagnostics[0].suggestion == "still"
    assert str(error) == snapshot(name="variant")
    error = told(SMALL, sise=[1])
    assert error.diagnostics[0].place == Place("<override sise>", 1, 1)
    assert error.diagnostics[0].suggestion == "sizes=[1]"
    assert str(error) == snapshot(name="override")
    with pytest.raises(CircuitError) as caught:
        load("corinfomx")
    (one,) = caught.value.diagnostics
    assert one.place == Place("corinfomx", 1, 1) and one.suggestion == "corinfomax"
    assert one.message == snapshot(name="circuit")


@pytest.mark.parametrize(
    "chosen", [{"sizes": [4, 3, 3, 2]}, {"sizes": [4, 0, 2]}, {"L": "len(sizes) + sizs"}], ids=str
)
def test_overrides_that_do_not_fit(chosen, snapshot):
    assert str(told(SMALL, **chosen)) == snapshot


def test_unused_names_are_warnings_and_use_in_a_variant_counts(snapshot):
    circuit = load_text(changed(("  beta: 0\n", "  beta: 0\n  gamma: 1\n")), "small.yaml")
    (one,) = circuit.warnings
    assert one.place == Place("small.yaml", 11, 3) and one.warning
    assert str(one) == snapshot(name="parameter")
    stream = load_text(changed(("  label: sizes[L]\n\n", "  label: sizes[L]\n  mask: 1\n\n")))
    (one,) = stream.warnings
    assert one.message == snapshot(name="stream")
    used = changed(
        ("  beta: 0\n", "  beta: 0\n  gamma: 1\n"),
        ("learn: null\n", "learn: null\n          steps: gamma\n"),
    )
    assert not load_text(used).warnings


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "word",
        "- a\n- b\n",
        "apical: 1",
        "apical: 1\nname:\n",
        "apical: 1\nname: a\ncells:\n",
        "apical: 1\nname: a\npopulations:\n  p: 3\n",
        "apical: 1\nname: a\nsynapses:\n  - w\n",
        "apical: 1\nname: a\nparameters:\n  x[k=1..9999999]: 1\n",
        "apical: 1\nname: a\nextends: nowhere.yaml\n",
        "\x00",
        "a: &b c\nd: *b\n",
        "apical: 1\nname: a\nparameters:\n  x: " + "(" * 3000 + "1" + ")" * 3000,
        "apical: 1\nname: a\nparameters:\n"
        + "".join(f"  p{i}: p{i + 1}\n" for i in range(2000))
        + "  p2000: 1\n",
    ],
)
def test_what_is_no_circuit_has_a_message(text):
    with pytest.raises(CircuitError) as caught:
        load_text(text)
    assert all(d.message for d in caught.value.diagnostics)


@pytest.mark.parametrize("name", bundled())
def test_no_wrong_file_ends_in_anything_but_messages(name):
    draw = random.Random(name)
    lines = next(iter(load(name).source.texts.values())).split("\n")
    for _ in range(25):
        wrong = list(lines)
        for _ in range(draw.choice([1, 2, 4])):
            at = draw.randrange(len(wrong))
            kind = draw.randrange(4)
            if kind == 0:
                wrong[at] = ""
            elif kind == 1:
                wrong.insert(at, draw.choice(lines))
            elif kind == 2:
                cut = draw.randrange(len(wrong[at]) + 1)
                wrong[at] = wrong[at][:cut] + draw.choice("()[]{}:,'|*^-+.=0 9k#\t")
            else:
                wrong[at] = "  " + wrong[at]
        try:
            load_text("\n".join(wrong))
        except CircuitError as error:
            assert all(d.message and d.place.line >= 1 for d in error.diagnostics)
