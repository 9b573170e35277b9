"""Predictions: what a circuit thinks the streams of `predicts` are."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from .argument_checks import check_by_name
from .chunks import Chunks
from .core import Core
from .scores import check_scored
from .streams import in_batches


def predict(
    core: Core, samples: Mapping[str, Any], protocol: str, batch: int
) -> dict[str, np.ndarray]:
    """By stream name (sample, unit), or (replica, sample, unit); a signal has rows between."""
    found = {}
    for name in core.settings.circuit.predicts:
        executable = core.programs.executable(protocol, output=name)
        streams = core.streams(executable.program, samples)
        pieces = []
        with core.state.aside(executable.program):
            for part in in_batches(streams.places, batch):
                work = core.work(part, streams)
                Chunks(core, executable, work, "run").present()
                assert work.output is not None
                moved = np.moveaxis(work.output, -1, 2)
                pieces.append(moved.reshape(len(moved), -1, *moved.shape[3:]))
        joined = np.concatenate(pieces, axis=1)
        found[name] = joined[0] if len(joined) == 1 else joined
    return found


class PredictionWarning(UserWarning):
    """A prediction reads the very stream that it predicts, so that its score may say nothing."""


def warn_of_copies(core: Core, protocol: str) -> None:
    """Warns where a protocol reads what it predicts, as a layer that is nudged to a label does."""
    circuit = core.settings.circuit
    for name in circuit.predicts:
        buffers = core.programs.executable(protocol, output=name).program.buffers.values()
        if any(b.kind in ("stream", "signal") and b.owner == name for b in buffers):
            warnings.warn(
                f"{protocol!r} of {circuit.name} reads the stream {name!r} that it predicts: the "
                f"score says how well that is copied. A reconstruction means it so; else `set` "
                f"what brings it in to 0 in {protocol!r}",
                PredictionWarning,
                stacklevel=3,
            )


def check_validation(core: Core, samples: Mapping[str, Any]) -> None:
    """Whether samples can be predicted and scored, looked at before anything is learnt.

    Raises:
        ValueError: They cannot.
    """
    circuit = core.settings.circuit
    check_by_name("validate", samples)
    check_scored(circuit, samples)
    for name in circuit.predicts:
        core.streams(core.programs.executable("predict", output=name).program, samples)
