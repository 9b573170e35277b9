"""Race apical against plain loops and other libraries: `python benchmarks/race.py [WORKLOAD...]`.

Each case runs in a warm process of its own, on one thread. In every round each case does the same
work once, in turn, so that a slower spell of the machine meets all of them; a ratio is formed
inside a round, and the median over the rounds is printed. What the cases computed is compared
before anything is timed. With `--peers` other libraries take part, each in its own environment.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from report import HEADER, line, note, setting

THREADS = {
    name: "1"
    for name in (
        "OPENBLAS_NUM_THREADS",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    )
} | {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}


# --- the process of one case ---------------------------------------------------------------------


def work(name: str, case_name: str, engine: str, folder: str) -> None:
    """Build and warm one case, write its result, then time it whenever a line arrives."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints must not stand among the answers

    import numpy as np
    from peers import PEERS
    from workloads import WORKLOADS

    workload = WORKLOADS[name]
    peer = PEERS.get(name, {}).get(case_name)
    begin = time.perf_counter()
    case = workload.cases[case_name](engine) if peer is None else peer.build()
    case.start()
    case.go(workload.checked)
    first = time.perf_counter() - begin
    np.savez(Path(folder) / f"{case_name}.npz", **case.result())
    case.start()
    case.go(workload.units)
    answers.write(json.dumps({"first": first}) + "\n")
    for _ in sys.stdin:
        case.start()
        begin = time.perf_counter()
        case.go(workload.units)
        answers.write(json.dumps({"seconds": time.perf_counter() - begin}) + "\n")


class Runner:
    """The process of one case, seen from outside."""

    def __init__(self, python: str | Path, name: str, case: str, engine: str, folder: str) -> None:
        """Start the process; its first answer comes when it is warm."""
        command = [str(python), __file__, "--worker", name, case, engine, folder]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None,
            text=True,
            env=os.environ | THREADS,
        )
        self.name, self.case = name, case

    def answer(self) -> dict[str, float]:
        """The next answer; RuntimeError if the process ended instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name}/{self.case} ended with {self.process.wait()}")
        return json.loads(line)

    def time(self) -> float:
        """Seconds for one round's work."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.answer()["seconds"]

    def stop(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


# --- one workload --------------------------------------------------------------------------------


def difference(found: Path, reference: Path) -> float:
    """Largest |a - b| / |b| (Euclidean) over the arrays of two results; inf if shapes differ."""
    import numpy as np

    with np.load(found) as a, np.load(reference) as b:
        if set(a) != set(b) or any(a[key].shape != b[key].shape for key in b):
            return float("inf")
        worst = [np.linalg.norm(a[key] - b[key]) / np.linalg.norm(b[key]) for key in b]
    return float("inf") if not np.all(np.isfinite(worst)) else float(max(worst))


def race(name: str, cases: list[str], engine: str, rounds: int) -> list[dict[str, Any]]:
    """Race the cases of a workload; one row per case."""
    from peers import PEERS
    from peers.environment import interpreter
    from workloads import WORKLOADS

    workload, peers = WORKLOADS[name], PEERS.get(name, {})
    targets = {case: peer.least for case, peer in peers.items()} | dict(workload.targets)
    reference = next(iter(workload.cases))
    runners: dict[str, Runner] = {}
    first: dict[str, float] = {}
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            for case in cases:
                note(f"{name}: warming {case}")
                try:
                    python = interpreter(peers[case].environment) if case in peers else None
                    runners[case] = Runner(python or sys.executable, name, case, engine, folder)
                    first[case] = runners[case].answer()["first"]
                except RuntimeError as error:
                    failures[case] = str(error)
                    if case in runners:
                        runners.pop(case).stop()
            times: dict[str, list[float]] = {case: [] for case in runners}
            for i in range(rounds):
                order = list(runners) if i % 2 == 0 else list(runners)[::-1]
                for case in order:
                    times[case].append(runners[case].time())
                note(f"{name}: round {i + 1} of {rounds}")
        finally:
            for runner in runners.values():
                runner.stop()
        stored = {case: Path(folder) / f"{case}.npz" for case in cases}
        rows = []
        for case in cases:
            row: dict[str, Any] = {"workload": name, "case": case, "failure": failures.get(case)}
            if case in times:
                row |= {"first": first[case], "seconds": times[case], "unit": workload.unit}
                row |= {"units": workload.units, "tolerance": workload.tolerance}
                row["target"] = targets.get(case)
                if "apical" in times:
                    pairs = zip(times[case], times["apical"], strict=True)
                    row["ratios"] = [peer / own for peer, own in pairs]
                if reference in times:
                    row["difference"] = difference(stored[case], stored[reference])
            rows.append(row)
    return rows


def environments(names: list[str]) -> list[str]:
    """What is installed for the peers of these workloads, as lines; makes what is missing."""
    from peers import PEERS
    from peers.environment import interpreter, packages

    lines = []
    for name in sorted({p.environment for n in names for p in PEERS.get(n, {}).values()}):
        note(f"environment of {name}")
        try:
            lines.append(f"- {name}: {packages(interpreter(name))}")
        except RuntimeError as error:
            lines.append(f"- {name}: not installed: {error}")
    return lines


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="*", help="w1a ... w4; default: all")
    parser.add_argument("--cases", nargs="+", help="only these cases, such as numpy apical")
    parser.add_argument("--peers", action="store_true", help="other libraries take part")
    parser.add_argument("--engine", default="numba", help="apical's engine (default: numba)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="also write every time to this file")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Run the races; 1 if a case failed or computed something else than the reference."""
    options = arguments()
    if options.worker:
        work(*options.worker)
        return 0
    os.environ.update(THREADS)
    from peers import PEERS
    from workloads import WORKLOADS

    names = options.workloads or list(WORKLOADS)
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown:
        print(f"no workload {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
        return 2
    facts = setting(options.engine, options.rounds)
    facts += environments(names) if options.peers else []
    print("\n".join([*facts, "", *HEADER]), flush=True)
    rows = []
    for name in names:
        cases = list(WORKLOADS[name].cases) + list(PEERS.get(name, {}) if options.peers else ())
        if options.cases:
            cases = [case for case in cases if case in options.cases]
        for row in race(name, cases, options.engine, options.rounds):
            rows.append(row)
            print(line(row), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    bad = [r for r in rows if r["failure"] or r.get("difference", 0) > r["tolerance"]]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
