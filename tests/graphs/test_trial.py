"""What cannot be lowered is told at load, with its place; a circuit can be built from its texts."""

import json
from dataclasses import replace

import pytest

import apical
from apical.graphs.expressions.tree import Call, Variable
from apical.graphs.load import bundled, rebuild, variants_of
from apical.graphs.lowering.refusal import LoweringError, Subject
from apical.graphs.variant_trials import check_variants


def text_of(name: str) -> str:
    return apical.load(name).source.texts[f"{name}.yaml"]


def told(name: str, right: str, wrong: str) -> apical.Diagnostic:
    text = text_of(name)
    assert text.count(right) >= 1
    with pytest.raises(apical.CircuitError) as caught:
        apical.load_text(text.replace(right, wrong), "file.yaml")
    return caught.value.diagnostics[0]


def test_a_rule_that_mixes_both_ends(snapshot):
    one = told("pc", "w += eta * post.d * pre.x", "w += eta * tanh(post.d * pre.x)")
    assert str(one) == snapshot
    assert one.line_text.strip() == "rule: w += eta * tanh(post.d * pre.x)"
    assert one.place.column == 5


def test_dividing_by_both_ends():
    one = told("pc", "w += eta * post.d * pre.x", "w += eta / (post.d + pre.x)")
    assert one.line_text.strip().startswith("rule:")


def test_an_algebraic_loop(snapshot):
    one = told("pc", "basal: u = input ", "basal: u = input + e ")
    assert one.line_text.strip().startswith("basal")
    assert str(one) == snapshot


@pytest.mark.parametrize("name", bundled())
def test_a_circuit_is_built_again_from_its_facts(name):
    circuit = apical.load(name)
    source = circuit.source
    facts = {
        "path": source.path,
        "texts": dict(source.texts),
        "variants": list(source.variants),
        "overrides": dict(source.overrides),
    }
    assert rebuild(json.loads(json.dumps(facts))) == circuit


def test_rebuild_keeps_variants_overrides_and_needs_no_file(tmp_path, refused):
    (tmp_path / "mine.yaml").write_text("apical: 1\nname: mine\nextends: pc\n")
    (tmp_path / "yours.yaml").write_text("apical: 1\nname: yours\nextends: mine.yaml\n")
    circuit = apical.load(tmp_path / "yours.yaml", variants=["zil"], sizes=[4, 3, 2])
    source = circuit.source
    facts = {
        "path": source.path,
        "texts": dict(source.texts),
        "variants": list(source.variants),
        "overrides": json.loads(json.dumps(dict(source.overrides))),
    }
    for path in tmp_path.glob("*.yaml"):
        path.unlink()
    assert rebuild(facts) == circuit
    del facts["texts"][str(tmp_path / "mine.yaml")]
    with refused(apical.CircuitError):
        rebuild(facts)


def test_rebuild_refuses_other_facts(refused):
    with refused(ValueError):
        rebuild({"path": "x"})


@pytest.mark.parametrize("name", bundled())
def test_every_variant_of_every_circuit_loads(name):
    assert check_variants(name)[0] == ()


def test_a_variant_that_is_wrong_is_told(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        text_of("ep").replace(
            "variants:\n", "variants:\n  odd:\n    parameters:\n      eta: nothing + 1\n", 1
        )
    )
    wrong, tried = check_variants(str(path))
    assert tried == 1 + len(variants_of("ep"))
    assert [d for d in wrong if "nothing" in d.message and "variant 'odd'" in d.message]


def test_an_error_of_the_lowering_says_what_it_is_about():
    circuit = apical.load("pc", sizes=[4, 3, 2])
    synapse = circuit.synapses["W[1]"]
    (update,) = synapse.rule
    mixed = replace(synapse, rule=(replace(update, right=Call("tanh", (update.right,))),))
    with pytest.raises(LoweringError) as caught:
        apical.lower(replace(circuit, synapses={**circuit.synapses, "W[1]": mixed}))
    assert caught.value.about == Subject("W[1]", "rule") and caught.value.phase == "infer"

    layer = circuit.populations["layer[1]"]
    loop = tuple(
        replace(e, right=Variable(layer.name, "e")) if e.variable == "u" else e
        for e in layer.equations
    )
    looped = {**circuit.populations, layer.name: replace(layer, equations=loop)}
    with pytest.raises(LoweringError) as caught:
        apical.lower(replace(circuit, populations=looped))
    assert caught.value.about == Subject("layer[1]", "u")
