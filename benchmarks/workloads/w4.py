"""W4: a hidden layer with forward, backward and lateral weights, two phases, batch 20, float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from .workload import CIRCUITS, Workload

SIZES, BATCH, BATCHES = (784, 500, 10), 20, 60
NAMES = ("W1", "W2", "V2", "B1", "B2")


def make_task() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Initial weights (pre, post), pictures (a fifth of the pixels lit) and one-hot labels."""
    random = np.random.default_rng(4)
    n0, n1, n2 = SIZES

    def xavier(pre: int, post: int) -> np.ndarray:
        limit = np.sqrt(6 / (pre + post))
        return random.uniform(-limit, limit, (pre, post)).astype(np.float32)

    weights = {"W1": xavier(n0, n1), "W2": xavier(n1, n2), "V2": xavier(n2, n1)}
    weights |= {"B1": np.eye(n1, dtype=np.float32), "B2": np.eye(n2, dtype=np.float32)}
    count = BATCH * BATCHES
    lit = random.random((count, n0)) < 0.2
    images = (random.random((count, n0)) * lit).astype(np.float32)
    labels = np.eye(n2, dtype=np.float32)[random.integers(0, n2, count)]
    return weights, images, labels


def train(weights: dict[str, Any], x: Any, t: Any, library: Any) -> None:
    """One batch, the equations as they stand; `library` is numpy or torch."""
    W1, W2, V2, B_h, B_y = (weights[name] for name in NAMES)
    h = library.zeros((len(x), SIZES[1]), dtype=library.float32)
    y = library.zeros((len(x), SIZES[2]), dtype=library.float32)
    phases = []
    for steps, beta in ((20, 0.0), (10, 1.0)):
        for _ in range(steps):
            e_h = h - x @ W1
            e_b = h - y @ V2
            e_y = y - h @ W2
            new_h = library.clip(h + 0.05 * (0.1 * (h @ B_h) - e_h / 0.5 - e_b / 0.5), 0, 1)
            new_y = library.clip(y + 0.05 * (0.1 * (y @ B_y) - e_y / 0.5 - beta * (y - t)), 0, 1)
            h, y = new_h, new_y
        phases.append((h, y, h - x @ W1, h - y @ V2, y - h @ W2))
    (h_0, y_0, e_h0, e_b0, e_y0), (h, y, e_h, e_b, e_y) = phases
    rate = 0.02 / len(x)
    z_h, z_y = h @ B_h, y @ B_y
    W1[:] += rate * (x.T @ e_h - x.T @ e_h0)
    W2[:] += rate * (h.T @ e_y - h_0.T @ e_y0)
    V2[:] += rate * (y.T @ e_b - y_0.T @ e_b0)
    B_h[:] = (B_h - (0.001 / len(x)) * (z_h.T @ z_h)) / 0.999
    B_y[:] = (B_y - (0.001 / len(x)) * (z_y.T @ z_y)) / 0.999


class NumpyLoop:
    """`train` on numpy arrays."""

    def __init__(self) -> None:
        """Make the arrays."""
        self.initial, self.images, self.labels = make_task()

    def start(self) -> None:
        """Set the initial weights."""
        self.weights = {name: w.copy() for name, w in self.initial.items()}

    def go(self, units: int) -> None:
        """Train on `units` batches."""
        for i in range(0, units * BATCH, BATCH):
            train(self.weights, self.images[i : i + BATCH], self.labels[i : i + BATCH], np)

    def result(self) -> dict[str, np.ndarray]:
        """How far the weights have moved."""
        return {name: w - self.initial[name] for name, w in self.weights.items()}


class NumbaLoop(NumpyLoop):
    """`train` compiled by numba; numbers are float32 by name, or numba computes in float64."""

    def __init__(self) -> None:
        """Make the arrays and the function."""
        super().__init__()
        self.train = compiled()

    def go(self, units: int) -> None:
        """Train on `units` batches."""
        weights = tuple(self.weights[name] for name in NAMES)
        for i in range(0, units * BATCH, BATCH):
            self.train(*weights, self.images[i : i + BATCH], self.labels[i : i + BATCH])


def compiled() -> Any:
    """`train` for numba."""
    import numba

    f = np.float32
    zero, one, half, step, mix = f(0), f(1), f(0.5), f(0.05), f(0.1)
    rate, decay, forget = f(0.02 / BATCH), f(0.001 / BATCH), f(0.999)

    @numba.njit
    def relax(W1, W2, V2, B_h, B_y, x, t, h, y, steps, beta):
        for _ in range(steps):
            e_h = h - x @ W1
            e_b = h - y @ V2
            e_y = y - h @ W2
            new_h = h + step * (mix * (h @ B_h) - e_h / half - e_b / half)
            new_y = y + step * (mix * (y @ B_y) - e_y / half - beta * (y - t))
            h = np.minimum(np.maximum(new_h, zero), one)
            y = np.minimum(np.maximum(new_y, zero), one)
        return h, y, h - x @ W1, h - y @ V2, y - h @ W2

    @numba.njit
    def train(W1, W2, V2, B_h, B_y, x, t):
        h = np.zeros((len(x), B_h.shape[0]), dtype=np.float32)
        y = np.zeros((len(x), B_y.shape[0]), dtype=np.float32)
        h_0, y_0, e_h0, e_b0, e_y0 = relax(W1, W2, V2, B_h, B_y, x, t, h, y, 20, zero)
        h, y, e_h, e_b, e_y = relax(W1, W2, V2, B_h, B_y, x, t, h_0, y_0, 10, one)
        z_h, z_y = h @ B_h, y @ B_y
        W1[:] += rate * (x.T @ e_h - x.T @ e_h0)
        W2[:] += rate * (h.T @ e_y - h_0.T @ e_y0)
        V2[:] += rate * (y.T @ e_b - y_0.T @ e_b0)
        B_h[:] = (B_h - decay * (z_h.T @ z_h)) / forget
        B_y[:] = (B_y - decay * (z_y.T @ z_y)) / forget

    return train


class TorchLoop:
    """`train` on torch tensors, eager, no autograd."""

    def __init__(self) -> None:
        """Turn the arrays into tensors."""
        import torch

        torch.set_num_threads(1)
        self.torch = torch
        self.initial, images, labels = make_task()
        self.images, self.labels = torch.tensor(images), torch.tensor(labels)

    def start(self) -> None:
        """Set the initial weights."""
        self.weights = {name: self.torch.tensor(w) for name, w in self.initial.items()}

    def go(self, units: int) -> None:
        """Train on `units` batches."""
        with self.torch.no_grad():
            for i in range(0, units * BATCH, BATCH):
                x, t = self.images[i : i + BATCH], self.labels[i : i + BATCH]
                train(self.weights, x, t, self.torch)

    def result(self) -> dict[str, np.ndarray]:
        """How far the weights have moved."""
        return {name: w.numpy() - self.initial[name] for name, w in self.weights.items()}


class Apical:
    """`circuits/w4.yaml`."""

    members = dict(zip(NAMES, ("W[1]", "W[2]", "V[2]", "B[1]", "B[2]"), strict=True))

    def __init__(self, engine: str) -> None:
        """Load the circuit."""
        import apical

        self.initial, self.images, self.labels = make_task()
        circuit = apical.load(CIRCUITS / "w4.yaml", sizes=list(SIZES))
        self.simulator = apical.Simulator(circuit, engine=engine, dtype="float32", seed=0)

    def start(self) -> None:
        """Set the initial weights; an array of the simulator is (post, pre)."""
        for name, member in self.members.items():
            self.simulator.weights[member] = self.initial[name].T

    def go(self, units: int) -> None:
        """Train on `units` batches."""
        data = {"image": self.images[: units * BATCH], "label": self.labels[: units * BATCH]}
        self.simulator.fit(data, epochs=1, batch=BATCH, shuffle=False)

    def result(self) -> dict[str, np.ndarray]:
        """How far the weights have moved."""
        moved = {}
        for name, member in self.members.items():
            moved[name] = np.asarray(self.simulator.weights[member]).T - self.initial[name]
        return moved


WORKLOADS = {
    "w4": Workload(
        title="free and nudged phase, 784-500-10, batch 20, float32",
        unit="batch",
        units=BATCHES,
        checked=20,
        tolerance=1e-3,
        cases={
            "numpy": lambda engine: NumpyLoop(),
            "numba": lambda engine: NumbaLoop(),
            "torch": lambda engine: TorchLoop(),
            "apical": lambda engine: Apical(engine),
        },
        targets={"torch": 2},
    )
}
