"""Opening: the bytes of a regular file, and no more of them than are asked for."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class NoFileError(OSError):
    """There is something at the path, but no file: `what` it is."""

    def __init__(self, path: str | os.PathLike[str], what: str):
        super().__init__(f"{os.fspath(path)} is {what}, not a file")
        self.what = what


KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def kind_of_file(mode: int) -> str | None:
    """What a path leads to if that is no regular file; None if it is one."""
    if stat.S_ISREG(mode):
        return None
    return next((what for test, what in KINDS if test(mode)), "no regular file")


def must_be_file(path: str | os.PathLike[str]) -> None:
    """Refuse folders, pipes and devices: they have no end, or never begin.

    Raises:
        NoFileError: The path leads to something else than a file.
        OSError: It leads nowhere.
    """
    what = kind_of_file(os.stat(path).st_mode)
    if what is not None:
        raise NoFileError(path, what)


def read_file(path: Path, most: int) -> bytes | None:
    """The bytes of a regular file; None if there are more than `most`. A pipe is not waited for.

    Raises:
        NoFileError: The path leads to a folder, a pipe or a device.
        OSError: The file cannot be read.
    """
    must_be_file(path)  # before it is opened: opening a pipe or a device can do something
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        what = kind_of_file(os.fstat(handle).st_mode)
        if what is not None:
            raise NoFileError(path, what)
        found = file.read(most + 1)
    return found if len(found) <= most else None
