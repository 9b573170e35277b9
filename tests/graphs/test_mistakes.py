"""Mistakes: what a wrong file is told, word for word."""

# ruff: noqa: E501

from __future__ import annotations

import random

import pytest

from apical.graphs.diagnostics import CircuitError
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

# what it is, the text that is replaced, by what, and all that is then said
MISTAKES = [
    (
        "population misspelt key",
        "    size: sizes[k]\n",
        "    sise: sizes[k]\n",
        """\
small.yaml:44:5: unknown key 'sise' in a population
        sise: sizes[k]
        ^
  expected: cell, size, parameters
  got: sise
  try: size: sizes[k]""",
    ),
    (
        "top key",
        "protocols:\n  predict: free\n  train",
        "protocol:\n  predict: free\n  train",
        """\
small.yaml:66:1: unknown key 'protocol' in a circuit
    protocol:
    ^
  expected: apical, name, title, cite, time_unit, extends, parameters, functions, data, cells, populations, synapses, energy, predicts, record, protocols, variants
  got: protocol
  try: protocols:""",
    ),
    (
        "var misspelt",
        "-u + v + a",
        "-u + v_ + a",
        """\
small.yaml:28:28: the cell 'neuron' does not know the name 'v_'
          - tau * du/dt = -u + v_ + a
                               ^
  expected: v, a, u, r, e, input, sizes, L, tau, eta, beta, T, image, label, t, dt, step, presentation, sample, epoch, pi
  try: - tau * du/dt = -u + v + a""",
    ),
    (
        "rule var",
        "post.e * pre.r\n  F",
        "post.err * pre.r\n  F",
        """\
small.yaml:54:30: the population 'layer[1]' has no variable 'err'
        rule: w += eta[k] * post.err * pre.r
                                 ^
  expected: v, a, u, r, e""",
    ),
    (
        "rule no side",
        "eta[k] * post.e",
        "eta[k] * e",
        """\
small.yaml:54:25: a rule is written for one synapse: say whose 'e' it is
        rule: w += eta[k] * e * pre.r
                            ^
  expected: `post.e`
  try: rule: w += eta[k] * post.e * pre.r""",
    ),
    (
        "family index",
        "from: layer[k-1].r",
        "from: layer[k+1].r",
        """\
small.yaml:51:11: there is no layer[3]
        from: layer[k+1].r
              ^
  expected: members 0 to 2""",
    ),
    (
        "param index",
        "eta[k] * post",
        "eta[k-1] * post",
        """\
small.yaml:54:16: there is no eta[0]
        rule: w += eta[k-1] * post.e * pre.r
                   ^
  expected: members 1 to 2""",
    ),
    (
        "param family bare",
        "eta[k] * post",
        "eta * post",
        """\
small.yaml:54:16: 'eta' is a family of parameters
        rule: w += eta * post.e * pre.r
                   ^
  expected: one of them, such as eta[k]""",
    ),
    (
        "list count",
        "[0.1, 0.2]",
        "[0.1, 0.2, 0.3]",
        """\
small.yaml:9:16: 'eta' has 3 values for 2 members
      eta[k=1..L]: [0.1, 0.2, 0.3]
                   ^
  expected: 2 values, for eta[1] to eta[2]""",
    ),
    (
        "bracket",
        "max(0.1 / (1 + s), 0.01)",
        "max(0.1 / (1 + s, 0.01)",
        """\
small.yaml:15:12: this `(` is never closed
      h(s): max(0.1 / (1 + s, 0.01)
               ^
  expected: a `)` further right""",
    ),
    (
        "flow",
        "    soma: r = image",
        "    soma: {r: clip(u, 0, 1)}",
        """\
small.yaml:23:19: brackets inside {}: YAML would cut the value at its commas
        soma: {r: clip(u, 0, 1)}
                      ^
  expected: block style, one item per line
  try:     soma:
      r: clip(u, 0, 1)""",
    ),
    (
        "size",
        "    size: sizes[L]\n",
        "    size: -1\n",
        """\
small.yaml:47:11: the size of a population is a whole number from 1
        size: -1
              ^
  got: -1""",
    ),
    (
        "undeclared set",
        "set: beta = 1",
        "set: betta = 1",
        """\
small.yaml:75:12: every name that `set` gives a value is declared under `parameters`; there is no parameter 'betta'
          set: betta = 1
               ^
  expected: sizes, L, tau, eta, beta, T
  try: set: beta = 1""",
    ),
    (
        "structural set",
        "set: beta = 1",
        "set: T = 1",
        """\
small.yaml:75:12: 'T' is fixed before the run: a size, an index or a step count needs it
          set: T = 1
               ^
  expected: a parameter that only equations, rules, `dt` or `until` read""",
    ),
    (
        "input outside",
        "      - e = r - v\n  output:",
        "      - e = r - v\n    after_step: u := clip(input, 0, 1)\n  output:",
        """\
small.yaml:31:27: `input` stands outside a compartment
        after_step: u := clip(input, 0, 1)
                              ^
  expected: a variable of a compartment: `total = input` there, `total` here""",
    ),
    (
        "unknown cell",
        "cell: neuron",
        "cell: neurom",
        """\
small.yaml:43:11: there is no cell 'neurom'
        cell: neurom
              ^
  expected: sensory, neuron, output, pyramidal
  try: cell: neuron""",
    ),
    (
        "unknown compartment",
        "to: layer[k].basal",
        "to: layer[k].bassal",
        """\
small.yaml:52:18: the population 'layer[1]' has no compartment 'bassal'
        to: layer[k].bassal
                     ^
  expected: basal, apical, soma
  try: to: layer[k].basal""",
    ),
    (
        "port unreached",
        "input.top",
        "input.up",
        """\
small.yaml:26:17: no synapse reaches the port 'up' of 'layer[1].apical'
        apical: a = input.up
                    ^
  expected: a synapse with `to: layer[1].apical.up`; those there are: top
small.yaml:57:9: no equation of 'layer[1].apical' reads `input.top`, which 'F[1]' brings
        to: layer[k].apical.top
            ^""",
    ),
    (
        "dup key",
        "  tau: 2\n",
        "  tau: 2\n  tau: 3\n",
        """\
small.yaml:9:3: `tau` stands here a second time; the first is on line 8
      tau: 3
      ^
  expected: one entry per key""",
    ),
    (
        "dup var",
        "      - e = r - v\n  output:",
        "      - e = r - v\n      - v = 2\n  output:",
        """\
small.yaml:31:9: the variable 'v' has two equations in this cell
          - v = 2
            ^""",
    ),
    (
        "update in compartment",
        "      - r = f(u)\n      - e = r - v\n  output",
        "      - r := f(u)\n      - e = r - v\n  output",
        """\
small.yaml:29:9: an update (`:=`) stands in the compartment 'soma'
          - r := f(u)
            ^
  expected: `x = E` or `dx/dt = E`; updates stand under `after_step` or `rules`""",
    ),
    (
        "remainder",
        "-u + v + a",
        "-u % v + a",
        """\
small.yaml:28:26: `%` does not belong to the language
          - tau * du/dt = -u % v + a
                             ^
  expected: `x - n*floor(x/n)` for the remainder of x/n""",
    ),
    (
        "matrix product",
        "basal: v = input\n    apical",
        "basal: v = W @ layer[0].r\n    apical",
        """\
small.yaml:25:18: `x@p` is x at the end of phase p; a product with weights is what a synapse brings
        basal: v = W @ layer[0].r
                     ^
  expected: `input`, and a synapse `from: population.variable`, `to: population.compartment`""",
    ),
    (
        "synapse in a cell",
        "basal: v = input\n    apical",
        "basal: v = W * r\n    apical",
        """\
small.yaml:25:16: a cell cannot read a synapse
        basal: v = W * r
                   ^
  expected: `input`: what all synapses bring that end at this compartment""",
    ),
    (
        "named argument",
        "    rule: w += eta[k] * post.e * pre.r\n",
        "    rule: w += eta[k] * post.e * pre.r\n    optimizer: adam(lr=0.1)\n",
        """\
small.yaml:55:23: arguments are known by their order: `lr` is not named
        optimizer: adam(lr=0.1)
                          ^
  expected: an expression
  try: adam(0.1)""",
    ),
    (
        "rate of post",
        "eta[k] * post.e * pre.r",
        "eta[k] * post.du/dt * pre.r",
        """\
small.yaml:54:30: a rule reads variables, and 'du/dt' is none
        rule: w += eta[k] * post.du/dt * pre.r
                                 ^
  expected: a variable of the cell, `rate = du/dt`, read as `post.rate`""",
    ),
    (
        "draw in an equation",
        "soma: r = image",
        "soma: r = normal(0, 1)",
        """\
small.yaml:23:15: 'normal' is drawn once, by `init` and `set`, and not here
        soma: r = normal(0, 1)
                  ^
  expected: `xi`, a normal number for each unit and step, as in dV/dt = -V + sigma*xi""",
    ),
    (
        "part of a synapse in init",
        "init: xavier_uniform",
        "init: F.npy",
        """\
small.yaml:53:11: 'F' has no .npy in `init`
        init: F.npy
              ^""",
    ),
    (
        "ternary",
        "soma: r = image",
        "soma: r = image > 0 ? 1 ; 0",
        """\
small.yaml:23:25: `?` does not belong to the language
        soma: r = image > 0 ? 1 ; 0
                            ^
  expected: `where(condition, a, b)`""",
    ),
    (
        "unknown function",
        "f(u)\n      - e = r - v\n  output",
        "tahn(u)\n      - e = r - v\n  output",
        """\
small.yaml:29:13: there is no function 'tahn'
          - r = tahn(u)
                ^
  expected: f, h, identity, tanh, logistic, relu, softplus, clip, abs, sign, exp, exprel, log, sqrt, sin, cos, min, max, where, round, floor, softmax, sum, mean, norm, len
  try: - r = tanh(u)""",
    ),
    (
        "arity",
        "f(u)\n      - e = r - v\n  output",
        "f(u, 2)\n      - e = r - v\n  output",
        """\
small.yaml:29:13: 'tanh' takes 1 argument, not 2
          - r = f(u, 2)
                ^""",
    ),
    (
        "no turn",
        "order: k = 1..L",
        "order: k = 1..1",
        """\
small.yaml:73:14: the population 'layer[2]' has states, but `order` gives it no turn
          order: k = 1..1
                 ^
  expected: a turn for: layer[1], layer[2]""",
    ),
    (
        "weight shape",
        "transpose(W[k+1])",
        "W[k+1]",
        """\
small.yaml:58:13: the weight of 'F[1]' has the shape (2, 3)
        weight: W[k+1]
                ^
  expected: (3, 2), from 2 to 3 units
  try: weight: transpose(W[k+1])""",
    ),
    (
        "one_to_one",
        "    init: xavier_uniform\n",
        "    init: xavier_uniform\n    connect: one_to_one\n",
        """\
small.yaml:54:5: synapse 'W[1]': connect: one_to_one needs as many presynaptic as postsynaptic units, not 4 and 3
        connect: one_to_one
        ^""",
    ),
    (
        "delay",
        "    init: xavier_uniform\n",
        "    init: xavier_uniform\n    delay: 2\n",
        """\
small.yaml:54:5: 'delay' of a synapse is a word of the language that is not built yet
        delay: 2
        ^
  expected: from, to, connect, init, weight, bias, current, filter, trace, rule, batch, optimizer, \
check""",
    ),
    (
        "connect sparse",
        "    init: xavier_uniform\n",
        "    init: xavier_uniform\n    connect: sparse(0.1)\n",
        """\
small.yaml:54:14: `connect: sparse` is a word of the language that is not built yet
        connect: sparse(0.1)
                 ^
  expected: dense, one_to_one, all_but_self, all_to_one, one_to_all""",
    ),
    (
        "unknown check",
        "    init: xavier_uniform\n",
        "    init: xavier_uniform\n    check: positive_definit\n",
        """\
small.yaml:54:12: there is no check 'positive_definit'
        check: positive_definit
               ^
  expected: positive_definite
  try: check: positive_definite""",
    ),
    (
        "check of a wide array",
        "    init: xavier_uniform\n",
        "    init: xavier_uniform\n    check: positive_definite\n",
        """\
small.yaml:54:12: `check: positive_definite` needs a square array of weights
        check: positive_definite
               ^
  got: (3, 4)""",
    ),
    (
        "rk45",
        "      order: k = 1..L\n",
        "      order: k = 1..L\n      method: rk45\n",
        """\
small.yaml:74:15: `method: rk45` is a word of the language that is not built yet
          method: rk45
                  ^
  expected: euler, heun, rk4, exponential_euler""",
    ),
    (
        "unknown phase",
        "post.e * pre.r\n",
        "post.e * pre.r@fre\n",
        """\
small.yaml:54:40: there is no phase 'fre'
        rule: w += eta[k] * post.e * pre.r@fre
                                           ^
  expected: free, nudged
  try: rule: w += eta[k] * post.e * pre.r@free""",
    ),
    (
        "phase too early",
        "f(u)\n      - e = r - v\n  output",
        "f(u@nudged)\n      - e = r - v\n  output",
        """\
small.yaml:29:16: `@nudged` is read in the phase 'free' of 'predict', where 'nudged' has not ended
          - r = f(u@nudged)
                   ^""",
    ),
    (
        "learn no rule",
        "learn: W",
        "learn: F",
        """\
small.yaml:78:14: the synapse 'F[1]' has no rule to learn by
          learn: F
                 ^""",
    ),
    (
        "learn unknown",
        "learn: W",
        "learn: V",
        """\
small.yaml:78:14: there is no synapse 'V'
          learn: V
                 ^
  expected: W, F""",
    ),
    (
        "begin =",
        "layer[k].u := 0",
        "layer[k].u = 0",
        """\
small.yaml:70:14: a line of `begin` is an assignment
          begin: layer[k].u = 0 for k = 1..L
                 ^
  expected: `population.x := E`
  try: layer[k].u := 0 for k = 1..L""",
    ),
    (
        "begin algebraic",
        "layer[k].u := 0",
        "layer[k].r := 0",
        """\
small.yaml:70:14: `begin` cannot set 'r' of 'layer[1]': it is algebraic, its equation says what it is
          begin: layer[k].r := 0 for k = 1..L
                 ^
  expected: a state""",
    ),
    (
        "circle param2",
        "  beta: 0\n  T: 5",
        "  beta: T\n  T: beta",
        """\
small.yaml:10:3: parameters depend on each other in a circle: beta -> T -> beta
      beta: T
      ^""",
    ),
    (
        "missing colon space",
        "    size: sizes[k]\n",
        "    size:sizes[k]\n",
        """\
small.yaml:44:10: a space is missing after the colon of `size:`
        size:sizes[k]
             ^
  expected: `key: value`
  try:     size: sizes[k]""",
    ),
    (
        "tab",
        "  tau: 2\n",
        "\ttau: 2\n",
        """\
small.yaml:8:1: a tab stands in the indentation; YAML is indented and spaced with blanks
     tau: 2
    ^
  expected: blanks
  try:   tau: 2""",
    ),
    (
        "null value energy",
        "E: sum(layer[1..L].e^2) / 2",
        "E: sum(layer[0..L].e^2) / 2",
        """\
small.yaml:61:22: the population 'layer[0]' has no variable 'e'
      E: sum(layer[0..L].e^2) / 2
                         ^
  expected: r""",
    ),
    (
        "variant typo",
        "          learn: null",
        "          lern: null",
        """\
small.yaml:85:11: unknown key 'lern' in a phase
              lern: null
              ^
  expected: from, release, clamp, set, begin, steps, for, dt, method, order, until, learn_each_step, plasticity, learn
  got: lern
  try: learn: null""",
    ),
    (
        "missing size",
        "    cell: neuron\n    size: sizes[k]\n",
        "    cell: neuron\n",
        """\
small.yaml:42:3: a population needs the key 'size'
      layer[k=1..L-1]:
      ^
  try: size: ...""",
    ),
    (
        "other pop in cell",
        "v - u - beta",
        "v - u - layer[1].r - beta",
        """\
small.yaml:34:31: a cell cannot read another population
          - tau * du/dt = v - u - layer[1].r - beta*(r - label)
                                  ^
  expected: a synapse that brings it here, read as `input` or `input.port`""",
    ),
    (
        "softmax prime",
        "r = f(u)\n      - e = r - v\n  output",
        "r = softmax'(u)\n      - e = r - v\n  output",
        """\
small.yaml:29:13: 'softmax' has no derivative
          - r = softmax'(u)
                ^""",
    ),
    (
        "apical 2",
        "apical: 1",
        "apical: 2",
        """\
small.yaml:1:9: this version of apical reads format 1
    apical: 2
            ^
  try: apical: 1""",
    ),
    (
        "colon in expr",
        "max(0.1 / (1 + s), 0.01)",
        "max(0.1 : (1 + s), 0.01)",
        """\
small.yaml:15:17: a colon followed by a space stands inside the value: YAML takes it for a new key
      h(s): max(0.1 : (1 + s), 0.01)
                    ^
  expected: no colon, or quotation marks around a text
  try:   h(s): "max(0.1 : (1 + s), 0.01)\"""",
    ),
    (
        "dt constant",
        "      dt: 0.1\n",
        "      dt: 0.1*q\n",
        """\
small.yaml:77:15: `dt` does not know the name 'q'
          dt: 0.1*q
                  ^
  expected: sizes, L, tau, eta, beta, T, t, dt, step, presentation, sample, epoch, pi""",
    ),
    (
        "no dt",
        "      dt: 0.1\n",
        "",
        """\
small.yaml:76:7: the phase 'nudged' has steps but no `dt`
          steps: T
          ^
  try: dt: 0.1""",
    ),
    (
        "predict phase",
        "predict: free",
        "predict: fre",
        """\
small.yaml:67:12: the protocol 'train' has no phase 'fre'
      predict: fre
               ^
  expected: free, nudged
  try: predict: free""",
    ),
    (
        "division by zero",
        "tau: 2",
        "tau: 1/0",
        """\
small.yaml:8:8: division by zero
      tau: 1/0
           ^""",
    ),
    (
        "algebraic loop",
        "      - e = r - v\n  output",
        "      - e = r - c\n      - c = 2*e\n  output",
        """\
small.yaml:30:9: an algebraic loop, each variable reads the next: layer[1].e -> layer[1].c -> layer[1].e
          - e = r - c
            ^
  expected: a state somewhere on the loop, such as `tau * de/dt = ...`, or a clamp""",
    ),
    (
        "reserved name",
        "      - e = r - v\n  output",
        "      - post = r - v\n  output",
        """\
small.yaml:30:9: 'post' is a word of the language, no name for a variable
          - post = r - v
            ^""",
    ),
    (
        "undeclared parameter of a population",
        "    cell: output\n",
        "    cell: output\n    parameters:\n      g: taus\n",
        """\
small.yaml:48:10: a parameter of a population does not know the name 'taus'
          g: taus
             ^
  expected: sizes, L, tau, eta, beta, T, pi
  try: g: tau""",
    ),
    (
        "learn a member that is not there",
        "learn: W",
        "learn: W[k] for k = 1..3",
        """\
small.yaml:78:14: there is no W[3]
          learn: W[k] for k = 1..3
                 ^
  expected: members 1 to 2""",
    ),
    (
        "functions in a circle",
        "  f: tanh\n",
        "  f: g\n  g: f\n",
        """\
small.yaml:15:3: functions in a circle: f -> g -> f
      g: f
      ^""",
    ),
    (
        "heirs in a circle",
        "  neuron:\n",
        "  neuron:\n    is: neuron\n",
        """\
small.yaml:25:9: the cell 'neuron' inherits from itself
        is: neuron
            ^""",
    ),
    (
        "record",
        "predicts:\n",
        "record: layer[1].e in nudgd\n\npredicts:\n",
        """\
small.yaml:63:23: there is no phase 'nudgd'
    record: layer[1].e in nudgd
                          ^
  expected: free, nudged
  try: record: layer[1].e in nudged""",
    ),
    (
        "optimizer",
        "    init: xavier_uniform\n",
        "    init: xavier_uniform\n    optimizer: adm(0.1)\n",
        """\
small.yaml:54:16: there is no optimizer 'adm'
        optimizer: adm(0.1)
                   ^
  expected: sgd, momentum, nesterov, adam, mq
  try: optimizer: adam(0.1)""",
    ),
    (
        "noise outside a state",
        "      - r = f(u)\n      - e = r - v\n  output",
        "      - r = f(u) + xi\n      - e = r - v\n  output",
        """\
small.yaml:29:20: noise `xi` stands only on the right of a `d/dt` equation
          - r = f(u) + xi
                       ^""",
    ),
]


def said(text: str, **chosen) -> str:
    """What is said about a wrong text."""
    with pytest.raises(CircuitError) as caught:
        load_text(text, "small.yaml", **chosen)
    return str(caught.value)


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


@pytest.mark.parametrize(("old", "new", "message"), [m[1:] for m in MISTAKES],
                         ids=[m[0] for m in MISTAKES])  # fmt: skip
def test_a_mistake_has_its_message(old, new, message):
    assert said(changed((old, new))) == message


def test_all_mistakes_of_a_file_are_said_at_once_in_its_order():
    text = changed(
        ("    cell: output\n", "    cell: outputt\n"),
        ("-u + v + a", "-u + vv + aa"),
        ("learn: W", "learn: V"),
        ("set: beta = 1", "set: betta = 1"),
        ("[0.1, 0.2]", "[0.1]"),
    )
    with pytest.raises(CircuitError) as caught:
        load_text(text, "small.yaml")
    places = [(d.place.line, d.place.column) for d in caught.value.diagnostics]
    assert places == [(9, 16), (28, 28), (28, 33), (46, 11), (75, 12), (78, 14)]


def test_a_problem_in_a_folded_text_has_its_true_place():
    text = changed(
        ("    rule: w += eta[k] * post.e * pre.r\n",
         "    rule: >-\n      w += eta[k] * post.e\n      * pre.rr\n"),
    )  # fmt: skip
    assert said(text).startswith("small.yaml:56:13: the population 'layer[0]' has no variable 'rr'")


def test_a_mistake_in_a_library_cell_or_its_use_names_the_file():
    text = changed(("    cell: neuron\n", "    cell: pyramidal\n"))
    assert "compartments/pyramidal.yaml:" in said(text)
    assert "does not know the name 'g_lk'" in said(text)


def test_what_is_not_there():
    assert said(SMALL, variants=["stil"]) == (
        "small.yaml:80:1: there is no variant 'stil'\n    variants:\n    ^\n"
        "  expected: still\n  try: still"
    )
    assert said(SMALL, sise=[1]) == (
        "<override sise>:1:1: there is no parameter 'sise'\n    sise=[1]\n    ^\n"
        "  expected: sizes, L, tau, eta, beta, T\n  try: sizes=[1]"
    )
    with pytest.raises(CircuitError) as caught:
        load("corinfomx")
    assert str(caught.value).startswith(
        "corinfomx:1:1: 'corinfomx' is no file, and no bundled circuit has this name\n"
    )
    assert str(caught.value).endswith("\n  try: corinfomax")


def test_overrides_that_do_not_fit():
    assert "'eta' has 2 values for 3 members" in said(SMALL, sizes=[4, 3, 3, 2])
    assert "the size of a population is a whole number from 1" in said(SMALL, sizes=[4, 0, 2])
    assert "does not know the name 'sizs'" in said(SMALL, L="len(sizes) + sizs")


def test_unused_names_are_warnings_and_use_in_a_variant_counts():
    circuit = load_text(changed(("  beta: 0\n", "  beta: 0\n  gamma: 1\n")), "small.yaml")
    assert [str(w) for w in circuit.warnings] == [
        "small.yaml:11:3: warning: the parameter 'gamma' is not used\n      gamma: 1\n      ^"
    ]
    stream = load_text(changed(("  label: sizes[L]\n\n", "  label: sizes[L]\n  mask: 1\n\n")))
    assert [w.message for w in stream.warnings] == ["the stream 'mask' is not used"]
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
