"""What happens to memory around a presentation: samples in, states cleared, records out.

`like` is any array of the type that all these arrays have; `table` the addresses, see `views`.
"""

from __future__ import annotations

from typing import Any

from ..kernel_cache import njit
from . import views as v
from .options import FAST


@njit(**FAST)
def gather(like: Any, table: Any, last: int, order: Any, p: int) -> None:
    """The samples of presentation p, unit-major: pairs of rows, a stream and where it goes."""
    batch = order.shape[1]
    for k in range(0, last, 2):
        data, target = v.matrix(like, table, k), v.vector(like, table, k + 1)
        for j in range(batch):
            o = order[p, j]
            for i in range(data.shape[1]):
                target[i * batch + j] = data[o, i]


@njit(**FAST)
def clear(like: Any, table: Any, first: int, last: int) -> None:
    """Arrays := 0."""
    for k in range(first, last):
        x = v.vector(like, table, k)
        for i in range(len(x)):
            x[i] = 0


@njit(**FAST)
def broken(like: Any, table: Any, first: int, last: int) -> bool:
    """Whether a number of some array is not finite."""
    for k in range(first, last):
        x, bad = v.vector(like, table, k), 0.0
        for i in range(len(x)):
            bad += x[i] * 0
        if bad != bad:
            return True
    return False


@njit(**FAST)
def restore(scalars: Any, starts: Any) -> None:
    """Parameters back to their values before a phase set them; NaN keeps a scalar."""
    for k in range(len(scalars)):
        if starts[k] == starts[k]:
            scalars[k] = starts[k]


@njit(**FAST)
def store(
    like: Any, table: Any, first: int, rows: Any, p: int, row: int, one: int, last: int
) -> None:
    """A row of records `one` to `last`; none where its place in `rows` is negative.

    From row `first` the table has pairs: a record (presentation, all its rows), and its source.
    """
    for k in range(one, last):
        place = rows[k, row]
        if place >= 0:
            record = v.matrix(like, table, first + 2 * k)
            source = v.vector(like, table, first + 2 * k + 1)
            start = place * len(source)
            for i in range(len(source)):
                record[p, start + i] = source[i]


@njit(**FAST)
def store_running(
    running: Any,
    like: Any,
    table: Any,
    first: int,
    rows: Any,
    p: int,
    row: int,
    one: int,
    last: int,
) -> None:
    """A row of records, for the samples that still run."""
    batch = len(running)
    for k in range(one, last):
        place = rows[k, row]
        if place >= 0:
            record = v.matrix(like, table, first + 2 * k)
            source = v.vector(like, table, first + 2 * k + 1)
            start = place * len(source)
            for i in range(0, len(source), batch):
                for j in range(batch):
                    if running[j]:
                        record[p, start + i + j] = source[i + j]


@njit(**FAST)
def put_out(like: Any, table: Any, k: int, p: int, source: Any) -> None:
    """The output of presentation p."""
    out = v.matrix(like, table, k)
    for i in range(out.shape[1]):
        out[p, i] = source[i]


@njit(**FAST)
def put_row(like: Any, table: Any, k: int, p: int, row: int, source: Any, count: int) -> None:
    """A row of the output of presentation p; the matrix has all rows of a presentation in one.

    Of `source` it takes `count` numbers: a bias unit may stand behind them.
    """
    out = v.matrix(like, table, k)
    start = row * count
    if 0 <= start < out.shape[1]:
        for i in range(count):
            out[p, start + i] = source[i]


@njit(**FAST)
def read_row(
    like: Any, table: Any, k: int, order: Any, p: int, row: int, target: Any, units: int
) -> None:
    """A row of a signal, or its last one, for the samples of presentation p, unit-major.

    The matrix has all rows of a sample in one.
    """
    data = v.matrix(like, table, k)
    batch = order.shape[1]
    start = max(min(row, data.shape[1] // units - 1), 0) * units
    for j in range(batch):
        o = order[p, j] % data.shape[0]
        for i in range(units):
            target[i * batch + j] = data[o, start + i]
