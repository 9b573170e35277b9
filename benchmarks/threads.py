"""What threads bring: `python benchmarks/threads.py [--rounds 7]`.

In each round every number of threads does the same work once, in turn, in one process whose
environment says nothing of threads: 8 replicas of a net that learns, predictions, and one
replica that learns batch after batch, where there is nothing to share out and BLAS must not share
it either. A speed-up is one thread's time over that of n threads in the same round; the table gives
medians. Weights and predictions are compared bit by bit.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from race import THREADS
from report import setting

import apical
from apical.engines.threads import available

SIZES, SAMPLES = [784, 128, 64, 10], 2000
GOAL = 1.8  # for 8 replicas on two cores


def samples() -> dict[str, np.ndarray]:
    """Random pictures and labels."""
    random = np.random.default_rng(0)
    labels = np.eye(SIZES[-1])[random.integers(SIZES[-1], size=SAMPLES)]
    return {"image": random.random((SAMPLES, SIZES[0])), "label": labels}


class Case:
    """One kind of work, for each number of threads."""

    def __init__(self, replicas: int, work: Callable[[apical.Simulator], None]):
        self.work, circuit = work, apical.load("pc", sizes=SIZES)
        self.simulators = {
            count: apical.Simulator(circuit, dtype="float32", replicas=replicas, threads=count)
            for count in numbers()
        }

    def seconds(self, count: int) -> float:
        """Of one turn."""
        began = time.perf_counter()
        self.work(self.simulators[count])
        return time.perf_counter() - began

    def same(self) -> bool:
        """Whether all numbers of threads have learnt the same bits."""
        first, *others = self.simulators.values()
        return all(
            np.array_equal(one.weights[name], array)
            for one in others
            for name, array in first.weights.items()
        )


def numbers() -> list[int]:
    """1, 2, ... to the cores of the process."""
    return list(range(1, available() + 1))


def table(rounds: int) -> list[str]:
    """Lines of markdown."""
    data = samples()
    many = {name: np.tile(array, (10, 1)) for name, array in data.items()}
    learnt = {"learn": True, "record": [], "batch": 20, "streams": data}
    cases = {
        "8 replicas learn": Case(8, lambda s: s.run("train", **learnt)),
        "20,000 predictions": Case(1, lambda s: s.predict(many, batch=20)),
        "one replica learns": Case(1, lambda s: s.run("train", **learnt)),
    }
    lines = ["| work | threads | ms | speed-up | same bits |", "|---|---|---|---|---|"]
    for name, case in cases.items():
        for count in numbers():  # compiled, and memory allocated
            case.seconds(count)
        found = [{count: case.seconds(count) for count in numbers()} for _ in range(rounds)]
        for count in numbers():
            gain = statistics.median(row[1] / row[count] for row in found)
            spent = 1000 * statistics.median(row[count] for row in found)
            said = f"{gain:.2f}"
            if count == 2 and name.startswith("8"):
                said += f" (goal {GOAL}: {'met' if gain >= GOAL else '**missed**'})"
            same = "yes" if case.same() else "**no**"
            lines.append(f"| {name} | {count} | {spent:.1f} | {said} | {same} |")
    return lines


def main() -> None:
    """Runs in a process whose environment says nothing of threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    if set(THREADS) & set(os.environ):
        environment = {n: v for n, v in os.environ.items() if n not in THREADS}
        raise SystemExit(subprocess.run([sys.executable, *sys.argv], env=environment).returncode)
    print("\n".join([*setting("numba", given.rounds)[:-1], "", *table(given.rounds)]))


if __name__ == "__main__":
    main()
