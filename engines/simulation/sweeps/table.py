"""The table of a sweep in a file, whole after each result: a sweep that was stopped goes on."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ....traces.atomic import replacing
from ....traces.table import plain
from .jobs import Row

ID = "run"  # the column that says which point, of what, a row is
ENDINGS = (".csv", ".parquet")


class Table:
    """Rows by the digest of their point; a list is a column for each entry.

    Args:
        path: A .csv or .parquet file, or None: rows are only kept.
        runs: The digests of the points that there are.

    Raises:
        ValueError: Another ending, or a file with anything but rows of these points.
        ImportError: Parquet needs pyarrow.
    """

    def __init__(self, path: str | os.PathLike[str] | None, runs: Sequence[str]):
        self.path = None if path is None else Path(path)
        self.order = {run: place for place, run in enumerate(runs)}
        self.rows: dict[str, list[Row]] = {}
        if self.path is None:
            return
        if self.path.suffix not in ENDINGS:
            raise ValueError(f"table: {self.path}: expected a name that ends in .csv or .parquet")
        if self.path.suffix == ".parquet" and find_spec("pyarrow") is None:
            raise ImportError(f"{self.path}: Parquet needs pyarrow: pip install 'apical[tables]'")
        if self.path.exists():
            self._read(self.path)

    def add(self, run: str, rows: list[Row]) -> None:
        """Takes the rows of a point."""
        self.rows[run] = rows

    def write(self) -> None:
        """Writes the file anew, in one piece."""
        if self.path is None:
            return
        import pandas

        runs = sorted(self.rows, key=lambda run: self.order.get(run, len(self.order)))
        flat = [_flat(row) | {ID: run} for run in runs for row in self.rows[run]]
        columns = {name: None for row in flat for name in row if name != ID}
        frame = pandas.DataFrame(flat, columns=[*columns, ID])
        with replacing(self.path) as draft:
            if self.path.suffix == ".csv":
                frame.to_csv(draft, index=False)
            else:
                frame.to_parquet(draft, index=False)

    def _read(self, path: Path) -> None:
        try:
            read = list(_from_csv(path) if path.suffix == ".csv" else _from_parquet(path))
        except (ValueError, OSError) as error:
            raise ValueError(_foreign(path)) from error
        if not {row.get(ID) for row in read} & set(self.order):
            raise ValueError(_foreign(path))
        for row in read:
            self.rows.setdefault(str(row.pop(ID, "")), []).append(dict(_gathered(row)))


def _from_csv(path: Path) -> Iterator[Row]:
    """Rows without their empty cells; numbers to the last bit."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {n: v if n == ID else _value(v) for n, v in row.items() if n and v}


def _value(text: str) -> Any:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def _from_parquet(path: Path) -> Iterator[Row]:
    import pandas

    for row in pandas.read_parquet(path).to_dict("records"):
        yield {str(n): v for n, v in row.items() if v is not None and v == v}


def _foreign(path: Path) -> str:
    return (
        f"{path} holds something else than results of this sweep (another circuit, other samples "
        f"or settings); give another name, or remove it"
    )


def _flat(row: Row) -> Row:
    """A row in which a list is an entry for each of its numbers."""
    return {
        plain(f"{name}[{place}]" if isinstance(value, list | tuple) else name): one
        for name, value in row.items()
        for place, one in enumerate(value if isinstance(value, list | tuple) else [value])
    }


def _gathered(row: Row) -> Iterator[tuple[str, Any]]:
    """The entries of a row, with lists where `_flat` took some apart."""
    lists: dict[str, list[Any]] = {}
    for name, value in row.items():
        entry = re.fullmatch(r"'?(.*)\[(\d+)\]", name)
        if entry is None or int(entry[2]) != len(lists.get(entry[1], ())):
            yield name.removeprefix("'"), value
            continue
        lists.setdefault(entry[1], []).append(value)
        if entry[2] == "0":
            yield entry[1], lists[entry[1]]
