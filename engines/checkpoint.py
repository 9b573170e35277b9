"""Checkpoints: a simulator as arrays and facts, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .simulator import Simulator


def save(simulator: Simulator, path: Any) -> None:
    """Writes weights, state, counters and the circuit to a .safetensors file, whole or not at all.

    Raises:
        ValueError: A number is not finite.
    """
    from ..traces.checkpoint import save as write

    arrays = {n: a for n, a in simulator._memory.items() if not n.startswith("$")}
    for name, array in arrays.items():
        _check_finite(simulator, name, array)
    source = simulator.circuit.source
    facts = {
        "circuit": {
            "path": source.path,
            "texts": dict(source.texts),
            "variants": list(source.variants),
            "overrides": dict(source.overrides),
        },
        "engine": simulator.engine,
        "seed": simulator.seed,
        "compensate": simulator._compensate,
        "dtype": simulator.activity,
        "replicas": simulator.replicas,
        "given": simulator._parameters.given,
        "counters": [simulator.presentation, simulator.sample, simulator.epoch],
    }
    write(path, arrays, facts)


def _check_finite(simulator: Simulator, name: str, array: np.ndarray) -> None:
    if np.isfinite(array).all():
        return
    place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    number, unit = array[place], place[-1]
    synapse = simulator.circuit.synapses.get(name)
    what = f"{name} of unit {unit}"
    if synapse is not None:
        post = unit if synapse.connect == "one_to_one" else place[1]
        what = f"weight {name} of connection (post {post}, pre {unit})"
    raise ValueError(
        f"{what} is {number}: such a simulator is not saved, since nothing could be learnt from "
        f"there; go on from an earlier checkpoint, with a smaller rate"
    )
