"""Spikes: cells that fire now and then, beside a numba loop: `python benchmarks/spikes.py`.

N leaky integrate-and-fire cells, a tenth of all connections, for a number of steps; each of T:
nanoseconds per step and cell. The loop is what one writes by hand for this circuit: a list of
targets for each cell, looked at where it fired. Every figure is a median over rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numba
import numpy as np

import apical

CIRCUIT = """
apical: 1
name: firing
parameters:
  N: 1000
  steps: 5000
  h: 0.1
cells:
  lif:
    soma:
      - 20 * dV/dt = I - V
      - jump = input
    after_step: V += jump
    events:
      spike:
        when: V >= 1
        do: V := 0
        hold: V
        for: 2
populations:
  y:
    cell: lif
    size: N
    parameters:
      I: 1.02 + 0.1*index/N
synapses:
  W:
    from: y.spike
    to: y.soma
    init: 0.002*bernoulli(0.1)
record: y.V every 1000 norm
protocols:
  train:
    run:
      begin: y.V := index/N
      steps: steps
      dt: h
"""


@numba.njit
def by_hand(V, drive, first, targets, weight, steps, h):
    """The spikes of `steps` steps; cell j reaches targets[first[j]:first[j + 1]]."""
    n = len(V)
    left, fired, total = np.zeros(n), np.zeros(n, dtype=np.int64), 0
    count = 0
    jump = np.zeros(n)
    for _ in range(steps):
        jump[:] = 0
        for k in range(count):
            j = fired[k]
            for t in range(first[j], first[j + 1]):
                jump[targets[t]] += weight
        count = 0
        for i in range(n):
            if left[i] > 0:
                left[i] -= 1
                continue
            V[i] += h * (drive[i] - V[i]) / 20 + jump[i]
            if V[i] >= 1:
                V[i], left[i] = 0.0, 20.0
                fired[count] = i
                count += 1
        total += count
    return total


def main() -> None:
    """Both, in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    n, steps = options.cells, options.steps
    sim = apical.Simulator(apical.load_text(CIRCUIT, N=n, steps=steps), engine="numba")
    weights = np.array(sim.weights["W"])
    sources, targets = np.nonzero(weights.T)
    first = np.searchsorted(sources, np.arange(n + 1))
    drive = 1.02 + 0.1 * np.arange(n) / n
    spikes = by_hand(np.arange(n) / n, drive, first, targets, 0.002, steps, 0.1)
    sim.run()
    found = sim.run(record=["y.spike"]).arrays["y.spike"][0, 0, 1:].sum()
    took: dict[str, list[float]] = {"apical": [], "by hand": []}
    for _ in range(options.rounds):
        began = time.perf_counter()
        sim.run()
        took["apical"].append(time.perf_counter() - began)
        began = time.perf_counter()
        by_hand(np.arange(n) / n, drive, first, targets, 0.002, steps, 0.1)
        took["by hand"].append(time.perf_counter() - began)
    print(f"{n} cells, {steps} steps, {spikes} spikes by hand and {found:.0f} of apical")
    for name, times in took.items():
        print(f"{name:8} {statistics.median(times) / steps / n * 1e9:8.2f} ns per step and cell")
    ratio = statistics.median(a / b for a, b in zip(*took.values(), strict=True))
    print(f"ratio    {ratio:8.2f}")


if __name__ == "__main__":
    main()
