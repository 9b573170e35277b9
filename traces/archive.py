"""Reading traces back from NetCDF and npz files."""

from __future__ import annotations

import json
import os
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from .atomic import replacing

if TYPE_CHECKING:
    from .traces import Traces

_COORDINATES = ("replica", "sample", "phase", "phase_step", "time")
_ATTRIBUTES = {"phase": "phases"}  # where it has another name in memory


def write_npz(traces: Traces, path: str | os.PathLike[str]) -> None:
    """Writes arrays under their names, coordinates under theirs, and `manifest` as JSON text."""
    facts = {"time_unit": traces.time_unit, "manifest": traces.manifest}
    facts["learnt"] = list(traces.learnt)
    facts["parameters"] = {name: values.tolist() for name, values in traces.parameters.items()}
    entries: dict[str, np.ndarray] = {
        **traces.arrays,
        **traces.learnt,
        **({"presentation": traces.presentation} if traces.learnt else {}),
        **{name: getattr(traces, _ATTRIBUTES.get(name, name)) for name in _COORDINATES},
        "manifest": np.asarray(json.dumps(facts, default=str)),
    }
    # Not numpy.savez: its own arguments (`file`, ...) are names a circuit may use.
    with (
        replacing(path) as draft,
        zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive,
    ):
        for name, array in entries.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)


def read_npz(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The arguments of `Traces` from an npz file."""
    with np.load(path, allow_pickle=False) as archive:
        entries = {name: archive[name] for name in archive.files}
    facts = json.loads(str(entries.pop("manifest").reshape(())))
    coordinates = {name: entries.pop(name) for name in _COORDINATES}
    learnt = {name: entries.pop(name) for name in facts.get("learnt", ())}
    return {
        "presentation": entries.pop("presentation") if learnt else (),
        "learnt": learnt,
        "arrays": entries,
        **coordinates,
        "time_unit": facts["time_unit"],
        "manifest": facts["manifest"],
        "parameters": facts.get("parameters", {}),
    }


def read_netcdf(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The arguments of `Traces` from a NetCDF file."""
    import xarray

    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        coordinates = {name: dataset[name].values for name in _COORDINATES}
        if dataset["time"].dims == ("replica", "step"):
            coordinates["time"] = coordinates["time"][:, None]
        of_replicas = [n for n, c in dataset.coords.items() if c.dims[:1] == ("replica",)]
        held = {str(name): dataset[name] for name in dataset.data_vars}
        between = [name for name, array in held.items() if "presentation" in array.dims]
        return {
            "learnt": {name: held[name].values for name in between},
            "presentation": dataset["presentation"].values if between else (),
            "arrays": {name: a.values for name, a in held.items() if name not in between},
            **coordinates,
            "time_unit": dataset["time"].attrs.get("units"),
            "manifest": json.loads(dataset.attrs.get("manifest", "{}")),
            "parameters": {
                str(name).removeprefix("parameter "): dataset[name].values
                for name in of_replicas
                if name not in _COORDINATES
            },
        }
