"""Products: what presynaptic activity and weights bring together, as calls on static tensors."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from ...graphs.expressions.tree import Expr, Load, Weight
from ...graphs.instructions import MatrixProduct, PairwiseSum, Product, Side, Spread
from .hoisting import Hoister
from .layout import TensorLayout
from .tape import Tape


class ProductWriter:
    """Appends products with weights to tapes."""

    def __init__(self, layout: TensorLayout, hoist: Hoister):
        self.layout, self.hoist = layout, hoist
        self._narrowed: dict[str, Tensor] = {}

    def product(self, p: Product, tape: Tape) -> None:
        """Target := source @ weight.T, in the dtype of activity."""
        layout, lent = self.layout, list[Tensor]()
        weight, target = self.narrowed(p.weight, tape), layout.tensors[p.target]
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

    def matrix_product(self, p: MatrixProduct, tape: Tape) -> None:
        """Target := left right, of matrices or their transposes."""
        target = self.layout.tensors[p.target]
        rows, columns = target.shape[1:]
        left, right = self._side(p.left, rows, p.inner), self._side(p.right, p.inner, columns)
        tape.append(partial(torch.bmm, left, right, out=target))

    def _side(self, side: Side, rows: int, columns: int) -> Tensor:
        matrix = self.layout.tensors[side.matrix]
        return (matrix.transpose(1, 2) if side.transposed else matrix)[:, :rows, :columns]

    def narrowed(self, name: str, tape: Tape) -> Tensor:
        """A weight in the dtype of activity: its copy is made before the loop if it stays."""
        weight = self.layout.tensors[name]
        if weight.dtype == self.layout.narrow:
            return weight
        if name not in self._narrowed:
            self._narrowed[name] = torch.zeros_like(weight, dtype=self.layout.narrow)
        self.hoist.before(name, tape).append(partial(self._narrowed[name].copy_, weight))
        return self._narrowed[name]

    def spread(self, s: Spread, tape: Tape) -> None:
        """What one end has, or a matrix, for each pair of units and each sample."""
        tensors, (posts, pres) = self.layout.tensors, s.shape
        source = tensors[s.source]
        pairs = tensors[s.target].view(self.layout.replicas, self.layout.batch, posts, pres)
        if s.bias:
            tape.append(partial(pairs[..., -1].fill_, 1.0))
            pairs = pairs[..., :-1]
        axes = {"both": source.unsqueeze(1), "post": source.unsqueeze(-1)}
        tape.append(partial(pairs.copy_, axes.get(s.axis, source.unsqueeze(-2))))

    def pair(self, p: PairwiseSum, tape: Tape) -> None:
        """Target_i := sum or maximum over j of an expression of post_i, pre_j and w_ij."""
        layout, target = self.layout, self.layout.tensors[p.target]
        weight = layout.tensors[p.weight]
        weight = weight.transpose(1, 2) if p.transposed else weight
        posts, pres = target.shape[-1], layout.tensors[p.source].shape[-1]
        source = layout.tensors[p.source][:, :, None, :]
        shape = (layout.replicas, layout.batch, posts, pres)
        pairs, lent = self._paired(p.value, weight[:, None, :posts, :pres], source, shape, tape)
        if p.off_diagonal:
            pairs, lent = own(pairs, lent, layout, tape)
            beside = float("-inf") if p.op == "max" else 0.0
            tape.append(partial(pairs.diagonal(dim1=-2, dim2=-1).fill_, beside))
        if p.only:
            pairs, lent = own(pairs, lent, layout, tape)
            only = layout.tensors[p.only]
            only = only.transpose(1, 2) if p.transposed else only
            leave_out(pairs, only[:, None, :posts, :pres], p.op, tape)
        total = layout.pool.take(tuple(target.shape), layout.dtype)
        if p.op == "max":
            tape.append(partial(torch.amax, pairs, dim=-1, out=total))
        else:
            tape.append(partial(torch.sum, pairs, dim=-1, out=total))
        if lent:
            layout.pool.give(pairs)
        if p.bias is not None:
            last = weight[:, None, :posts, pres:]
            bias, lent = self._paired(p.bias, last, None, (*shape[:3], 1), tape)
            join = torch.maximum if p.op == "max" else torch.add
            tape.append(partial(join, total, bias[..., 0], out=total))
            if lent:
                layout.pool.give(bias)
        tape.append(partial(target.copy_, total))
        layout.pool.give(total)

    def _paired(
        self,
        expr: Expr,
        weight: Tensor,
        source: Tensor | None,
        shape: tuple[int, ...],
        tape: Tape,
    ) -> tuple[Tensor, bool]:
        """An expression of connections, (replica, sample, post, pre), and whether it is lent."""
        layout = self.layout

        def leaf(node: Expr) -> Tensor:
            if isinstance(node, Weight):
                return weight
            assert source is not None
            return source

        def load(node: Load) -> Tensor:
            tensor, buffer = layout.tensors[node.buffer], layout.program.buffers[node.buffer]
            if buffer.shape[0] == "matrix":
                return tensor[:, None]
            return tensor[:, :, None, :] if node.axis == "pre" else tensor[..., None]

        made = layout.assembler(tape, leaf=leaf)
        made.load, made.constant = load, lambda expr, dtype: None
        return made.result(made.value(expr), shape)


def leave_out(values: Tensor, only: Tensor, op: str, tape: Tape) -> None:
    """Values of connections, of those that are not there what a sum or a maximum passes over."""
    absent = torch.empty_like(only, dtype=torch.bool)
    tape.append(partial(torch.eq, only, 0.0, out=absent))
    tape.append(partial(values.masked_fill_, absent, float("-inf") if op == "max" else 0.0))


def own(tensor: Tensor, lent: bool, layout: TensorLayout, tape: Tape) -> tuple[Tensor, bool]:
    """A tensor that may be written to."""
    if lent:
        return tensor, True
    copy = layout.pool.take(tuple(tensor.shape), tensor.dtype)
    tape.append(partial(copy.copy_, tensor))
    return copy, True
