"""The start of weights, slow variables, parameters and optimizer states of one replica."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...compartments.initialisers import INITIALISERS, draw
from ...graphs.buffer import trace, variable
from ...graphs.circuit import Circuit, Synapse
from ...graphs.expressions.constants import Value, of_units
from ...graphs.expressions.tree import Array, Call, Expr, Load, Parameter, WeightOf, transform
from ...graphs.lowering.precision import PrecisionWarning, SmallSum, hazards, small_sums
from ...graphs.program import Program
from .. import aligned_memory
from ..arithmetic import value
from ..connections import Exist, connected, laid
from ..host_draws import of_start
from ..philox import PhiloxStream
from ..presentation import Arrays
from .replica_parameters import ReplicaParameters
from .requirement_checks import Demands
from .settings import Settings
from .weight_limits import check_limits

LOG = logging.getLogger("apical")


def start(settings: Settings, parameters: ReplicaParameters) -> tuple[Arrays, tuple[SmallSum, ...]]:
    """The arrays that a simulator starts with, parameters included, and the sums it compensates.

    Raises:
        ValueError: Parameters make a number what it cannot be.
    """
    circuit, dtype = settings.circuit, settings.dtype
    Demands(circuit).check(parameters, None, {"presentation": 0, "sample": 0, "epoch": 0})
    values = parameters.tables()
    exist = [connected(circuit, *one) for one in zip(settings.seeds, values, strict=True)]
    drawn = draw_arrays(circuit, settings.seeds, values, exist)
    warn_of_precision(circuit, drawn[0], values[0], str(dtype))
    kept = sums_kept(circuit, drawn, values, str(dtype)) if settings.compensate else ()
    given = parameters.arrays(dtype) | laid(circuit, exist, dtype)
    return given | lay_out(circuit, drawn, dtype), kept


def draw_arrays(
    circuit: Circuit,
    seeds: Sequence[int],
    parameters: Sequence[Mapping[str, Value]],
    exist: Sequence[Exist],
) -> list[dict[str, np.ndarray]]:
    """For each replica its weights and slow variables, by name; `exist`: where it has which."""
    found = []
    for seed, values, own in zip(seeds, parameters, exist, strict=True):
        found.append(
            initial_weights(circuit, values, seed, own) | initial_slow(circuit, values, seed)
        )
    return found


def lay_out(
    circuit: Circuit, drawn: Sequence[Mapping[str, np.ndarray]], dtype: np.dtype
) -> dict[str, np.ndarray]:
    """What replicas start with as an engine wants it: (replica, post, pre), (replica, 1, unit)."""
    found: dict[str, np.ndarray] = {}
    for name in drawn[0]:
        stacked = aligned_memory.copied([own[name] for own in drawn], dtype)
        found[name] = stacked[:, None, :] if stacked.ndim == 2 else stacked
    for synapse in circuit.synapses.values():
        for one in synapse.trace:
            shape = found[synapse.name].shape
            found[trace(synapse.name, one.variable).name] = aligned_memory.zeros(shape, dtype)
    return found


def optimizer_states(
    program: Program, held: Mapping[str, np.ndarray], replicas: int, dtype: np.dtype
) -> dict[str, np.ndarray]:
    """What the optimizers of a Program start with, where it is not held yet."""
    found: dict[str, np.ndarray] = {}
    for name, start in program.starts.items():
        if name in held:
            continue
        buffer = program.buffers[name]
        number = value(start, lambda node: held[node.buffer])
        full = np.broadcast_to(number, buffer.axes(replicas, 1))
        found[name] = aligned_memory.copied(
            full, np.float64 if buffer.shape[0] == "scalar" else dtype
        )
    return found


def initial_weights(
    circuit: Circuit,
    parameters: Mapping[str, Value],
    seed: int,
    exist: Exist,
) -> dict[str, np.ndarray]:
    """The weight arrays of one replica, drawn from the streams (seed, name of the synapse).

    exist: Where a synapse has connections (see `connections`).
    """
    done: dict[str, np.ndarray] = {}

    def weight(name: str) -> np.ndarray:
        if name not in done:
            synapse = circuit.synapses[name]
            array = _initial(synapse, circuit, parameters, seed, weight)
            there = exist[name]
            done[name] = array if there is None else np.where(there, array, 0.0)
            check_limits(synapse, done[name], there, parameters)
        return done[name]

    return {name: weight(name) for name, s in circuit.synapses.items() if s.weight is None}


def _initial(
    synapse: Synapse,
    circuit: Circuit,
    parameters: Mapping[str, Value],
    seed: int,
    weight: Callable[[str], np.ndarray],
) -> np.ndarray:
    stream = PhiloxStream(seed, synapse.name)
    n_pre = circuit.populations[synapse.source[0]].size
    n_post = circuit.populations[synapse.target[0]].size
    if synapse.windows is not None:
        n_pre, n_post = synapse.windows.fans
    init = synapse.init
    assert init is not None  # of a weight of its own

    def leaf(node: Expr) -> Any:
        if isinstance(node, WeightOf):
            bias = circuit.synapses[node.synapse].bias and not synapse.bias
            return weight(node.synapse)[:, :-1] if bias else weight(node.synapse)
        if isinstance(node, Parameter):
            number = parameters[node.name]
            if isinstance(number, tuple):
                row = np.asarray(number)
                return row[:, None] if node.side == "post" and len(synapse.shape) == 2 else row
            return number
        if isinstance(node, Array):
            return node.dense if synapse.kernel is None else node.dense.reshape(synapse.shape)
        raise TypeError(f"{synapse.name}: `init` cannot read {node!r}")

    arrays: dict[str, np.ndarray] = {}

    def drawn(node: Expr) -> Expr | None:
        if isinstance(node, Call) and (
            node.function in INITIALISERS or node.function in ("transpose", "copy", "product")
        ):
            name = f"%{len(arrays)}"
            if node.function in INITIALISERS:
                arguments = [np.asarray(value(drawn_all(a), load, leaf)) for a in node.arguments]
                arrays[name] = draw(node.function, arguments, synapse.shape, n_pre, n_post, stream)
            elif node.function == "product":
                left, right = (value(drawn_all(a), load, leaf) for a in node.arguments)
                arrays[name] = np.asarray(left) @ np.asarray(right)
            else:
                inner = np.asarray(value(drawn_all(node.arguments[0]), load, leaf))
                arrays[name] = inner.T if node.function == "transpose" else inner
            return Load(name)
        return None

    def drawn_all(expr: Expr) -> Expr:
        return transform(expr, drawn)

    def load(node: Load) -> np.ndarray:
        return arrays[node.buffer]

    start = value(drawn_all(init), load, leaf)
    return np.array(np.broadcast_to(np.asarray(start, dtype=np.float64), synapse.shape))


def warn_of_precision(
    circuit: Circuit, weights: Mapping[str, np.ndarray], values: Mapping[str, Value], dtype: str
) -> None:
    """Warns of rules whose changes floats of this width would swallow (see `graphs.precision`)."""
    if dtype == "float64":
        return
    for hazard in hazards(circuit, weights, values, dtype):
        warnings.warn(str(hazard), PrecisionWarning, stacklevel=4)


def sums_kept(
    circuit: Circuit,
    starts: Sequence[Mapping[str, np.ndarray]],
    parameters: Sequence[Mapping[str, Value]],
    dtype: str,
) -> tuple[SmallSum, ...]:
    """The weights and slow variables that are compensated, since one replica asks for it.

    Each is noted in the log "apical".
    """
    found: dict[str, SmallSum] = {}
    for arrays, values in zip(starts, parameters, strict=True):
        for one in small_sums(circuit, arrays, values, dtype):
            found.setdefault(one.name, one)
    for one in found.values():
        LOG.info("%s", one)
    return tuple(found.values())


def initial_slow(
    circuit: Circuit, parameters: Mapping[str, Value], seed: int
) -> dict[str, np.ndarray]:
    """The slow variables of one replica: one number per unit."""
    found: dict[str, np.ndarray] = {}
    for population in circuit.populations.values():
        for name, expression in population.slow.items():
            drawn = of_start(seed, population.name, name, expression, population.size)
            row = of_units(expression, parameters.__getitem__, population.size, drawn)
            found[variable(population.name, name).name] = np.array(row)
    return found
