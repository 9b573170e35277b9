"""Convolution and pooling in numpy: what each unit of a map sees, laid out side by side."""

from __future__ import annotations

import numpy as np

from ...compartments.windows import Windows
from ...graphs.instructions import Convolve, Correlate, Pool, Unpool, Windowed
from ..presentation import Arrays


def perform(i: Windowed, arrays: Arrays, batch: int) -> None:
    """Writes what an instruction makes to its target."""
    made = _made(i, arrays, batch)
    arrays[i.target] = made.astype(arrays[i.target].dtype, copy=False)


def _made(i: Windowed, arrays: Arrays, batch: int) -> np.ndarray:
    match i:
        case Convolve(transposed=True):
            return convolve_back(arrays[i.weight], arrays[i.source], i.windows)
        case Convolve():
            return convolve(arrays[i.weight], arrays[i.source], i.windows, i.bias)
        case Pool():
            return pool(arrays[i.source], i.windows, i.op)
        case Unpool():
            return unpool(arrays[i.source], arrays[i.values], i.windows, i.op)
        case Correlate():
            return _correlated(i, arrays, batch)
    raise TypeError(f"numpy has no {type(i).__name__}")


def _correlated(c: Correlate, arrays: Arrays, batch: int) -> np.ndarray:
    found, over = np.zeros_like(arrays[c.target]), c.windows
    found[:, :, : over.taps] = correlate(arrays[c.post], arrays[c.pre], over)
    if c.bias is not None:
        planes = arrays[c.bias].reshape(len(found), batch, over.map[0], over.positions)
        found[:, :, -1] = planes.sum(axis=(1, 3))
    return found / batch if c.average else found


def unfold(image: np.ndarray, windows: Windows) -> np.ndarray:
    """(..., units of an image) -> (..., channel, map row, map column, row, column); 0 outside."""
    size, stride, edge = windows.size, windows.stride, windows.padding
    planes = image.reshape(*image.shape[:-1], *windows.image)
    planes = np.pad(planes, [(0, 0)] * (planes.ndim - 2) + [(edge, edge)] * 2)
    seen = np.lib.stride_tricks.sliding_window_view(planes, (size, size), axis=(-2, -1))
    return seen[..., ::stride, ::stride, :, :]


def fold(seen: np.ndarray, windows: Windows) -> np.ndarray:
    """The transpose of `unfold`: every unit of the image gets the sum of what is sent to it."""
    channels, rows, columns = windows.image
    size, stride, edge = windows.size, windows.stride, windows.padding
    planes = np.zeros((*seen.shape[:-5], channels, rows + 2 * edge, columns + 2 * edge), seen.dtype)
    down, right = (1 + stride * (n - 1) for n in windows.map[1:])
    for a in range(size):
        for b in range(size):
            planes[..., a : a + down : stride, b : b + right : stride] += seen[..., a, b]
    inner = planes[..., edge : edge + rows, edge : edge + columns]
    return inner.reshape(*seen.shape[:-5], windows.units)


def columns_of(image: np.ndarray, windows: Windows) -> np.ndarray:
    """(..., units of an image) -> (..., tap, position)."""
    seen = np.moveaxis(unfold(image, windows), (-2, -1), (-4, -3))
    return seen.reshape(*image.shape[:-1], windows.taps, windows.positions)


def convolve(weight: np.ndarray, image: np.ndarray, windows: Windows, bias: bool) -> np.ndarray:
    """(replica, sample, unit of the map); weight (replica, out, tap), its last column the bias."""
    found = weight[:, None, :, : windows.taps] @ columns_of(image, windows)
    if bias:
        found += weight[:, None, :, -1:]
    return found.reshape(*image.shape[:-1], windows.seeing)


def convolve_back(weight: np.ndarray, seeing: np.ndarray, windows: Windows) -> np.ndarray:
    """(replica, sample, unit of the image), the transposed convolution."""
    size = windows.size
    planes = seeing.reshape(*seeing.shape[:-1], windows.map[0], windows.positions)
    sent = weight[:, None, :, : windows.taps].swapaxes(-1, -2) @ planes
    sent = sent.reshape(*seeing.shape[:-1], windows.image[0], size, size, *windows.map[1:])
    return fold(np.moveaxis(sent, (-4, -3), (-2, -1)), windows)


def correlate(post: np.ndarray, pre: np.ndarray, windows: Windows) -> np.ndarray:
    """(replica, out, tap): sums over positions and samples."""
    planes = post.reshape(*post.shape[:-1], windows.map[0], windows.positions)
    return (planes @ columns_of(pre, windows).swapaxes(-1, -2)).sum(axis=1)


def pool(image: np.ndarray, windows: Windows, op: str) -> np.ndarray:
    """(replica, sample, unit of the map): the mean or the max of each window."""
    seen = unfold(image, windows)
    found = seen.mean(axis=(-2, -1)) if op == "mean" else seen.max(axis=(-2, -1))
    return found.reshape(*image.shape[:-1], windows.seeing)


def unpool(seeing: np.ndarray, values: np.ndarray, windows: Windows, op: str) -> np.ndarray:
    """(replica, sample, unit of the image): to all of a window, or to its first maximum."""
    planes = seeing.reshape(*seeing.shape[:-1], *windows.map)[..., None, None]
    seen = unfold(values, windows)
    if op == "mean":
        share = np.full(seen.shape[-2:], 1 / windows.size**2)
    else:
        flat = seen.reshape(*seen.shape[:-2], -1)
        first = flat.argmax(axis=-1)[..., None] == np.arange(flat.shape[-1])
        share = first.reshape(seen.shape)
    return fold(planes * share, windows).astype(seeing.dtype)
