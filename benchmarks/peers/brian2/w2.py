"""W2 in Brian2: a group of neurons, a summed synaptic variable, the Euler method."""

from __future__ import annotations

import tempfile

import numpy as np
from workloads.w2 import DT, EVERY, RECORDED, STEPS, N, make_task

EQUATIONS = """
du/dt = (-u + 0.8*(v_B - u) + 0.4*(v_A - u)) / (10*ms) : 1
dv_B/dt = (-v_B + I + c*sin(2*pi*t/(50*ms))) / (5*ms) : 1
dv_A/dt = (-v_A + 0.6*r) / (20*ms) : 1
r = tanh(u) : 1{flag}
I : 1
c : 1 (constant)
"""


class Network:
    """`target` is "cpp_standalone", "cython" or "numpy"; time is in ms.

    Brian2 puts r into the synapses' equation, where tanh is computed once a synapse and step;
    `hoisted` marks r `constant over dt`, which makes it a variable, computed once a neuron.
    """

    def __init__(self, target: str, hoisted: bool) -> None:
        """Build the network, and in standalone mode compile its program."""
        import brian2 as b

        self.b, self.standalone = b, target == "cpp_standalone"
        if self.standalone:
            self.folder = tempfile.TemporaryDirectory()
            b.set_device("cpp_standalone", build_on_run=False)
        else:
            b.prefs.codegen.target = target
        b.defaultclock.dt = DT * b.ms
        W, c, u = make_task("float64")
        flag = " (constant over dt)" if hoisted else ""
        cells = b.NeuronGroup(N, EQUATIONS.format(flag=flag), method="euler", namespace={})
        cells.u, cells.c = u, c
        current = "w : 1 (constant)\nI_post = w*r_pre : 1 (summed)"
        synapses = b.Synapses(cells, cells, current, namespace={})
        post, pre = np.divmod(np.arange(N * N), N)
        synapses.connect(i=pre, j=post)
        synapses.w = W.ravel()
        self.cells = cells
        self.traces = b.StateMonitor(cells, "u", record=range(RECORDED), dt=EVERY * DT * b.ms)
        self.network = b.Network(cells, synapses, self.traces)
        self.duration = STEPS * DT * b.ms
        if self.standalone:
            self.network.run(self.duration, namespace={})
            b.device.build(directory=self.folder.name, run=False)
        else:
            self.network.store()

    def start(self) -> None:
        """Go back to the state at the start; the standalone program starts there by itself."""
        if not self.standalone:
            self.network.restore()

    def go(self, units: int) -> None:
        """Do `units` runs."""
        for _ in range(units):
            if self.standalone:
                self.b.device.run()
            else:
                self.network.run(self.duration, namespace={})

    def result(self) -> dict[str, np.ndarray]:
        """The traces, with the last state as their last row, and the last u of all cells."""
        last = np.asarray(self.cells.u)
        traces = np.vstack([np.asarray(self.traces.u).T, last[:RECORDED]])
        return {"traces": traces, "u": last}
