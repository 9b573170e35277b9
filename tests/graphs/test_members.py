"""One member of a family, changed, added or removed by a variant or an extending file."""

from __future__ import annotations

import pytest

from apical import CircuitError, load, load_text
from apical.graphs.expressions.text import text

CHAIN = """\
apical: 1
name: chain
parameters:
  sizes: [5, 4, 3, 2]
  L: len(sizes) - 1
  gain[k=1..L]: [1, 0.5, 0.25]
  tau: 2
data:
  image: sizes[0]
cells:
  sensory:
    soma: r = image
  relay:
    basal: v = input
    soma: dr/dt = g*v - r
  other:
    basal: v = input
    soma: 2*dr/dt = g*v - r
populations:
  layer[0]:
    cell: sensory
    size: sizes[0]
  layer[k=1..L]:
    cell: relay
    size: sizes[k]
    parameters:
      g: gain[k]
synapses:
  W[k=1..L]:
    from: layer[k-1].r
    to: layer[k].basal
    init: normal(0, 1/sqrt(n_pre))
  extra[k=1..L]:
    from: layer[k].r
    to: layer[k].basal
    init: 0.1*k
    bias: true
protocols:
  train:
    upwards:
      steps: 10
      dt: 0.1
variants:
  top:
    populations:
      layer[L]:
        cell: other
    synapses:
      extra[2]: null
      extra[L]:
        init: 0.7*k
        bias: null
      W[2]:
        init: 1
    parameters:
      gain[2]: 3*tau
  more:
    synapses:
      extra[1]:
        init: 0.9
      extra[3]: null
      W:
        init: 2
  again:
    synapses:
      extra[3]:
        init: 0.3
"""


def starts(circuit):
    """Each member of `extra`: how it starts and whether it has a bias."""
    found = [s for s in circuit.synapses.values() if s.base == "extra"]
    return {s.index: (text(s.init), s.bias) for s in found}


def test_one_member_is_changed_and_one_removed():
    base, top = load_text(CHAIN), load_text(CHAIN, variants="top")
    assert [p.cell for p in top.populations.values()] == ["sensory", "relay", "relay", "other"]
    assert [p.size for p in top.populations.values()] == [5, 4, 3, 2]
    assert starts(base) == {k: (f"0.1 * {k}", True) for k in (1, 2, 3)}
    assert starts(top) == {1: ("0.1 * 1", True), 3: ("0.7 * 3", False)}
    assert [top.parameters[f"gain[{k}]"].value for k in (1, 2, 3)] == [1, 6, 0.25]
    assert text(top.synapses["W[2]"].init) == "1"
    assert top.synapses["W[1]"] == base.synapses["W[1]"]
    assert load_text(top.to_yaml()).synapses == top.synapses


def test_the_member_is_the_one_that_the_index_means():
    for sizes in ([5, 4, 3, 2], [5, 4, 3, 3, 3, 2]):
        circuit = load_text(CHAIN, variants="top", sizes=sizes, gain=[1.0] * (len(sizes) - 1))
        cells = [p.cell for p in circuit.populations.values()]
        assert cells == ["sensory", *["relay"] * (len(sizes) - 2), "other"]
        assert circuit.parameters["gain[2]"].value == 1  # what Python gives is the whole family


def test_variants_lie_over_each_other():
    more = load_text(CHAIN, variants=["top", "more"])
    assert starts(more) == {1: ("0.9", True)}
    assert {text(more.synapses[f"W[{k}]"].init) for k in (1, 2, 3)} == {"2"}
    assert starts(load_text(CHAIN, variants=["more", "again"]))[3] == ("0.3", True)
    assert starts(load_text(CHAIN, variants=["top", "more", "again"]))[3] == ("0.3", False)


def test_an_extending_file_changes_and_adds_members(tmp_path):
    (tmp_path / "chain.yaml").write_text(CHAIN, "utf-8")
    added = "apical: 1\nname: longer\nextends: chain.yaml\npopulations:\n"
    added += "  layer[1]:\n    cell: other\n  layer[L + 1]:\n    cell: sensory\n    size: 5\n"
    (tmp_path / "longer.yaml").write_text(added, "utf-8")
    circuit = load(tmp_path / "longer.yaml")
    cells = {name: p.cell for name, p in circuit.populations.items()}
    assert cells == {
        "layer[0]": "sensory", "layer[1]": "other", "layer[2]": "relay", "layer[3]": "relay",
        "layer[4]": "sensory",
    }  # fmt: skip


@pytest.mark.messages
@pytest.mark.parametrize(
    ("section", "entry", "line"),
    [
        ("synapses", "extra[5]: null", 66),
        ("synapses", "extra[L + 1]:\n        init: 1", 66),
        ("synapses", "extra[2]:\n        inti: 1", 67),
        ("synapses", "extra[2]:\n        connect: null", 67),
        ("synapses", "extra[tau/3]: null", 66),
        ("parameters", "sizes[1]: 4", 66),
        ("parameters", "tau[1]: 4", 66),
        ("parameters", "gain[4]: null", 66),
        ("parameters", "gain[3]: null", 27),
    ],
)
def test_what_is_no_member_is_told_at_its_place(section, entry, line, snapshot):
    head, _, _ = CHAIN.rpartition("    synapses:\n")
    with pytest.raises(CircuitError) as caught:
        load_text(f"{head}    {section}:\n      {entry}\n", "chain.yaml", "again")
    (one,) = caught.value.diagnostics
    assert one.place.line == line
    assert str(caught.value) == snapshot
