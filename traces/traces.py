"""Traces: what a run gives back, with names on every axis."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from ..graphs.markup import heading
from ..graphs.reading.opening import must_be_file
from ..graphs.wording import meant
from .events import table

if TYPE_CHECKING:
    import pandas
    import xarray

COORDINATES = ("replica", "sample", "step", "phase", "phase_step", "time", "manifest")
COORDINATES += ("presentation",)
_UNITS = re.compile(r"(.+)\[(\d+)(?:\.\.(\d+))?\]")  # y.r[3], y.r[0..9]
LEARNT = {  # the axes of what is learnt by their number: reduced, of units, a matrix, a kernel
    0: (),
    1: ("unit",),
    -1: ("out",),
    2: ("post", "pre"),
    4: ("out", "in", "row", "column"),
}


class Traces:
    """Recorded variables over (replica, sample, step, unit), and what was learnt in between.

    `arrays[name]` has shape (replica, sample, step, unit) for a unit variable and (replica, sample,
    step) for an energy or a variable reduced over its units. `step` counts rows over all phases;
    each phase starts with a row for the state after its `begin`. What was not recorded in a row is
    NaN, and axes of length one stay.

    `learnt[name]` has shape (replica, presentation, post, pre), or (replica, presentation, unit)
    where each unit has one number, or (replica, presentation) where it is reduced. `presentation`
    counts those that were learnt before the row was taken.

    Args:
        arrays: Name ("layer[1].v_A", "F", "norm(layer[1].e)") -> array.
        phase: Name of the phase of each row, shape (step,); the attribute is `phases`.
        phase_step: Step within the phase, 0 for the row after `begin`, shape (step,).
        time: Time since the presentation began, or, where it was carried on, since the first one:
            shape (step,); (sample, step) where presentations go on one after another; (replica, 1
            or sample, step) where replicas have steps of their own.
        sample: Identifiers of the samples, shape (sample,); default 0, 1, ...
        replica: Identifiers of the replicas, shape (replica,); default 0, 1, ...
        time_unit: Unit of `time`, or None.
        manifest: What is needed to make the run again (see `manifest`).
        parameters: Parameters in which replicas differ: name -> (replica,) or (replica, entry);
            coordinates of the replicas.
        learnt: Name ("W[1]", "norm(W[1])", "y.mu") -> array.
        presentation: Presentations before each row of `learnt`, shape (presentation,).

    Raises:
        ValueError: Shapes that do not fit together, or a variable with the name of a coordinate.
    """

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray],
        *,
        phase: Sequence[str] | np.ndarray,
        phase_step: Sequence[int] | np.ndarray,
        time: Sequence[float] | np.ndarray,
        sample: Sequence[int] | np.ndarray | None = None,
        replica: Sequence[int] | np.ndarray | None = None,
        time_unit: str | None = None,
        manifest: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        learnt: Mapping[str, np.ndarray] | None = None,
        presentation: Sequence[int] | np.ndarray = (),
    ):
        self.arrays = {name: np.asarray(array) for name, array in arrays.items()}
        self.learnt = {name: np.asarray(array) for name, array in (learnt or {}).items()}
        self.presentation = np.asarray(presentation, dtype=np.int64)
        self.phases = np.asarray(list(phase), dtype=str)
        self.phase_step = np.asarray(phase_step, dtype=np.int64)
        self.time = np.asarray(time, dtype=np.float64)
        replicas, samples = next(
            (a.shape[:2] for a in self.arrays.values() if a.ndim >= 2),
            (1 if replica is None else len(replica), 0 if sample is None else len(sample)),
        )
        self.sample = np.arange(samples) if sample is None else np.asarray(sample)
        if replica is None and self.learnt and not self.arrays:
            replicas = len(next(iter(self.learnt.values())))
        self.replica = np.arange(replicas) if replica is None else np.asarray(replica)
        self.time_unit = time_unit
        self.manifest = dict(manifest or {})
        self.parameters = {n: np.asarray(v, np.float64) for n, v in (parameters or {}).items()}
        self._check()

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the run: the manifest says after how many presentations."""
        return "interrupted" in self.manifest

    def _check(self) -> None:
        rows = len(self.phases)
        lead = (len(self.replica), len(self.sample), rows)
        for name in (*self.arrays, *self.learnt):
            if name in COORDINATES:
                raise ValueError(
                    f"a recorded variable cannot be called {name!r}, the name of a coordinate of "
                    f"the traces; rename it in the circuit file"
                )
        for name, array in self.arrays.items():
            if array.ndim not in (3, 4, 5) or array.shape[:3] != lead:
                raise ValueError(
                    f"{name}: expected shape (replica, sample, step[, unit | post, pre]) = {lead} "
                    f"or {(*lead, 'unit')}, got {array.shape}"
                )
        between = (lead[0], len(self.presentation))
        for name, array in self.learnt.items():
            if array.ndim not in (2, 3, 4, 6) or array.shape[:2] != between:
                raise ValueError(
                    f"{name}: expected shape (replica, presentation, ...) = {(*between, '...')}, "
                    f"got {array.shape}"
                )
        if self.phase_step.shape != (rows,):
            raise ValueError(f"phase_step: expected shape {(rows,)}, got {self.phase_step.shape}")
        if self.time.shape not in ((rows,), (lead[1], rows), lead, (lead[0], 1, rows)):
            raise ValueError(
                f"time: expected shape {(rows,)} or {(lead[1], rows)}, or with replicas {lead}, "
                f"got {self.time.shape}"
            )
        for name, values in self.parameters.items():
            if values.ndim not in (1, 2) or len(values) != lead[0]:
                raise ValueError(
                    f"parameter {name!r}: expected a value for each of {lead[0]} replicas, got "
                    f"shape {values.shape}"
                )

    def dims(self, name: str) -> tuple[str, ...]:
        """The names of the axes of a variable."""
        owner = owner_of(name)
        if name in self.arrays:
            lead = ("replica", "sample", "step")
            own = {3: (), 4: ("unit",), 5: ("post", "pre")}[self.arrays[name].ndim]
            return (*lead, *(f"{owner}.{unit}" for unit in own))
        axes = self.learnt[name].ndim - 2
        if axes == 1 and owner in self.learnt and self.learnt[owner].ndim == 6:
            axes = -1  # the bias of a convolution
        own = [f"{owner}.{unit}" for unit in LEARNT[axes]]
        return ("replica", "presentation", *own)

    @cached_property
    def dataset(self) -> xarray.Dataset:
        """The traces as an `xarray.Dataset`, with coordinates on every axis."""
        from .labelled import dataset

        return dataset(self)

    def phase(self, *names: str) -> Traces:
        """The rows of the phases named, in the order in which they were taken.

        Raises:
            KeyError: No row has such a phase; the message names those that there are.
        """
        for name in names:
            if name not in self.phases:
                raise KeyError(f"no phase {name!r} in these traces{meant(str(name), self._rows())}")
        rows = np.isin(self.phases, names)
        return Traces(
            {name: array[:, :, rows] for name, array in self.arrays.items()},
            phase=self.phases[rows],
            phase_step=self.phase_step[rows],
            time=self.time[..., rows],
            sample=self.sample,
            replica=self.replica,
            time_unit=self.time_unit,
            manifest=self.manifest,
            parameters=self.parameters,
            learnt=self.learnt,
            presentation=self.presentation,
        )

    def __getitem__(self, name: str) -> xarray.DataArray:
        """One variable as an `xarray.DataArray`; some units of it: "y.r[3]", "y.r[0..9]".

        Raises:
            KeyError: It was not recorded, or has no such units.
        """
        if name in self:
            return self.dataset[name]
        selected = _UNITS.fullmatch(name)
        if selected is None or selected[1] not in self.arrays:
            raise KeyError(f"{name!r} was not recorded; recorded: {', '.join(self)}")
        variable, first, last = selected[1], int(selected[2]), int(selected[3] or selected[2])
        count = self.arrays[variable].shape[3] if self.arrays[variable].ndim == 4 else 0
        if not first <= last < count:
            raise KeyError(f"{name!r}: {variable!r} has {count} units, from 0")
        return self.dataset[variable].isel({self.dims(variable)[3]: slice(first, last + 1)})

    def events(self, name: str) -> pandas.DataFrame:
        """The events of a recorded variable ("n.spike"): replica, sample, time and unit of each.

        Raises:
            KeyError: It is not recorded for each unit.
        """
        array = self.arrays.get(name)
        if array is None or array.ndim != 4:
            known = ", ".join(n for n, a in self.arrays.items() if a.ndim == 4) or "nothing"
            raise KeyError(f"{name!r} is not recorded for each unit; there is {known}")
        return table(array, self.phase_step, self.time, self.sample, self.replica)

    def __contains__(self, name: object) -> bool:
        """Whether a variable was recorded."""
        return name in self.arrays or name in self.learnt

    def __iter__(self):
        """The names of the recorded variables."""
        return iter((*self.arrays, *self.learnt))

    def __len__(self) -> int:
        """How many variables were recorded."""
        return len(self.arrays) + len(self.learnt)

    def __repr__(self) -> str:
        phases = ", ".join(f"{p} {n}" for p, n in self._rows().items())
        lines = [
            f"Traces: {len(self.replica)} replica(s), {len(self.sample)} sample(s), "
            f"{len(self.phases)} rows ({phases})"
        ]
        if self.learnt:
            lines[0] += f", {len(self.presentation)} rows between presentations"
        lines += [
            f"  {name:<24} {array.dtype} {array.shape}"
            for name, array in (self.arrays | self.learnt).items()
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        first, *_ = repr(self).split("\n")
        return heading(first) + self.dataset._repr_html_()

    def _rows(self) -> dict[str, int]:
        names, counts = np.unique(self.phases, return_counts=True)
        found = dict(zip(names.tolist(), counts.tolist(), strict=True))
        return {name: found[name] for name in dict.fromkeys(self.phases.tolist())}

    # --- files ------------------------------------------------------------------------------------

    def to_netcdf(self, path: str | os.PathLike[str], compression: int = 1) -> None:
        """Writes a NetCDF 4 file, whole or not at all; `xarray.open_dataset` opens it.

        compression: Of zlib, from 1 to 9; 0: none, ten times as fast.
        """
        from .netcdf import write_netcdf

        write_netcdf(self.dataset, path, compression)

    def to_npz(self, path: str | os.PathLike[str]) -> None:
        """Writes numpy arrays under their names, with the coordinates and the manifest (JSON)."""
        from .archive import write_npz

        write_npz(self, path)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Writes a long table, a line per value; values that were not recorded are left out.

        Columns: variable, replica, sample, step, phase, phase_step, time, unit, value; `unit` is
        empty for energies and reduced variables. Where something was recorded between
        presentations, also presentation, post, pre.
        """
        from .table import write_csv

        write_csv(self, path)

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Writes the table of `to_csv` as Parquet, with its types and the manifest.

        Raises:
            ImportError: pyarrow is not installed; the message says how to get it.
        """
        from .table import write_parquet

        write_parquet(self, path)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes .nc, .npz, .csv or .parquet, by the ending of the name.

        Raises:
            ValueError: Another ending.
        """
        writers = {".nc": self.to_netcdf, ".npz": self.to_npz, ".csv": self.to_csv}
        writers[".parquet"] = self.to_parquet
        ending = Path(path).suffix.lower()
        if ending not in writers:
            raise ValueError(f"{path}: expected a name that ends in {', '.join(writers)}")
        writers[ending](path)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Traces:
        """Reads what `to_netcdf` or `to_npz` wrote.

        Raises:
            ValueError: Another ending, or the file holds no traces.
            OSError: There is no such file, or it is a folder or a pipe.
        """
        from .archive import read_netcdf, read_npz

        readers = {".nc": read_netcdf, ".npz": read_npz}
        ending = Path(path).suffix.lower()
        if ending not in readers:
            raise ValueError(f"{path}: expected a name that ends in {' or '.join(readers)}")
        must_be_file(path)
        try:
            return cls(**readers[ending](path))
        except MemoryError:
            raise ValueError(f"{path}: says that it holds more than this machine can") from None
        except UNREADABLE as error:
            raise ValueError(f"{path}: holds no traces ({_short(error)})") from error

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        kind: str | None = None,
        **settings: Any,
    ) -> Any:
        """A panel per variable over the time of a sample; gives a matplotlib figure.

        Args:
            path: Where to save the picture, or None.
            kind: "lines", "heatmap", "energy", "weights" or "raster"; None: lines, or heat maps
                of more than 12 units.
            settings: `names`, `sample`, `replica`, `units` (see `plots.plot.plot`).
        """
        from .plots.plot import plot

        return plot(self, path, kind, **settings)


UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, EOFError, RuntimeError)
UNREADABLE += (ArithmeticError, BadZipFile)


def _short(error: Exception) -> str:
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:200]}" if said else type(error).__name__


def owner_of(name: str) -> str:
    """What a variable belongs to: "layer[1]" of "layer[1].v_A", "W[1]" of "W[1]" and "W[1].m"."""
    return name.rsplit(".", 1)[0]
