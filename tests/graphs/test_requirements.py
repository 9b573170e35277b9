"""Numbers that cannot be: told at load, with the line and the corrected line."""

from __future__ import annotations

import pytest

from apical.graphs.diagnostics import CircuitError
from apical.graphs.load import load, load_text

from .stated import stated


def told(*changes, **overrides):
    with pytest.raises(CircuitError) as caught:
        load_text(stated(*changes), "net.yaml", **overrides)
    return caught.value.diagnostics


@pytest.mark.parametrize(
    ("old", "new", "line", "better"),
    [
        ("dt: 0.1", "dt: 0", 42, "dt: 0.1"),
        ("dt: 0.1", "dt: -0.5", 42, "dt: 0.5"),
        ("dt: 0.1", "dt: 1/0.0", 42, None),
        ("dt: 0.1", "dt: 0.2 - step/10", 42, None),
        ("steps: 5", "for: -1", 41, "for: 1"),
        ("steps: 5", "for: 0.04", 41, None),
        ("tau: 10", "tau: 0", 4, "tau: 1"),
        ("tau: 10", "tau: -10", 4, "tau: 10"),
        ("tau * du", "-2 * du", 18, "- 2 * du/dt = v - f(u)"),
        ("adam(0.1)", "adam(-1)", 33, "optimizer: adam(1)"),
        ("adam(0.1)", "adam(b, 2)", 33, "optimizer: adam(b, 0.9)"),
        ("adam(0.1)", "adam(b, 0, 1)", 33, "optimizer: adam(b, 0, 0.9)"),
        ("adam(0.1)", "adam(b, 0, 0, 0)", 33, "optimizer: adam(b, 0, 0, 1)"),
        ("adam(0.1)", "momentum(b, 1)", 33, "optimizer: momentum(b, 0.9)"),
        ("adam(0.1)", "mq(b, b, -1)", 33, "optimizer: mq(b, b, 1)"),
        ("normal(0, 0.1)", "eye + normal(0, -1)", 31, "init: eye + normal(0, 1)"),
        ("normal(0, 0.1)", "2*uniform(b, 0)", 31, "init: 2*uniform(0, b)"),
        ("steps: 5", "set: b = normal(1, -2)\n      steps: 5", 41, "set: b = normal(1, 2)"),
        ("    rule: w", "    filter: [0, 2]\n    rule: w", 32, "filter: [1, 2]"),
        ("    rule: w", "    trace: -b * dm/dt = -m\n    rule: w", 32, None),
        ("    rule: w", "    trace: (b - 1) * dm/dt = -m\n    rule: w", 32, None),
        ("    basal: v", "    domain:\n      u: [2, -2]\n    basal: v", 17, "u: [-2, 2]"),
    ],
)
def test_a_number_that_cannot_be(old, new, line, better, snapshot):
    (one,) = told((old, new))
    assert (one.place.line, one.suggestion) == (line, better)
    assert str(one) == snapshot


def test_every_wrong_argument_is_told(snapshot):
    found = told(("adam(0.1)", "adam(-1, 2, 5, 0)"))
    assert len(found) == 4 and {d.place.line for d in found} == {33}
    assert "\n".join(d.message for d in found) == snapshot


def test_an_override_is_told_at_itself(snapshot):
    (one,) = told(tau=0)
    assert one.place.path == "<override tau>"
    assert str(one) == snapshot


def test_what_a_phase_sets_counts_where_it_is_set(snapshot):
    setting = ("steps: 5", "set: tau = b - 1\n      steps: 5")
    (one,) = told(setting)
    assert one.place.line == 18
    assert str(one) == snapshot
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


def test_a_parameter_is_a_number_or_a_family(snapshot):
    (one,) = told(("  b: 0.5", "  b: 0.5\n  b[k=1..2]: 3"))
    assert one.place.line == 7
    assert str(one) == snapshot


@pytest.mark.parametrize(
    ("old", "new"),
    [("b * post.e", "eta[1] * post.e"), ("dt: 0.1", "dt: eta[0]"), ("adam(0.1)", "adam(eta[1])"),
     ("tanh(u)", "eta[1]*tanh(u)"), ("steps: 5", "set: b = eta[1]\n      steps: 5"),
     ("normal(0, 0.1)", "normal(0, eta[0])")],
)  # fmt: skip
def test_an_entry_of_a_list_stands_wherever_a_number_does(old, new, snapshot):
    circuit = load_text(stated((old, new)))
    item = "eta[1]" if "eta[1]" in new else "eta[0]"
    assert circuit.parameters[item].value == {"eta[0]": 0.1, "eta[1]": 0.2}[item]
    (one,) = told((old, new.replace(item, "eta[2]")))
    assert str(one) == snapshot


def test_one_entry_of_a_list_is_not_set(snapshot):
    (one,) = told(("steps: 5", "set: eta[0] = 1\n      steps: 5"))
    assert one.place.line == 41
    assert str(one) == snapshot


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("steps: 5", "steps: 10^300*10^300", 41),
        ("size: 2", "size: 1e308*10", 26),
        ("size: 2", "size: len(etaa)", 26),
        ("size: 2", "size: len(b)", 26),
        ("normal(0, 0.1)", "transpose(3)", 31),
        ("normal(0, 0.1)", "wishart + eye", 31),
        ("steps: 5", "until: c.u\n      steps: 5", 41),
        ("steps: 5", "until: c.u < 1\n      steps: 5", 41),
        ("steps: 5", "until: change(exp(1)) < 1\n      steps: 5", 41),
    ],
)
def test_what_no_engine_could_run(old, new, line, snapshot):
    first = told((old, new))[0]
    assert first.place.line == line
    assert str(first) == snapshot


def test_a_transpose_of_a_transpose_is_the_weight():
    more = "  V:\n    from: a.s\n    to: c.basal\n    weight: {}\nenergy:"
    plain = load_text(stated(("energy:", more.format("W"))))
    twice = load_text(stated(("energy:", more.format("transpose(transpose(W))"))))
    assert plain.synapses["V"].weight == twice.synapses["V"].weight
