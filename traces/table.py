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
BETWEEN = ("presentation", "post", "pre")  # of what is recorded between presentations

Places = tuple[np.ndarray, ...]

FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for one


def plain(name: str) -> str:
    """A name, behind a quote where a spreadsheet would take it for a formula."""
    return f"'{name}" if name.startswith(FORMULAS) else name


def write_csv(traces: Traces, path: str | os.PathLike[str]) -> None:
    """Writes the values that were recorded, variable after variable."""
    import pandas

    columns = (*COLUMNS, *BETWEEN) if traces.learnt else COLUMNS
    lead = (len(traces.replica), len(traces.sample), len(traces.phase))
    times = np.broadcast_to(traces.time, lead)
    phases = np.asarray([plain(name) for name in traces.phase.tolist()], dtype=str)
    with replacing(path) as draft, open(draft, "w", encoding="utf-8", newline="") as file:
        file.write(",".join(columns) + "\n")

        def write(name: str, array: np.ndarray, there: Places, **held: np.ndarray) -> None:
            row = {"variable": plain(name), "replica": traces.replica[there[0]], **held}
            empty = dict.fromkeys(columns, "")
            frame = pandas.DataFrame({**empty, **row, "value": array[there]}, columns=list(columns))
            frame.to_csv(file, header=False, index=False)

        for name, array in traces.arrays.items():
            there = np.nonzero(~np.isnan(array))
            replica, sample, step = there[:3]
            write(
                name,
                array,
                there,
                sample=traces.sample[sample],
                step=step,
                phase=phases[step],
                phase_step=traces.phase_step[step],
                time=times[replica, sample, step],
                **dict(zip(("unit",), there[3:], strict=False)),
            )
        for name, array in traces.learnt.items():
            there = np.nonzero(~np.isnan(array))
            units = ("post", "pre") if array.ndim == 4 else ("unit",)
            presentation = traces.presentation[there[1]]
            own = dict(zip(units, there[2:], strict=False))
            write(name, array, there, presentation=presentation, **own)
