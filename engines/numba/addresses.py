"""The table `P`: where the arrays lie that a generated module works on, and their shapes.

First come, in this order, what samples are copied from and to, what is cleared, what is checked,
what records are copied to and from, the output and the signals; then the arrays that instructions
name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .holes import View
from .layout import ModuleLayout

Row = tuple[int, int, int]  # address, rows, columns


@dataclass(frozen=True)
class Sections:
    """Which rows of P are for what; arrays start at `arrays`."""

    cleared: tuple[str, ...]
    finite: tuple[str, ...]
    clear: int
    check: int
    records: int
    output: int
    signals: int
    arrays: int


def sections(layout: ModuleLayout) -> Sections:
    """The rows of P of a program."""
    program = layout.program
    cleared = (*(n for n in program.reset if n in layout.held), *program.traces)
    finite = tuple(n for n in program.finite if n in layout.held)
    clear = 2 * len(layout.streams)
    check = clear + len(cleared)
    records = check + len(finite)
    output = records + 2 * len(program.slots)
    signals = output + 1
    arrays = signals + len(layout.signals)
    return Sections(cleared, finite, clear, check, records, output, signals, arrays)


@dataclass(frozen=True)
class Given:
    """The arrays of one replica, by what they are for; all of one type."""

    dtype: np.dtype
    buffer: Callable[[str], np.ndarray]
    streams: Sequence[np.ndarray]
    signals: Sequence[np.ndarray]  # each (sample, row, unit)
    records: Sequence[np.ndarray]  # each (presentation, row, unit, sample)
    output: np.ndarray | None  # (presentation, unit, sample), or a row before the units
    changes: np.ndarray | None

    def row(self, array: np.ndarray, rows: int, columns: int) -> Row:
        """The row of P of an array; code reads and writes there without another look."""
        if array.dtype != self.dtype or not array.flags.c_contiguous or array.size < rows * columns:
            raise ValueError(
                f"expected {rows} * {columns} numbers of {self.dtype} in one piece, got "
                f"{array.shape} of {array.dtype}, strides {array.strides}"
            )
        return array.__array_interface__["data"][0], rows, columns


def table(layout: ModuleLayout, views: Sequence[View], given: Given, batch: int) -> np.ndarray:
    """P, for arrays of one replica and a number of samples.

    Raises:
        ValueError: An array is of another type than code takes it for, too small, or in pieces.
    """
    rows: list[Row] = []
    for name, stream in zip(layout.streams, given.streams, strict=True):
        rows += [
            given.row(stream, *stream.shape),
            given.row(given.buffer(name), 1, stream.shape[1] * batch),
        ]
    place = sections(layout)
    for name in (*place.cleared, *place.finite):
        rows.append(_buffer(layout, given, name, batch))
    for record, source in zip(given.records, layout.sources, strict=True):
        rows.append(given.row(record, len(record), record[:1].size))
        rows.append(_buffer(layout, given, source, batch))
    output = given.output
    rows.append((0, 0, 0) if output is None else given.row(output, len(output), output[:1].size))
    for signal in given.signals:
        rows.append(given.row(signal, len(signal), signal[:1].size))
    for view in views:
        rows.append(_view(layout, given, view, batch))
    return np.array(rows, dtype=np.int64)


def _buffer(layout: ModuleLayout, given: Given, name: str, batch: int) -> Row:
    """All numbers of a buffer but those of the constant unit."""
    count = layout.program.buffers[name].size
    return given.row(given.buffer(name), count, layout.samples(name, batch))


def _view(layout: ModuleLayout, given: Given, view: View, batch: int) -> Row:
    name = view.buffer
    if view.changes:
        assert given.changes is not None
        return given.row(given.changes, *layout.changes[name])
    if layout.kind(name) == "matrix":
        return given.row(given.buffer(name), *layout.matrix(name))
    return given.row(given.buffer(name), view.units, layout.samples(name, batch))
