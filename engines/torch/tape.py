"""A tape of calls, and the scratch tensors that are lent while it is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Call_ = Callable[[], object]


class Tape(list[Call_]):
    """Calls in order."""

    def __call__(self) -> None:
        """Makes them."""
        for call in self:
            call()


class ScratchTensors:
    """Scratch tensors by shape and dtype, lent and taken back while a tape is written."""

    def __init__(self, device: torch.device):
        self.device = device
        self._free: dict[tuple[object, ...], list[Tensor]] = {}

    def take(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """A tensor that nothing else uses now; its content is arbitrary."""
        free = self._free.get((tuple(shape), dtype))
        return free.pop() if free else torch.zeros(tuple(shape), dtype=dtype, device=self.device)

    def give(self, tensor: Tensor) -> None:
        """Takes a tensor back."""
        self._free.setdefault((tuple(tensor.shape), tensor.dtype), []).append(tensor)
