"""Backpropagation and its kin: torch autograd, and loops with feedback weights of their own."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical

SIZES, ETA = [6, 5, 4, 3], 0.3
CLOSE = {"rtol": 0, "atol": 1e-12}
RNG = np.random.default_rng(0)
IMAGE, LABEL = RNG.uniform(size=(7, 6)), np.eye(3)[RNG.integers(3, size=7)]


def learnt(variant=None, presentations=1, **parameters):
    """A simulator, and its weights before and after."""
    circuit = apical.load(
        "backprop", variants=[variant] if variant else [], sizes=SIZES, eta=ETA, **parameters
    )
    sim = apical.Simulator(circuit, engine="numpy", seed=3)
    before = {name: np.array(array) for name, array in sim.weights.items()}
    for _ in range(presentations):
        traces = sim.run(
            "train", image=IMAGE, label=LABEL, learn=True, record=["layer[k].r for k=0..3"]
        )
    return before, {name: np.array(array) for name, array in sim.weights.items()}, traces


def forward(w):
    """r of each layer, (sample, unit)."""
    rates = [IMAGE]
    for k in (1, 2, 3):
        u = rates[-1] @ w[f"W[{k}]"][:, :-1].T + w[f"W[{k}]"][:, -1]
        rates.append(np.tanh(u) if k < 3 else np.exp(u) / np.exp(u).sum(1, keepdims=True))
    return rates


def changes(w, back):
    """eta d r^T, mean over samples, the bias last; `back` gives b of layer 2 and 1 from d above."""
    rates, d = forward(w), {3: LABEL - forward(w)[3]}
    for k in (2, 1):
        d[k] = back(k, d) * (1 - rates[k] ** 2)
    extended = [np.column_stack([r, np.ones(len(r))]) for r in rates]
    return d, {f"W[{k}]": ETA * d[k].T @ extended[k - 1] / len(IMAGE) for k in (1, 2, 3)}


def test_updates_are_the_gradient():
    torch = pytest.importorskip("torch")
    before, after, _ = learnt()
    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in before.items()}
    r = torch.tensor(IMAGE)
    for k in (1, 2, 3):
        u = r @ leaves[f"W[{k}]"][:, :-1].T + leaves[f"W[{k}]"][:, -1]
        r = torch.tanh(u)
    torch.nn.functional.cross_entropy(u, torch.tensor(LABEL)).backward()
    for name, leaf in leaves.items():
        assert_allclose(after[name] - before[name], -ETA * leaf.grad.numpy(), **CLOSE)


@pytest.mark.parametrize(
    ("variant", "back"),
    [
        ("feedback_alignment", lambda w: lambda k, d: d[k + 1] @ w[f"B[{k + 1}]"].T),
        ("direct_feedback_alignment", lambda w: lambda k, d: d[3] @ w[f"B[{k + 1}]"].T),
        ("sign_symmetry", lambda w: lambda k, d: d[k + 1] @ np.sign(w[f"W[{k + 1}]"][:, :-1]) / 10),
    ],
)
def test_updates_with_other_feedback(variant, back):
    before, after, _ = learnt(variant)
    assert before.keys() == after.keys()
    _, expected = changes(before, back(before))
    for name in before:
        assert_allclose(after[name] - before[name], expected.get(name, 0), **CLOSE, err_msg=name)


def test_kolen_and_pollack():
    """Both get the same change and decay, so what differs falls by 1 - decay each time."""
    before, after, _ = learnt("kolen_pollack", decay=0.01)
    d, expected = changes(before, lambda k, d: d[k + 1] @ before[f"B[{k + 1}]"].T)
    for k in (1, 2, 3):
        name = f"W[{k}]"
        assert_allclose(after[name], 0.99 * before[name] + expected[name], **CLOSE)
    before, after, _ = learnt("kolen_pollack", presentations=50, decay=0.01)
    for k in (2, 3):
        off = [w[f"B[{k}]"].T - w[f"W[{k}]"][:, :-1] for w in (before, after)]
        assert_allclose(off[1], 0.99**50 * off[0], **CLOSE)


def test_weights_are_mirrored(tmp_path):
    """B moves along the noise of its layer times the answer above; without labels it finds W^T."""
    before, after, traces = learnt("weight_mirror", eta_B=0.5, decay=0.1)
    _, expected = changes(before, lambda k, d: d[k + 1] @ before[f"B[{k + 1}]"].T)
    noise = {k: traces.arrays[f"layer[{k}].r"][0, :, -1] for k in (1, 2)}
    for k in (1, 2, 3):
        name = f"W[{k}]"
        assert_allclose(after[name] - before[name], expected[name], **CLOSE)
    for k in (2, 3):
        u = noise[k - 1] @ after[f"W[{k}]"][:, :-1].T + after[f"W[{k}]"][:, -1]
        moved = 0.5 * noise[k - 1].T @ u / len(IMAGE) + 0.9 * before[f"B[{k}]"]
        assert_allclose(after[f"B[{k}]"], moved, **CLOSE)
