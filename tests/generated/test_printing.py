"""A circuit printed and loaded again is the same circuit."""

from __future__ import annotations

import pytest

from apical.graphs.load import bundled, load, load_text, variants_of
from apical.graphs.printing import comparable, print_circuit

SHIPPED = [(name, variant) for name in bundled() for variant in (None, *variants_of(name))]


def chosen(variant):
    """Some variants of pem stand on top of another."""
    on_top = {"simplex": ["sparse"], "nonnegative_sparse": ["sparse"]}
    return [] if variant is None else [*on_top.get(variant, []), variant]


@pytest.mark.parametrize(("name", "variant"), SHIPPED)
def test_every_shipped_circuit_comes_back(name, variant):
    try:
        circuit = load(name, variants=chosen(variant))
    except ValueError:
        pytest.skip("a variant that stands on top of another")
    again = load_text(print_circuit(circuit))
    for part in ("parameters", "populations", "synapses", "protocols", "energies"):
        assert getattr(comparable(again), part) == getattr(comparable(circuit), part), part
    assert comparable(again) == comparable(circuit)
    assert print_circuit(again) == print_circuit(circuit)
