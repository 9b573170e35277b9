"""Convolution and pooling: torch's own layers, as calls on static tensors, replica by replica."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from ...compartments.windows import Windows
from ...graphs.instructions import Convolve, Correlate, Pool, Unpool, Windowed
from .graph_capture import pooled
from .layout import TensorLayout
from .parallel import add_up
from .products import ProductWriter
from .tape import Tape


class WindowWriter:
    """Appends windowed instructions to tapes."""

    def __init__(self, layout: TensorLayout, products: ProductWriter):
        self.layout, self.products = layout, products

    def write(self, i: Windowed, tape: Tape) -> None:
        """Appends an instruction."""
        match i:
            case Convolve():
                self._convolve(i, tape)
            case Correlate():
                self._correlate(i, tape)
            case Pool():
                self._pool(i, tape)
            case Unpool():
                self._unpool(i, tape)

    def _convolve(self, c: Convolve, tape: Tape) -> None:
        layout, lent, over = self.layout, list[Tensor](), c.windows
        weight, target = self.products.narrowed(c.weight, tape), layout.tensors[c.target]
        source = layout.cast(layout.tensors[c.source], layout.narrow, tape, lent)
        if c.transposed:
            images, maps = self._planes(target, over.image), self._planes(source, over.map)
            made = partial(
                functional.conv_transpose2d,
                stride=over.stride,
                padding=over.padding,
                output_padding=over.left_over,
            )
            ends = zip(maps, images, strict=True)
        else:
            images, maps = self._planes(source, over.image), self._planes(target, over.map)
            made = partial(functional.conv2d, stride=over.stride, padding=over.padding)
            ends = zip(images, maps, strict=True)
        for own, (given, result) in zip(weight, ends, strict=True):
            kernel = own[:, : over.taps].view(over.kernel)
            bias = own[:, -1] if c.bias and not c.transposed else None
            tape.append(partial(_put, result, partial(made, given, kernel, bias)))
        for tensor in lent:
            layout.pool.give(tensor)

    def _correlate(self, c: Correlate, tape: Tape) -> None:
        layout, lent, over = self.layout, list[Tensor](), c.windows
        target, taps = layout.tensors[c.target], over.taps
        post, pre = (
            layout.cast(layout.tensors[n], layout.dtype, tape, lent) for n in (c.post, c.pre)
        )
        bias = post if c.bias is None else layout.tensors[c.bias]
        ends = (self._planes(post, over.map), self._planes(pre, over.image))
        for own, sent, images in zip(target, *ends, strict=True):
            tape.append(partial(_put, own[:, :taps], partial(_slope, sent, images, over)))
        if target.shape[-1] > taps:
            for own, maps in zip(target, self._planes(bias, over.map), strict=True):
                total = partial(torch.sum, maps, dim=(0, 2, 3))
                tape.append(partial(_put, own[:, -1], total) if c.bias else own[:, -1].zero_)
        add_up(layout.team, target, tape)
        if c.average:
            tape.append(partial(target.mul_, 1.0 / (layout.batch * layout.team.size)))
        for tensor in lent:
            layout.pool.give(tensor)

    def _pool(self, p: Pool, tape: Tape) -> None:
        tensors, over = self.layout.tensors, p.windows
        made = functional.max_pool2d if p.op == "max" else functional.avg_pool2d
        ends = (
            self._planes(tensors[p.source], over.image),
            self._planes(tensors[p.target], over.map),
        )
        for images, maps in zip(*ends, strict=True):
            tape.append(partial(_put, maps, partial(made, images, over.size, over.stride)))

    def _unpool(self, u: Unpool, tape: Tape) -> None:
        tensors, over = self.layout.tensors, u.windows
        ends = (
            self._planes(tensors[u.source], over.map),
            self._planes(tensors[u.values], over.image),
            self._planes(tensors[u.target], over.image),
        )
        for maps, values, images in zip(*ends, strict=True):
            made = _to_first if u.op == "max" else _to_all
            tape.append(partial(_put, images, partial(made, maps, values, over)))

    def _planes(self, tensor: Tensor, shape: tuple[int, int, int]) -> Tensor:
        """(replica, sample, channel, row, column) of a unit variable, the same memory."""
        return tensor.view(self.layout.replicas, self.layout.batch, *shape)


def _put(target: Tensor, made: Callable[[], Tensor]) -> None:
    with pooled():
        target.copy_(made().view(target.shape))


def _slope(post: Tensor, pre: Tensor, over: Windows) -> Tensor:
    """The sum over samples and positions of post times what it sees: (out, tap)."""
    like = post.new_empty(1).expand(over.kernel)
    steps, edge = [over.stride] * 2, [over.padding] * 2
    found = torch.ops.aten.convolution_backward(
        post, pre, like, None, steps, edge, [1, 1], False, [0, 0], 1, [False, True, False]
    )
    return found[1].reshape(over.map[0], over.taps)


def _to_first(maps: Tensor, values: Tensor, over: Windows) -> Tensor:
    """Each number to where `values` has the first maximum of its window; 0 elsewhere."""
    _, first = functional.max_pool2d(values, over.size, over.stride, return_indices=True)
    flat = torch.zeros(
        (*values.shape[:2], values[0, 0].numel()), dtype=maps.dtype, device=maps.device
    )
    return flat.scatter_(2, first.flatten(2), maps.flatten(2))


def _to_all(maps: Tensor, values: Tensor, over: Windows) -> Tensor:
    """Each number in equal shares to its window; 0 to what no window reaches."""
    wide = maps.repeat_interleave(over.size, 2).repeat_interleave(over.size, 3)
    rows, columns = over.left_over
    return functional.pad(wide / over.size**2, (0, columns, 0, rows))
