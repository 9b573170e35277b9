"""Delay lines as calls on static tensors: (replica, sample, place * unit), and their heads."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from ...graphs.instructions import Push, Recall
from .layout import TensorLayout
from .tape import Tape


class DelayWriter:
    """Appends what enters delay lines, and what comes out."""

    def __init__(self, layout: TensorLayout):
        self.layout = layout

    def push(self, p: Push, tape: Tape) -> None:
        """Source enters at the newest place; the first one at all places."""
        layout, lent = self.layout, []
        head, line = layout.tensors[p.head], layout.tensors[p.line]
        source = layout.cast(layout.tensors[p.source], line.dtype, tape, lent).unsqueeze(2)
        places = self._places(line, source.shape[-1])
        if p.first:
            empty = torch.zeros_like(layout.active)
            tape.append(partial(torch.eq, head, 0, out=empty))
            tape.append(partial(torch.where, empty.unsqueeze(-1), source, places, out=places))
            tape.append(partial(head.clamp_, min=1))
        else:
            here = self._place(head, 1, places, tape)
            if p.masked:
                old = torch.zeros_like(source)
                tape.append(partial(torch.gather, places, 2, here, out=old))
                running = layout.active.unsqueeze(-1)
                tape.append(partial(torch.where, running, source, old, out=old))
                source = old
            tape.append(partial(places.scatter_, 2, here, source))
        for tensor in lent:
            layout.pool.give(tensor)

    def recall(self, r: Recall, tape: Tape) -> None:
        """What entered `back` steps before the newest."""
        layout = self.layout
        target, line = layout.tensors[r.target], layout.tensors[r.line]
        places = self._places(line, target.shape[-1])
        here = self._place(layout.tensors[r.head], 1 + r.back, places, tape)
        if target.dtype == line.dtype:
            tape.append(partial(torch.gather, places, 2, here, out=target.unsqueeze(2)))
            return
        found = layout.pool.take(tuple(here.shape), line.dtype)
        tape.append(partial(torch.gather, places, 2, here, out=found))
        tape.append(partial(target.copy_, found.squeeze(2)))
        layout.pool.give(found)

    def _places(self, line: Tensor, units: int) -> Tensor:
        """(replica, sample, place, unit)."""
        return line.view(*line.shape[:2], -1, units)

    def _place(self, head: Tensor, back: int, places: Tensor, tape: Tape) -> Tensor:
        """(replica, sample, 1, unit): the place `back` before that after the newest, from 0."""
        here = torch.zeros(tuple(head.shape), dtype=torch.int64, device=head.device)
        tape.append(partial(here.copy_, head))
        tape.append(partial(here.sub_, back))
        tape.append(partial(here.remainder_, places.shape[2]))
        return here.unsqueeze(-1).expand(-1, -1, 1, places.shape[-1])
