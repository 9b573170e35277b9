"""Separation by the bundled `pem`: 5 sources, 10 mixtures, antisparse, one by one, float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from .workload import Workload

M, N, SAMPLES = 10, 5, 10_000
LAM, EPS, GAMMA = 0.99, 1.1e-5, 250.0
RATE, DIVIDER = 0.05, 5000
H0, H_STOP, STEPS, TOL = 0.5, 1e-6, 250, 1e-7


def make_task() -> tuple[np.ndarray, np.ndarray]:
    """The mixtures (sample, M) at 30 dB and W (post, pre) at the start."""
    random = np.random.default_rng(5)
    clean = random.uniform(-1, 1, (SAMPLES, N)) @ random.standard_normal((N, M))
    noise = np.sqrt(1e-3 * np.mean(clean**2, axis=0)) * random.standard_normal((SAMPLES, M))
    return clean + noise, np.eye(N, M) + 0.01 * random.standard_normal((N, M))


def relax(x: Any, W: Any, mu: Any, C: Any) -> Any:
    """The answer y to one sample, the equations as they stand."""
    D = np.diag(C) + EPS
    O = C - np.diag(np.diag(C))  # noqa: E741  (the paper's name)
    p = W @ x
    y = np.zeros(N)
    for j in range(STEPS):
        h = max(H0 / (j + 1), H_STOP)
        centred = y - mu
        drive = GAMMA * (y - p) + (O @ (centred / D) - centred) / D
        new = np.clip(y - h * drive, -1, 1)
        change = np.linalg.norm(new - y)
        y = new
        if change < TOL * np.linalg.norm(y):
            break
    return y


def loop(X: Any, W: Any, step: Any) -> Any:
    """One pass over the samples; `step` is `relax`, plain or compiled."""
    mu, C = np.zeros(N), 0.2 * np.eye(N)
    for t in range(len(X)):
        x = X[t]
        y = step(x, W, mu, C)
        W = W + max(RATE / (t / DIVIDER + 1), 1e-8) * np.outer(y - W @ x, x)
        mu = LAM * mu + (1 - LAM) * y
        C = LAM * C + (1 - LAM) * np.outer(y - mu, y - mu)
    return W, mu, C


class PlainLoop:
    """`loop` in Python, `relax` compiled by numba or not; or both compiled as they stand."""

    def __init__(self, relaxation: bool, whole: bool = False) -> None:
        """Make the arrays; compile what is to be compiled."""
        self.X, self.W = make_task()
        self.loop, self.relax = loop, relax
        if relaxation:
            import numba

            self.relax = numba.njit(relax)
            self.loop = numba.njit(loop) if whole else loop

    def start(self) -> None:
        """Nothing to set: the loop leaves its arguments as they are."""

    def go(self, units: int) -> None:
        """Learn from the first `units` thousand samples."""
        self.out = self.loop(self.X[: 1000 * units], self.W, self.relax)

    def result(self) -> dict[str, np.ndarray]:
        """The weights, means and covariances."""
        W, mu, C = self.out
        return {"W": W.T, "mu": mu, "C": C}


class Apical:
    """The bundled circuit with the constants above."""

    def __init__(self, engine: str) -> None:
        """Load the circuit."""
        import apical

        self.X, self.W = make_task()
        circuit = apical.load("pem", n=N, m=M, eps=EPS, h0=H0)
        self.simulator = apical.Simulator(circuit, engine=engine, dtype="float64", seed=0)

    def start(self) -> None:
        """Set what persists from sample to sample."""
        sim = self.simulator
        sim.weights["W"], sim.weights["C"] = self.W, np.zeros((N, N))
        sim.slow["y.mu"], sim.slow["y.var"] = np.zeros(N), np.full(N, 0.2)
        sim.presentation = 0

    def go(self, units: int) -> None:
        """Learn from the first `units` thousand samples."""
        data = {"mixture": self.X[: 1000 * units]}
        self.simulator.fit(data, epochs=1, batch=1, shuffle=False)

    def result(self) -> dict[str, np.ndarray]:
        """The weights, means and covariances."""
        sim = self.simulator
        mu, own = (np.reshape(sim.slow[f"y.{name}"], N) for name in ("mu", "var"))
        return {"W": sim.weights["W"].T, "mu": mu, "C": sim.weights["C"] + np.diag(own)}


WORKLOADS = {
    "separation": Workload(
        title="predictive entropy maximization, 10 mixtures, 5 outputs, 10,000 samples, float64",
        unit="1,000 samples",
        units=10,
        checked=10,
        tolerance=1e-9,
        cases={
            "published": lambda engine: PlainLoop(relaxation=True),
            "numba": lambda engine: PlainLoop(relaxation=True, whole=True),
            "apical": lambda engine: Apical(engine),
        },
        targets={"published": 10},
    )
}
