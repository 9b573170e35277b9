"""Arrays of a simulator under the names of its circuit, readable, writable, shapes checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from ...graphs.buffer import connections, filtered, trace, trace_of_each, variable
from ...graphs.circuit import Circuit, Synapse
from ...graphs.expressions.constants import Value
from ...graphs.wording import meant
from ..connections import held, outside
from ..presentation import Arrays
from .argument_checks import numbers
from .weight_limits import check_limits


class ArrayView(MutableMapping[str, np.ndarray]):
    """name -> array; reading gives a view on the memory, writing copies into it.

    Args:
        what: What the names are, for messages ("weight", "state").
        arrays: Gives the arrays now, name -> (replica, ...).
        check: Called with name and new array before it is written; raises ValueError.

    Raises:
        KeyError: No such name; the message has the nearest.
        ValueError: A wrong shape, no numbers, or numbers that are not finite.
    """

    def __init__(
        self,
        what: str,
        arrays: Callable[[], dict[str, np.ndarray]],
        check: Callable[[str, np.ndarray], None] | None = None,
        changed: Callable[[], None] | None = None,
    ):
        self._what, self._arrays, self._check, self._changed = what, arrays, check, changed

    def __getitem__(self, name: str) -> np.ndarray:
        array = self._find(name)
        return array[0] if len(array) == 1 else array

    def __setitem__(self, name: str, new: Any) -> None:
        array = self._find(name)
        values = numbers(f"{self._what} {name!r}", new, array.dtype)
        if values.shape not in (array.shape, array.shape[1:]):
            lead = f" or {array.shape}" if len(array) > 1 else ""
            raise ValueError(
                f"{self._what} {name!r}: expected shape {array.shape[1:]}{lead}, got {values.shape}"
            )
        if self._check is not None:
            self._check(name, values)
        array[...] = values
        if self._changed is not None:
            self._changed()

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"a {self._what} cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays())

    def __len__(self) -> int:
        return len(self._arrays())

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {array.shape[1:]}" for name, array in self._arrays().items())
        return f"<{self._what}s: {shapes}>"

    def _find(self, name: str) -> np.ndarray:
        arrays = self._arrays()
        if name not in arrays:
            raise KeyError(f"no {self._what} {name!r}{meant(name, arrays)}")
        return arrays[name]


# --- what memory holds ---------------------------------------------------------------------------


def weights_of(circuit: Circuit, memory: Arrays) -> Arrays:
    """Weights by synapse: (replica, post, pre), or (replica, unit) of one to one.

    Of a convolution (replica, out, in, rows, columns), and "W.bias", (replica, out).
    """
    found: Arrays = {}
    for name, synapse in circuit.synapses.items():
        if synapse.kernel is not None and synapse.weight is None:
            found |= kernel_of(synapse, memory[name])
        elif synapse.weight is None:
            found[name] = memory[name][:, 0] if synapse.connection.elementwise else memory[name]
    return found


def kernel_of(synapse: Synapse, array: np.ndarray) -> Arrays:
    """The weights of a convolution, and those of its bias, as views on an array (..., out, tap)."""
    assert synapse.kernel is not None and synapse.windows is not None
    taps = array[..., : synapse.windows.taps]
    found = {synapse.name: taps.reshape(*array.shape[:-2], *synapse.kernel)}
    return found | ({f"{synapse.name}.bias": array[..., -1]} if synapse.bias else {})


def connections_of(circuit: Circuit, memory: Arrays) -> Arrays:
    """Whether there is a connection, (replica, post, pre), where not all of a kind are there."""
    some = (name for name, synapse in circuit.synapses.items() if synapse.connection.some)
    return {name: memory[connections(name).name] != 0 for name in some}


def check_weight(
    circuit: Circuit,
    memory: Arrays,
    values: Callable[[], Sequence[Mapping[str, Value]]],
    name: str,
    new: np.ndarray,
) -> None:
    """Whether an array can be the weights of a synapse; `values`: parameters of each replica.

    Raises:
        ValueError: A weight where there is no connection, or beyond `bounds` or `sign`.
    """
    synapse = circuit.synapses.get(name)
    if synapse is None:  # the bias of a convolution, which is free
        return
    size = len(synapse.shape) if synapse.kernel is None else len(synapse.kernel)
    for replica, own in enumerate(values()):
        array = new if new.ndim == size else new[replica]
        exist = held(circuit, synapse, memory, replica)
        check_limits(synapse, array, exist, own)
        wrong = None if exist is None else outside(synapse, array, exist)
        if wrong is not None:
            raise ValueError(f"weight {name!r} {wrong}")


def slows_of(circuit: Circuit, memory: Arrays) -> Arrays:
    """Slow variables: (replica, unit)."""
    names = [variable(p.name, v).name for p in circuit.populations.values() for v in p.slow]
    return {name: memory[name][:, 0] for name in names}


def states_of(circuit: Circuit, memory: Arrays) -> Arrays:
    """States, filters and synaptic traces of the last presentation, and slow variables."""
    names = [variable(p.name, v).name for p in circuit.populations.values() for v in p.states]
    for synapse in circuit.synapses.values():
        names += [filtered(synapse.name, v).name for v in ("s", "p") if synapse.filter is not None]
        names += [trace(synapse.name, one.variable).name for one in synapse.trace]
    found = {name: memory[name] for name in names if name in memory}
    return found | _traces_of_each(circuit, memory) | slows_of(circuit, memory)


def _traces_of_each(circuit: Circuit, memory: Arrays) -> Arrays:
    """Synaptic traces that every sample has for itself, (replica, sample, post, pre)."""
    found: Arrays = {}
    for synapse in circuit.synapses.values():
        for one in synapse.trace:
            each = memory.get(trace_of_each(synapse.name, one.variable).name)
            if each is not None:
                name = trace(synapse.name, one.variable).name
                found[name] = each.reshape(*each.shape[:2], *synapse.shape)
    return found
