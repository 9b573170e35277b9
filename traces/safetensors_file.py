"""Checkpoints: arrays and JSON facts in one safetensors file; nothing in it can run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from .atomic import replacing

FORMAT = "apical-checkpoint-2"
FORMER = "apical-checkpoint-1"  # without a digest
READABLE = (FORMAT, FORMER)


class CheckpointError(ValueError):
    """A file is no checkpoint that can be gone on from; the message names file and entry."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a file holds.

    intact: whether nothing has changed since it was written; None where the file does not say.
    """

    path: str
    format: str
    arrays: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]
    intact: bool | None

    def refuse(self, entry: str, message: str) -> NoReturn:
        """Raises a `CheckpointError` about one entry."""
        raise CheckpointError(f"{self.path}: {entry}: {message}")


def save(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
) -> None:
    """Writes `arrays` and `facts` (anything JSON can say), whole or not at all."""
    from safetensors.numpy import save as serialize

    tensors = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    said = json.dumps(dict(facts), allow_nan=False)
    metadata = {"format": FORMAT, "facts": said, "digest": _digest(tensors, said)}
    text = serialize(tensors, metadata=metadata)
    with replacing(path) as draft:
        with draft.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # else the move may come before the bytes where power fails


def read(path: str | os.PathLike[str]) -> Checkpoint:
    """The arrays and the facts of a checkpoint.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: The file is no checkpoint of this package.
    """
    from safetensors import SafetensorError, safe_open

    name = os.fspath(path)
    if Path(name).exists() and not Path(name).is_file():
        raise CheckpointError(f"{name}: expected a file, got a folder or a device")
    try:
        with safe_open(name, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") not in READABLE:
                raise CheckpointError(
                    f"{name}: expected a checkpoint ({FORMAT}), got another file, with the format "
                    f"{metadata.get('format')!r}"
                )
            arrays = {key: _array(file, key, name) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(
            f"{name}: not a safetensors file, or one that is cut off or damaged ({error})"
        ) from error
    facts = _facts(name, metadata)
    former = metadata["format"] == FORMER
    intact = None if former else _digest(arrays, metadata["facts"]) == metadata.get("digest")
    return Checkpoint(name, metadata["format"], arrays, facts, intact)


def _array(file: Any, key: str, name: str) -> np.ndarray:
    try:
        return file.get_tensor(key)
    except Exception as error:  # kinds of numbers that numpy lacks
        raise CheckpointError(f"{name}: array {key!r}: cannot be read ({error})") from error


def _facts(name: str, metadata: Mapping[str, str]) -> dict[str, Any]:
    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is no number of JSON")

    try:
        facts = json.loads(metadata["facts"], parse_constant=refuse)
    except KeyError:
        raise CheckpointError(f"{name}: facts: missing") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{name}: facts: not JSON ({error})") from error
    if not isinstance(facts, dict):
        raise CheckpointError(f"{name}: facts: expected names and values, got {facts!r:.60}")
    return facts


def _digest(arrays: Mapping[str, np.ndarray], facts: str) -> str:
    """SHA-256 over the facts and, in the order of their names, all arrays."""
    found = hashlib.sha256(facts.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(array.reshape(-1).view(np.uint8).data)
    return found.hexdigest()
