"""Files appear whole or not at all: written beside their place, then moved into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path to write to; it takes the place of `path` when the block ends without an error.

    The temporary file stands in the same folder, so that the move is atomic; after an error it is
    removed and what stood at `path` is untouched.

    Raises:
        FileNotFoundError: The folder of `path` does not exist.
    """
    place = Path(path)
    if not place.parent.is_dir():
        raise FileNotFoundError(
            f"the folder {str(place.parent)!r} of {place.name!r} does not exist"
        )
    draft = place.with_name(f".{place.stem}.{os.getpid()}{place.suffix}")
    try:
        yield draft
        os.replace(draft, place)
    finally:
        draft.unlink(missing_ok=True)
