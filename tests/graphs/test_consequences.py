"""Wrong keys and wrong names of one file are told at once; what follows from a wrong key is not."""

import apical


def messages(*changes: tuple[str, str]) -> list[str]:
    text = apical.load("pc").source.texts["pc.yaml"]
    for right, wrong in changes:
        assert right in text
        text = text.replace(right, wrong, 1)
    try:
        apical.load_text(text)
    except apical.CircuitError as error:
        return [d.message for d in error.diagnostics]
    return []


NAME = ("e = x - f(u)", "e = xx - f(u)")


def test_a_wrong_key_and_two_wrong_names():
    first, second, third = messages(
        ("      learn: W", "      lern: W"), ("post.d * pre.x", "post.dd * pre.x"), NAME
    )
    assert "'xx'" in first and "'dd/dt'" in second and "'lern'" in third


def test_a_rule_that_is_misspelt_is_not_told_as_a_missing_rule():
    (only,) = messages(("    rule: w", "    rul: w"))
    assert "'rul'" in only


def test_a_wrong_kind_of_value_and_a_name():
    first, second = messages(NAME, ("    weight: transpose(W[k])", "    weight:\n      - 1\n"))
    assert "'xx'" in first and "'weight'" in second


def test_a_population_that_is_wrong_hides_what_is_about_it():
    (only,) = messages(
        ("    cell: value\n    size: sizes[k]", "    cell: value\n    sizze: sizes[k]"),
    )
    assert "'sizze'" in only


def test_a_section_that_is_wrong_stands_alone():
    (only,) = messages(("parameters:", "paremeters:"), NAME)
    assert "'paremeters'" in only
