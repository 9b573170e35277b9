"""Pairs: what belongs to one synapse and one sample, (sample, post * pre) as a unit variable.

Where the mean of a trace over the batch is not enough (see `trace_means`) each sample has its own.
Its equation, and the lines of a rule that read it, are then evaluated for each connection and each
sample, and averaged last:

    w += mean over samples of E(w_ij, m_ij, post_i, pre_j)

It takes batch * post * pre numbers for the trace, and for each operand that is spread over pairs.
"""

from __future__ import annotations

from math import prod

from ...circuit import Synapse
from ...expressions.derivative import differentiate, simplify
from ...expressions.tree import Call, Expr, Load, Number, Transmitted, Weight, transform
from ...instructions import BatchReduce, Spread
from ..emitter import Emitter
from ..transmission import Transmission


class Pairs:
    """Puts expressions of one synapse over pairs."""

    def __init__(self, at: Emitter, transmission: Transmission):
        self.at, self.transmission = at, transmission

    def value(self, synapse: Synapse, right: Expr) -> Expr:
        """An expression of a synapse over unit variables of post * pre numbers, made current."""
        ends = self.transmission.ends
        if synapse.bias:
            ends.at_bias(right, synapse)  # it names nothing that a bias unit lacks
        over = ends.pairwise(self.transmission.reductions.of(right, synapse), synapse)

        def each(node: Expr) -> Expr | None:
            match node:
                case Weight():
                    return self.weight(synapse)
                case Transmitted():
                    return self._spread(synapse, self.at.sent(synapse), "pre")
                case Load(buffer=name, axis=axis) if axis is not None:
                    return self._spread(synapse, name, axis)
            return None

        found, only = transform(over, each), self.at.connections(synapse)
        if only is not None:
            found = Call("where", (self._spread(synapse, only, "both"), found, Number(0.0)))
        return self.at.reading(simplify(found))

    def weight(self, synapse: Synapse) -> Expr:
        """The weight of each pair, the same for all samples."""
        return self._spread(synapse, self.at.weight(synapse), "both")

    def mean(self, synapse: Synapse, value: Expr, name: str) -> Expr:
        """The mean or sum of a value over the samples, one number for each connection."""
        self.at.emit(BatchReduce(name, value, synapse.batch == "mean"))
        return Load(name)

    def slope(self, synapse: Synapse, value: Expr, name: str) -> Expr:
        """The mean over the samples of how a value depends on the weight."""
        slope = simplify(differentiate(value, self.weight(synapse)))
        return slope if slope == Number(0.0) else self.mean(synapse, slope, name)

    def _spread(self, synapse: Synapse, source: str, axis: str) -> Expr:
        """What one end, or the array of weights, has for each pair."""
        at = self.at
        if synapse.connection.elementwise:
            return Load(source)
        posts, pres = synapse.shape
        bias = synapse.bias and axis == "pre"
        key = ("spread", source, axis, posts, pres, bias)
        name, known = at.temporary(key, axis, (source,), "scratch", "unit", prod(synapse.shape))
        if not known:
            at.fix(name, Spread(name, source, axis, (posts, pres), bias))
        return Load(name)
