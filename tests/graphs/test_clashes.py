"""Names that stand for two things: one name space, told at load with both places."""

from __future__ import annotations

import pytest

from apical.graphs.diagnostics import CircuitError
from apical.graphs.load import load_text

from .stated import stated


def told(*changes):
    with pytest.raises(CircuitError) as caught:
        load_text(stated(*changes), "net.yaml")
    return caught.value.diagnostics


SHARE = ": populations, synapses, energies and streams share one name space"


@pytest.mark.parametrize(
    ("changes", "line", "message", "better"),
    [
        (
            [("  W:\n", "  c:\n"), ("learn: W", "learn: c")], 28,
            "'c' is a synapse here and a population on line 24" + SHARE, "c_synapse:",
        ),
        (
            [("  F: ", "  W: ")], 35,
            "'W' is an energy here and a synapse on line 28" + SHARE, "W_energy: sum(c.e^2)",
        ),
        (
            [("  label: 2", "  label: 2\n  c: 2")], 25,
            "'c' is a population here and a stream on line 12" + SHARE, "c_population:",
        ),
    ],
)  # fmt: skip
def test_a_name_means_one_thing(changes, line, message, better):
    (one,) = told(*changes)
    assert (one.place.line, one.place.column, one.message) == (line, 3, message)
    assert one.expected == "a name of its own for each" and one.suggestion == better


def test_members_of_one_family_share_their_name():
    text = stated(("  a:\n", "  a[0]:\n"), ("  c:\n", "  a[1]:\n"), ("from: a.s", "from: a[0].s"))
    for old, new in (("c.basal", "a[1].basal"), ("c.e^2", "a[1].e^2"), ("c.u", "a[1].u")):
        text = text.replace(old, new)
    assert list(load_text(text).populations) == ["a[0]", "a[1]"]


@pytest.mark.parametrize("name", ["time", "sample", "phase"])
def test_an_energy_is_no_axis_of_the_traces(name):
    (one,) = told(("  F: ", f"  {name}: "))
    expected = f"an energy cannot be called '{name}', the name of an axis of the traces"
    assert one.message == expected and one.suggestion == f"{name}_energy: sum(c.e^2)"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    go:", '    "=cmd()":', "'=cmd()' is no name for a phase"),
        ("  train:", "  my train:", "'my train' is no name for a protocol"),
        ("  F: ", "  +F: ", "'+F' is no name for an energy"),
    ],
)
def test_keys_that_name_something_are_names(old, new, message):
    (one,) = told((old, new))
    assert one.message == message
    assert one.expected == "letters, digits and _, a letter first"


@pytest.mark.parametrize("name", ["s", "p"])
def test_a_trace_is_not_called_as_a_state_of_the_filter(name):
    lines = f"    filter: [1, 2]\n    trace: d{name}/dt = -{name}\n    rule: w"
    (one,) = told(("    rule: w", lines))
    expected = f"a trace cannot be called '{name}': the `filter` has the states s and p"
    assert (one.place.line, one.message) == (33, expected)
    alone = stated(("    rule: w", f"    trace: d{name}/dt = -{name}\n    rule: w"))
    assert load_text(alone).synapses["W"].trace[0].variable == name


def test_a_word_of_the_language_is_no_name():
    assert told(("  W:", "  pre:"), ("learn: W", "learn: pre"))[0].message == (
        "'pre' is a word of the language, no name for a synapse"
    )
    assert told(("    rule: w", "    trace: dw/dt = -w\n    rule: w"))[0].message == (
        "'w' is a word of the language, no name for a trace"
    )


def test_a_prediction_is_of_a_stream():
    (one,) = told(("  label: c.u", "  lable: c.u"))
    assert one.message == "`predicts` names a stream; there is no stream 'lable'"
    assert one.suggestion == "label: c.u"
    assert one.expected == "a name of `data`, declared with its size: `lable: n`"
