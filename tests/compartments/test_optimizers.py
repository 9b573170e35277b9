"""Update rules, as data, against torch and against the stored run of the matrix quotient."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apical.compartments import OPTIMIZERS

GOLDEN = Path(__file__).parents[1] / "golden"


class Walker:
    """Runs the statements of one rule on one weight array, as Python expressions."""

    def __init__(self, name: str, **given: float):
        self.rule = OPTIMIZERS[name]
        self.scope: dict[str, Any] = {**self.rule.parameters, **given}
        assert None not in self.scope.values()
        for states in (self.rule.states, self.rule.scalars):
            for state, start in states.items():
                self.scope[state] = self.value(start)

    def value(self, text: str) -> Any:
        functions = {"mean": np.mean, "abs": np.abs, "sqrt": np.sqrt, "min": min}
        text = text.replace("^", "**").replace("|g|", "abs(g)")
        return eval(text, {"__builtins__": {}}, functions | self.scope)

    def step(self, w: np.ndarray, g: np.ndarray) -> np.ndarray:
        self.scope |= {"w": w, "g": g}
        for statement in self.rule.statements:
            target, right = statement.split(" := ")
            self.scope[target] = self.value(right)
        return self.scope["w"]


def torch_run(kind: str, w: np.ndarray, gradients: Sequence[np.ndarray], **options: Any) -> Any:
    torch = pytest.importorskip("torch")
    parameter = torch.nn.Parameter(torch.tensor(w))
    optimizer = getattr(torch.optim, kind)([parameter], **options)
    for g in gradients:
        parameter.grad = -torch.tensor(g)  # torch descends
        optimizer.step()
    return parameter.detach().numpy()


@pytest.mark.parametrize(
    ("walker", "kind", "options"),
    [
        (("sgd", {"lr": 0.1}), "SGD", {"lr": 0.1}),
        (("momentum", {"lr": 0.1, "mu": 0.8}), "SGD", {"lr": 0.1, "momentum": 0.8}),
        (
            ("nesterov", {"lr": 0.1, "mu": 0.8}),
            "SGD",
            {"lr": 0.1, "momentum": 0.8, "nesterov": True},
        ),
        (("adam", {"lr": 0.01}), "Adam", {"lr": 0.01}),
        (
            ("adam", {"lr": 0.01, "b1": 0.7, "b2": 0.95, "eps": 1e-3}),
            "Adam",
            {"lr": 0.01, "betas": (0.7, 0.95), "eps": 1e-3},
        ),
        (("adamw", {"lr": 0.01}), "AdamW", {"lr": 0.01}),
        (
            ("adamw", {"lr": 0.01, "decay": 0.3, "b1": 0.7, "b2": 0.95, "eps": 1e-3}),
            "AdamW",
            {"lr": 0.01, "weight_decay": 0.3, "betas": (0.7, 0.95), "eps": 1e-3},
        ),
        (("rmsprop", {"lr": 0.01}), "RMSprop", {"lr": 0.01}),
        (
            ("rmsprop", {"lr": 0.01, "rho": 0.8, "eps": 1e-3}),
            "RMSprop",
            {"lr": 0.01, "alpha": 0.8, "eps": 1e-3},
        ),
    ],
)
def test_against_torch(walker: tuple[str, dict], kind: str, options: dict) -> None:
    rng = np.random.default_rng(1)
    w = rng.standard_normal((3, 4))
    gradients = rng.standard_normal((30, 3, 4))
    run = Walker(walker[0], **walker[1])
    ours = w
    for g in gradients:
        ours = run.step(ours, g)
    np.testing.assert_allclose(ours, torch_run(kind, w, gradients, **options), rtol=1e-12)


def test_matrix_quotient_is_a_running_mean_with_its_start_as_a_sample() -> None:
    """v after n batches is (v_0 + sum |g|) / (n + 1) while n/(n + 1) < rho; the cap binds after."""
    rng = np.random.default_rng(2)
    run = Walker("mq", alpha=0.003, rho=0.9)
    w, means, v = np.zeros((2, 3)), [], 0.003
    for n in range(1, 15):
        g = rng.standard_normal((2, 3))
        before, factor = w, 0.003 / (v + 1e-6) + 1e-3
        w = run.step(w, g)
        np.testing.assert_allclose(w - before, factor * g, rtol=1e-12, atol=1e-13)
        means.append(np.abs(g).mean())
        v = (0.003 + sum(means)) / (n + 1) if n <= 9 else 0.9 * v + 0.1 * means[-1]
        assert run.scope["v"] == pytest.approx(v, rel=1e-13)


def test_matrix_quotient_reproduces_the_stored_factors() -> None:
    """From the stored parameters, g = (after - before) / factor; v is over weights and biases."""
    stored = np.load(GOLDEN / "pc" / "g11_mq.npz")
    arrays = [stored[name] for name in ("W0", "W1", "W2", "b0", "b1", "b2")]
    history = np.vstack([np.concatenate([a.ravel() for a in arrays]), stored["params"]])
    ends = np.cumsum([a.size for a in arrays])
    pieces = [np.arange(end - a.size, end) for end, a in zip(ends, arrays, strict=True)]
    names = ("alpha", "alpha_min", "r", "rho")
    for layer in range(3):
        run = Walker("mq", **{name: float(stored[name]) for name in names})
        part = history[:, np.concatenate([pieces[layer], pieces[layer + 3]])]
        for n in range(len(part) - 1):
            g = (part[n + 1] - part[n]) / stored["factor"][n, layer]
            after = run.step(part[n], g)
            np.testing.assert_allclose(after, part[n + 1], rtol=1e-12, atol=1e-15)
            assert run.scope["v"] == pytest.approx(stored["v"][n, layer], rel=1e-9)
