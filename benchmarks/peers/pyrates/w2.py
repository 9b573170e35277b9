"""W2 in PyRates: one population, its matrix, `CircuitTemplate.run`."""

from __future__ import annotations

import numpy as np
from workloads.w2 import DT, EVERY, RECORDED, STEPS, N, make_task

# `t` is the number of the step in PyRates' solvers of a fixed step.
EQUATIONS = [
    "u' = (-u + 0.8*(v_B - u) + 0.4*(v_A - u)) / 10.0",
    "v_B' = (-v_B + v_in + c*sin(omega*t)) / 5.0",
    "v_A' = (-v_A + 0.6*r) / 20.0",
    "r = tanh(u)",
]


class Network:
    """The backend on numpy; every run makes its code anew, as `CircuitTemplate.run` does."""

    def __init__(self) -> None:
        """Keep the arrays."""
        self.W, self.c, self.u = make_task("float64")

    def circuit(self):
        """The population and its synapses."""
        from pyrates import CircuitTemplate, NodeTemplate, OperatorTemplate
        from pyrates.frontend.template.population import Connectivity, PopulationTemplate

        variables = {
            "u": "output(0.0)",
            "v_B": "variable(0.0)",
            "v_A": "variable(0.0)",
            "r": "variable(0.0)",
            "v_in": "input(0.0)",
            "c": 0.0,
            "t": "variable(0.0)",
            "omega": 2 * np.pi * DT / 50,
        }
        operator = OperatorTemplate("cell_op", equations=EQUATIONS, variables=variables)
        node = NodeTemplate("cell", operators=[operator])
        values = {"cell_op/u": self.u, "cell_op/c": self.c}
        cells = PopulationTemplate("net", node, n=N, params=values)
        synapses = Connectivity("net/cell_op/r", "net/cell_op/v_in", self.W)
        return CircuitTemplate("w2", populations={"net": cells}, connections=[synapses])

    def start(self) -> None:
        """Nothing to set: each run starts from the initial u."""

    def go(self, units: int) -> None:
        """Do `units` runs."""
        for _ in range(units):
            self.circuit_run()

    def circuit_run(self) -> None:
        """One run."""
        found = self.circuit().run(
            simulation_time=(STEPS + EVERY) * DT,  # ten steps more: the last state is a row
            step_size=DT,
            sampling_step_size=DT * EVERY,
            outputs={"u": "net/cell_op/u"},
            solver="euler",
            backend="numpy",
            float_precision="float64",
            verbose=False,
            clear=True,
            in_place=False,
        )
        self.traces = found.to_numpy()

    def result(self) -> dict[str, np.ndarray]:
        """The traces and the last u of all cells."""
        return {"traces": self.traces[:, :RECORDED], "u": self.traces[-1]}
