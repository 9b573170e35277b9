"""The manifest of a run: what is needed to make it again, and to know what it was."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..graphs.circuit import Circuit

PACKAGES = ("apical", "numpy", "scipy", "numba", "xarray")


def manifest(
    circuit: Circuit,
    *,
    engine: str,
    seed: int | Sequence[int] | None = None,
    dtype: str = "float64",
    replicas: int = 1,
    protocol: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    packages: Iterable[str] = (),
    **more: Any,
) -> dict[str, Any]:
    """A dictionary that JSON can say: texts, hash, versions, engine, seed, protocol, time.

    Args:
        circuit: The circuit that ran; its source holds the texts, variants and overrides.
        engine: "numpy", "numba", ...
        seed: Seed of the counter-based random numbers, or one for each replica.
        dtype: Type of the activity variables.
        replicas: Number of replicas.
        protocol: Name of the protocol that ran.
        parameters: The values that it ran with, a list where replicas differ; None: those of the
            file.
        packages: What computed beside PACKAGES; `versions` has those, too.
        more: Whatever else the caller knows (task, epochs, batch, command, ...).
    """
    source = circuit.source
    return {
        "circuit": circuit.name,
        "path": source.path,
        "texts": dict(source.texts),
        "variants": list(source.variants),
        "overrides": plain(source.overrides),
        "parameters": {name: plain(p.value) for name, p in circuit.stated.items()}
        | {name: plain(value) for name, value in (parameters or {}).items()},
        **shapes(circuit),
        **biases(circuit),
        **hashes(circuit),
        "hash": circuit_hash(circuit),
        "versions": versions(packages),
        "engine": engine,
        "dtype": str(dtype),
        "seed": seed,
        "replicas": replicas,
        "protocol": protocol,
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **{name: plain(value) for name, value in more.items()},
    }


def shapes(circuit: Circuit) -> dict[str, dict[str, list[int]]]:
    """Where units stand: `shapes`, population -> its shape, of those that have one."""
    found = {p.name: list(p.shape) for p in circuit.populations.values() if p.shape is not None}
    return {"shapes": found} if found else {}


def biases(circuit: Circuit) -> dict[str, list[str]]:
    """`biases`: the synapses whose last column is a bias, where there are some."""
    found = [synapse.name for synapse in circuit.synapses.values() if synapse.bias]
    return {"biases": found} if found else {}


def hashes(circuit: Circuit) -> dict[str, dict[str, str]]:
    """`arrays`: SHA-256 of each array from a file or from Python, where there are some."""
    found = {key: array.sha256 for key, array in circuit.arrays.items()}
    return {"arrays": found} if found else {}


def circuit_hash(circuit: Circuit) -> str:
    """SHA-256 over the texts, variants, overrides and arrays; not over where the file lies."""
    source, arrays = circuit.source, [a.sha256 for a in circuit.arrays.values()]
    return texts_hash(source.texts, source.variants, source.overrides, arrays)


def texts_hash(
    texts: Mapping[str, str],
    variants: Sequence[str],
    overrides: Mapping[str, Any],
    arrays: Sequence[str] = (),
) -> str:
    """The hash of a circuit that these describe; `arrays` are the hashes of its arrays."""
    said = [
        list(texts.values()),
        list(variants),
        plain(overrides),
        *([list(arrays)] * bool(arrays)),
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def versions(more: Iterable[str] = ()) -> dict[str, str]:
    """Versions of Python and of the packages that compute."""
    return {"python": platform.python_version()} | {
        name: _version(name) for name in (*PACKAGES, *more)
    }


@cache  # looking it up takes longer than a short run
def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def plain(value: Any) -> Any:
    """A value in the words of JSON: arrays and tuples as lists, mappings as objects, else text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)
