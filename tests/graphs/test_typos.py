"""Typos that load as another circuit: warnings with their line, errors where that is asked for."""

from __future__ import annotations

import pytest

import apical
from apical.graphs.binding.checks.typos import close
from apical.graphs.diagnostics import CircuitError
from apical.graphs.load import bundled, load, load_text
from apical.graphs.variant_trials import check_variants

from .stated import stated


def warned(*changes, variants=(), more=""):
    return list(load_text(stated(*changes) + more, "net.yaml", variants).warnings)


def test_the_text_itself_gives_no_warning():
    assert warned() == []


def test_a_compartment_called_nearly_as_a_role(snapshot):
    (one,) = warned(("    soma:\n", "    som:\n"))
    assert (one.place.line, one.suggestion) == (17, "soma:")
    assert str(one) == snapshot
    reached = (("basal: v", "basall: v"), ("c.basal", "c.basall"))
    assert warned(*reached) == []  # a synapse means it
    assert warned(("    basal: v", "    basal_2: z = 0\n    tuft: y = z\n    basal: v")) == []


@pytest.mark.parametrize(("wrong", "right"), [("rtain", "train"), ("predct", "predict")])
def test_a_protocol_called_nearly_as_a_standard_one(wrong, right, snapshot):
    (one,) = warned(("  train:", f"  {wrong}:"))
    assert (one.place.line, one.suggestion) == (39, f"{right}:")
    assert str(one) == snapshot
    assert warned(("  train:", "  train2:")) == [] and warned(("  train:", "  settle:")) == []


VARIANT = """\
variants:
  other:
    cells:
      neuron:
        soma:
          - {} = 1 - eta[1]*(label - u)
"""


def test_a_variant_that_adds_beside_what_it_means_to_replace(snapshot):
    (one,) = warned(more=VARIANT.format("ee"), variants="other")
    assert (one.place.line, one.suggestion) == (49, "- e = 1 - eta[1]*(label - u)")
    assert str(one) == snapshot
    assert warned(more=VARIANT.format("e"), variants="other") == []
    assert warned(more=VARIANT.format("drive"), variants="other") == []
    read = VARIANT.format("ee") + "          - e = ee\n"
    assert warned(more=read, variants="other") == []


@pytest.mark.parametrize(
    ("entry", "name", "near"),
    [
        ("    protocols:\n      train:\n        goo:\n          set: b = 1\n", "goo", "go"),
        ("    energy:\n      FF: sum(c.u)\n", "FF", "F"),
        ("    functions:\n      ff(u): u\n", "ff", "f"),
    ],
)
def test_a_variant_that_adds_an_entry(entry, name, near, snapshot):
    found = warned(more="variants:\n  other:\n" + entry, variants="other")
    (one,) = (w for w in found if f"'{name}'" in w.message and f"'{near}'" in w.message)
    assert one.suggestion is not None and one.suggestion.startswith(near)
    assert one.message == snapshot


def test_check_tells_what_a_variant_adds(tmp_path, snapshot):
    file = tmp_path / "net.yaml"
    file.write_text(stated() + VARIANT.format("ee"))
    found, tried = check_variants(str(file))
    assert tried == 1 and len(found) == 1 and found[0].warning
    assert found[0].message == snapshot


def test_where_something_is_wrong_its_cause_is_told_first():
    """`vv` stands for `v`, and another mistake would hide the warning."""
    more = VARIANT.format("vv").replace("1 - eta[1]*(label - u)", "input")
    more = (
        more.replace("        soma:\n", "        basal:\n") + "        soma:\n          - e = v\n"
    )
    text = stated(("    basal: v = input\n", "    basal: v = input\n"))
    assert not load_text(text + more.replace("vv =", "v ="), "net.yaml", "other").warnings
    broken = more.replace("vv = input", "vv = inputt")
    with pytest.raises(CircuitError) as caught:
        load_text(text + broken, "net.yaml", "other")
    assert [d for d in caught.value.diagnostics if "'vv'" in d.message and "'v'" in d.message]


def test_an_heir_that_adds_beside_what_it_means_to_replace():
    heir = "  heir:\n    is: neuron\n    soma: ee = u\npopulations:"
    found = warned(("populations:", heir), ("cell: neuron", "cell: heir"))
    assert [w.place.line for w in found] == [22]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("populations:\n", "  spare:\n    soma: z = 1\npopulations:\n", 20),
        ("  f(u): tanh(u)", "  f(u): tanh(u)\n  g: relu", 9),
        ("    size: 2\n", "    size: 2\n    parameters:\n      taw: 3\n", 28),
        ("      learn: W\n", "", 28),
    ],
    ids=["cell", "function", "parameter", "rule"],
)
def test_what_nothing_reads(old, new, line, snapshot):
    (one,) = warned((old, new))
    assert one.place.line == line
    assert str(one) == snapshot


@pytest.mark.parametrize("name", bundled())
def test_bundled_circuits_and_their_variants_give_no_warning(name):
    assert load(name).strict().name == name
    assert check_variants(name)[0] == ()


def test_strict_makes_errors_of_warnings(refused):
    circuit = load_text(stated(("  train:", "  rtain:")))
    with refused(CircuitError):
        circuit.strict()
    assert apical.load_text(stated()).strict().name == "stated"


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [("som", ["soma"], "soma"), ("rtain", ["train"], "train"), ("qx", ["q"], "q"),
     ("v", ["u"], None), ("layer2", ["layer"], None), ("layer2", ["layer1"], None),
     ("basal_2", ["basal"], None), ("soma", ["soma"], None), ("error", ["axon"], None),
     ("Soma", ["soma"], "soma"), ("apicla", ["apical"], "apical")],
)  # fmt: skip
def test_what_is_close(name, known, found):
    assert close(name, known) == found


# --- a fixed weight ---


def test_a_fixed_weight_is_stated(snapshot):
    lines = "    rule: w += b * post.e * pre\n    optimizer: adam(0.1)\n"
    fixed = [(lines, ""), ("      learn: W\n", ""), ("  b: 0.5\n", "")]
    with pytest.raises(CircuitError) as caught:
        load_text(stated(("    init: normal(0, 0.1)\n" + lines, ""), *fixed[1:]))
    (one,) = caught.value.diagnostics
    assert one.place.line == 27 and one.suggestion == "init: xavier_uniform"
    assert str(one) == snapshot
    load_text(stated(*fixed))  # with its init
    load_text(stated(("    init: normal(0, 0.1)\n", "")))  # plastic
    one_to_one = [("    init: normal(0, 0.1)\n" + lines, "    connect: one_to_one\n"), *fixed[1:]]
    load_text(stated(*one_to_one, ("image: 3", "image: 2"), ("size: 3", "size: 2")))  # 1 by default


def test_the_commands_tell_warnings_and_can_be_strict(tmp_path):
    from typer.testing import CliRunner

    from apical.cli import app

    file = tmp_path / "net.yaml"
    file.write_text(stated(("  train:", "  rtain:")))
    run = lambda *words: CliRunner().invoke(app, [words[0], str(file), *words[1:]])  # noqa: E731
    plain, strict = run("check"), run("check", "--strict")
    assert (plain.exit_code, strict.exit_code) == (0, 1)
    said = "net.yaml:39:3: warning: "
    assert said in plain.output and said.rpartition("warning")[0] in strict.output
    assert "fine" in plain.output and "fine" not in strict.output
    shown = run("show")
    assert shown.exit_code == 0 and said in shown.output  # on standard error
    assert run("run", "--strict").exit_code == 1
