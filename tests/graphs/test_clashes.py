"""Names that stand for two things: one name space, told at load with both places."""

from __future__ import annotations

import pytest

import apical
from apical.graphs.diagnostics import CircuitError
from apical.graphs.load import load_text

from .stated import stated


def told(*changes):
    with pytest.raises(CircuitError) as caught:
        load_text(stated(*changes), "net.yaml")
    return caught.value.diagnostics


@pytest.mark.parametrize(
    ("changes", "line", "better"),
    [
        ([("  W:\n", "  c:\n"), ("learn: W", "learn: c")], 28, "c_synapse:"),
        ([("  F: ", "  W: ")], 35, "W_energy: sum(c.e^2)"),
        ([("  label: 2", "  label: 2\n  c: 2")], 25, "c_population:"),
    ],
    ids=["synapse", "energy", "population"],
)
def test_a_name_means_one_thing(changes, line, better, snapshot):
    (one,) = told(*changes)
    assert (one.place.line, one.place.column, one.suggestion) == (line, 3, better)
    assert str(one) == snapshot


def test_members_of_one_family_share_their_name():
    text = stated(("  a:\n", "  a[0]:\n"), ("  c:\n", "  a[1]:\n"), ("from: a.s", "from: a[0].s"))
    for old, new in (("c.basal", "a[1].basal"), ("c.e^2", "a[1].e^2"), ("c.u", "a[1].u")):
        text = text.replace(old, new)
    assert list(load_text(text).populations) == ["a[0]", "a[1]"]


@pytest.mark.parametrize("name", ["time", "sample", "phase"])
def test_an_energy_is_no_axis_of_the_traces(name, snapshot):
    (one,) = told(("  F: ", f"  {name}: "))
    assert one.place.line == 35 and one.suggestion == f"{name}_energy: sum(c.e^2)"
    assert str(one) == snapshot


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [("    go:", '    "=cmd()":', 40), ("  train:", "  my train:", 39), ("  F: ", "  +F: ", 35)],
)
def test_keys_that_name_something_are_names(old, new, line, snapshot):
    (one,) = told((old, new))
    assert one.place.line == line
    assert str(one) == snapshot


@pytest.mark.parametrize("name", ["s", "p"])
def test_a_trace_is_not_called_as_a_state_of_the_filter(name, snapshot):
    lines = f"    filter: [1, 2]\n    trace: d{name}/dt = -{name}\n    rule: w"
    (one,) = told(("    rule: w", lines))
    assert one.place.line == 33
    assert str(one) == snapshot
    alone = stated(("    rule: w", f"    trace: d{name}/dt = -{name}\n    rule: w"))
    assert load_text(alone).synapses["W"].trace[0].variable == name


def test_a_word_of_the_language_is_no_name(snapshot):
    first = told(("  W:", "  pre:"), ("learn: W", "learn: pre"))[0]
    assert first.place.line == 28 and str(first) == snapshot(name="synapse")
    first = told(("    rule: w", "    trace: dw/dt = -w\n    rule: w"))[0]
    assert first.place.line == 32 and str(first) == snapshot(name="trace")


def test_a_prediction_is_of_a_stream(snapshot):
    (one,) = told(("  label: c.u", "  lable: c.u"))
    assert one.place.line == 37 and one.suggestion == "label: c.u"
    assert str(one) == snapshot


def test_a_parameter_may_be_called_as_a_synapse():
    text = """
apical: 1
name: named
parameters:
  W: 3
cells:
  source:
    soma: r = W
  sink:
    basal: v = W * input
populations:
  a:
    cell: source
    size: 1
  b:
    cell: sink
    size: 1
synapses:
  W:
    from: a.r
    to: b.basal
    init: 2
protocols:
  train:
    go:
      steps: 1
      dt: 1
"""
    sim = apical.Simulator(load_text(text), engine="numpy")
    assert sim.run("train", record=["b.v"]).arrays["b.v"].tolist() == [[[[18.0], [18.0]]]]
