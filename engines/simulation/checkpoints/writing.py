"""Writing a checkpoint: a simulator as arrays and facts."""

from __future__ import annotations

import os
from dataclasses import asdict

import numpy as np

from ....graphs.circuit import Circuit
from ....traces.manifest import plain
from ....traces.safetensors_file import save as write
from ..core import Core


def save(core: Core, path: str | os.PathLike[str]) -> None:
    """Writes weights, state, counters and the circuit to a .safetensors file, whole or not at all.

    Raises:
        ValueError: A number is not finite.
    """
    own, at, arrays = core.settings, core.state, core.state.learnt(core.parameters)
    for name, array in arrays.items():
        _check_finite(own.circuit, name, array)
    source, starts = own.circuit.source, own.circuit.arrays
    facts = {
        "circuit": {
            "path": source.path,
            "texts": dict(source.texts),
            "variants": list(source.variants),
            "overrides": plain(source.overrides),
            **({"arrays": {key: one.sha256 for key, one in starts.items()}} if starts else {}),
        },
        "engine": own.engine,
        "seed": own.seed,
        "compensate": bool(own.compensate),
        "compensated": [plain(asdict(one)) for one in core.compensated],
        "dtype": own.activity,
        "replicas": own.replicas,
        "given": core.parameters.given,
        "counters": [at.presentation, at.sample, at.epoch],
        "unfinished": None if at.unfinished is None else asdict(at.unfinished),
        "arrays": sorted(arrays),
        "draws": at.counters.facts(),
        **({"notes": plain(core.notes)} if core.notes else {}),
    }
    write(path, arrays | {key: one.dense for key, one in starts.items()}, facts)


def _check_finite(circuit: Circuit, name: str, array: np.ndarray) -> None:
    if np.isfinite(array).all():
        return
    place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    number, unit = array[place], place[-1]
    synapse = circuit.synapses.get(name)
    what = f"{name} of unit {unit}"
    if synapse is not None:
        post = unit if synapse.connection.elementwise else place[1]
        what = f"weight {name} of connection (post {post}, pre {unit})"
    raise ValueError(
        f"{what} is {number}: such a simulator is not saved, since nothing could be learnt from "
        f"there; go on from an earlier checkpoint, with a smaller rate"
    )
