"""Products: what presynaptic activity and weights bring together, as calls on static tensors."""

from __future__ import annotations

from functools import partial

import torch

from ..graphs.expression import Expr, Weight
from ..graphs.program import Pair, Product
from .torch_elementwise import Tape, Tensor
from .torch_hoisting import Hoister
from .torch_layout import Layout


class ProductWriter:
    """Appends products with weights to tapes."""

    def __init__(self, layout: Layout, hoist: Hoister):
        self.layout, self.hoist = layout, hoist
        self._narrowed: dict[str, Tensor] = {}

    def product(self, p: Product, tape: Tape) -> None:
        """Target := source @ weight.T, in the dtype of activity."""
        layout, lent = self.layout, list[Tensor]()
        weight, target = self._weight(p.weight, tape), layout.tensors[p.target]
        source = layout.cast(layout.tensors[p.source], layout.narrow, tape, lent)
        out = target
        if target.dtype != layout.narrow:
            lent.append(layout.pool.take(tuple(target.shape), layout.narrow))
            out = lent[-1]
        if p.bias and not p.transposed:
            right, row = weight[:, :, :-1].transpose(1, 2), weight[:, None, :, -1]
            tape.append(partial(torch.baddbmm, row, source, right, out=out))
        else:
            right = weight[:, :, : target.shape[-1]] if p.transposed else weight.transpose(1, 2)
            tape.append(partial(torch.bmm, source, right, out=out))
        if out is not target:
            tape.append(partial(target.copy_, out))
        for tensor in lent:
            layout.pool.give(tensor)

    def _weight(self, name: str, tape: Tape) -> Tensor:
        """A weight in the dtype of activity: its copy is made before the loop if it stays."""
        weight = self.layout.tensors[name]
        if weight.dtype == self.layout.narrow:
            return weight
        if name not in self._narrowed:
            self._narrowed[name] = torch.zeros_like(weight, dtype=self.layout.narrow)
        self.hoist.before(name, tape).append(partial(self._narrowed[name].copy_, weight))
        return self._narrowed[name]

    def pair(self, p: Pair, tape: Tape) -> None:
        """Target_i := sum over j of an expression of post_i, pre_j and w_ij."""
        layout = self.layout
        weight = layout.tensors[p.weight]
        weight = weight.transpose(1, 2) if p.transposed else weight

        def leaf(node: Expr) -> Tensor:
            if isinstance(node, Weight):
                return weight[:, None]
            return layout.tensors[p.source][:, :, None, :]

        made = layout.assembler(tape, leaf=leaf)
        made.load = lambda node: layout.tensors[node.buffer][..., None]
        made.constant = lambda expr, dtype: None
        shape = (layout.replicas, layout.batch, weight.shape[1], weight.shape[2])
        pairs, lent = made.result(made.value(p.value), shape)
        target = layout.tensors[p.target]
        total = layout.pool.take(tuple(target.shape), layout.dtype)
        tape.append(partial(torch.sum, pairs, dim=-1, out=total))
        tape.append(partial(target.copy_, total))
        layout.pool.give(total)
        if lent:
            layout.pool.give(pairs)
