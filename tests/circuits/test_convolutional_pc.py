"""Convolutional predictive coding: its updates are the gradient, as torch's autograd has it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_the_updates_of_a_batch_are_those_of_backpropagation(engine):
    torch = pytest.importorskip("torch")
    layer = torch.nn.functional
    rng = np.random.default_rng(4)
    image, label = rng.uniform(0, 1, (7, 64)), np.eye(10)[rng.integers(0, 10, 7)]
    image[:, 20:40] = 0  # dark pixels, so that windows have several maxima
    sim = apical.Simulator(apical.load("convolutional_pc"), engine=engine, seed=5)
    before = {name: np.array(array) for name, array in sim.weights.items()}
    given = {name: torch.tensor(a, requires_grad=True) for name, a in before.items()}
    x = torch.tensor(image).view(7, 1, 8, 8)
    x = torch.tanh(layer.conv2d(x, given["K1"], given["K1.bias"], padding=1))
    x = layer.conv2d(layer.max_pool2d(x, 2), given["K2"], given["K2.bias"], padding=1)
    out = torch.tanh(x).flatten(1) @ given["W"][:, :-1].T + given["W"][:, -1]
    (((torch.tensor(label) - out) ** 2).sum() / 2 / 7).backward()
    assert_allclose(sim.predict({"image": image})["label"], out.detach().numpy(), rtol=1e-12)
    sim.fit({"image": image, "label": label}, epochs=1, batch=7, shuffle=False)
    for name, array in sim.weights.items():
        change = -0.1 * given[name].grad.numpy()
        assert_allclose(array - before[name], change, rtol=1e-12, atol=1e-15, err_msg=name)
