"""Stopping: when the host looks whether samples still run, and how the last ones go on alone.

Samples that met their stop rule keep their values by a mask, but still cost their share of every
step. Once fewer than half of them run, those are gathered into a layout of half the size or less
(a power of two), go on there, and are scattered back at the end:

    rows (replica, survivor): the running samples of each replica first, then as many that stopped
"""

from __future__ import annotations

import torch
from torch import Tensor

from .layout import TensorLayout

EVERY = 4  # steps between two counts, on a CPU
LEAST = 64  # samples below which a layout is not made smaller


class Look:
    """Counts the samples that still run, one look late on a GPU: the device never waits."""

    def __init__(self, active: Tensor, running: Tensor, every: int = EVERY):
        self.active, self.running, self.batch = active, running, active.shape[1]
        self.every = every
        self.gpu = active.device.type == "cuda"
        if self.gpu:
            self.most = torch.zeros((1,), dtype=torch.int64, device=active.device)
            self.seen = [torch.zeros((1,), dtype=torch.int64).pin_memory() for _ in range(2)]
            self.events = [torch.cuda.Event() for _ in range(2)]
        self.count = 0

    def left(self) -> int:
        """No fewer than the samples that still run in a replica; 0 once none does."""
        self.count += 1
        if self.gpu:
            return self._late()
        if not bool(self.running.any()):
            return 0
        return self.batch if self.count % self.every else int(self.active.sum(dim=1).amax())

    def _late(self) -> int:
        torch.amax(self.active.sum(dim=1).reshape(-1), dim=0, keepdim=True, out=self.most)
        now, before = self.count % 2, (self.count + 1) % 2
        self.seen[now].copy_(self.most, non_blocking=True)
        self.events[now].record()
        if self.count == 1:
            return self.batch
        self.events[before].synchronize()
        return int(self.seen[before])


def smaller(left: int, batch: int) -> int | None:
    """The size of the layout in which `left` of `batch` samples go on; None: where they are."""
    if batch < LEAST or 2 * left >= batch:
        return None
    return 1 << max(left - 1, 0).bit_length()


class Survivors:
    """The running samples of a layout, in a smaller one of the same Program."""

    def __init__(self, many: TensorLayout, few: TensorLayout):
        self.many, self.few = many, few
        order = torch.argsort(many.active[..., 0].to(torch.int8), dim=1, descending=True)
        self.rows = order[:, : few.batch, None]

    def gather(self) -> None:
        """Few := the survivors of many."""
        self._copy(self.many, self.few)
        for mine, theirs in self._samples():
            mine.copy_(theirs.gather(1, self.rows.expand(mine.shape)))
        for mine, theirs in zip(self.few.records, self.many.records, strict=True):
            mine.copy_(theirs.gather(2, self._in_record(mine)))
        shape = (self.many.replicas, -1, 1)  # which samples they are, for the rows of signals
        few, many = (layout.index.view(shape) for layout in (self.few, self.many))
        few.copy_(many.gather(1, self.rows))

    def scatter(self) -> None:
        """The survivors of many := few."""
        self._copy(self.few, self.many)
        for mine, theirs in self._samples():
            theirs.scatter_(1, self.rows.expand(mine.shape), mine)
        for mine, theirs in zip(self.few.records, self.many.records, strict=True):
            theirs.scatter_(2, self._in_record(mine), mine)

    def _samples(self) -> list[tuple[Tensor, Tensor]]:
        """What has a sample axis: (of few, of many)."""
        few, many = self.few, self.many
        pairs = [(few.tensors[name], many.tensors[name]) for name in few.per_sample]
        pairs += [(few.stopped[name], many.stopped[name]) for name in few.stopped]
        return [*pairs, (few.active, many.active), (few.place, many.place)]

    def _in_record(self, record: Tensor) -> Tensor:
        return self.rows[:, None].expand(record.shape)

    def _copy(self, source: TensorLayout, target: TensorLayout) -> None:
        """What has no sample axis and is not shared."""
        for name, tensor in target.tensors.items():
            if name not in target.per_sample and name not in target.shared:
                tensor.copy_(source.tensors[name])
        for key, tensor in target.constants.items():
            tensor.copy_(source.constants[key])
        target.running.copy_(source.running)
