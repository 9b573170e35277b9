"""What a memory holds, under the names of a circuit: weights, slow variables, states."""

from __future__ import annotations

import numpy as np

from ...graphs.circuit import Circuit
from ...graphs.program import EACH
from ..presentation import Arrays


def weights_of(circuit: Circuit, memory: Arrays) -> Arrays:
    """Weights by synapse: (replica, post, pre), or (replica, unit) of one to one."""
    return {
        name: memory[name][:, 0] if synapse.connection.elementwise else memory[name]
        for name, synapse in circuit.synapses.items()
        if synapse.weight is None
    }


def check_weight(circuit: Circuit, name: str, new: np.ndarray) -> None:
    """Whether an array can be the weights of a synapse.

    Raises:
        ValueError: A weight of an autapse where there is none.
    """
    if circuit.synapses[name].connection.off_diagonal:
        if np.any(np.diagonal(new, axis1=-2, axis2=-1)):
            raise ValueError(f"weight {name!r} connects all but self: its diagonal must be 0")


def slows_of(circuit: Circuit, memory: Arrays) -> Arrays:
    """Slow variables: (replica, unit)."""
    populations = circuit.populations.values()
    return {n: memory[n][:, 0] for p in populations for v in p.slow if (n := f"{p.name}.{v}")}


def states_of(circuit: Circuit, memory: Arrays) -> Arrays:
    """States, filters and synaptic traces of the last presentation, and slow variables."""
    names = [f"{p.name}.{v}" for p in circuit.populations.values() for v in p.states]
    for synapse in circuit.synapses.values():
        names += [f"{synapse.name}.{v}" for v in ("s", "p") if synapse.filter is not None]
        names += [f"{synapse.name}.{trace.variable}" for trace in synapse.trace]
    found = {name: memory[name] for name in names if name in memory}
    return found | _traces_of_each(circuit, memory) | slows_of(circuit, memory)


def _traces_of_each(circuit: Circuit, memory: Arrays) -> Arrays:
    """Synaptic traces that every sample has for itself, (replica, sample, post, pre)."""
    found: Arrays = {}
    for synapse in circuit.synapses.values():
        for name in (f"{synapse.name}.{trace.variable}" for trace in synapse.trace):
            each = memory.get(name + EACH)
            if each is not None:
                found[name] = each.reshape(*each.shape[:2], *synapse.shape)
    return found
