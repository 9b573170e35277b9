"""Numbers that cannot be: told at load, with the line and the corrected line."""

from __future__ import annotations

import pytest

from apical.graphs.diagnostics import CircuitError
from apical.graphs.load import load, load_text

from .stated import stated

POSITIVE = "more than 0"
FRACTION = "at least 0 and less than 1"


def told(*changes, **overrides):
    with pytest.raises(CircuitError) as caught:
        load_text(stated(*changes), "net.yaml", **overrides)
    return caught.value.diagnostics


@pytest.mark.parametrize(
    ("old", "new", "line", "message", "expected", "better"),
    [
        ("dt: 0.1", "dt: 0", 42, "`dt` of the phase 'go' is 0", POSITIVE, "dt: 0.1"),
        ("dt: 0.1", "dt: -0.5", 42, "`dt` of the phase 'go' is -0.5", POSITIVE, "dt: 0.5"),
        ("dt: 0.1", "dt: 1/0.0", 42, "`dt` of the phase 'go' is inf", POSITIVE, None),
        ("dt: 0.1", "dt: 0.2 - step/10", 42, "`dt` of the phase 'go' is 0", POSITIVE, None),
        ("steps: 5", "for: -1", 41, "`for` is a length of time", "at least 0", "for: 1"),
        ("steps: 5", "for: 0.04", 41,
         "`for` is shorter than half a step: round(0.04 / 0.1) is 0 steps",
         "at least 0.1, or a smaller `dt`", None),
        ("tau: 10", "tau: 0", 4, "'tau' is 0: it is the time constant of 'c.u' on line 18",
         POSITIVE, "tau: 1"),
        ("tau: 10", "tau: -10", 4, "'tau' is -10: it is the time constant of 'c.u' on line 18",
         POSITIVE, "tau: 10"),
        ("tau * du", "-2 * du", 18, "the time constant of 'c.u' is -2", POSITIVE,
         "- 2 * du/dt = v - f(u)"),
        ("adam(0.1)", "adam(-1)", 33, "`lr` of the optimizer adam of 'W' is -1", "at least 0",
         "optimizer: adam(1)"),
        ("adam(0.1)", "adam(b, 2)", 33, "`b1` of the optimizer adam of 'W' is 2", FRACTION,
         "optimizer: adam(b, 0.9)"),
        ("adam(0.1)", "adam(b, 0, 1)", 33, "`b2` of the optimizer adam of 'W' is 1", FRACTION,
         "optimizer: adam(b, 0, 0.9)"),
        ("adam(0.1)", "adam(b, 0, 0, 0)", 33, "`eps` of the optimizer adam of 'W' is 0", POSITIVE,
         "optimizer: adam(b, 0, 0, 1)"),
        ("adam(0.1)", "momentum(b, 1)", 33, "`mu` of the optimizer momentum of 'W' is 1", FRACTION,
         "optimizer: momentum(b, 0.9)"),
        ("adam(0.1)", "mq(b, b, -1)", 33, "`r` of the optimizer mq of 'W' is -1", "at least 0",
         "optimizer: mq(b, b, 1)"),
        ("normal(0, 0.1)", "eye + normal(0, -1)", 31, "`s` of `normal(m, s)` in `init` is -1",
         "at least 0", "init: eye + normal(0, 1)"),
        ("normal(0, 0.1)", "2*uniform(b, 0)", 31,
         "`b - a` of `uniform(a, b)` in `init` is -0.5 (b = 0.5)", "at least 0",
         "init: 2*uniform(0, b)"),
        ("steps: 5", "set: b = normal(1, -2)\n      steps: 5", 41,
         "`s` of `normal(m, s)` in `set` is -2", "at least 0", "set: b = normal(1, 2)"),
        ("    rule: w", "    filter: [0, 2]\n    rule: w", 32,
         "a time constant of the filter of 'W' is 0", POSITIVE, "filter: [1, 2]"),
        ("    rule: w", "    trace: -b * dm/dt = -m\n    rule: w", 32, None, None, None),
        ("    rule: w", "    trace: (b - 1) * dm/dt = -m\n    rule: w", 32,
         "the time constant of a trace of 'W' is -0.5 (b = 0.5)", POSITIVE, None),
        ("    basal: v", "    domain:\n      u: [2, -2]\n    basal: v", 17,
         "the width of the domain of 'c.u' is -4", "at least 0", "u: [-2, 2]"),
    ],
)  # fmt: skip
def test_a_number_that_cannot_be(old, new, line, message, expected, better):
    (one,) = told((old, new))
    assert one.place.line == line
    if message is not None:
        assert (one.message, one.expected, one.suggestion) == (message, expected, better)


def test_every_wrong_argument_is_told():
    assert [d.message for d in told(("adam(0.1)", "adam(-1, 2, 5, 0)"))] == [
        f"`{name}` of the optimizer adam of 'W' is {value}"
        for name, value in (("lr", "-1"), ("b1", "2"), ("b2", "5"), ("eps", "0"))
    ]


def test_an_override_is_told_at_itself():
    (one,) = told(tau=0)
    assert one.place.path == "<override tau>"
    assert one.message == "'tau' is 0: it is the time constant of 'c.u' on line 18"


def test_what_a_phase_sets_counts_where_it_is_set():
    setting = ("steps: 5", "set: tau = b - 1\n      steps: 5")
    (one,) = told(setting)
    assert one.message == "the time constant of 'c.u' is -0.5 (b = 0.5, 'go' sets tau)"
    fine = ("steps: 5", "set: tau = 3\n      steps: 5")
    load_text(stated(fine, ("tau: 10", "tau: 0")))  # its value in the file is never used


def test_what_a_run_computes_is_left_to_the_run():
    for new in ("(1 + u^2) * du", "label * du", "t * du"):
        load_text(stated(("tau * du", new), ("\n  tau: 10", "")))
    load_text(stated(("dt: 0.1", "dt: 0.1*t - 1")))


@pytest.mark.parametrize("name", ["pc", "corinfomax", "seqil"])
def test_requirements_of_a_circuit_are_few(name):
    assert 0 < len(load(name).requirements) < 20


# --- their kind ---


def test_a_parameter_is_a_number_or_a_family():
    (one,) = told(("  b: 0.5", "  b: 0.5\n  b[k=1..2]: 3"))
    assert one.message == "the parameter 'b' is declared with and without index"
    assert one.place.line == 7


@pytest.mark.parametrize(
    ("old", "new"),
    [("b * post.e", "eta[1] * post.e"), ("dt: 0.1", "dt: eta[0]"), ("adam(0.1)", "adam(eta[1])"),
     ("tanh(u)", "eta[1]*tanh(u)"), ("steps: 5", "set: b = eta[1]\n      steps: 5"),
     ("normal(0, 0.1)", "normal(0, eta[0])")],
)  # fmt: skip
def test_an_entry_of_a_list_stands_wherever_a_number_does(old, new):
    circuit = load_text(stated((old, new)))
    item = "eta[1]" if "eta[1]" in new else "eta[0]"
    assert circuit.parameters[item].value == {"eta[0]": 0.1, "eta[1]": 0.2}[item]
    (one,) = told((old, new.replace(item, "eta[2]")))
    assert one.message == "there is no eta[2]"


def test_one_entry_of_a_list_is_not_set():
    (one,) = told(("steps: 5", "set: eta[0] = 1\n      steps: 5"))
    assert one.message == "`set` cannot change one entry of the list 'eta'"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("steps: 5", "steps: 10^300*10^300", "`steps` is a whole number"),
        ("size: 2", "size: 1e308*10", "the size of a population is a whole number from 1"),
        ("size: 2", "size: len(etaa)",
         "`len` takes the name of a list of `parameters`; there is none called 'etaa'"),
        ("size: 2", "size: len(b)", "`len` takes the name of a list of `parameters`"),
        ("normal(0, 0.1)", "transpose(3)", "`transpose` takes a synapse, and is its weight"),
        ("normal(0, 0.1)", "wishart + eye",
         "`wishart` is Q Q^T, a square array without a bias; the weights here are 2 x 3"),
        ("steps: 5", "until: c.u\n      steps: 5",
         "`until` is a comparison, tested for each sample after each step"),
        ("steps: 5", "until: c.u < 1\n      steps: 5",
         "`until` is tested once for each sample; 'c.u' has 2 values"),
        ("steps: 5", "until: change(exp(1)) < 1\n      steps: 5",
         "`change` takes a variable, and is the norm of its change in this step"),
    ],
)  # fmt: skip
def test_what_no_engine_could_run(old, new, message):
    assert told((old, new))[0].message == message


def test_a_transpose_of_a_transpose_is_the_weight():
    more = "  V:\n    from: a.s\n    to: c.basal\n    weight: {}\nenergy:"
    plain = load_text(stated(("energy:", more.format("W"))))
    twice = load_text(stated(("energy:", more.format("transpose(transpose(W))"))))
    assert plain.synapses["V"].weight == twice.synapses["V"].weight
