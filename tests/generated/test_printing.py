"""A circuit printed and loaded again is the same circuit."""

from __future__ import annotations

import pytest

from apical.graphs.diagnostics import CircuitError
from apical.graphs.load import bundled, load, load_text, variants_of
from apical.graphs.reports.yaml_text import comparable

SHIPPED = [(name, variant) for name in bundled() for variant in (None, *variants_of(name))]


def loaded(name, variant):
    """The circuit, its variant alone or on top of another one that it needs."""
    if variant is None:
        return load(name)
    for below in ((), *((other,) for other in variants_of(name) if other != variant)):
        try:
            return load(name, (*below, variant))
        except CircuitError:
            continue
    pytest.skip("this variant needs more than one other, or other sizes")


@pytest.mark.parametrize(("name", "variant"), SHIPPED)
def test_every_shipped_circuit_comes_back(name, variant):
    circuit = loaded(name, variant)
    again = load_text(circuit.to_yaml())
    for part in ("parameters", "populations", "synapses", "protocols", "energies"):
        assert getattr(comparable(again), part) == getattr(comparable(circuit), part), part
    assert comparable(again) == comparable(circuit)
    assert again.to_yaml() == circuit.to_yaml()
