"""Ctrl-C in `run`: what was recorded until then goes with the exception."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...traces.traces import Traces
from ..presentation import Presentations


class Interrupted(KeyboardInterrupt):
    """Ctrl-C stopped a run. `traces` holds what was recorded, and says `interrupted`."""

    def __init__(self, message: str):
        super().__init__(message)
        self.traces: Traces | None = None


def reached(done: Sequence[Presentations], slots: int) -> list[Presentations]:
    """Presentations that recorded something, in all of `slots` records."""
    return [_begun(work) for work in done if len(work.records) == slots]


def interruption(
    done: Sequence[Presentations], total: int, batch: int, learn: bool, facts: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """What the exception says, and the facts for the manifest, with `interrupted`."""
    whole, of = sum(work.done for work in done), -(-total // batch)
    said = f"stopped by Ctrl-C after {whole} of {of} presentations"
    tail = "; what they taught stays" if learn and whole else ""
    message = f"{said}{tail}; `traces` of this exception holds what was recorded until then"
    return message, dict(facts) | {"interrupted": {"presentations": whole, "of": of}}


def _begun(work: Presentations) -> Presentations:
    """The presentations that hold, and those that came after and left a number."""
    count = work.done
    for record in work.records:
        axes = tuple(k for k in range(record.ndim) if k != 1)
        some = np.flatnonzero(~np.isnan(record).all(axis=axes))
        count = max(count, int(some[-1]) + 1 if len(some) else 0)
    return replace(
        work,
        order=work.order[:, :count],
        records=[record[:, :count] for record in work.records],
        output=None if work.output is None else work.output[:, :count],
        stopped={name: table[:, :count] for name, table in work.stopped.items()},
    )
