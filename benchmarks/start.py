"""How long apical takes to start: `python benchmarks/start.py [--rounds 7]`.

Every figure is that of a fresh process. `import apical` is timed inside it; a first result is the
whole process, from `python` to the end of one training batch of pc.yaml, next to
`python -c "import numba, networkx"` in the same round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from race import THREADS
from report import setting

IMPORT = """
import time
begin = time.perf_counter()
import apical
print(time.perf_counter() - begin)
"""

FIRST = """
import json, sys, time
marks = {"begin": time.perf_counter()}
import apical
marks["import"] = time.perf_counter()
circuit = apical.load("pc")
marks["load"] = time.perf_counter()
simulator = apical.Simulator(circuit, engine="numba", dtype="float32", seed=0)
marks["simulator"] = time.perf_counter()
import numpy as np
random = np.random.default_rng(0)
image = random.random((20, 784), dtype=np.float32)
label = np.eye(10, dtype=np.float32)[random.integers(0, 10, 20)]
if sys.argv[1] == "fit":
    simulator.fit({"image": image, "label": label}, epochs=1, batch=20, shuffle=False)
else:
    simulator.run("train", image=image, label=label, learn=False, record=["layer[1].x"])
marks["result"] = time.perf_counter()
times, last = {}, marks.pop("begin")
for name, mark in marks.items():
    times[name], last = mark - last, mark
print(json.dumps(times))
"""

IDLE = "pass"
PEER = "import numba, networkx"


def process(code: str, *arguments: str, cache: str | None = None) -> tuple[float, str]:
    """Run `python -c code`: its wall time in seconds and what it printed last."""
    environment = os.environ | THREADS
    if cache is not None:
        environment |= {"APICAL_CACHE_DIR": f"{cache}/apical", "NUMBA_CACHE_DIR": f"{cache}/numba"}
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.perf_counter() - begin
    if done.returncode:
        raise SystemExit(f"the process failed:\n{done.stderr}")
    lines = done.stdout.strip().splitlines()
    return wall, lines[-1] if lines else ""


def row(what: str, values: list[float], target: float | None = None) -> str:
    """One row of the table: median, range, target."""
    middle = statistics.median(values)
    met = "" if target is None else f"{target:g} s {'met' if middle < target else '**missed**'}"
    return f"| {what} | {middle:.2f} s | {min(values):.2f}-{max(values):.2f} | {met} |"


def stages(answer: str) -> str:
    """The stages of a first result, in words."""
    return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in json.loads(answer).items())


def repeat(rounds: int, measure: Callable[[], float]) -> list[float]:
    """`measure` so many times."""
    return [measure() for _ in range(rounds)]


def main() -> None:
    """Measure and print a markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    print("\n".join([*setting("numba", rounds), ""]))
    print("| what | median | range | target |\n|---|---|---|---|")

    process(IMPORT)  # writes the bytecode
    print(row("`import apical`", repeat(rounds, lambda: float(process(IMPORT)[1])), 0.4))

    def cold() -> float:
        with tempfile.TemporaryDirectory() as cache:
            times = json.loads(process(FIRST, "fit", cache=cache)[1])
        return times["simulator"] + times["result"]

    print(row("pc.yaml, cold: Simulator and first batch", repeat(min(rounds, 3), cold), 5))

    with tempfile.TemporaryDirectory() as cache:
        for what in ("fit", "run"):
            process(FIRST, what, cache=cache)
        found: dict[str, list[float]] = {}
        answers: dict[str, str] = {}
        for _ in range(rounds):
            found.setdefault("idle", []).append(process(IDLE)[0])
            found.setdefault("peer", []).append(process(PEER)[0])
            for what in ("fit", "run"):
                wall, answers[what] = process(FIRST, what, cache=cache)
                found.setdefault(what, []).append(wall)
    print(row("`python -c pass`", found["idle"]))
    print(row(f'`python -c "{PEER}"`', found["peer"]))
    for what in ("fit", "run"):
        print(row(f"pc.yaml, cached: first `{what}`, whole process", found[what]))
        later = [own - peer for own, peer in zip(found[what], found["peer"], strict=True)]
        print(row(f"... later than `{PEER}`", later, 1))
    print()
    for what, answer in answers.items():
        print(f"- stages of the last cached `{what}`: {stages(answer)}")


if __name__ == "__main__":
    main()
