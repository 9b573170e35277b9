"""The report of a race: what was run where, and a table."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

PACKAGES = ("apical", "numpy", "scipy", "numba", "llvmlite", "torch")


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
