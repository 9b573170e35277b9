"""Training: three-compartment CorInfoMax, 784-500-10, batch 20, 30 + 10 steps, all rules, float32.

    v_B = W[k] r[k-1],  v_A = eps (2 gam B[k] r[k] + g r[k]) + F[k] r[k+1]
    u += h (-g u + (v_B - u)/eps + (v_A - u)/eps),  r = clip(u, 0, 1),  layer after layer

and the output with v_A = gam B r + g r - beta (r - y) at conductance 1; W, F and B learn at the end
of the nudged phase. The constants are those of the published MNIST run, except lam: at .99999
float32 shows two digits of how far B moves in 20 batches.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from .workload import Workload

SIZES, BATCH, BATCHES = (784, 500, 10), 20, 120
EPS, G, H, BETA, LAM = 0.15, 0.5, 0.05, 1.0, 0.999
GAM = (1 - LAM) / LAM
RATES = {"W1": 1.0, "W2": 0.7, "F": 0.15}
NAMES = {"W1": "W[1]", "W2": "W[2]", "F": "F[1]", "B1": "B[1]", "B2": "B[2]"}


def make_task() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Initial weights (post, pre), pictures (a fifth of the pixels lit) and one-hot labels."""
    random = np.random.default_rng(5)
    n0, n1, n2 = SIZES

    def xavier(post: int, pre: int) -> np.ndarray:
        limit = np.sqrt(6 / (pre + post))
        return random.uniform(-limit, limit, (post, pre))

    weights = {"W1": xavier(n1, n0), "W2": xavier(n2, n1), "F": xavier(n1, n2)}
    for name, size in (("B1", n1), ("B2", n2)):
        root = xavier(size, size)
        weights[name] = root @ root.T
    count = BATCH * BATCHES
    images = random.random((count, n0)) * (random.random((count, n0)) < 0.2)
    labels = np.eye(n2)[random.integers(0, n2, count)]
    small = {name: array.astype(np.float32) for name, array in weights.items()}
    return small, images.astype(np.float32), labels.astype(np.float32)


def rows(W: Any, r: Any) -> Any:
    """W r for activities (sample, unit): the faster layout in torch."""
    return r @ W.T


def columns(W: Any, r: Any) -> Any:
    """W r for activities (unit, sample): the published layout."""
    return W @ r


def relax(weights: dict[str, Any], x: Any, y: Any, case: TorchLoop) -> list[Any]:
    """Rates of both layers at the end of the free and of the nudged phase."""
    W1, W2, F, B1, B2 = (weights[name] for name in NAMES)
    through, clip = case.through, case.torch.clip
    r1, r2 = case.zeros(SIZES[1]), case.zeros(SIZES[2])
    drive = through(W1, x) if case.hoist else None
    ends = []
    for steps, beta in ((30, 0.0), (10, BETA)):
        u1, u2 = r1, r2
        for _ in range(steps):
            v_B = through(W1, x) if drive is None else drive
            v_A = EPS * (2 * GAM * through(B1, r1) + G * r1) + through(F, r2)
            u1 = u1 + H * (-G * u1 + (v_B - u1) / EPS + (v_A - u1) / EPS)
            r1 = clip(u1, 0, 1)
            v_B = through(W2, r1)
            v_A = GAM * through(B2, r2) + G * r2 - beta * (r2 - y)
            u2 = u2 + H * (-G * u2 + (v_B - u2) / EPS + (v_A - u2))
            r2 = clip(u2, 0, 1)
        ends.append((r1, r2))
    return ends


def product(post: Any, pre: Any) -> Any:
    """The mean over samples of post pre^T, (post, pre), of rows, by one matrix product."""
    return post.T @ pre / len(post)


def outer(post: Any, pre: Any) -> Any:
    """post pre^T of every sample, (sample, post, pre), of columns: the published way."""
    return post.T[:, :, None] * pre.T[:, None, :]


def mean(changes: Any) -> Any:
    """What is left to do after `product` or `outer`."""
    return changes.mean(0) if changes.ndim == 3 else changes


def learn(weights: dict[str, Any], x: Any, ends: list[Any], case: TorchLoop) -> None:
    """The contrastive rules of W and F, and the anti-Hebbian one of B, on what the phases left."""
    W1, W2, F, B1, B2 = (weights[name] for name in NAMES)
    through, pair = case.through, case.pair
    pairs = []
    for r1, r2 in ends:
        errors = r1 - through(W1, x), r2 - through(W2, r1), r1 - through(F, r2)
        pairs.append(zip(errors, (x, r1, r2), strict=True))
    for (name, rate), free, nudged in zip(RATES.items(), *pairs, strict=True):
        weights[name] += rate / BETA * mean(pair(*nudged) - pair(*free))
    for B, r in ((B1, ends[1][0]), (B2, ends[1][1])):
        z = through(B, r)
        B[:] = (B - GAM * mean(pair(z, z))) / LAM


def keep_freed_memory() -> None:
    """Tell glibc not to give freed memory back to the system.

    By default it does so with the 31 MB of each outer product, and their 23,000 pages a batch are
    faulted in anew.
    """
    libc, trim_threshold, mmap_threshold = ctypes.CDLL("libc.so.6"), -1, -3
    if not all(libc.mallopt(option, 1 << 30) for option in (trim_threshold, mmap_threshold)):
        raise RuntimeError("mallopt refused")


class TorchLoop:
    """The equations in eager torch, without autograd."""

    def __init__(self, through: Any, pair: Any, hoist: bool = False, keep: bool = False) -> None:
        """Turn the arrays into tensors; with `keep`, malloc keeps what is freed."""
        import torch

        torch.set_num_threads(1)
        if keep:
            keep_freed_memory()
        self.torch, self.through, self.pair, self.hoist = torch, through, pair, hoist
        self.initial, images, labels = make_task()
        self.images, self.labels = torch.tensor(images), torch.tensor(labels)

    def zeros(self, size: int) -> Any:
        """Activities of a layer, all silent."""
        return self.turned(self.torch.zeros(BATCH, size))

    def turned(self, activity: Any) -> Any:
        """(sample, unit) in the layout of the case."""
        return activity if self.through is rows else activity.T

    def start(self) -> None:
        """Set the initial weights."""
        self.weights = {name: self.torch.tensor(w) for name, w in self.initial.items()}

    def go(self, units: int) -> None:
        """Train on `units` batches."""
        with self.torch.no_grad():
            for i in range(0, units * BATCH, BATCH):
                x = self.turned(self.images[i : i + BATCH])
                y = self.turned(self.labels[i : i + BATCH])
                learn(self.weights, x, relax(self.weights, x, y, self), self)

    def result(self) -> dict[str, np.ndarray]:
        """How far the weights have moved."""
        return {name: w.numpy() - self.initial[name] for name, w in self.weights.items()}


class Apical:
    """The bundled circuit."""

    def __init__(self, engine: str) -> None:
        """Load the circuit."""
        import apical

        self.initial, self.images, self.labels = make_task()
        circuit = apical.load(
            "corinfomax", variants="constant_step", sizes=list(SIZES), lam=LAM, beta=BETA
        )
        self.simulator = apical.Simulator(circuit, engine=engine, dtype="float32", seed=0)

    def start(self) -> None:
        """Set the initial weights."""
        for name, member in NAMES.items():
            self.simulator.weights[member] = self.initial[name]

    def go(self, units: int) -> None:
        """Train on `units` batches."""
        data = {"image": self.images[: units * BATCH], "label": self.labels[: units * BATCH]}
        self.simulator.fit(data, epochs=1, batch=BATCH, shuffle=False)

    def result(self) -> dict[str, np.ndarray]:
        """How far the weights have moved."""
        weights = self.simulator.weights
        return {n: np.asarray(weights[member]) - self.initial[n] for n, member in NAMES.items()}


WORKLOADS = {
    "training": Workload(
        title="three-compartment CorInfoMax with all rules, 784-500-10, batch 20, float32",
        unit="batch",
        units=BATCHES,
        checked=20,
        tolerance=1e-3,
        cases={
            "torch": lambda engine: TorchLoop(rows, product),
            "torch_hoisted": lambda engine: TorchLoop(rows, product, hoist=True),
            "torch_outer": lambda engine: TorchLoop(columns, outer),
            "torch_outer_kept": lambda engine: TorchLoop(columns, outer, keep=True),
            "apical": lambda engine: Apical(engine),
        },
        targets={"torch": 2, "torch_outer": 10},
    )
}
