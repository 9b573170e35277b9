"""Connections: which of them a synapse has, where its `connect` lets a seed or a condition decide.

A condition is drawn and asked for pair by pair, post * n_pre + pre; sources that are drawn, target
by target (see `compartments.patterns`). Neither depends on how weights are stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..compartments.connectivity import weight_mask
from ..compartments.distributions import DISTRIBUTIONS
from ..graphs.buffer import connections as named
from ..graphs.circuit import Circuit, Synapse
from ..graphs.expressions.constants import Value, elementwise, evaluate
from ..graphs.expressions.numbered_draws import is_draw, numbers
from ..graphs.expressions.tree import Array, Expr, Parameter
from . import aligned_memory, philox
from .host_draws import moved

AT_ONCE = 2**22  # pairs of units
Exist = Mapping[str, np.ndarray | None]  # synapse -> (post, pre), bias counted; None: everywhere
Pairs = tuple[np.ndarray, np.ndarray]  # targets and sources, sorted by both


def connected(circuit: Circuit, seed: int, values: Mapping[str, Value]) -> Exist:
    """Of each synapse where a weight may differ from 0, with these parameters of one replica."""
    return {name: _there(circuit, s, values, seed) for name, s in circuit.synapses.items()}


def laid(circuit: Circuit, exist: Sequence[Exist], dtype: np.dtype) -> dict[str, np.ndarray]:
    """What engines are given of the connections of replicas: buffer -> (replica, post, pre)."""
    some = [name for name, synapse in circuit.synapses.items() if synapse.connection.some]
    found: dict[str, np.ndarray] = {}
    for name in some:
        tables = [table for own in exist if (table := own[name]) is not None]  # each replica's
        found[named(name).name] = aligned_memory.copied(tables, dtype)
    return found


def _there(
    circuit: Circuit, synapse: Synapse, values: Mapping[str, Value], seed: int
) -> np.ndarray | None:
    """Where a weight may differ from 0, (post, pre), bias counted; None where it may everywhere."""
    n_post, n_pre = (circuit.populations[end[0]].size for end in (synapse.target, synapse.source))
    if not synapse.connection.some:
        return weight_mask(synapse.connect, n_post, n_pre)
    found = np.zeros(synapse.shape, dtype=bool)
    found[:, n_pre:] = True
    for pairs in _pairs(synapse, n_post, n_pre, values, seed):
        found[pairs] = True
    return found


def held(
    circuit: Circuit, synapse: Synapse, arrays: Mapping[str, np.ndarray], replica: int
) -> np.ndarray | None:
    """The same of a replica that has started."""
    if synapse.connection.some:
        return arrays[named(synapse.name).name][replica] != 0
    ends = (synapse.target[0], synapse.source[0])
    return weight_mask(synapse.connect, *(circuit.populations[end].size for end in ends))


def outside(synapse: Synapse, weights: np.ndarray, exist: np.ndarray) -> str | None:
    """What is wrong with weights (post, pre) that are not 0 where no connection is; None if none.

    weights: Of one replica.
    """
    wrong = (weights != 0) & ~exist
    if not wrong.any():
        return None
    if not synapse.connection.some:
        return "connects all but self: its diagonal must be 0"
    place = ", ".join(str(i) for i in np.argwhere(wrong)[0])
    return (
        f"is not 0 at {int(wrong.sum())} places where there is no connection, such as [{place}]; "
        f"`sim.connections[{synapse.name!r}]` is True where there is one"
    )


def _pairs(
    synapse: Synapse, n_post: int, n_pre: int, values: Mapping[str, Value], seed: int
) -> list[Pairs]:
    """The connections, so many targets at once."""
    rows = max(1, AT_ONCE // n_pre)
    blocks = [np.arange(i, min(i + rows, n_post)) for i in range(0, n_post, rows)]
    kind, given, stream = synapse.connection, synapse.given, named(synapse.name).name
    assert given is not None
    if kind.find is None:
        return [_where(synapse, targets, n_pre, values, seed) for targets in blocks]

    def uniform(number: np.ndarray, target: np.ndarray) -> np.ndarray:
        return philox.uniform(seed, stream, number, target)

    number = evaluate(given, values.__getitem__)
    assert isinstance(number, float)
    return [kind.find(number, targets, n_pre, uniform) for targets in blocks]


def _where(
    synapse: Synapse, targets: np.ndarray, n_pre: int, values: Mapping[str, Value], seed: int
) -> Pairs:
    """The pairs of some targets for which a condition holds.

    Raises:
        ValueError: It has no value for some pair.
    """
    assert synapse.given is not None
    stream, places = named(synapse.name).name, numbers(synapse.given)
    pair = targets[:, None].astype(np.uint64) * np.uint64(n_pre) + np.arange(n_pre, dtype=np.uint64)

    def leaf(node: Expr) -> np.ndarray:
        if is_draw(node):
            draw = getattr(philox, DISTRIBUTIONS[node.function].standard)
            number = draw(seed, stream, pair, pair >> philox.SHIFT, 0, places[0, node.span])
            return moved(node.function, number, [elementwise(a, leaf) for a in node.arguments])
        if isinstance(node, Array):
            rows = node.values[targets]
            return rows if isinstance(rows, np.ndarray) else rows.toarray()
        assert isinstance(node, Parameter)
        value = np.asarray(values[node.name], dtype=np.float64)
        return value[targets][:, None] if value.ndim and node.side == "post" else value

    with np.errstate(all="ignore"):
        holds = np.broadcast_to(elementwise(synapse.given, leaf), pair.shape)
    if np.isnan(holds).any():
        row, column = np.argwhere(np.isnan(holds))[0]
        raise ValueError(
            f"{synapse.name}: its `connect` has no value for {int(np.isnan(holds).sum())} pairs of "
            f"units, such as post.index = {targets[row]}, pre.index = {column}"
        )
    row, column = np.nonzero(holds)
    return targets[row], column
