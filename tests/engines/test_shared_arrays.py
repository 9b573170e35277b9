"""A rule of `weight: A` or `weight: transpose(A)` adds to A's array, once for each group."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical
from apical.graphs.reports.show import show

TEXT = """
apical: 1
name: symmetric
parameters: {eta: 0.5}
data: {image: 4, target: 3}
cells:
  given: {soma: r = image}
  wanted: {soma: r = target}
  hidden: {soma: [du/dt = input - u, "r = tanh(u)"]}
populations:
  x: {cell: given, size: 4}
  z: {cell: wanted, size: 3}
  y: {cell: hidden, size: 3}
  back: {cell: hidden, size: 4}
synapses:
  A:
    from: x.r
    to: y.soma
    init: uniform(-0.3, 0.3)
    bias: true
    rule: w += eta * post.r * pre - 0.1*w
    optimizer: adam(0.05)
    bounds: [-0.35, 0.35]
  B:
    from: y.r
    to: back.soma
    weight: transpose(A)
    rule: w += eta * post.u * pre^2 - 0.2*w
  C:
    from: x.r
    to: z2.soma
    weight: A
    rule: w -= eta * post.u * pre
protocols:
  train: {run: {steps: 2, dt: 0.5, learn: "A, B, C"}}
"""
TEXT = TEXT.replace("  back:", "  z2: {cell: hidden, size: 3}\n  back:")
ENGINES = ["numpy", "torch", pytest.param("numba", marks=pytest.mark.slow)]


def activities(a, x):
    """u of y, back and z2 after two steps of Euler from 0."""
    y, back, z2 = np.zeros(3), np.zeros(4), np.zeros(3)
    for _ in range(2):
        dy = a[:, :4] @ x + a[:, 4] - y
        dback = a[:, :4].T @ np.tanh(y) - back
        dz2 = a[:, :4] @ x - z2
        y, back, z2 = y + 0.5 * dy, back + 0.5 * dback, z2 + 0.5 * dz2
    return y, back, z2


def by_hand(a, batches):
    """One step of Adam for each batch, of the sum of three changes."""
    m, v = np.zeros_like(a), np.zeros_like(a)
    for n, batch in enumerate(batches, 1):
        g = np.zeros_like(a)
        for x in batch:
            y, back, z2 = activities(a, x)
            g += 0.5 * np.outer(np.tanh(y), [*x, 1]) - 0.1 * a
            g[:, :4] += (0.5 * np.outer(back, np.tanh(y) ** 2)).T - 0.2 * a[:, :4]
            g[:, :4] -= 0.5 * np.outer(z2, x)
        g /= len(batch)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        a = a + 0.05 * (m / (1 - 0.9**n)) / (np.sqrt(v / (1 - 0.999**n)) + 1e-8)
        a[:, :4] = np.clip(a[:, :4], -0.35, 0.35)
    return a


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("engine", ENGINES)
def test_one_group_is_one_change(engine, dtype):
    image = np.random.default_rng(0).normal(size=(8, 4))
    sim = apical.Simulator(apical.load_text(TEXT), engine=engine, seed=3, dtype=dtype)
    expected = by_hand(np.array(sim.weights["A"], np.float64), image.reshape(2, 4, 4))
    sim.run("train", image=image, learn=True, batch=4, record=[])
    close = 1e-12 if dtype == "float64" else 1e-4
    assert_allclose(sim.weights["A"], expected, rtol=close, atol=close)
    assert set(sim.weights) == {"A"}


UNROLLED = """
apical: 1
name: unrolled
data: {early: 2, late: 2, label: 3}
cells:
  one: {soma: r = early}
  two: {soma: r = late}
  hidden: {soma: "h = tanh(input)", apical: "e = input * (1 - h^2)"}
  taught: {soma: ["h = tanh(input)", "e = (label - h) * (1 - h^2)"]}
populations:
  x1: {cell: one, size: 2}
  x2: {cell: two, size: 2}
  h1: {cell: hidden, size: 3}
  h2: {cell: taught, size: 3}
synapses:
  U: {from: x1.r, to: h1.soma, init: "normal(0, 0.5)", rule: w += post.e * pre}
  U2: {from: x2.r, to: h2.soma, weight: U, rule: w += post.e * pre}
  R: {from: h1.h, to: h2.soma, init: "normal(0, 0.5)", rule: w += post.e * pre}
  Rt: {from: h2.e, to: h1.apical, weight: transpose(R)}
protocols:
  train: {end: {learn: "U, U2, R"}}
"""


def test_a_net_in_time_has_the_gradient_of_tied_weights():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    early, late, label = (rng.normal(size=(5, n)) for n in (2, 2, 3))
    circuit = apical.load_text(UNROLLED)
    sim = apical.Simulator(circuit, engine="numpy", seed=2)
    before = {n: np.array(a) for n, a in sim.weights.items()}
    u, r = (torch.tensor(before[n], requires_grad=True) for n in ("U", "R"))
    one, two, wanted = (torch.tensor(a) for a in (early, late, label))
    h1 = torch.tanh(one @ u.T)
    h2 = torch.tanh(two @ u.T + h1 @ r.T)
    (0.5 * ((wanted - h2) ** 2).sum(1).mean()).backward()
    sim.run("train", early=early, late=late, label=label, learn=True, batch=5, record=[])
    assert_allclose(sim.weights["U"] - before["U"], -u.grad.numpy(), atol=1e-14)
    assert_allclose(sim.weights["R"] - before["R"], -r.grad.numpy(), atol=1e-14)


def test_compensated_sums_keep_what_is_shared_too():
    circuit = apical.load_text(UNROLLED)
    sim = apical.Simulator(circuit, engine="numpy", dtype="float32")
    assert sim.weights["U"].dtype == np.float32
    assert "added to U" in show(circuit)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("w += eta * post.u * pre^2 - 0.2*w", "w := post.u * pre", "what it adds"),
        ("w += eta * post.u * pre^2 - 0.2*w", "dw/dt = post.u * pre", "what it adds"),
        ("weight: transpose(A)", "weight: 0.5*transpose(A)", "to whose array a rule adds"),
        ("weight: transpose(A)", "weight: transpose(C)", "which has none"),
        ("weight: transpose(A)", "weight: transpose(A)\n    sign: positive", "no effect"),
        ("pre^2 - 0.2*w", "pre / (1 + norm(w))", "cannot sum over the connections of a cell"),
        ("weight: transpose(A)", "weight: transpose(A)\n    filter: [1, 2]", "no `filter`"),
    ],
)  # fmt: skip
def test_what_cannot_be_shared_is_refused_at_load(old, new, said):
    assert old in TEXT
    with pytest.raises(apical.CircuitError, match=said):
        apical.load_text(TEXT.replace(old, new))


def test_an_array_of_two_learns_each_step_under_one_condition():
    each = TEXT.replace('learn: "A, B, C"', 'learn_each_step: "A when step == 0, B when step == 1"')
    with pytest.raises(apical.CircuitError, match="the same `when`"):
        apical.load_text(each)
    apical.load_text(each.replace("B when step == 1", "B when step == 0"))


def test_the_text_of_a_circuit_has_its_shared_rules():
    circuit = apical.load_text(TEXT)
    assert apical.load_text(circuit.to_yaml()).synapses == circuit.synapses
    assert {f.name: f.verdict for f in circuit.audit().findings}["B"] == "transport"
