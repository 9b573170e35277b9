"""Traces as an xarray dataset: names on the axes, coordinates, attributes of the CF conventions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray

from ..compartments.place import PLACES
from .traces import COORDINATES, owner_of

if TYPE_CHECKING:
    from .traces import Traces

CONVENTIONS = "CF-1.11"
Coordinate = tuple[tuple[str, ...], np.ndarray, dict[str, str]]

# xarray would decode these units into timedelta64 when it opens the file.
_SHORT_UNITS = {
    "hours": "h",
    "minutes": "min",
    "seconds": "s",
    "milliseconds": "ms",
    "microseconds": "us",
    "nanoseconds": "ns",
}


def dataset(traces: Traces) -> xarray.Dataset:
    """The variables over their axes; `phase`, `phase_step` and `time` along the rows."""
    return xarray.Dataset(
        {
            name: (traces.dims(name), array, {"long_name": name})
            for name, array in (traces.arrays | traces.learnt).items()
        },
        coords={
            **_rows(traces),
            **_replicas(traces),
            **_units(traces),
            **_learnt(traces),
            **_connections(traces),
        },
        attrs=_said(traces),
    )


def _said(traces: Traces) -> dict[str, str]:
    """The attributes of the whole: what it is, what made it and when."""
    facts = traces.manifest
    named = [str(facts[key]) for key in ("circuit", "protocol") if facts.get(key)]
    version = facts.get("versions", {}).get("apical")
    return {
        "Conventions": CONVENTIONS,
        "title": ": ".join(named) or "traces",
        "source": "apical" + (f" {version}" if version else ""),
        "history": f"{facts['created']} made by apical" if facts.get("created") else "",
        "manifest": json.dumps(facts, default=str),
    }


def _rows(traces: Traces) -> dict[str, Coordinate]:
    rows = np.arange(len(traces.phases))
    dims, time = _times(traces)
    attrs = {"long_name": "time since the presentation began"}
    if traces.time_unit:
        attrs["units"] = _SHORT_UNITS.get(traces.time_unit, traces.time_unit)
    count = {"units": "1"}
    return {
        "replica": (("replica",), traces.replica, {"long_name": "replica"} | count),
        "sample": (("sample",), traces.sample, {"long_name": "number of the sample"} | count),
        "step": (("step",), rows, {"long_name": "row, counted over all phases"} | count),
        "phase": (("step",), traces.phases, {"long_name": "phase of the protocol"}),
        "phase_step": (
            ("step",),
            traces.phase_step,
            {"long_name": "step within the phase"} | count,
        ),
        "time": (dims, time, attrs),
    }


def _times(traces: Traces) -> tuple[tuple[str, ...], np.ndarray]:
    """The axes of `time`, without those along which it is the same."""
    time = traces.time
    if time.ndim < 3:
        return ("sample", "step")[2 - time.ndim :], time
    if time.shape[1] == 1:
        return ("replica", "step"), time[:, 0]
    return ("replica", "sample", "step"), time


def _replicas(traces: Traces) -> dict[str, Coordinate]:
    """Parameters by name, or as `parameter NAME` where something else has that name."""
    taken = {*traces.arrays, *COORDINATES}
    found: dict[str, Coordinate] = {}
    for name, values in traces.parameters.items():
        label = f"parameter {name}" if name in taken else name
        dims = ("replica",) if values.ndim == 1 else ("replica", f"{name}.entry")
        found[label] = (dims, values, {"long_name": f"parameter {name}"})
    return found


def _units(traces: Traces) -> dict[str, Coordinate]:
    """`layer.unit`, the numbers of units; `layer.row`, ... of populations with a shape."""
    found: dict[str, Coordinate] = {}
    for name, array in traces.arrays.items():
        if array.ndim != 4:
            continue
        population, axis = owner_of(name), traces.dims(name)[3]
        numbers = np.arange(array.shape[3])
        if axis not in traces.arrays:
            found[axis] = ((axis,), numbers, {"long_name": f"unit of {population}", "units": "1"})
        shape = tuple(traces.manifest.get("shapes", {}).get(population, ()))
        if np.prod(shape) != array.shape[3]:
            continue
        for place in PLACES.values():
            label = f"{population}.{place.name}"
            if place.axis is not None and place.known(shape) and label not in traces.arrays:
                values = place.of(array.shape[3], shape).astype(np.int64)
                found[label] = ((axis,), values, {"long_name": place.meaning})
    return found


def _learnt(traces: Traces) -> dict[str, Coordinate]:
    """`presentation`, how many were learnt before each row."""
    if not traces.learnt:
        return {}
    attrs: dict[str, Any] = {"long_name": "presentations learnt before", "units": "1"}
    return {"presentation": (("presentation",), traces.presentation, attrs)}


def _connections(traces: Traces) -> dict[str, Coordinate]:
    """Along the units before a synapse with a bias their names."""
    found: dict[str, Coordinate] = {}
    for name, array in (traces.arrays | traces.learnt).items():
        owner, axis = owner_of(name), traces.dims(name)[-1]
        if axis == f"{owner}.pre" and owner in traces.manifest.get("biases", ()):
            names = [str(unit) for unit in range(array.shape[-1] - 1)] + ["bias"]
            found[axis] = ((axis,), np.asarray(names), {})
    return found
