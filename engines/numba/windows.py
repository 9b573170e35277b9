"""Convolution and pooling, called by generated code: windows side by side, then one product.

An image lies in memory as (channel, row, column, sample), so that what the windows of a row of the
map see at one tap is one piece of memory where the stride is 1. `sides` are (channels, rows,
columns of the image, rows, columns of the map, size, stride, padding).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernel_cache import njit
from .options import FAST

ROOM = 1 << 20  # numbers that are laid side by side at once


@njit(**FAST)
def _rows_at_once(taps: int, width: int, batch: int, rows: int) -> int:
    """Rows of the map whose windows are laid side by side at once."""
    return min(rows, max(1, ROOM // (taps * width * batch)))


@njit(**FAST)
def _unfold(x: Any, seen: Any, start: int, stop: int, sides: Any, batch: int) -> None:
    """(tap, position, sample) of some rows of the map; 0 where a window leaves the image."""
    channels, rows, columns, _, width, size, stride, padding = sides
    k = 0
    for c in range(channels):
        for a in range(size):
            for b in range(size):
                out = seen[k]
                k += 1
                # the columns of the map that find one of the image at this tap
                first = min(width, max(0, (padding - b + stride - 1) // stride))
                last = max(first, min(width, (columns - 1 + padding - b) // stride + 1))
                for r in range(start, stop):
                    to = (r - start) * width * batch
                    y = stride * r - padding + a
                    if y < 0 or y >= rows:
                        out[to : to + width * batch] = 0
                        continue
                    out[to : to + first * batch] = 0
                    out[to + last * batch : to + width * batch] = 0
                    at = ((c * rows + y) * columns + stride * first - padding + b) * batch
                    to += first * batch
                    if stride == 1:
                        many = (last - first) * batch
                        out[to : to + many] = x[at : at + many]
                        continue
                    for _ in range(first, last):
                        for j in range(batch):
                            out[to + j] = x[at + j]
                        to += batch
                        at += stride * batch


@njit(**FAST)
def _fold(seen: Any, x: Any, start: int, stop: int, sides: Any, batch: int) -> None:
    """The transpose of `_unfold`: every unit of the image gets more by what is sent to it."""
    channels, rows, columns, _, width, size, stride, padding = sides
    k = 0
    for c in range(channels):
        for a in range(size):
            for b in range(size):
                sent = seen[k]
                k += 1
                first = min(width, max(0, (padding - b + stride - 1) // stride))
                last = max(first, min(width, (columns - 1 + padding - b) // stride + 1))
                for r in range(start, stop):
                    y = stride * r - padding + a
                    if y < 0 or y >= rows:
                        continue
                    at = ((r - start) * width + first) * batch
                    to = ((c * rows + y) * columns + stride * first - padding + b) * batch
                    if stride == 1:
                        for j in range((last - first) * batch):
                            x[to + j] += sent[at + j]
                        continue
                    for _ in range(first, last):
                        for j in range(batch):
                            x[to + j] += sent[at + j]
                        at += batch
                        to += stride * batch


@njit(**FAST)
def convolve(w: Any, x: Any, out: Any, last: float, sides: Any) -> None:
    """out := w over the windows of x; w's last column, where it has one for a bias, times last."""
    batch = out.shape[1]
    height, width, size = sides[3], sides[4], sides[5]
    channels, taps = w.shape[0], sides[0] * size * size
    image, maps = x.reshape(-1), out.reshape((channels, height * width * batch))
    step = _rows_at_once(w.shape[1], width, batch, height)
    seen = np.empty((w.shape[1], step * width * batch), dtype=w.dtype)
    seen[taps:] = last
    for start in range(0, height, step):
        stop = min(height, start + step)
        many, at = (stop - start) * width * batch, start * width * batch
        if stop - start < step:
            seen = np.empty((w.shape[1], many), dtype=w.dtype)
            seen[taps:] = last
        _unfold(image, seen, start, stop, sides, batch)
        if many == maps.shape[1]:
            np.dot(w, seen, maps)
        else:
            maps[:, at : at + many] = np.dot(w, seen)


@njit(**FAST)
def convolve_back(w: Any, s: Any, x: Any, sides: Any) -> None:
    """x := the transposed convolution of s by w."""
    batch = s.shape[1]
    height, width = sides[3], sides[4]
    image, maps = x.reshape(-1), s.reshape((w.shape[0], height * width * batch))
    image[:] = 0
    step = _rows_at_once(w.shape[1], width, batch, height)
    for start in range(0, height, step):
        stop = min(height, start + step)
        at, end = start * width * batch, stop * width * batch
        sent = np.ascontiguousarray(maps[:, at:end])
        _fold(np.dot(w.T, sent), image, start, stop, sides, batch)


@njit(**FAST)
def correlate(post: Any, x: Any, g: Any, last: float, factor: float, sides: Any) -> None:
    """g := factor * sums of post times what it sees; a last column: those of post times last."""
    batch = post.shape[1]
    height, width, size = sides[3], sides[4], sides[5]
    channels, taps = g.shape[0], sides[0] * size * size
    image, maps = x.reshape(-1), post.reshape((channels, height * width * batch))
    step = _rows_at_once(g.shape[1], width, batch, height)
    g[:] = 0
    for start in range(0, height, step):
        stop = min(height, start + step)
        at, end = start * width * batch, stop * width * batch
        seen = np.empty((g.shape[1], end - at), dtype=g.dtype)
        seen[taps:] = last
        _unfold(image, seen, start, stop, sides, batch)
        sent = np.ascontiguousarray(maps[:, at:end])
        g += np.dot(sent, seen.T)
    for i in range(channels):
        for k in range(g.shape[1]):
            g[i, k] *= factor


@njit(**FAST)
def last_column(post: Any, g: Any, factor: float, positions: int) -> None:
    """The last column of g := factor * the sums of post over positions and samples."""
    for i in range(g.shape[0]):
        total = 0.0
        for p in range(i * positions, (i + 1) * positions):
            for j in range(post.shape[1]):
                total += post[p, j]
        g[i, g.shape[1] - 1] = factor * total


@njit(**FAST)
def pool_mean(x: Any, out: Any, sides: Any) -> None:
    """out := the mean of each window of x."""
    channels, rows, columns, height, width, size, stride, _ = sides
    share = x.dtype.type(1.0 / (size * size))
    for c in range(channels):
        for r in range(height):
            for q in range(width):
                p = (c * height + r) * width + q
                out[p] = 0
                for a in range(size):
                    for b in range(size):
                        i = (c * rows + stride * r + a) * columns + stride * q + b
                        for j in range(out.shape[1]):
                            out[p, j] += x[i, j]
                for j in range(out.shape[1]):
                    out[p, j] *= share


@njit(**FAST)
def unpool_mean(s: Any, x: Any, sides: Any) -> None:
    """x := an equal share of what the window of each unit sends."""
    channels, rows, columns, height, width, size, stride, _ = sides
    share = x.dtype.type(1.0 / (size * size))
    x[:] = 0
    for c in range(channels):
        for r in range(height):
            for q in range(width):
                p = (c * height + r) * width + q
                for a in range(size):
                    for b in range(size):
                        i = (c * rows + stride * r + a) * columns + stride * q + b
                        for j in range(x.shape[1]):
                            x[i, j] = share * s[p, j]


@njit(**FAST)
def pool_max(x: Any, out: Any, sides: Any) -> None:
    """out := the largest of each window of x."""
    channels, rows, columns, height, width, size, stride, _ = sides
    for c in range(channels):
        for r in range(height):
            for q in range(width):
                p = (c * height + r) * width + q
                for a in range(size):
                    for b in range(size):
                        i = (c * rows + stride * r + a) * columns + stride * q + b
                        for j in range(out.shape[1]):
                            v = x[i, j]
                            if (a == 0 and b == 0) or v > out[p, j] or v != v:
                                out[p, j] = v


@njit(**FAST)
def unpool_max(s: Any, values: Any, x: Any, sides: Any) -> None:
    """x := what a window sends, where `values` has its first maximum; 0 elsewhere."""
    channels, rows, columns, height, width, size, stride, _ = sides
    x[:] = 0
    for c in range(channels):
        for r in range(height):
            for q in range(width):
                p = (c * height + r) * width + q
                corner = (c * rows + stride * r) * columns + stride * q
                for j in range(x.shape[1]):
                    at, best = corner, values[corner, j]
                    for a in range(size):
                        for b in range(size):
                            i = corner + a * columns + b
                            if values[i, j] > best:
                                at, best = i, values[i, j]
                    x[at, j] = s[p, j]
