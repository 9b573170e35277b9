"""`python -m apical.models.demo`: three circuits with local rules learn from real data.

Predictive coding and three-compartment CorInfoMax learn to read the 8 x 8 digits of scikit-learn,
predictive entropy maximization separates three photographs from their mixtures, one pixel at a
time. Printed is what they do with what they have not seen, or what was hidden; each writes a
NetCDF trace and a picture.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from ..graphs.load import load
from .experiment import Experiment, Outcome


@dataclass(frozen=True)
class Run:
    """One run: a circuit with variants and parameters, and how long it learns.

    `named` is what its files are called; `rates` and `record` are for people.
    """

    named: str
    circuit: str
    variants: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    rates: str = ""
    record: tuple[str, ...] | None = None

    def line(self, outcome: Outcome, seconds: float) -> str:
        """What it did."""
        name = " ".join((self.circuit, *self.variants))
        scores = ", ".join(f"test {metric} {v:.4f}" for metric, v in outcome.score.items())
        return f"{name}, {outcome.task.about}: {scores} ({self.rates}{seconds:.0f} s)"


RUNS = (
    Run(
        named="digits_pc",
        circuit="pc",
        variants=("adam",),
        parameters={"sizes": [64, 128, 10], "eta": 0.003, "h": 0.1},
        epochs=20,
        rates="64-128-10, 20 epochs, batch 20, adam, eta 0.003, h 0.1; ",
        record=("F", "layer[1].e", "layer[2].x"),
    ),
    Run(
        named="digits_corinfomax",
        circuit="corinfomax",
        parameters={"sizes": [64, 128, 10]},
        epochs=10,
        rates="64-128-10, 10 epochs, batch 20, sgd, eta_W 1.0, 0.7, eta_F 0.15; ",
        record=("layer[1].v_A", "layer[1].v_B", "layer[2].r"),
    ),
    Run(
        named="photographs_pem",
        circuit="pem",
        variants=("nonnegative", "photographs"),
    ),
)


def main() -> None:
    """Trains, prints, and writes `NAME.nc` and `NAME.png` of every run."""
    for run in RUNS:
        start = time.perf_counter()
        circuit = load(run.circuit, variants=run.variants, **run.parameters)
        outcome = Experiment(epochs=run.epochs, record=run.record, trace_samples=20).perform(
            circuit
        )
        print(run.line(outcome, time.perf_counter() - start), flush=True)
        traces = outcome.traces
        assert traces is not None
        traces.to_netcdf(f"{run.named}.nc")
        if outcome.task.picture is not None:
            outcome.task.picture(outcome.predictions).savefig(f"{run.named}.png", dpi=120)
        else:
            traces.plot(f"{run.named}.png")
        print(f"  wrote {run.named}.nc and {run.named}.png", flush=True)


if __name__ == "__main__":
    main()
