"""Traces: what a run gives back, with names on every axis."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from ..compartments.place import PLACES
from ..graphs.reading.opening import must_be_file
from .events import table

if TYPE_CHECKING:
    import pandas
    import xarray

COORDINATES = ("replica", "sample", "step", "phase", "phase_step", "time", "manifest")
COORDINATES += ("presentation",)


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
        phase: Name of the phase of each row, shape (step,).
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
        self.phase = np.asarray(list(phase), dtype=str)
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
        rows = len(self.phase)
        lead = (len(self.replica), len(self.sample), rows)
        for name in (*self.arrays, *self.learnt):
            if name in COORDINATES:
                raise ValueError(
                    f"a recorded variable cannot be called {name!r}, the name of a coordinate of "
                    f"the traces; rename it in the circuit file"
                )
        for name, array in self.arrays.items():
            if array.ndim not in (3, 4) or array.shape[:3] != lead:
                raise ValueError(
                    f"{name}: expected shape (replica, sample, step[, unit]) = {lead} or "
                    f"{(*lead, 'unit')}, got {array.shape}"
                )
        between = (lead[0], len(self.presentation))
        for name, array in self.learnt.items():
            if array.ndim not in (2, 3, 4) or array.shape[:2] != between:
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
        if name in self.arrays:
            lead = ("replica", "sample", "step")
            return lead if self.arrays[name].ndim == 3 else (*lead, f"{owner_of(name)}.unit")
        owner, units = owner_of(name), ("unit",)
        if self.learnt[name].ndim == 4:
            units = ("post", "pre")
        own = [f"{owner}.{unit}" for unit in units] if self.learnt[name].ndim > 2 else []
        return ("replica", "presentation", *own)

    @cached_property
    def dataset(self) -> xarray.Dataset:
        """The traces as an `xarray.Dataset`; `.sel(phase="nudged")` gives the rows of a phase."""
        import xarray

        from .phase_index import PhaseIndex

        time_dims, time = self._times()
        time_attrs = {"long_name": "time since the presentation began"}
        if self.time_unit:
            time_attrs["units"] = _SHORT_UNITS.get(self.time_unit, self.time_unit)
        rows = np.arange(len(self.phase))
        dataset = xarray.Dataset(
            {
                name: (self.dims(name), array, {"long_name": name})
                for name, array in (self.arrays | self.learnt).items()
            },
            coords={
                "replica": self.replica,
                "sample": self.sample,
                "step": ("step", rows, {"long_name": "row, counted over all phases"}),
                "phase": ("step", self.phase),
                "phase_step": ("step", self.phase_step, {"long_name": "step within the phase"}),
                "time": (time_dims, time, time_attrs),
                **self._replica_coordinates(),
                **self._unit_coordinates(),
                **self._learnt_coordinates(),
            },
            attrs={"manifest": json.dumps(self.manifest, default=str)},
        )
        return dataset.set_xindex("phase", PhaseIndex)

    def _times(self) -> tuple[tuple[str, ...], np.ndarray]:
        """The axes of `time`, without those along which it is the same."""
        if self.time.ndim < 3:
            return ("sample", "step")[2 - self.time.ndim :], self.time
        if self.time.shape[1] == 1:
            return ("replica", "step"), self.time[:, 0]
        return ("replica", "sample", "step"), self.time

    def _replica_coordinates(self) -> dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, str]]]:
        """Parameters by name, or as `parameter NAME` where something else has that name."""
        taken = {*self.arrays, *COORDINATES}
        found = {}
        for name, values in self.parameters.items():
            label = f"parameter {name}" if name in taken else name
            dims = ("replica",) if values.ndim == 1 else ("replica", f"{name}.entry")
            found[label] = (dims, values, {"long_name": f"parameter {name}"})
        return found

    def _unit_coordinates(self) -> dict[str, tuple[tuple[str], np.ndarray, dict[str, str]]]:
        """`layer.row`, ... along the units of populations with a shape, if nothing is called so."""
        found = {}
        for name, array in self.arrays.items():
            population = owner_of(name)
            shape = tuple(self.manifest.get("shapes", {}).get(population, ()))
            if array.ndim != 4 or np.prod(shape) != array.shape[3]:
                continue
            for place in PLACES.values():
                label = f"{population}.{place.name}"
                if place.axis is not None and place.known(shape) and label not in self.arrays:
                    values = place.of(array.shape[3], shape).astype(np.int64)
                    found[label] = ((f"{population}.unit",), values, {"long_name": place.meaning})
        return found

    def _learnt_coordinates(self) -> dict[str, tuple[tuple[str], np.ndarray, dict[str, str]]]:
        """`presentation`, and along the units before a synapse with a bias their names."""
        if not self.learnt:
            return {}
        said = {"long_name": "presentations learnt before"}
        found = {"presentation": (("presentation",), self.presentation, said)}
        for name, array in self.learnt.items():
            owner = owner_of(name)
            if array.ndim == 4 and owner in self.manifest.get("biases", ()):
                names = [str(unit) for unit in range(array.shape[3] - 1)] + ["bias"]
                found[f"{owner}.pre"] = ((f"{owner}.pre",), np.asarray(names), {})
        return found

    def __getitem__(self, name: str) -> xarray.DataArray:
        """One variable as an `xarray.DataArray`."""
        if name not in self:
            raise KeyError(f"{name!r} was not recorded; recorded: {', '.join(self)}")
        return self.dataset[name]

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
        phases = ", ".join(f"{p} {n}" for p, n in self._rows_per_phase().items())
        lines = [
            f"Traces: {len(self.replica)} replica(s), {len(self.sample)} sample(s), "
            f"{len(self.phase)} rows ({phases})"
        ]
        if self.learnt:
            lines[0] += f", {len(self.presentation)} rows between presentations"
        lines += [
            f"  {name:<24} {array.dtype} {array.shape}"
            for name, array in (self.arrays | self.learnt).items()
        ]
        return "\n".join(lines)

    def _rows_per_phase(self) -> dict[str, int]:
        names, counts = np.unique(self.phase, return_counts=True)
        found = dict(zip(names.tolist(), counts.tolist(), strict=True))
        return {name: found[name] for name in dict.fromkeys(self.phase.tolist())}

    # --- files ------------------------------------------------------------------------------------

    def to_netcdf(self, path: str | os.PathLike[str]) -> None:
        """Writes a NetCDF 4 file, whole or not at all; `xarray.open_dataset` opens it."""
        from .netcdf import write_netcdf

        write_netcdf(self.dataset, path)

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

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes .nc, .npz or .csv, by the ending of the name.

        Raises:
            ValueError: Another ending.
        """
        writers = {".nc": self.to_netcdf, ".npz": self.to_npz, ".csv": self.to_csv}
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


# xarray would decode these units into timedelta64 when it opens the file.
_SHORT_UNITS = {
    "hours": "h",
    "minutes": "min",
    "seconds": "s",
    "milliseconds": "ms",
    "microseconds": "us",
    "nanoseconds": "ns",
}
