"""Events as a list: when they happened, in which sample, in which unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas


def table(
    array: np.ndarray,
    phase_step: np.ndarray,
    time: np.ndarray,
    sample: np.ndarray,
    replica: np.ndarray,
) -> pandas.DataFrame:
    """A row for each event, with its replica, sample, time and unit, in this order.

    array: (replica, sample, step, unit), 1 in the row after an event: its time is the end of its
    step. What stood before a phase began is no event of it. time: as in `Traces`.
    """
    import pandas

    of_step = (phase_step > 0)[:, None]
    replicas, samples, rows, units = np.nonzero((array == 1) & of_step)
    times = np.broadcast_to(time, array.shape[:3])[replicas, samples, rows]
    columns = {"replica": replica[replicas], "sample": sample[samples], "time": times}
    return pandas.DataFrame({**columns, "unit": units})
