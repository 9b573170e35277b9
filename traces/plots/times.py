"""When the rows of a sample are: their times, the phases over them, the rows of one variable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..traces import Traces


@dataclass(frozen=True)
class Span:
    """One phase: its name, its first row and the row after its last one, and from when to when."""

    phase: str
    first: int
    stop: int
    begin: float
    end: float


@dataclass(frozen=True)
class Times:
    """The horizontal axis of one sample.

    at: The time of each row, shape (step,); the row where time does not go on.
    label: What the axis says.
    spans: The phases, in order.
    """

    at: np.ndarray
    label: str
    spans: tuple[Span, ...]

    @classmethod
    def of(cls, traces: Traces, sample: int, replica: int) -> Times:
        """Those of the sample and the replica at these positions."""
        phase = traces.phases
        lead = (len(traces.replica), len(traces.sample), len(phase))
        at = np.broadcast_to(traces.time, lead)[replica, sample]
        unit = f" ({traces.time_unit})" if traces.time_unit else ""
        label = f"time{unit}"
        if len(at) > 1 and not at[-1] > at[0]:
            at, label = np.arange(len(at), dtype=float), "row"
        starts = [0, *(np.flatnonzero(phase[1:] != phase[:-1]) + 1).tolist()] if len(at) else []
        stops = [*starts[1:], len(phase)]
        spans = [
            Span(str(phase[first]), first, stop, float(at[first]), float(at[stop - 1]))
            for first, stop in zip(starts, stops, strict=True)
        ]
        return cls(at, label, tuple(spans))

    def parts(self, rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of each phase that has some of `rows`: them, and the n + 1 edges of n columns.

        A row lies between the middles to its neighbours in its phase; the first and the last one
        end where the phase does.
        """
        found = []
        for span in self.spans:
            own = rows[(rows >= span.first) & (rows < span.stop)]
            if not len(own):
                continue
            middles = (self.at[own[1:]] + self.at[own[:-1]]) / 2
            edges = np.concatenate([[span.begin], middles, [span.end]])
            found.append((own, edges))
        return found


def recorded(values: np.ndarray) -> np.ndarray:
    """The rows (first axis) in which something was recorded."""
    return np.flatnonzero(~np.isnan(values.reshape(len(values), -1)).all(axis=1))
