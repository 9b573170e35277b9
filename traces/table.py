"""The long table: one line per recorded value, as CSV or as Parquet.

pyarrow writes both where it is installed; without it pandas writes CSV, ten times as slowly.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .atomic import replacing

if TYPE_CHECKING:
    import pyarrow

    from .traces import Traces

TEXTS, FLOATS = ("variable", "phase"), ("time", "value")  # the other columns hold whole numbers
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
BETWEEN = ("presentation", "post", "pre")  # of what is learnt
ROWS = 1_000_000  # of a piece that is made at once

Piece = dict[str, Any]  # column -> array, or one value for all rows; no entry: empty

FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for one


def plain(name: str) -> str:
    """A name, behind a quote where a spreadsheet would take it for a formula."""
    return f"'{name}" if name.startswith(FORMULAS) else name


def columns(traces: Traces) -> tuple[str, ...]:
    """The columns of the table."""
    connections = any(array.ndim == 5 for array in traces.arrays.values())
    return (*COLUMNS, *BETWEEN) if traces.learnt or connections else COLUMNS


def pieces(traces: Traces) -> Iterator[Piece]:
    """The values that were recorded, variable after variable, some rows at a time."""
    lead = (len(traces.replica), len(traces.sample), len(traces.phases))
    times = np.broadcast_to(traces.time, lead)
    for name, array in traces.arrays.items():
        units = ("post", "pre") if array.ndim == 5 else ("unit",)
        for there in _recorded(array):
            replica, sample, step = there[:3]
            yield {
                "variable": name,
                "replica": traces.replica[replica],
                "sample": traces.sample[sample],
                "step": step,
                "phase": traces.phases[step],
                "phase_step": traces.phase_step[step],
                "time": times[replica, sample, step],
                **dict(
                    zip(("post", "pre") if array.ndim == 5 else ("unit",), there[3:], strict=False)
                ),
                "value": array[there].astype(np.float64),
            }
    for name, array in traces.learnt.items():
        if array.ndim == 6:  # a kernel (out, in, row, column): `pre` counts (in, row, column)
            array = array.reshape(*array.shape[:3], -1)
        units = ("post", "pre") if array.ndim == 4 else ("unit",)
        for there in _recorded(array):
            yield {
                "variable": name,
                "replica": traces.replica[there[0]],
                "presentation": traces.presentation[there[1]],
                **dict(zip(units, there[2:], strict=False)),
                "value": array[there].astype(np.float64),
            }


def _recorded(array: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """The places of the numbers that are there, in order."""
    places = np.flatnonzero(~np.isnan(array))
    for first in range(0, len(places), ROWS):
        yield np.unravel_index(places[first : first + ROWS], array.shape)


def write_csv(traces: Traces, path: str | os.PathLike[str]) -> None:
    """Writes the table as text; empty is what a variable does not have."""
    with replacing(path) as draft:
        if importlib.util.find_spec("pyarrow") is None:
            _write_by_pandas(traces, draft)
        else:
            _write_by_pyarrow(traces, draft)


def _write_by_pyarrow(traces: Traces, path: os.PathLike[str]) -> None:
    from pyarrow import csv

    options = csv.WriteOptions(quoting_style="needed")
    schema = _schema(traces)
    with csv.CSVWriter(os.fspath(path), schema, write_options=options) as file:
        for piece in pieces(traces):
            file.write(_batch(piece, schema, plain))


def _write_by_pandas(traces: Traces, path: os.PathLike[str]) -> None:
    import pandas

    names = list(columns(traces))
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(",".join(names) + "\n")
        for piece in pieces(traces):
            piece["variable"] = plain(piece["variable"])
            if "phase" in piece:
                piece["phase"] = [plain(name) for name in piece["phase"].tolist()]
            frame = pandas.DataFrame(dict.fromkeys(names, "") | piece, columns=names)
            frame.to_csv(file, header=False, index=False)


def write_parquet(traces: Traces, path: str | os.PathLike[str]) -> None:
    """Writes the table with its types; the manifest stands in the file's `apical` metadata.

    Raises:
        ImportError: pyarrow is not installed.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError("Parquet needs pyarrow: pip install 'apical[tables]'") from error
    said = json.dumps(traces.manifest, default=str)
    schema = _schema(traces).with_metadata({"apical": said})
    with replacing(path) as draft, parquet.ParquetWriter(draft, schema, compression="zstd") as file:
        for piece in pieces(traces):
            file.write_batch(_batch(piece, schema, str))


def _schema(traces: Traces) -> pyarrow.Schema:
    """The types of the columns; names are stored once each."""
    import pyarrow

    kinds = dict.fromkeys(TEXTS, pyarrow.string()) | dict.fromkeys(FLOATS, pyarrow.float64())
    return pyarrow.schema([(name, kinds.get(name, pyarrow.int64())) for name in columns(traces)])


def _batch(piece: Piece, schema: pyarrow.Schema, written: Any) -> pyarrow.RecordBatch:
    """A piece of the table in Arrow's memory; texts as `written`, missing columns empty."""
    import pyarrow

    count = len(piece["value"])
    arrays = []
    for field in schema:
        given = piece.get(field.name)
        if given is None:
            arrays.append(pyarrow.nulls(count, field.type))
        elif isinstance(given, str):
            arrays.append(pyarrow.repeat(pyarrow.scalar(written(given)), count))
        elif field.name in TEXTS:
            names, numbers = np.unique(given, return_inverse=True)
            texts = pyarrow.array([written(name) for name in names.tolist()], field.type)
            arrays.append(texts.take(pyarrow.array(numbers)))
        else:
            arrays.append(pyarrow.array(given, field.type))
    return pyarrow.RecordBatch.from_arrays(arrays, schema=schema)
