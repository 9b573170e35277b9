"""The samples of a run: streams and initial states, checked, and in which order they come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graphs.circuit import Circuit
from ..graphs.program import Program
from . import philox
from .presentation import Arrays


@dataclass(frozen=True, eq=False)
class Streams:
    """`arrays`: name -> (sample, unit); `places`: where a replica's samples are, (replica, sample).

    Streams that each replica has of its own are laid end to end.
    """

    arrays: Arrays
    places: np.ndarray

    @property
    def total(self) -> int:
        """Samples of each replica."""
        return self.places.shape[1]

    def shuffled(self, seeds: tuple[int, ...], epoch: int) -> np.ndarray:
        """The places in the order of an epoch, another for each replica."""
        order = [philox.permutation(seed, "shuffle", epoch, self.total) for seed in seeds]
        return np.take_along_axis(self.places, np.stack(order), axis=1)


def given_streams(
    circuit: Circuit,
    program: Program,
    given: Mapping[str, Any],
    replicas: int,
    dtype: np.dtype,
    tensors: bool = False,
    samples: int = 1,
) -> Streams:
    """The streams a program reads, checked.

    Args:
        circuit: The circuit, which knows the sizes.
        program: The program, which knows what is read.
        given: name -> (sample, unit), or (replica, sample, unit) where each replica has its own.
        replicas: The number of replicas.
        dtype: Of the arrays.
        tensors: Whether torch tensors stay what and where they are.
        samples: The number of samples where no stream is read.

    Raises:
        ValueError: A stream that is unknown or missing, or of a wrong shape.
    """
    _check_names(circuit, program, given)
    arrays = {
        n: _stream(circuit, n, values, replicas, dtype, tensors) for n, values in given.items()
    }
    lengths = {name: array.shape[-2] for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"streams differ in their number of samples: {lengths}")
    total = next(iter(lengths.values()), samples)
    places = np.broadcast_to(np.arange(total), (replicas, total))
    if any(array.ndim == 3 for array in arrays.values()):
        shared = np.tile(np.arange(total), replicas)
        places = places + total * np.arange(replicas)[:, None]
        for name, array in arrays.items():
            own = array.ndim == 3
            arrays[name] = array.reshape(-1, array.shape[-1]) if own else array[shared]
    return Streams(arrays, places)


def _check_names(circuit: Circuit, program: Program, given: Mapping[str, Any]) -> None:
    unknown = sorted(set(given) - set(circuit.streams))
    if unknown:
        known = ", ".join(circuit.streams) or "none"
        raise ValueError(f"no stream {unknown[0]!r} in {circuit.name}; there are: {known}")
    needed = [n[1:] for n, b in program.buffers.items() if b.kind == "stream"]
    missing = [n for n in needed if n not in given]
    if missing:
        raise ValueError(f"{program.name} reads the stream {missing[0]!r}, which was not given")


def _stream(
    circuit: Circuit, name: str, values: Any, replicas: int, dtype: np.dtype, tensors: bool
) -> Any:
    tensor = tensors and hasattr(values, "untyped_storage")
    array = values if tensor else np.asarray(values, dtype=dtype)
    size = circuit.streams[name]
    if array.ndim == 1 and size == array.shape[0]:
        array = array[None]
    own = array.ndim == 3 and array.shape[0] == replicas
    if not (own or array.ndim == 2) or array.shape[-1] != size:
        raise ValueError(
            f"stream {name!r}: expected (sample, unit) with {size} units, got "
            f"{tuple(array.shape)}; the sizes of a circuit are set as in "
            f"apical.load({circuit.name!r}, sizes=[...])"
        )
    return array if tensor else np.ascontiguousarray(array)


def initial_states(
    program: Program, given: Mapping[str, Any], streams: Streams, dtype: np.dtype
) -> Arrays:
    """States that do not start at 0, checked: name -> (replica | 1, place, unit).

    Raises:
        ValueError: No such state, or a wrong shape.
    """
    found: Arrays = {}
    laid = bool(streams.places[-1, :1].any())  # streams laid end to end
    for name, start in given.items():
        buffer = program.buffers.get(name)
        if buffer is None or buffer.kind != "state":
            known = ", ".join(program.reset)
            raise ValueError(f"initial: no state {name!r}; there are: {known}")
        array = np.asarray(start, dtype=dtype)
        array = array.reshape((1,) * (3 - array.ndim) + array.shape)
        if array.shape[1:] != (streams.total, buffer.size):
            raise ValueError(
                f"initial {name!r}: expected (sample, unit) = {(streams.total, buffer.size)}, "
                f"got {array.shape[1:]}"
            )
        found[name] = np.tile(array, (1, len(streams.places), 1)) if laid else array
    return found


def in_batches(order: np.ndarray, batch: int) -> list[np.ndarray]:
    """(replica, sample) as whole batches (replica, presentation, batch), then what is left over."""
    replicas, total = order.shape
    whole = total // batch * batch
    parts = [order[:, :whole].reshape(replicas, -1, batch)] if whole else []
    if total > whole:
        parts.append(order[:, None, whole:])
    return parts
