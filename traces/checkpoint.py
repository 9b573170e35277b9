"""Checkpoints: arrays and JSON facts in one safetensors file; nothing in it can run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .atomic import replacing

FORMAT = "apical-checkpoint-1"


def save(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
) -> None:
    """Writes `arrays` and `facts` (anything JSON can say), whole or not at all."""
    from safetensors.numpy import save as serialize

    tensors = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    text = serialize(tensors, metadata={"format": FORMAT, "facts": json.dumps(dict(facts))})
    with replacing(path) as draft:
        draft.write_bytes(text)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the facts of a checkpoint.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no checkpoint of this package.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"{path}: expected a checkpoint ({FORMAT}), got another file")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file ({error})") from error
    return arrays, json.loads(metadata["facts"])
