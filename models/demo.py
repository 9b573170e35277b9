"""`python -m apical.models.demo`: two circuits learn real handwritten digits.

Predictive coding and three-compartment CorInfoMax are trained on the 8 x 8 digits of scikit-learn
with local rules only; what they read on images they have not seen is printed, and one presentation
is written as a NetCDF trace and as a picture.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from ..engines.simulation.simulator import Simulator
from ..graphs.load import load
from . import tasks


@dataclass(frozen=True)
class Settings:
    """How one circuit is trained; what is not named here is as the circuit's file says."""

    circuit: str
    epochs: int
    batch: int
    optimizer: str
    rate: str
    variants: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    record: tuple[str, ...] = ()


RUNS = (
    Settings(
        circuit="pc",
        epochs=20,
        batch=20,
        optimizer="adam",
        rate="eta 0.003",
        variants=("adam",),
        parameters={"sizes": [64, 128, 10], "eta": 0.003},
        record=("F", "layer[1].e", "layer[2].x"),
    ),
    Settings(
        circuit="corinfomax",
        epochs=10,
        batch=20,
        optimizer="sgd",
        rate="eta_W 1.0, 0.7; eta_F 0.15",
        parameters={"sizes": [64, 128, 10]},
        record=("layer[1].v_A", "layer[1].v_B", "layer[2].r"),
    ),
)


def main() -> None:
    """Trains, prints, and writes `digits_<circuit>.nc` and `digits_<circuit>.png`."""
    task = tasks.digits()
    for settings in RUNS:
        start = time.perf_counter()
        circuit = load(settings.circuit, variants=settings.variants, **settings.parameters)
        simulator = Simulator(circuit, engine="numba", seed=0)
        simulator.fit(task.train, epochs=settings.epochs, batch=settings.batch)
        accuracy = float(simulator.evaluate(task.test)["accuracy"])
        spent = time.perf_counter() - start
        sizes = "-".join(str(n) for n in settings.parameters["sizes"])
        print(
            f"{settings.circuit} {sizes}: test accuracy {accuracy:.4f} after {settings.epochs} "
            f"epochs, batch {settings.batch}, {settings.optimizer}, {settings.rate} ({spent:.0f} s)"
        )
        few: dict[str, Any] = dict(task.test.first(20))
        traces = simulator.run("train", **few, learn=False, record=list(settings.record))
        traces.to_netcdf(f"digits_{settings.circuit}.nc")
        traces.plot(f"digits_{settings.circuit}.png")
        print(f"  wrote digits_{settings.circuit}.nc and digits_{settings.circuit}.png")


if __name__ == "__main__":
    main()
