"""Race apical against plain loops: `python benchmarks/race.py [WORKLOAD...] [--rounds 7]`.

Each case runs in a warm process of its own, on one thread. In every round each case does the same
work once, in turn, so that a slower spell of the machine meets all of them; a ratio is formed
inside a round, and the median over the rounds is printed. What the cases computed is compared
before anything is timed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

THREADS = {
    name: "1"
    for name in (
        "OPENBLAS_NUM_THREADS",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    )
}
PACKAGES = ("apical", "numpy", "scipy", "numba", "llvmlite", "torch")


# --- the process of one case ---------------------------------------------------------------------


def work(name: str, case_name: str, engine: str, folder: str) -> None:
    """Build and warm one case, write its result, then time it whenever a line arrives."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints must not stand among the answers

    import numpy as np
    from workloads import WORKLOADS

    workload = WORKLOADS[name]
    begin = time.perf_counter()
    case = workload.cases[case_name](engine)
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

    def __init__(self, name: str, case: str, engine: str, folder: str) -> None:
        """Start the process; `ready` waits until it is warm."""
        command = [sys.executable, __file__, "--worker", name, case, engine, folder]
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
    from workloads import WORKLOADS

    workload = WORKLOADS[name]
    reference = next(iter(workload.cases))
    runners: dict[str, Runner] = {}
    first: dict[str, float] = {}
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            for case in cases:
                note(f"{name}: warming {case}")
                runner = Runner(name, case, engine, folder)
                runners[case] = runner
                try:
                    first[case] = runner.answer()["first"]
                except RuntimeError as error:
                    failures[case] = str(error)
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
                row["target"] = workload.targets.get(case)
                if "apical" in times:
                    pairs = zip(times[case], times["apical"], strict=True)
                    row["ratios"] = [peer / own for peer, own in pairs]
                if stored[reference].exists():
                    row["difference"] = difference(stored[case], stored[reference])
            rows.append(row)
    return rows


# --- the report ----------------------------------------------------------------------------------


def note(text: str) -> None:
    """Progress, on a terminal only."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


def processor() -> str:
    """The processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        named = {key.strip(): value.strip() for key, value in fields.items()}
        numbers = f"family {named['cpu family']}, model {named['model']}"
        return f"{named['model name']} ({numbers}, {os.cpu_count()} cores)"
    except (OSError, KeyError):
        return f"{platform.processor() or platform.machine()} ({os.cpu_count()} cores)"


def blas() -> str:
    """numpy's BLAS and the kernels it picks, where threadpoolctl is there to say."""
    import numpy  # noqa: F401  (loads the library that is asked about)

    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "unknown (threadpoolctl is not installed)"
    found = [i for i in threadpool_info() if i["user_api"] == "blas"]
    return ", ".join(f"{i['internal_api']} {i['version']} {i.get('architecture')}" for i in found)


def versions() -> str:
    """Python and the packages that matter."""
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{package} {importlib.metadata.version(package)}")
    return ", ".join(found)


def setting(engine: str, rounds: int) -> list[str]:
    """What a reader needs to know about the run, as markdown lines."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return [
        f"- {versions()}",
        f"- {platform.system()} {platform.release()}, {processor()}; load {load:.1f} at the start",
        f"- OPENBLAS_CORETYPE={os.environ.get('OPENBLAS_CORETYPE', '(unset)')}; BLAS: {blas()}",
        f"- one thread; engine {engine}; {rounds} rounds; a ratio is the case's time / apical's",
        "",
    ]


HEADER = [
    "| workload | case | ms per unit | ratio | range | target | first result | difference |",
    "|---|---|---|---|---|---|---|---|",
]


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    if row["failure"]:
        return f"| {row['workload']} | {row['case']} | failed: {row['failure']} | | | | | |"
    own = statistics.median(row["seconds"]) / row["units"] * 1e3
    cells = [row["workload"], row["case"], f"{own:.4g} ({row['unit']})"]
    ratios = row.get("ratios")
    if ratios:
        cells += [f"{statistics.median(ratios):.3g}", f"{min(ratios):.3g}-{max(ratios):.3g}"]
    else:
        cells += ["", ""]
    target, met = row.get("target"), ""
    if target is not None:
        met = f"{target:g}"
        if ratios:
            met += " met" if statistics.median(ratios) >= target else " **missed**"
    cells += [met, f"{row['first']:.2f} s"]
    found = row.get("difference")
    if found is None:
        cells.append("")
    else:
        wrong = "" if found <= row["tolerance"] else f" **> {row['tolerance']:g}**"
        cells.append(f"{found:.1e}{wrong}")
    return "| " + " | ".join(cells) + " |"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="*", help="w1a ... w4; default: all")
    parser.add_argument("--cases", nargs="+", help="only these cases: numpy, torch, numba, apical")
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
    from workloads import WORKLOADS

    names = options.workloads or list(WORKLOADS)
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown:
        print(f"no workload {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
        return 2
    print("\n".join(setting(options.engine, options.rounds) + HEADER), flush=True)
    rows = []
    for name in names:
        cases = [c for c in WORKLOADS[name].cases if not options.cases or c in options.cases]
        for row in race(name, cases, options.engine, options.rounds):
            rows.append(row)
            print(line(row), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    bad = [r for r in rows if r["failure"] or r.get("difference", 0) > r["tolerance"]]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
