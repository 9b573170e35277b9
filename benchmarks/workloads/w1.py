"""W1: predictive coding, prediction f(x) W + b, float32; a-d differ in sizes, batch and f."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .workload import CIRCUITS, Workload

STEPS, RATE, ETA = 20, 0.1, 0.01


@dataclass(frozen=True)
class Task:
    """Initial weights W_l (pre, post), b_l (post), and pictures with one-hot labels."""

    sizes: tuple[int, ...]
    batch: int
    function: str
    W: list[np.ndarray]
    b: list[np.ndarray]
    images: np.ndarray
    labels: np.ndarray


def make_task(sizes: tuple[int, ...], batch: int, function: str, batches: int) -> Task:
    """Pictures in [0, 1], a fifth of the pixels lit, as in handwritten digits."""
    random = np.random.default_rng(1)
    limits = [1 / np.sqrt(n) for n in sizes[:-1]]
    ends = list(zip(limits, sizes, sizes[1:], strict=False))
    W = [random.uniform(-a, a, (m, n)).astype(np.float32) for a, m, n in ends]
    b = [random.uniform(-a, a, n).astype(np.float32) for a, _, n in ends]
    count = batch * batches
    lit = random.random((count, sizes[0])) < 0.2
    images = (random.random((count, sizes[0])) * lit).astype(np.float32)
    labels = np.eye(sizes[-1], dtype=np.float32)[random.integers(0, sizes[-1], count)]
    return Task(sizes, batch, function, W, b, images, labels)


def train(
    W: Sequence[Any],
    b: Sequence[Any],
    image: Any,
    label: Any,
    f: Callable[[Any], Any],
    df: Callable[[Any], Any],
) -> None:
    """One batch, the equations as they stand; the arrays are numpy's or torch's.

    The e of the update is that of the state after the last step.
    """
    L = len(W)
    x = [image]
    for k in range(L - 1):
        x.append(f(x[k]) @ W[k] + b[k])
    x.append(label)
    for _ in range(STEPS):
        e = [x[k + 1] - (f(x[k]) @ W[k] + b[k]) for k in range(L)]
        dx = [-e[k - 1] + df(x[k]) * (e[k] @ W[k].T) for k in range(1, L)]
        for k in range(1, L):
            x[k] = x[k] + RATE * dx[k - 1]
    e = [x[k + 1] - (f(x[k]) @ W[k] + b[k]) for k in range(L)]
    for k in range(L):
        W[k][:] += (ETA / len(image)) * (f(x[k]).T @ e[k])
        b[k][:] += (ETA / len(image)) * e[k].sum(0)


class NumpyLoop:
    """`train` on numpy arrays."""

    functions = {
        "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
        "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(x.dtype)),
    }

    def __init__(self, task: Task) -> None:
        """Keep the task."""
        self.task = task

    def start(self) -> None:
        """Set the initial weights."""
        self.W = [w.copy() for w in self.task.W]
        self.b = [b.copy() for b in self.task.b]

    def go(self, units: int) -> None:
        """Train on `units` batches."""
        f, df = self.functions[self.task.function]
        for i in range(0, units * self.task.batch, self.task.batch):
            image = self.task.images[i : i + self.task.batch]
            label = self.task.labels[i : i + self.task.batch]
            train(self.W, self.b, image, label, f, df)

    def result(self) -> dict[str, np.ndarray]:
        """How far the weights have moved."""
        return moved(self.task, self.W, self.b)


class TorchLoop:
    """`train` on torch tensors, eager, no autograd."""

    def __init__(self, task: Task) -> None:
        """Turn the arrays into tensors."""
        import torch

        torch.set_num_threads(1)
        self.torch, self.task = torch, task
        self.images, self.labels = torch.tensor(task.images), torch.tensor(task.labels)
        self.functions = {
            "tanh": (torch.tanh, lambda x: 1 - torch.tanh(x) ** 2),
            "relu": (torch.relu, lambda x: (x > 0).to(x.dtype)),
        }

    def start(self) -> None:
        """Set the initial weights."""
        self.W = [self.torch.tensor(w) for w in self.task.W]
        self.b = [self.torch.tensor(b) for b in self.task.b]

    def go(self, units: int) -> None:
        """Train on `units` batches."""
        f, df = self.functions[self.task.function]
        with self.torch.no_grad():
            for i in range(0, units * self.task.batch, self.task.batch):
                image = self.images[i : i + self.task.batch]
                label = self.labels[i : i + self.task.batch]
                train(self.W, self.b, image, label, f, df)

    def result(self) -> dict[str, np.ndarray]:
        """How far the weights have moved."""
        return moved(self.task, [w.numpy() for w in self.W], [b.numpy() for b in self.b])


class NumbaLoop(NumpyLoop):
    """`train` compiled by numba, with float32 for its literals: otherwise numba makes float64."""

    def __init__(self, task: Task) -> None:
        """Compile nothing yet."""
        import numba

        self.task = task
        one, rate, eta = np.float32(1), np.float32(RATE), np.float32(ETA / task.batch)
        relu = task.function == "relu"

        @numba.njit
        def f(x):
            return np.maximum(x, np.float32(0)) if relu else np.tanh(x)

        @numba.njit
        def df(x):
            return (x > 0).astype(np.float32) if relu else one - np.tanh(x) * np.tanh(x)

        @numba.njit
        def train(W, b, image, label):
            L = len(W)
            x = [image]
            for k in range(L - 1):
                x.append(f(x[k]) @ W[k] + b[k])
            x.append(label)
            for _ in range(STEPS):
                e = [x[k + 1] - (f(x[k]) @ W[k] + b[k]) for k in range(L)]
                for k in range(1, L):
                    x[k] = x[k] + rate * (-e[k - 1] + df(x[k]) * (e[k] @ W[k].T))
            e = [x[k + 1] - (f(x[k]) @ W[k] + b[k]) for k in range(L)]
            for k in range(L):
                W[k][:] += eta * (f(x[k]).T @ e[k])
                b[k][:] += eta * e[k].sum(0)

        self.train = train

    def go(self, units: int) -> None:
        """Train on `units` batches."""
        W, b = tuple(self.W), tuple(self.b)
        for i in range(0, units * self.task.batch, self.task.batch):
            image = self.task.images[i : i + self.task.batch]
            self.train(W, b, image, self.task.labels[i : i + self.task.batch])


class Apical:
    """`circuits/w1.yaml`."""

    def __init__(self, task: Task, engine: str) -> None:
        """Load the circuit."""
        import apical

        variants = ["relu"] if task.function == "relu" else []
        circuit = apical.load(CIRCUITS / "w1.yaml", sizes=list(task.sizes), variants=variants)
        self.task = task
        self.simulator = apical.Simulator(circuit, engine=engine, dtype="float32", seed=0)

    def start(self) -> None:
        """Set the initial weights; a bias is the last column of the (post, pre) array."""
        for k, (w, b) in enumerate(zip(self.task.W, self.task.b, strict=True), 1):
            self.simulator.weights[f"W[{k}]"] = np.hstack([w.T, b[:, None]])

    def go(self, units: int) -> None:
        """Train on `units` batches."""
        n = units * self.task.batch
        data = {"image": self.task.images[:n], "label": self.task.labels[:n]}
        self.simulator.fit(data, epochs=1, batch=self.task.batch, shuffle=False)

    def result(self) -> dict[str, np.ndarray]:
        """How far the weights have moved."""
        count = range(1, len(self.task.sizes))
        arrays = [np.asarray(self.simulator.weights[f"W[{k}]"]) for k in count]
        return moved(self.task, [a[:, :-1].T for a in arrays], [a[:, -1] for a in arrays])


def moved(task: Task, W: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Weights and biases minus those of the start, by name."""
    found = {}
    for k in range(len(W)):
        found[f"W{k + 1}"] = W[k] - task.W[k]
        found[f"b{k + 1}"] = b[k] - task.b[k]
    return found


A, B = (784, 500, 10), (784, 256, 256, 10)
TASKS: dict[str, partial[Task]] = {  # sizes, batch, f, batches
    "w1a": partial(make_task, A, 64, "tanh", 60),
    "w1b": partial(make_task, B, 64, "relu", 60),
    "w1c": partial(make_task, A, 1, "tanh", 1500),
    "w1d": partial(make_task, B, 1, "tanh", 1000),
}


def workload(name: str, torch: float) -> Workload:
    """W1 on a task; `torch` is the least (torch's time / apical's)."""
    make = TASKS[name]
    sizes, batch, function, units = make.args
    return Workload(
        title=f"PC {'-'.join(map(str, sizes))}, batch {batch}, {function}, float32",
        unit="batch",
        units=units,
        checked=20,
        tolerance=1e-2 if function == "relu" else 1e-3,  # relu: rounding decides at the kink
        cases={
            "numpy": lambda engine: NumpyLoop(make()),
            "numba": lambda engine: NumbaLoop(make()),
            "torch": lambda engine: TorchLoop(make()),
            "apical": lambda engine: Apical(make(), engine),
        },
        targets={"torch": torch},
    )


WORKLOADS = {
    "w1a": workload("w1a", torch=8),
    "w1b": workload("w1b", torch=1),
    "w1c": workload("w1c", torch=12),
    "w1d": workload("w1d", torch=1),
}
