"""Transmission: what synapses bring to a compartment.

current_i = sum over j of E(w_ij, pre_j, post_i),  by default E = w * pre, a matrix product
"""

from __future__ import annotations

from ...compartments.windows import Windows
from ..circuit import Synapse
from ..expressions.tree import (
    Binary,
    Call,
    Expr,
    Load,
    Transmitted,
    Weight,
    WeightOf,
    transform,
)
from ..instructions import Convolve, Instruction, Map, PairwiseSum, Pool, Product, Unpool
from .emitter import Emitter
from .reductions import Reductions
from .synapse_ends import Ends, Operand, times_weight


class Transmission:
    """Makes the currents of all synapses."""

    def __init__(self, at: Emitter):
        self.at, self.ends = at, Ends(at)
        self.reductions = Reductions(at, self.ends)
        for synapse in at.circuit.synapses.values():
            self._promise(synapse)

    def _promise(self, synapse: Synapse) -> None:
        name = self.at.arrival(synapse)
        self.at.makers[name] = lambda: self.current(synapse, name)

    def current(self, synapse: Synapse, name: str) -> tuple[Instruction, ...]:
        """The instructions that make the current of a synapse, the buffer `name`."""
        at = self.at
        if synapse.connection.elementwise:
            weight = self._row(synapse)
            current = synapse.current or Binary("*", Weight(), Transmitted())
            current = self.reductions.of(current, synapse)
            swap = transform(current, lambda n: weight if isinstance(n, Weight) else None)
            return (Map(name, at.translate(swap, synapse)),)
        if synapse.windows is not None:
            return self._windowed(synapse, synapse.windows, name)
        weight, transposed, factor = self.ends.matrix(synapse)
        spread, source = self.ends.spread(synapse)
        if synapse.current is not None or not self._multiplies(synapse, weight, transposed):
            return (*spread, self._pair(synapse, name, (weight, transposed, factor), source))
        population, variable = synapse.source
        few = synapse.filter is None and at.population(population).is_event(variable)
        product = Product(name, weight, source, transposed, synapse.bias, few)
        if factor is None:
            return (*spread, product)
        return (*spread, product, Map(name, Binary("*", factor, Load(name))))

    def _windowed(self, synapse: Synapse, over: Windows, name: str) -> tuple[Instruction, ...]:
        """A convolution or a pooling, or the transpose of one."""
        made, source = self.ends.spread(synapse)
        if synapse.pool is None:
            weight, _, factor = self.ends.matrix(synapse)
            made += (Convolve(name, weight, source, over, synapse.backwards, synapse.bias),)
        else:
            owner, factor = self.ends.pooling(synapse)
            if synapse.backwards:
                beside, values = self.ends.spread(owner)
                made += (*beside, Unpool(name, source, values, over, synapse.pool))
            else:
                made += (Pool(name, source, over, synapse.pool),)
        return made if factor is None else (*made, Map(name, Binary("*", factor, Load(name))))

    def _multiplies(self, synapse: Synapse, weight: str, transposed: bool) -> bool:
        """Whether w * pre is a product with the whole array that holds the weights."""
        if synapse.weight is None:
            return True
        columns = int(self.at.buffers[weight].shape[2])
        if not transposed and columns != synapse.shape[-1]:
            return False  # the array has a bias column that is not this synapse's
        return self.ends.whole(synapse)

    def _pair(self, synapse: Synapse, name: str, operand: Operand, source: str) -> PairwiseSum:
        weight, transposed, factor = operand
        current = synapse.current or Binary("*", Weight(), Transmitted())
        current = self.reductions.of(current, synapse)

        def scaled(expr: Expr) -> Expr:
            return expr if factor is None else times_weight(factor, expr)

        bias = None
        if synapse.bias:
            bias = scaled(self.ends.pairwise(self.ends.at_bias(current, synapse), synapse))
        return PairwiseSum(
            name,
            weight,
            source,
            scaled(self.ends.pairwise(current, synapse)),
            transposed,
            bias=bias,
            off_diagonal=synapse.connection.off_diagonal,
            only=self.ends.connections(synapse),
        )

    # --- weights -------------------------------------------------------------------------------

    def _row(self, synapse: Synapse) -> Expr:
        """The weight of a one-to-one synapse as a row."""
        if synapse.weight is None:
            return Load(self.at.weight(synapse))
        return self._row_expression(synapse.weight)

    def _row_expression(self, expr: Expr) -> Expr:
        def leaf(node: Expr) -> Expr | None:
            match node:
                case Call(function="transpose" | "copy", arguments=(inner,)):
                    return self._row_expression(inner)
                case WeightOf(synapse=other):
                    target = self.at.circuit.synapses[other]
                    if target.weight is not None:
                        return self._row_expression(target.weight)
                    return Load(self.at.weight(target))
            return None

        return self.at.translate(transform(expr, leaf))
