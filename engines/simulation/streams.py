"""The samples of a run: streams and initial states, checked, and in which order they come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...graphs.circuit import Circuit
from ...graphs.program import Program, TimeAxis
from .. import philox
from ..presentation import Arrays
from ..signal_lengths import rows_taken
from .argument_checks import check_by_name, check_tensor, holds_numbers, numbers


@dataclass(frozen=True, eq=False)
class Streams:
    """`arrays`: name -> (sample, unit); `places`: where a replica's samples are, (replica, sample).

    Streams that each replica has of its own are laid end to end. A signal is (sample, row, unit);
    it is not copied for each replica. `output_rows`: of a prediction that is a signal.
    """

    arrays: Arrays
    places: np.ndarray
    output_rows: int = 1

    @property
    def total(self) -> int:
        """Samples of each replica."""
        return self.places.shape[1]

    def shuffled(self, seeds: tuple[int, ...], epoch: int) -> np.ndarray:
        """The places in the order of an epoch, another for each replica."""
        order = [philox.permutation(seed, "shuffle", epoch, self.total) for seed in seeds]
        return np.take_along_axis(self.places, np.stack(order), axis=1)


def joined(streams: Mapping[str, Any] | None, by_name: Mapping[str, Any]) -> dict[str, Any]:
    """Streams that are given together and those that are given as keywords.

    Raises:
        ValueError: A stream is given in both ways.
    """
    streams = {} if streams is None else streams
    check_by_name("streams", streams)
    for name in by_name:
        if name in streams:
            raise ValueError(f"stream {name!r}: given twice, in `streams` and as a keyword")
    return {**streams, **by_name}


def check_words(circuit: Circuit, words: Mapping[str, Any]) -> None:
    """Whether what is given to an argument of `run` was meant for a stream of the same name.

    Raises:
        ValueError: It is numbers, and there is such a stream.
    """
    for word, value in words.items():
        if word in circuit.streams and holds_numbers(value):
            raise ValueError(
                f"{word}: an argument of `run`, and a stream of {circuit.name}; give the stream "
                f"as `streams={{{word!r}: ...}}`"
            )


def given_streams(
    circuit: Circuit,
    program: Program,
    given: Mapping[str, Any],
    replicas: int,
    dtype: np.dtype,
    tensors: bool = False,
    samples: int | None = None,
    memory: Mapping[str, np.ndarray] | None = None,
) -> Streams:
    """The streams a program reads, checked.

    Args:
        circuit: The circuit, which knows the sizes.
        program: The program, which knows what is read.
        given: name -> (sample, unit), or (replica, sample, unit) where each replica has its own.
        replicas: The number of replicas.
        dtype: Of the arrays.
        tensors: Whether torch tensors stay what and where they are.
        samples: The number of samples where no stream is read; None: 1.
        memory: The parameters, which decide how many rows of a signal are read.

    Raises:
        ValueError: A stream that is unknown or missing, of a wrong shape, without samples, or, if
            the program reads it, with something else than finite numbers; a signal with too few
            rows.
    """
    needed = _check_names(circuit, program, given)
    rows = {a.stream: rows_taken(program, a, memory or {}, replicas) for a in program.signals}
    arrays = {
        n: _stream(circuit, n, values, replicas, dtype, tensors, n in needed)
        for n, values in given.items()
    }
    for axis in program.signals:
        _check_rows(axis, arrays[axis.stream].shape[-2], rows[axis.stream].max())
    own = {n for n, array in arrays.items() if array.ndim == _axes(circuit, n) + 1}
    lengths = {n: array.shape[n in own] for n, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"streams differ in their number of samples: {lengths}")
    total = next(iter(lengths.values()), samples or 1)
    if samples is not None and samples != total:
        raise ValueError(f"samples={samples}, but the streams hold {total}: leave `samples` out")
    places = np.broadcast_to(np.arange(total), (replicas, total))
    if own:
        shared = np.tile(np.arange(total), replicas)
        places = places + total * np.arange(replicas)[:, None]
        for name, array in arrays.items():
            if name in own:
                arrays[name] = array.reshape(-1, *array.shape[2:])
            elif name not in circuit.signals:
                arrays[name] = array[shared]
    axis = program.output_axis
    if axis is None:
        return Streams(arrays, places)
    put_out = rows_taken(program, axis, memory or {}, replicas).max()
    return Streams(arrays, places, int(put_out))


def _axes(circuit: Circuit, name: str) -> int:
    """The axes of a stream: sample and unit, of a signal with the row between them."""
    return 3 if name in circuit.signals else 2


def _check_rows(axis: TimeAxis, given: int, taken: int) -> None:
    if given >= taken:
        return
    ends = "; `linear` reads the row at the end, too" if axis.linear else ""
    raise ValueError(
        f"signal {axis.stream!r}: expected (sample, row, unit) with {taken} rows or more, as many "
        f"as the protocol takes, got {given}{ends}"
    )


def _check_names(circuit: Circuit, program: Program, given: Mapping[str, Any]) -> tuple[str, ...]:
    """The streams that a program reads; all are given, and no other than the circuit's."""
    check_by_name("samples", given)
    unknown = sorted(set(given) - set(circuit.streams))
    if unknown:
        known = ", ".join(circuit.streams) or "none"
        raise ValueError(f"no stream {unknown[0]!r} in {circuit.name}; there are: {known}")
    missing = [n for n in program.streams if n not in given]
    if missing:
        raise ValueError(f"{program.name} reads the stream {missing[0]!r}, which was not given")
    return program.streams


def _stream(
    circuit: Circuit,
    name: str,
    values: Any,
    replicas: int,
    dtype: np.dtype,
    tensors: bool,
    needed: bool,
) -> Any:
    tensor = tensors and hasattr(values, "untyped_storage")
    if tensor:
        check_tensor(f"stream {name!r}", values, finite=needed)
    array = values if tensor else numbers(f"stream {name!r}", values, dtype, finite=needed)
    size, axes = circuit.streams[name], _axes(circuit, name)
    if array.ndim == axes - 1 and size == array.shape[-1]:
        array = array[None]
    own = array.ndim == axes + 1 and array.shape[0] == replicas
    if not (own or array.ndim == axes) or array.shape[-1] != size:
        what = "(sample, unit)" if axes == 2 else "(sample, row, unit)"
        raise ValueError(
            f"stream {name!r}: expected {what} with {size} units, got "
            f"{tuple(array.shape)}; {_likely(circuit, name, array, replicas)}"
        )
    if not array.shape[own]:
        raise ValueError(f"stream {name!r}: expected at least 1 sample, got none")
    return array if tensor else np.ascontiguousarray(array)


def _likely(circuit: Circuit, name: str, array: Any, replicas: int) -> str:
    """What a wrong shape may come from."""
    size = circuit.streams[name]
    if name in circuit.signals:
        if array.ndim == 2 and size == 1:
            return "with one unit the rows of each sample are `x[:, :, None]`"
        if array.ndim == 4 and array.shape[-1] == size:
            return f"(replica, sample, row, unit) is for as many replicas as there are, {replicas}"
        return "the rows of one sample may stand alone: (row, unit)"
    if array.ndim == 3 and array.shape[-1] == size and array.shape[0] != replicas:
        declared = f"{name}: {{size: {size}, every: step}}"
        return (
            f"(replica, sample, unit) is for as many replicas as there are, {replicas}; "
            f"(sample, row, unit) for a signal, in the file `{declared}`"
        )
    if array.ndim == 1 and size == 1:
        return "one number for each sample is `x.reshape(-1, 1)`"
    if array.ndim == 1:
        return f"class numbers become one unit for each class by `np.eye({size})[x]`"
    if array.ndim > 2 and array[0].size == size:
        return "the units of a sample stand in one row: `x.reshape(len(x), -1)`"
    return f"the sizes of a circuit are set as in apical.load({circuit.name!r}, sizes=[...])"


def initial_states(
    program: Program, given: Mapping[str, Any], streams: Streams, dtype: np.dtype
) -> Arrays:
    """States that do not start at 0, checked: name -> (replica | 1, place, unit).

    Raises:
        ValueError: No such state, or a wrong shape.
    """
    found: Arrays = {}
    check_by_name("initial", given)
    laid = bool(streams.places[-1, :1].any())  # streams laid end to end
    for name, start in given.items():
        buffer = program.buffers.get(name)
        if buffer is None or not buffer.begins:
            known = ", ".join(n for n in program.reset if program.buffers[n].begins)
            raise ValueError(f"initial: no state {name!r}; there are: {known}")
        array = numbers(f"initial {name!r}", start, dtype)
        array = array.reshape((1,) * (3 - array.ndim) + array.shape)
        replicas = len(streams.places)
        if array.shape[1:] != (streams.total, buffer.size) or len(array) not in (1, replicas):
            several = f", or {replicas} of these, one for each replica" if replicas > 1 else ""
            raise ValueError(
                f"initial {name!r}: expected (sample, unit) = {(streams.total, buffer.size)}"
                f"{several}, got {np.shape(start)}"
            )
        found[name] = np.tile(array, (1, replicas, 1)) if laid else array
    return found


def check_batch(program: Program, samples: int, batch: int) -> None:
    """Whether a program can present several samples at once.

    Raises:
        ValueError: It takes one at a time, and there are more.
    """
    at_once = min(samples, batch)
    if program.single_sample is not None and at_once > 1:
        raise ValueError(
            f"batch: expected 1, got {at_once}; {program.single_sample}. Give `batch=1`: one "
            f"sample at a time is exact, and replicas still run side by side"
        )


def in_batches(order: np.ndarray, batch: int) -> list[np.ndarray]:
    """(replica, sample) as whole batches (replica, presentation, batch), then what is left over."""
    replicas, total = order.shape
    whole = total // batch * batch
    parts = [order[:, :whole].reshape(replicas, -1, batch)] if whole else []
    if total > whole:
        parts.append(order[:, None, whole:])
    return parts
