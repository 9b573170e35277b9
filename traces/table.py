"""The long table: one line per recorded value."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from .atomic import replacing

if TYPE_CHECKING:
    from .traces import Traces

COLUMNS = (
    "variable",
    "replica",
    "sample",
    "step",
    "phase",
    "phase_step",
    "time",
    "unit",
    "value",
)


FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for one


def plain(name: str) -> str:
    """A name, behind a quote where a spreadsheet would take it for a formula."""
    return f"'{name}" if name.startswith(FORMULAS) else name


def write_csv(traces: Traces, path: str | os.PathLike[str]) -> None:
    """Writes the values that were recorded, variable after variable."""
    import pandas

    lead = (len(traces.replica), len(traces.sample), len(traces.phase))
    times = np.broadcast_to(traces.time, lead)
    with replacing(path) as draft, open(draft, "w", encoding="utf-8", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        phases = np.asarray([plain(name) for name in traces.phase.tolist()], dtype=str)
        for name, array in traces.arrays.items():
            there = np.nonzero(~np.isnan(array))
            replica, sample, step = there[:3]
            time = times[replica, sample, step]
            frame = pandas.DataFrame(
                {
                    "variable": plain(name),
                    "replica": traces.replica[replica],
                    "sample": traces.sample[sample],
                    "step": step,
                    "phase": phases[step],
                    "phase_step": traces.phase_step[step],
                    "time": time,
                    "unit": there[3] if array.ndim == 4 else "",
                    "value": array[there],
                },
                columns=list(COLUMNS),
            )
            frame.to_csv(file, header=False, index=False)
