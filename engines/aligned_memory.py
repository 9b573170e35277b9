"""Arrays that start at a cache line, for what an engine reads in every step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

LINE = 64  # bytes; the widest vector that a processor loads is as long


def zeros(shape: int | Sequence[int], dtype: DTypeLike) -> np.ndarray:
    """Zeros, the first of them at the start of a cache line.

    numpy promises 16 bytes. A vector that lies across two lines is loaded twice: products with a
    matrix that stands badly take a sixth longer, from one process to the next.
    """
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    block = np.zeros(size + LINE, dtype=np.uint8)
    start = -block.ctypes.data % LINE
    return block[start : start + size].view(dtype).reshape(shape)


def copied(array: ArrayLike, dtype: DTypeLike) -> np.ndarray:
    """A copy that starts at a cache line."""
    copy = zeros(np.shape(array), dtype)
    copy[...] = array
    return copy
