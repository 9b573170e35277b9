"""IDX files: the format of MNIST and its kin, raw or gzip-compressed.

Big-endian: two zero bytes, a type byte (8: unsigned byte), the number of dimensions, then each
dimension as a 32-bit integer, then the numbers row by row. Source: LeCun, Cortes & Burges,
"The MNIST database of handwritten digits".
"""

from __future__ import annotations

import gzip
from hashlib import md5
from pathlib import Path

import numpy as np

from ...graphs.reading.opening import must_be_file


def read_idx(path: Path, checksum: str | None = None) -> np.ndarray:
    """The array of unsigned bytes in an IDX file, raw or compressed.

    `checksum` is the MD5 of the uncompressed bytes. Raises ValueError when the file is no IDX file
    of unsigned bytes, is cut short, or has another checksum, OSError when the path is no file.
    """
    must_be_file(path)
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (EOFError, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: a damaged gzip file ({error}); fetch it again") from error
    if checksum is not None:
        found = md5(data, usedforsecurity=False).hexdigest()
        if found != checksum:
            raise ValueError(f"{path}: MD5 {found}, expected {checksum}; fetch it again")
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: not an IDX file of unsigned bytes")
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise ValueError(f"{path}: the header is cut short")
    shape = tuple(int(n) for n in np.frombuffer(data[4:start], dtype=">u4"))
    if len(data) - start != int(np.prod(shape, dtype=np.int64)):
        raise ValueError(
            f"{path}: expected {shape} bytes after the header, got {len(data) - start}"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)
