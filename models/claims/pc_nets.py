"""Small predictive coding networks: the equations in plain numpy, and the circuit of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .presentation import simulator

if TYPE_CHECKING:
    from ...engines.simulation.simulator import Simulator

SIZES = (6, 5, 4, 3)
DEPTH = len(SIZES) - 1
NAMES = tuple(f"layer[{k}].x" for k in range(DEPTH + 1))


@dataclass
class Network:
    """The equations in plain numpy: rows are samples, weights (post, pre), layer 0 the input.

    `linear_output`: u[L] is not passed through f. `keeps` False drops -e from dx/dt. Precisions
    `pi` (post, pre) weight the errors. `held` are the predictions, gates and inputs that errors
    and rules read in the place of the present ones.
    """

    weights: list[np.ndarray]
    f: Any = np.tanh
    slope: Any = field(default=lambda u: 1 - np.tanh(u) ** 2)
    linear_output: bool = False
    keeps: bool = True
    pi: list[np.ndarray] | None = None
    tau: float = 1.0
    held: tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]] | None = None

    def predictions(self, x: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """f(u) and f'(u) of layers 1 to L."""
        if self.held is not None:
            return self.held[0], self.held[1]
        u = [a @ w.T for a, w in zip(x, self.weights, strict=False)]
        f, slope = [self.f(a) for a in u], [self.slope(a) for a in u]
        if self.linear_output:
            f[-1], slope[-1] = u[-1], np.ones_like(u[-1])
        return f, slope

    def forward(self, x0: np.ndarray) -> list[np.ndarray]:
        """States of the forward pass."""
        x = [x0]
        for k in range(len(self.weights)):
            u = x[-1] @ self.weights[k].T
            linear = self.linear_output and k == len(self.weights) - 1
            x.append(u if linear else self.f(u))
        return x

    def errors(self, x: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Weighted errors, and what they send down, of layers 1 to L."""
        f, slope = self.predictions(x)
        e = [a - b for a, b in zip(x[1:], f, strict=True)]
        if self.pi is not None:
            e = [a @ p.T for a, p in zip(e, self.pi, strict=True)]
        return e, [a * b for a, b in zip(e, slope, strict=True)]

    def energy(self, x: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """F and the share of the output layer, for each sample."""
        e = [a - b for a, b in zip(x[1:], self.predictions(x)[0], strict=True)]
        terms = [(a * b).sum(1) / 2 for a, b in zip(e, self.errors(x)[0], strict=True)]
        return np.sum(terms, axis=0), (e[-1] ** 2).sum(1) / 2

    def step(self, x: list[np.ndarray], h: float, free: set[int]) -> list[np.ndarray]:
        """Eq. 1, an Euler step of the layers in `free`, all from the old states."""
        e, d = self.errors(x)
        new = list(x)
        for k in free:
            below = -e[k - 1] if self.keeps and k else 0.0
            above = d[k] @ self.weights[k] if k < len(self.weights) else 0.0
            new[k] = x[k] + h / self.tau * (below + above)
        return new

    def updates(self, x: list[np.ndarray]) -> list[np.ndarray]:
        """Eq. 2, averaged over samples: what is added to each W, apart from the rate."""
        d = self.errors(x)[1]
        below = self.held[2] if self.held is not None else x
        return [a.T @ b / len(b) for a, b in zip(d, below, strict=False)]


FUNCTIONS: dict[str, tuple[Any, Any]] = {
    "tanh": (np.tanh, lambda u: 1 - np.tanh(u) ** 2),
    "relu": (lambda u: np.maximum(u, 0), lambda u: (u > 0).astype(float)),
    "identity": (lambda u: u, np.ones_like),
}


def random_net(
    seed: int, f: str = "tanh", scale: float = 0.6, sizes: Sequence[int] = SIZES
) -> Network:
    """A net with normal weights of standard deviation `scale`."""
    rng = np.random.default_rng(seed)
    pairs = zip(sizes, sizes[1:], strict=False)
    return Network([scale * rng.normal(size=(b, a)) for a, b in pairs], *FUNCTIONS[f])


def samples(net: Network, seed: int, count: int = 2) -> dict[str, Any]:
    """Images and labels (sample, unit) of standard deviation 1/3."""
    rng = np.random.default_rng(seed + 100)
    shapes = {"image": net.weights[0].shape[1], "label": len(net.weights[-1])}
    return {name: rng.normal(size=(count, n)) / 3 for name, n in shapes.items()}


def circuit(net: Network, variants: Sequence[str] = (), f: str = "tanh", **settings: Any) -> Any:
    """The circuit of the file with the weights and the sizes of a net."""
    sizes = [net.weights[0].shape[1], *(len(w) for w in net.weights)]
    weights = {f"W[{k}]": w for k, w in enumerate(net.weights, 1)}
    if net.pi is not None:
        weights |= {f"Pi[{k}]": p for k, p in enumerate(net.pi, 1)}
    changes = "" if f == "tanh" else f"functions:\n  f: {f}\n"
    return simulator("pc", variants, changes=changes, weights=weights, sizes=sizes, **settings)


def weights_of(sim: Simulator) -> list[np.ndarray]:
    """Copies of W[1] .. W[L] of a simulator."""
    return [np.array(w) for name, w in sim.weights.items() if name[:2] == "W["]


def gradients(net: Network, streams: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Backpropagation: -dL/dx[l] and -dL/dW[l] (mean over samples), L = |label - out|^2/2."""
    x = net.forward(streams["image"])
    delta, deltas, changes = streams["label"] - x[-1], [], []
    for w, below in zip(net.weights[::-1], x[-2::-1], strict=True):
        gated = delta * net.slope(below @ w.T)
        deltas.insert(0, delta)
        changes.insert(0, gated.T @ below / len(below))
        delta = gated @ w
    return deltas, changes


def slope(errors: Sequence[float], sizes: Sequence[float]) -> float:
    """The order in `sizes` at which errors fall."""
    return float(np.polyfit(np.log(sizes), np.log(errors), 1)[0])
