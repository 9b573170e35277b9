"""W3: blind separation of 5 sources from 10 mixtures, sample by sample, early stop, float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from .workload import CIRCUITS, Workload

M, N, SAMPLES = 10, 5, 10_000
FORGET = 0.995
GAIN = (1 - FORGET) / FORGET


def make_task() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mixtures (sample, M), W (post, pre) and B at the start."""
    random = np.random.default_rng(3)
    sources = random.uniform(-1, 1, (SAMPLES, N))
    A = random.standard_normal((M, N))
    W = 0.1 * random.standard_normal((N, M))
    return sources @ A.T, W, 5 * np.eye(N)


def looping(xp: Any) -> Any:
    """One pass over the samples, the equations as they stand, with numpy or torch."""

    def loop(X: Any, W: Any, B: Any) -> Any:
        """W and B at the end."""
        for i in range(len(X)):
            x = X[i]
            ff = W @ x
            r = xp.zeros_like(ff)
            for _ in range(200):
                new = xp.clip(r + 0.03 * (B @ r - (r - ff) / 0.1), -1, 1)
                change = xp.linalg.norm(new - r)
                r = new
                if change < 1e-6 * xp.linalg.norm(r):
                    break
            W = W + 0.01 * xp.outer(r - ff, x)
            z = B @ r
            B = (B - GAIN / (1 + GAIN * (z @ r)) * xp.outer(z, z)) / FORGET
        return W, B

    return loop


class PlainLoop:
    """`loop` as it stands, or compiled by numba as it stands."""

    def __init__(self, compiled: bool) -> None:
        """Make the arrays."""
        self.X, self.W, self.B = make_task()
        self.loop = looping(np)
        if compiled:
            import numba

            self.loop = numba.njit(self.loop)

    def start(self) -> None:
        """Nothing to set: the loop leaves its arguments as they are."""

    def go(self, units: int) -> None:
        """Learn from the first `units` thousand samples."""
        self.out = self.loop(self.X[: 1000 * units], self.W, self.B)

    def result(self) -> dict[str, np.ndarray]:
        """The weights."""
        return {"W": self.out[0].T, "B": self.out[1].T}


class TorchLoop:
    """The same on torch tensors, eager, no autograd."""

    def __init__(self) -> None:
        """Turn the arrays into tensors."""
        import torch

        torch.set_num_threads(1)
        self.torch, self.loop = torch, looping(torch)
        self.X, self.W, self.B = (torch.tensor(array) for array in make_task())

    def start(self) -> None:
        """Nothing to set: the loop leaves the initial weights as they are."""

    def go(self, units: int) -> None:
        """Learn from the first `units` thousand samples."""
        with self.torch.no_grad():
            self.out = self.loop(self.X[: 1000 * units], self.W, self.B)

    def result(self) -> dict[str, np.ndarray]:
        """The weights."""
        return {"W": self.out[0].numpy().T, "B": self.out[1].numpy().T}


class Apical:
    """`circuits/w3.yaml`."""

    def __init__(self, engine: str) -> None:
        """Load the circuit."""
        import apical

        self.X, self.W, self.B = make_task()
        circuit = apical.load(CIRCUITS / "w3.yaml")
        self.simulator = apical.Simulator(circuit, engine=engine, dtype="float64", seed=0)

    def start(self) -> None:
        """Set the initial weights."""
        self.simulator.weights["W"] = self.W
        self.simulator.weights["B"] = self.B

    def go(self, units: int) -> None:
        """Learn from the first `units` thousand samples."""
        data = {"mixture": self.X[: 1000 * units]}
        self.simulator.fit(data, epochs=1, batch=1, shuffle=False)

    def result(self) -> dict[str, np.ndarray]:
        """The weights."""
        return {name: np.asarray(self.simulator.weights[name]).T for name in ("W", "B")}


WORKLOADS = {
    "w3": Workload(
        title="source separation, 10 mixtures, 5 outputs, 10,000 samples, float64",
        unit="1,000 samples",
        units=10,
        checked=10,
        tolerance=1e-9,
        cases={
            "numpy": lambda engine: PlainLoop(compiled=False),
            "numba": lambda engine: PlainLoop(compiled=True),
            "torch": lambda engine: TorchLoop(),
            "apical": lambda engine: Apical(engine),
        },
        targets={"numpy": 250, "numba": 15},
    )
}
