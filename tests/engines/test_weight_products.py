"""Weights that are the product of two others at every moment, against loops in numpy."""

from __future__ import annotations

import numpy as np
import pytest

from apical import CircuitError, Simulator, load_text, lower
from apical.graphs.instructions import MatrixProduct, flat
from apical.graphs.reports.latex import latex
from apical.graphs.reports.show import show

ENGINES = ("numpy", pytest.param("numba", marks=pytest.mark.slow), "torch")
TEXT = """\
apical: 1
name: products
cells:
  source:
    soma: r = image
  neuron:
    soma:
      - du/dt = input - u
      - r = tanh(u)
data:
  image: 3
populations:
  x:
    cell: source
    size: 3
  h:
    cell: neuron
    size: 4
  y:
    cell: neuron
    size: 2
synapses:
  A:
    from: x.r
    to: h.soma
    init: normal(0, 0.5)
    bias: true
    rule: w += 0.1*post.r*pre
  B:
    from: h.r
    to: y.soma
    init: normal(0, 0.5)
    bias: true
    rule: w += 0.1*post.r*pre
  BA:
    from: x.r
    to: y.soma
    weight: 0.5*product(B, -A)
  back:
    from: y.r
    to: h.soma
    weight: transpose(product(B, copy(product(A, transpose(A)))))
  Q:
    from: y.r
    to: y.soma
    connect: all_but_self
    weight: product(BA, transpose(BA))
    current: w * pre / (1 + norm(w))
protocols:
  train:
    settle:
      steps: 6
      dt: 0.1
      learn_each_step: A when step > 3
      learn: B
  predict:
    settle:
      steps: 6
      dt: 0.1
"""
IMAGE = np.random.default_rng(0).normal(size=(5, 3))


def presented(a, b, image):
    """The weights after a presentation, and y.u at its end."""
    h, y, ones = np.zeros((len(image), 4)), np.zeros((len(image), 2)), np.ones((len(image), 1))
    for step in range(6):
        into = -0.5 * b[:, :-1] @ a[:, :-1]
        back = (b[:, :-1] @ a[:, :-1] @ a[:, :-1].T).T
        q = into @ into.T * (1 - np.eye(2))
        q = q / (1 + np.linalg.norm(q, axis=1, keepdims=True))
        rh, ry, image_1 = np.tanh(h), np.tanh(y), np.hstack([image, ones])
        change = 0.1 * np.einsum("bi,bj->ij", rh, image_1) / len(image)
        to_h = image_1 @ a.T + ry @ back.T
        to_y = np.hstack([rh, ones]) @ b.T + image @ into.T + ry @ q.T
        h, y = h + 0.1 * (to_h - h), y + 0.1 * (to_y - y)
        a = a + change * (step > 3)
    ends = np.tanh(y), np.hstack([np.tanh(h), ones])
    return a, b + 0.1 * np.einsum("bi,bj->ij", *ends) / len(image), y


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("options", [{}, {"replicas": 2}, {"dtype": "float32"}], ids=str)
@pytest.mark.parametrize("batch", [5, 1])
def test_a_product_follows_the_weights_that_it_is_made_of(engine, options, batch):
    sim = Simulator(load_text(TEXT), engine=engine, seed=1, **options)
    many = "replicas" in options
    a, b = (np.array(sim.weights[n], float) for n in "AB")
    a, b = (a[1], b[1]) if many else (a, b)
    traces = sim.run("train", image=IMAGE, learn=True, record=["y.u"], batch=batch)
    found = []
    for start in range(0, 5, batch):
        a, b, y = presented(a, b, IMAGE[start : start + batch])
        found.append(y)
    near = {"rtol": 1e-5, "atol": 1e-6} if "dtype" in options else {"rtol": 1e-12, "atol": 1e-14}
    last = traces["y.u"].values[-1 if many else 0][:, -1]
    np.testing.assert_allclose(last, np.concatenate(found), **near)
    for name, expected in (("A", a), ("B", b)):
        learnt = sim.weights[name][1] if many else sim.weights[name]
        np.testing.assert_allclose(learnt, expected, **near)


def test_a_product_is_made_once_where_what_it_is_made_of_stands_still():
    def products(program):
        (phase,) = program.phases
        count = [
            sum(isinstance(i, MatrixProduct) for i in flat(c)) for c in (phase.enter, phase.body)
        ]
        return tuple(count)

    circuit = load_text(TEXT)
    assert products(lower(circuit, "predict")) == (4, 0)
    assert products(lower(circuit, "train")) == (0, 4)
    assert "A @ transpose(A)" in str(lower(circuit, "predict"))


def test_a_product_prints_and_is_audited():
    circuit = load_text(TEXT)
    assert load_text(circuit.to_yaml()).synapses == circuit.synapses
    assert "weight = (0.5 * product(B, -A)) (live)" in show(circuit)
    assert r"\mathrm{BA} \, {\mathrm{BA}}^{\top}" in latex(circuit)
    verdicts = circuit.audit().verdicts
    assert (verdicts["BA"], verdicts["back"], verdicts["Q"]) == ("tied", "transport", "transport")


@pytest.mark.messages
@pytest.mark.parametrize(
    "weight",
    [
        "product(A, B)",
        "product(A, 2)",
        "product(B)",
        "B * product(B, A)",
        "product(B, A) + product(B, A)",
        "product(BA, BA)",
    ],
)
def test_what_has_no_product_is_told(weight, snapshot):
    with pytest.raises(CircuitError) as caught:
        load_text(TEXT.replace("0.5*product(B, -A)", weight), "net.yaml")
    assert str(caught.value) == snapshot


@pytest.mark.messages
def test_the_weight_of_a_synapse_that_leaves_out_connections_is_no_array(snapshot):
    text = TEXT.replace("product(BA, transpose(BA))", "product(Q2, transpose(Q2))")
    text = text.replace("  Q:\n", Q2 + "  Q:\n")
    with pytest.raises(CircuitError) as caught:
        load_text(text, "net.yaml")
    assert str(caught.value) == snapshot


Q2 = """\
  full:
    from: y.r
    to: y.soma
    init: 0.1
  Q2:
    from: y.r
    to: y.soma
    connect: all_but_self
    weight: copy(full)
"""
