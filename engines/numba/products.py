"""Matrix products and updates of matrices, called by generated code."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernel_cache import njit
from .options import FAST, INLINE


@njit(**FAST)
def product(w: Any, x: Any, out: Any) -> None:
    """out := w x, for one sample; four rows at once, so that x is loaded a quarter as often."""
    zero = w.dtype.type(0)
    rows = w.shape[0]
    whole = rows - rows % 4
    for i in range(0, whole, 4):
        a, b, c, d = zero, zero, zero, zero
        for j in range(w.shape[1]):
            s = x[j]
            a += w[i, j] * s
            b += w[i + 1, j] * s
            c += w[i + 2, j] * s
            d += w[i + 3, j] * s
        out[i], out[i + 1], out[i + 2], out[i + 3] = a, b, c, d
    for i in range(whole, rows):
        e = zero
        for j in range(w.shape[1]):
            e += w[i, j] * x[j]
        out[i] = e


FEW = 16  # of so many columns one is used: then its stride costs less than all the others


@njit(**FAST)
def product_few(w: Any, x: Any, out: Any) -> None:
    """The same where most of x is 0: columns of the others, one after the other."""
    rows, columns = w.shape
    used = 0
    for j in range(columns):
        used += x[j] != 0
    if used * FEW > columns:
        product(w, x, out)
        return
    for i in range(rows):
        out[i] = 0
    for j in range(columns):
        s = x[j]
        if s != 0:
            for i in range(rows):
                out[i] += w[i, j] * s


@njit(**FAST)
def _sends(x: Any, j: int) -> bool:
    """Whether row j is not 0 in some sample."""
    for b in range(x.shape[1]):
        if x[j, b] != 0:
            return True
    return False


@njit(**FAST)
def multiply_few(w: Any, x: Any, out: Any) -> None:
    """The same for a batch: columns that are used in some sample."""
    rows, columns = w.shape
    used = 0
    for j in range(columns):
        used += _sends(x, j)
    if used * FEW > columns:
        multiply(w, x, out)
        return
    out[:] = 0
    for j in range(columns):
        if _sends(x, j):
            for i in range(rows):
                s = w[i, j]
                for b in range(x.shape[1]):
                    out[i, b] += s * x[j, b]


@njit(**FAST)
def product_back(w: Any, x: Any, out: Any) -> None:
    """out := transpose(w) x, for one sample; four rows at once, so that out is stored less."""
    rows, columns = w.shape
    whole = rows - rows % 4
    for j in range(columns):
        out[j] = 0
    for i in range(0, whole, 4):
        a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
        for j in range(columns):
            out[j] += (w[i, j] * a + w[i + 1, j] * b) + (w[i + 2, j] * c + w[i + 3, j] * d)
    for i in range(whole, rows):
        e = x[i]
        for j in range(columns):
            out[j] += w[i, j] * e


@njit(**FAST)
def add_outer(w: Any, columns: int, factor: Any, post: Any, pre: Any) -> None:
    """The first columns of w += factor * post pre^T, for one sample."""
    for i in range(w.shape[0]):
        e = factor * post[i]
        for j in range(columns):
            w[i, j] += e * pre[j]


@njit(**FAST)
def multiply(a: Any, b: Any, out: Any) -> None:
    """out := a b."""
    np.dot(a, b, out)


@njit(**FAST)
def part(a: Any, rows: int, columns: int) -> Any:
    """The first rows and columns of a, in one piece."""
    return np.ascontiguousarray(a[:rows, :columns])


@njit(**FAST)
def part_back(a: Any, rows: int, columns: int) -> Any:
    """The first rows and columns of transpose(a), in one piece."""
    return np.ascontiguousarray(a[:columns, :rows].T)


@njit(**FAST)
def multiply_back(a: Any, b: Any, out: Any) -> None:
    """out := transpose(a) b."""
    np.dot(a.T, b, out)


@njit(**FAST)
def multiply_outer(a: Any, b: Any, out: Any) -> None:
    """out := a transpose(b)."""
    np.dot(a, b.T, out)


@njit(**FAST)
def lay(matrix: Any, start: int, factor: Any, x: Any) -> None:
    """Columns of a matrix from `start` := factor * x."""
    for i in range(x.shape[0]):
        for b in range(x.shape[1]):
            matrix[i, start + b] = factor * x[i, b]


@njit(**FAST)
def rescale(matrix: Any, start: int, scale: Any) -> None:
    """Columns of a matrix from `start`, each times its number."""
    for i in range(matrix.shape[0]):
        for b in range(len(scale)):
            matrix[i, start + b] *= scale[b]


@njit(**FAST)
def mirror(g: Any) -> None:
    """The upper triangle := the lower one."""
    for i in range(g.shape[0]):
        for j in range(i):
            g[j, i] = g[i, j]


@njit(**INLINE)
def thrice(factor: Any, a: Any, b: Any) -> Any:
    """factor * (a * b), in this order: symmetric in a and b to the last bit."""
    return factor * (a * b)


@njit(**FAST)
def add_scaled(w: Any, factor: Any, g: Any) -> None:
    """w += factor * g."""
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            w[i, j] += factor * g[i, j]
