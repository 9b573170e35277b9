"""W2: 100 cells with two dendrites each, 100,000 Euler steps, a sine drive, 10 traces."""

from __future__ import annotations

from typing import Any

import numpy as np

from .workload import CIRCUITS, Workload

N, STEPS, DT, EVERY, RECORDED = 100, 100_000, 0.1, 10, 10


def make_task(dtype: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W (post, pre), the amplitudes c and the initial u."""
    random = np.random.default_rng(3)
    W = 1.8 * random.standard_normal((N, N)) / np.sqrt(N)
    c = random.uniform(-1, 1, N)
    u = random.uniform(-0.5, 0.5, N)
    return W.astype(dtype), c.astype(dtype), u.astype(dtype)


def looping(tanh: Any) -> Any:
    """All steps, the equations as they stand, with numpy's tanh or torch's."""

    def loop(W: Any, c: Any, u: Any, v_B: Any, v_A: Any, traces: Any) -> Any:
        """Row 0 of the traces is the state at the start."""
        traces[0] = u[:RECORDED]
        for i in range(STEPS):
            t = i * DT
            r = tanh(u)
            du = (-u + 0.8 * (v_B - u) + 0.4 * (v_A - u)) / 10
            dv_B = (-v_B + W @ r + c * np.sin(2 * np.pi * t / 50)) / 5
            dv_A = (-v_A + 0.6 * r) / 20
            u = u + DT * du
            v_B = v_B + DT * dv_B
            v_A = v_A + DT * dv_A
            if (i + 1) % EVERY == 0:
                traces[(i + 1) // EVERY] = u[:RECORDED]
        return u

    return loop


class PlainLoop:
    """`loop` as it stands, or compiled by numba as it stands."""

    def __init__(self, dtype: str, compiled: bool) -> None:
        """Make the arrays."""
        self.W, self.c, self.u = make_task(dtype)
        self.loop = looping(np.tanh)
        if compiled:
            import numba

            self.loop = numba.njit(self.loop)

    def start(self) -> None:
        """Make room for the traces."""
        self.traces = np.empty((STEPS // EVERY + 1, RECORDED), self.u.dtype)

    def go(self, units: int) -> None:
        """Do `units` runs."""
        zero = np.zeros_like(self.u)
        for _ in range(units):
            self.last = self.loop(self.W, self.c, self.u, zero, zero, self.traces)

    def result(self) -> dict[str, np.ndarray]:
        """The traces and the last u of all cells."""
        return {"traces": self.traces, "u": self.last}


class TorchLoop:
    """The same on torch tensors, eager."""

    def __init__(self, dtype: str) -> None:
        """Turn the arrays into tensors."""
        import torch

        torch.set_num_threads(1)
        self.torch, self.loop = torch, looping(torch.tanh)
        self.W, self.c, self.u = (torch.tensor(array) for array in make_task(dtype))

    def start(self) -> None:
        """Make room for the traces."""
        self.traces = self.torch.empty((STEPS // EVERY + 1, RECORDED), dtype=self.u.dtype)

    def go(self, units: int) -> None:
        """Do `units` runs."""
        zero = self.torch.zeros_like(self.u)
        with self.torch.inference_mode():
            for _ in range(units):
                self.last = self.loop(self.W, self.c, self.u, zero, zero, self.traces)

    def result(self) -> dict[str, np.ndarray]:
        """The traces and the last u of all cells."""
        return {"traces": self.traces.numpy(), "u": self.last.numpy()}


class Apical:
    """`circuits/w2.yaml`; records u of all cells."""

    def __init__(self, dtype: str, engine: str) -> None:
        """Load the circuit and set W."""
        import apical

        W, self.c, self.u = make_task(dtype)
        circuit = apical.load(CIRCUITS / "w2.yaml")
        self.simulator = apical.Simulator(circuit, engine=engine, dtype=dtype, seed=0)
        self.simulator.weights["W"] = W

    def start(self) -> None:
        """Nothing to set: each run starts from `initial`."""

    def go(self, units: int) -> None:
        """Do `units` runs."""
        for _ in range(units):
            self.traces = self.simulator.run(
                "train",
                drive=self.c[None],
                initial={"net.u": self.u[None]},
                learn=False,
                record=[f"net.u every {EVERY}"],
            )

    def result(self) -> dict[str, np.ndarray]:
        """The traces and the last u of all cells."""
        u = np.asarray(self.traces["net.u"]).reshape(-1, N)
        return {"traces": u[:, :RECORDED], "u": u[-1]}


WORKLOADS = {
    "w2": Workload(
        title="100 cells of three compartments, 100,000 Euler steps, float64",
        unit="run",
        units=1,
        checked=1,
        tolerance=1e-9,
        cases={
            "numpy": lambda engine: PlainLoop("float64", compiled=False),
            "numba": lambda engine: PlainLoop("float64", compiled=True),
            "torch": lambda engine: TorchLoop("float64"),
            "apical": lambda engine: Apical("float64", engine),
        },
        targets={"numpy": 9},
    ),
    "w2_float32": Workload(
        title="the same, float32",
        unit="run",
        units=1,
        checked=1,
        tolerance=1e-3,
        cases={
            # numba makes float64 of float32 arrays times literals: no plain compiled loop here
            "numpy": lambda engine: PlainLoop("float32", compiled=False),
            "apical": lambda engine: Apical("float32", engine),
        },
    ),
}
