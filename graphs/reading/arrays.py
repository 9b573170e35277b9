"""Arrays: what a circuit takes from files beside its own, and from Python, each with its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..expressions.tree import Array
from .array_files import ARRAY_FILES, LARGEST, ArrayError, numbers_of
from .opening import read_file


class Arrays:
    """Where the arrays of one load come from.

    given: by the name that Python gives them. kept: by `Array.key`, instead of files and Python;
    so a checkpoint holds them. hashes: SHA-256 by `Array.key`, of what is expected.
    """

    def __init__(
        self,
        given: Mapping[str, Any] | None = None,
        kept: Mapping[str, Any] | None = None,
        hashes: Mapping[str, str] | None = None,
    ):
        self.given = dict(given or {})
        self.used: set[str] = set()
        self._kept, self._hashes = kept, dict(hashes or {})
        self._found: dict[str, Array] = {}
        begin, end = 'array("', '")'
        for key in self._hashes:  # what stood for the `init` of a synapse stands for it again
            if key.startswith(begin):
                self.given.setdefault(key.removeprefix(begin).removesuffix(end), None)

    def of_file(self, beside: str, name: str, part: str | None = None) -> Array:
        """The array of a file that lies in the folder of the circuit file `beside`, or below it.

        Raises:
            ArrayError: There is no such file, or it holds no such array.
        """
        said = (name,) if part is None else (name, part)
        return self._array(Array("file", said, beside), lambda: _read(beside, name, part))

    def of_python(self, name: str) -> Array:
        """The array that Python gave under a name.

        Raises:
            ArrayError: It gave none, or what it gave is no array of numbers.
        """
        self.used.add(name)

        def found() -> Any:
            if self.given.get(name) is None:
                raise ArrayError(
                    f"Python gives no array '{name}'", f"`apical.load(..., arrays={{'{name}': W}})`"
                )
            return self.given[name]

        return self._array(Array("array", (name,)), found)

    def _array(self, wanted: Array, read: Callable[[], Any]) -> Array:
        key = wanted.key
        if key not in self._found and self._kept is not None:
            if key not in self._kept or key not in self._hashes:
                raise ArrayError(f"{wanted.said} is not among the arrays of this run")
            values = numbers_of(self._kept[key])
            self._found[key] = replace(wanted, sha256=self._hashes[key], values=values)
        elif key not in self._found:
            self._found[key] = self._read(wanted, read)
        return self._found[key]

    def _read(self, wanted: Array, read: Callable[[], Any]) -> Array:
        """An array as it is now, which has to be what it was."""
        values = numbers_of(read())
        digest = _digest(values)
        was = self._hashes.get(wanted.key, digest)
        if was != digest:
            raise ArrayError(
                f"{wanted.said} is not what it was when this ran: its SHA-256 is {digest[:12]}, it "
                f"was {was[:12]}"
            )
        return replace(wanted, sha256=digest, values=values)


def _read(beside: str, name: str, part: str | None) -> Any:
    """What a file holds."""
    kind = ARRAY_FILES.get(PurePosixPath(name).suffix.lower())
    if kind is None:
        raise ArrayError(f"'{name}' is none of the kinds of file that are read", _kinds())
    if part is not None and kind.part is None:
        raise ArrayError(f"a {kind.name} file has one array, without a name", f'`file("{name}")`')
    path = _inside(beside, name)
    try:
        data = read_file(path, LARGEST)
    except OSError as error:
        where = f"beside {Path(beside).name}" if Path(beside).name != "<text>" else "here"
        why = "cannot be read" if path.exists() else f"is no file {where}"
        raise ArrayError(f"'{name}' {why}", f"a file at {path}") from error
    if data is None:
        raise ArrayError(f"'{name}' has more than {LARGEST} bytes")
    try:
        return kind.read(data, part)
    except ArrayError:
        raise
    except MemoryError:
        raise ArrayError(f"'{name}' does not fit into memory") from None
    except Exception as error:  # of a forged file: zip, XML, headers
        raise ArrayError(f"'{name}' is no {kind.name} file of numbers: {error!s:.100}") from None


def _kinds() -> str:
    return ", ".join(ARRAY_FILES)


def _inside(beside: str, name: str) -> Path:
    """The path of a file in the folder of the circuit file, or below it."""
    asked, folder = PurePosixPath(name), Path(beside).parent
    path = folder / asked
    leaves = asked.is_absolute() or Path(name).is_absolute() or ".." in asked.parts
    if leaves or "\\" in name or not path.resolve().is_relative_to(folder.resolve()):
        raise ArrayError(
            f"'{name}' leads out of the folder of the circuit file",
            "a file beside it or below it, or an array from Python: `load(..., arrays=)`",
        )
    return path


def _digest(values: Any) -> str:
    """SHA-256 of the shape and the numbers."""
    found = hashlib.sha256(repr(tuple(int(n) for n in values.shape)).encode())
    parts = (values,) if isinstance(values, np.ndarray) else (values.indptr, values.indices)
    for part in parts:
        found.update(np.ascontiguousarray(part, dtype="<f8" if values is part else "<i8").tobytes())
    if not isinstance(values, np.ndarray):
        found.update(np.ascontiguousarray(values.data, dtype="<f8").tobytes())
    return found.hexdigest()
