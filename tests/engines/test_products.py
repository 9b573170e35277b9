"""`init: product(A, B)`: the matrix product of two weights as they start."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import apical

TEXT = """
apical: 1
name: products
data: {image: 4}
cells:
  given: {soma: r = image}
  relay: {soma: r = input}
populations:
  x: {cell: given, size: 4}
  y: {cell: relay, size: 3}
  z: {cell: relay, size: 2}
  back: {cell: relay, size: 4}
synapses:
  A: {from: x.r, to: y.soma, init: xavier_uniform, bias: true}
  B: {from: y.r, to: z.soma, init: "normal(0, 1)"}
  C: {from: x.r, to: z.soma, init: "0.5*product(B, A)"}
  D: {from: z.r, to: back.soma, init: "product(transpose(A), transpose(B))"}
protocols:
  run: {end: {}}
"""


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_product_is_that_of_numpy(replicas):
    sim = apical.Simulator(apical.load_text(TEXT), engine="numpy", seed=4, replicas=replicas)
    a, b, c, d = (sim.weights[n] for n in "ABCD")
    assert_array_equal(c, 0.5 * (b @ a[..., :4]))
    assert_array_equal(d, np.swapaxes(a[..., :4], -1, -2) @ np.swapaxes(b, -1, -2))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("0.5*product(B, A)", "product(A, B)", r"\(3, 4\) and \(2, 3\) have no product"),
        ("0.5*product(B, A)", "product(B, eye)", "`product` takes two matrices"),
        ('(transpose(A), transpose(B))"', '(B, A)"', r"the init of 'D' has the shape \(2, 4\)"),
        ('product(B, A)"', 'product(B, A)", bias: true', "'C' has a bias"),
    ],
)
def test_a_mistake_is_told_at_load(old, new, said):
    assert old in TEXT
    with pytest.raises(apical.CircuitError, match=said):
        apical.load_text(TEXT.replace(old, new))


def test_the_text_of_a_circuit_has_its_products():
    circuit = apical.load_text(TEXT)
    assert apical.load_text(circuit.to_yaml()).synapses == circuit.synapses
