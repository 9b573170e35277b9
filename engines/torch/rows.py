"""Rows: those of signals that are read, of records and predictions that are written."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from ...graphs.expressions.tree import Expr
from .layout import TensorLayout
from .tape import Tape


class RowWriter:
    """Appends reading and writing of rows to tapes."""

    def __init__(self, layout: TensorLayout):
        self.layout = layout

    def read(self, target: str, source: str, row: Expr, tape: Tape) -> None:
        """A buffer := a row of a signal."""
        layout = self.layout
        place = torch.zeros_like(layout.index)
        values = layout.tensors[target].view(layout.replicas * layout.batch, -1)
        read = (layout.tables, source, self._whole(row, tape), layout.index, place, values)
        tape.append(partial(_gather, *read))

    def put_out(self, source: str, row: Expr | None, tape: Tape) -> None:
        """The prediction, or a row of it, := a buffer."""
        layout = self.layout
        values = layout.tensors[source]
        if row is None:
            layout.output = torch.zeros(values.shape, dtype=layout.dtype, device=layout.device)
            tape.append(partial(layout.output.copy_, values))
            return
        lent: list[Tensor] = []
        values = layout.cast(values, layout.dtype, tape, lent)
        tape.append(partial(_scatter, layout, self._whole(row, tape), values))
        for tensor in lent:
            layout.pool.give(tensor)

    def store(self, slot: int, source: str, row: Expr, tape: Tape, masks: list[Tensor]) -> None:
        """A row of a record := a buffer, in the samples where all `masks` hold."""
        layout, device = self.layout, self.layout.device
        number = torch.zeros((layout.replicas, 1, 1), dtype=torch.float64, device=device)
        made = layout.assembler(tape, torch.float64)
        made.assign(number, made.value(row))
        made.finish()
        whole = torch.zeros((1,), dtype=torch.int64, device=device)
        place = torch.zeros((1,), dtype=torch.int64, device=device)
        tape.append(partial(whole.copy_, number[0, 0]))
        tape.append(partial(torch.index_select, layout.row_maps[slot], 0, whole, out=place))
        lent: list[Tensor] = []
        record = layout.records[slot]
        values = layout.cast(layout.tensors[source], layout.dtype, tape, lent)
        if masks:
            shape, pool = tuple(values.shape), layout.pool
            old, new = pool.take(shape, layout.dtype), pool.take(shape, layout.dtype)
            tape.append(partial(torch.index_select, record, 1, place, out=old[:, None]))
            for mask in masks:
                tape.append(partial(torch.where, mask, values, old, out=new))
                values = new
            pool.give(old)
            pool.give(new)
        tape.append(partial(record.index_copy_, 1, place, values[:, None]))
        for tensor in lent:
            layout.pool.give(tensor)

    def _whole(self, expr: Expr, tape: Tape) -> Tensor:
        """A whole number for each replica, (replica, 1, 1)."""
        layout, device = self.layout, self.layout.device
        number = torch.zeros((layout.replicas, 1, 1), dtype=torch.float64, device=device)
        made = layout.assembler(tape, torch.float64)
        made.assign(number, made.value(expr))
        made.finish()
        whole = torch.zeros((layout.replicas, 1, 1), dtype=torch.int64, device=device)
        tape.append(partial(whole.copy_, number))
        return whole


def _gather(
    tables: Mapping[str, Tensor], name: str, row: Tensor, index: Tensor, place: Tensor, out: Tensor
) -> None:
    """out (slot, unit) := a row of a signal (sample, row, unit), for the samples `index`."""
    samples, rows, units = tables[name].shape
    row.clamp_(0, rows - 1)
    torch.remainder(index, samples, out=place)
    place.mul_(rows)
    place.view(len(row), -1).add_(row.view(-1, 1))
    torch.index_select(tables[name].view(-1, units), 0, place, out=out)


def _scatter(layout: TensorLayout, row: Tensor, values: Tensor) -> None:
    """A row of the output (replica, row, sample, unit) := values."""
    output = layout.output
    assert output is not None
    row.clamp_(0, output.shape[1] - 1)
    place = row.unsqueeze(-1).expand(-1, -1, *values.shape[1:])
    output.scatter_(1, place, values.unsqueeze(1))
