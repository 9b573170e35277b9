"""Limits: weights stay within `bounds`, or on the side of 0 that `sign` says.

    w := min(max(w, low), high)

after the rules and their optimizer have acted; the column of the bias unit is free.
"""

from __future__ import annotations

from ...circuit import Synapse
from ...expressions.tree import Call, Expr, Load
from ...instructions import Map, RankUpdate
from ..emitter import Emitter


class Limits:
    """Emits what puts weights back that have left their limits."""

    def __init__(self, at: Emitter):
        self.at = at

    def keep(self, synapse: Synapse) -> None:
        """Emits w := its nearest number within the limits; nothing where there are none."""
        low, high = synapse.limits
        if low is None and high is None:
            return
        at, weight = self.at, self.at.weight(synapse)
        value: Expr = Load(weight)
        if low is not None:
            value = Call("max", (value, at.translate(low)))
        if high is not None:
            value = Call("min", (value, at.translate(high)))
        if synapse.connection.elementwise:
            at.emit(Map(weight, value))
            return
        if synapse.bias:
            bias = Load(at.bias_column(synapse), "pre")
            value = Call("where", (bias, Load(weight), value))
        hollow, only = synapse.connection.off_diagonal, at.connections(synapse)
        at.emit(RankUpdate(weight, value, off_diagonal=hollow, only=only))
