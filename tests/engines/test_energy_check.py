"""`apical check --energy`: what descends an energy, and the term that does not."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

import apical
from apical.cli import app
from apical.engines.simulation.energy_check import check_energy
from apical.graphs.load import bundled, bundled_text, load_text, variants_of

SIZES = {"pc": {"sizes": [5, 4, 4, 3]}}
# What is known not to be a gradient: h is multiplied by a positive matrix, x and y are readouts,
# feedback without -e is no descent (the program of theorem 3.3), and one phase cannot be asked.
KNOWN = {
    ("pc", "feedback_only"): {"differs", "lowers"},
    ("pc", "fixed_prediction"): {"not asked"},
    ("pc", "nudged"): {"lowers"},  # the label pulls, too, which F does not count
    ("pc", "soft_clamp"): {"lowers"},
    ("hopfield", ""): {"lowers"},
    ("hopfield", "classical"): {"lowers"},
    ("hopfield", "dense"): {"lowers"},
    ("hopfield", "euclid"): {"lowers"},
    ("hopfield", "manhattan"): {"lowers"},
    ("ring_attractor", ""): {"differs"},
    ("wilson_cowan", ""): {"differs", "lowers"},  # a readout
    ("eprop", ""): {"differs", "lowers", "not asked"},  # a loss, and rules with traces
    ("eprop", "random_feedback"): {"differs", "lowers", "not asked"},
}


def declaring():
    """Each bundled circuit and variant that declares an energy."""
    for name in bundled():
        if "\nenergy:" in bundled_text(name):
            yield from ((name, variant) for variant in ("", *variants_of(name)))


@pytest.mark.parametrize(("name", "variant"), [*declaring()])
def test_bundled_files(name, variant):
    circuit = apical.load(name, [variant] if variant else [], **SIZES.get(name, {}))
    if not circuit.energies:
        with pytest.raises(ValueError, match="declares no energy"):
            check_energy(circuit)
        return
    words = {finding.word for finding in check_energy(circuit).findings}
    assert words - {"descends"} == KNOWN.get((name, variant), set())


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("dx/dt = -e + b", "dx/dt = -e - b", "`-layer[1].b` stands in -dE/dx -1 times"),
        ("dx/dt = -e + b", "dx/dt = -e", "-dE/dx also has 1 times layer[1].b"),
        ("dx/dt = -e + b", "dx/dt = -e + 2*b", "`2 * layer[1].b` stands in -dE/dx 0.5 times"),
        ("w += eta * post.d", "w -= eta * post.d", "`-(eta * post.d * pre.x)` stands in -dE/dw"),
        ("w += eta * post.d", "w += eta * post.e", "has a part that is none of `eta * post.e"),
    ],
)
def test_the_term_that_differs_is_named(right, wrong, said):
    text = bundled_text("pc")
    assert right in text
    report = check_energy(load_text(text.replace(right, wrong, 1), **SIZES["pc"]))
    assert any(said in finding.why for finding in report.findings), str(report)


def test_command():
    sizes = ["--set", "sizes=[5,4,3]"]
    good = CliRunner().invoke(app, ["check", "--energy", "pc", *sizes])
    assert good.exit_code == 0 and "infer of train: rule of W[1]: descends" in good.output
    bad = CliRunner().invoke(app, ["check", "--energy", "pc", "--variant", "feedback_only", *sizes])
    assert bad.exit_code == 1 and "-dE/dx also has -1 times layer[1].e" in bad.output
    none = CliRunner().invoke(app, ["check", "--energy", "nsm"])
    assert none.exit_code == 2 and "declares no energy" in none.output
