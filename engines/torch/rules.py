"""Rules: what plasticity does to weights and slow variables, as calls on static tensors.

    new = base + sum over terms of coefficient * sum over samples of scale * post (x) pre

Where several processes share a batch, sums over samples are added up before they are used.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from ...graphs.expressions.tree import Load
from ...graphs.instructions import BatchReduce, MatrixReduce, RankUpdate, RowReduce, Term
from .hoisting import Hoister
from .layout import TensorLayout
from .parallel import add_up
from .products import leave_out, own
from .tape import Tape


class RuleWriter:
    """Appends the instructions of rules to tapes."""

    def __init__(self, layout: TensorLayout, hoist: Hoister):
        self.layout, self.hoist = layout, hoist

    def batch_reduce(self, r: BatchReduce, tape: Tape) -> None:
        """A row := the mean or sum over the samples."""
        layout = self.layout
        made = layout.assembler(tape)
        size = layout.program.buffers[r.target].size
        target = layout.tensors[r.target].view(layout.replicas, 1, size)
        shape = (layout.replicas, layout.batch, size)
        units, lent = made.result(made.value(self.hoist(r.value)), shape)
        how = torch.mean if r.average else torch.sum
        tape.append(partial(how, units, dim=1, keepdim=True, out=target))
        add_up(layout.team, target, tape)
        if r.average and layout.team.size > 1:
            tape.append(partial(target.mul_, 1.0 / layout.team.size))
        if lent:
            layout.pool.give(units)

    def matrix_reduce(self, r: MatrixReduce, tape: Tape) -> None:
        """A scalar := the mean over the elements of a matrix."""
        made = self.layout.assembler(tape)
        value = made.value(self.hoist(r.value))
        target = self.layout.tensors[r.target]
        if isinstance(value, float):
            tape.append(partial(target.fill_, value))
            return
        matrix, lent = made.result(value, made.nodes[value].shape)
        tape.append(
            partial(torch.mean, matrix, dim=(1, 2), keepdim=True, dtype=torch.float64, out=target)
        )
        if lent:
            self.layout.pool.give(matrix)

    def row_reduce(self, r: RowReduce, tape: Tape) -> None:
        """A row := sums or maxima over the columns of a matrix."""
        layout, target = self.layout, self.layout.tensors[r.target]
        made = layout.assembler(tape)
        shape = (layout.replicas, *r.shape)
        matrix, lent = made.result(made.value(self.hoist(r.value)), shape)
        if r.off_diagonal:
            matrix, lent = own(matrix, lent, layout, tape)
            beside = float("-inf") if r.op == "max" else 0.0
            tape.append(partial(matrix.diagonal(dim1=-2, dim2=-1).fill_, beside))
        if r.only:
            matrix, lent = own(matrix, lent, layout, tape)
            leave_out(matrix, layout.tensors[r.only], r.op, tape)
        if r.op == "max":
            tape.append(partial(torch.amax, matrix, dim=-1, out=target[:, 0]))
        else:
            tape.append(partial(torch.sum, matrix, dim=-1, out=target[:, 0]))
        if lent:
            layout.pool.give(matrix)

    def rank(self, r: RankUpdate, tape: Tape, gate: Tensor | None) -> None:
        """A matrix := base + terms, where the gate is open."""
        layout = self.layout
        target, pool, team = layout.tensors[r.target], layout.pool, layout.team
        new = target if gate is None else pool.take(tuple(target.shape), target.dtype)
        if r.base is None or r.base == Load(r.target):
            if new is not target:
                tape.append(partial(new.copy_, target))
        else:
            made = layout.assembler(tape)
            made.assign(new, made.value(self.hoist(r.base)))
            made.finish()
        scale = 1.0 / (layout.batch * team.size) if r.average else 1.0
        apart = bool(r.terms) and team.size > 1
        total = pool.take(tuple(target.shape), target.dtype) if apart else new
        if apart:
            tape.append(partial(total.zero_))
        for term in r.terms:
            self._term(term, scale, total, tape)
        if apart:
            add_up(team, total, tape)
            tape.append(partial(new.add_, total))
            pool.give(total)
        if r.bias:
            tape.append(partial(new[:, :, -1].add_, layout.tensors[r.bias][:, 0]))
        if r.off_diagonal:
            tape.append(partial(new.diagonal(dim1=-2, dim2=-1).zero_))
        if r.only:
            leave_out(new, layout.tensors[r.only], "sum", tape)
        if gate is not None:
            tape.append(partial(torch.where, gate, new, target, out=target))
            pool.give(new)

    def _term(self, term: Term, scale: float, new: Tensor, tape: Tape) -> None:
        """New += coefficient * scale * sum over samples of post (x) pre."""
        layout = self.layout
        lent: list[Tensor] = []
        ends = (layout.tensors[term.post], layout.tensors[term.pre])
        left, right = (layout.cast(end, layout.dtype, tape, lent) for end in ends)
        made = layout.assembler(tape)
        gain = made.value(self.hoist(term.coefficient))

        def scratch(*shape: int) -> Tensor:
            lent.append(layout.pool.take(shape, layout.dtype))
            return lent[-1]

        alpha, scaled = scale, left
        if isinstance(gain, float):
            alpha = gain * scale
        else:
            scaled = scratch(*left.shape)
            made.assign(scaled, made.product(left, gain))
            made.finish()
        if term.scale is not None:
            weighted = scratch(*right.shape)
            tape.append(partial(torch.mul, right, layout.tensors[term.scale], out=weighted))
            right = weighted
        part = new[:, :, : right.shape[-1]]
        if term.symmetric:
            product, total = scratch(*part.shape), scratch(*part.shape)
            tape.append(partial(torch.bmm, scaled.transpose(1, 2), right, out=product))
            tape.append(partial(torch.add, product, product.transpose(1, 2), out=total))
            tape.append(partial(part.add_, total, alpha=alpha / 2))
        else:
            tape.append(partial(part.baddbmm_, scaled.transpose(1, 2), right, alpha=alpha))
        for tensor in lent:
            layout.pool.give(tensor)
