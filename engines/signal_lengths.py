"""How many rows of a signal the presentations of a run read, from what decides dt.

    held      the row of the last step, and those before it
    linear    ceil(T / every) + 1: also the row at the end, T
    each step as many as there are steps

Counted as the Program counts them (see `graphs.lowering.phases.signal_rows`), for each replica.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor

import numpy as np

from ..graphs.instructions import loads
from ..graphs.program import Program, TimeAxis
from .row_times import scalar_value, step_lengths

NEAR = 1e-9  # of a step or of a row: what rounding may take


def rows_taken(
    program: Program, axis: TimeAxis, memory: Mapping[str, np.ndarray], replicas: int
) -> np.ndarray:
    """(replica,) rows, at least 1.

    Raises:
        ValueError: A held row does not last a whole number of steps.
    """
    if axis.every is None:
        return np.full(replicas, max(program.steps, 1))
    read = loads(axis.every).union(*(loads(p.dt) for p in program.phases if p.dt is not None))
    parameters = {name: memory[name] for name in read & memory.keys()}
    every = np.broadcast_to(scalar_value(axis.every, parameters), (replicas, 1, 1))[:, 0, 0]
    phases = [(p.name, p.steps, step_lengths(p, parameters, replicas)) for p in program.phases]
    found = np.ones(replicas, dtype=np.int64)
    for replica in range(replicas):
        origin, count, dt, end = 0.0, 0, 0.0, 0.0
        for name, steps, of_all in phases:
            steady = of_all[replica]
            for length, times in [(steady[0], steps)] if len(steady) == 1 else _each(steady):
                if not times:
                    continue
                if length != dt:
                    origin, count, dt = end, 0, length
                if not axis.linear:
                    each = _each_row(axis, every[replica], name, length)
                    last = floor(origin / dt + NEAR) + count + times - 1
                    found[replica] = last // each + 1
                count += times
                end = origin + count * dt
        if axis.linear:
            found[replica] = ceil(end / every[replica] - NEAR) + 1
    return found


def _each(steps: np.ndarray) -> list[tuple[float, int]]:
    """Steps of different lengths, one by one."""
    return [(float(length), 1) for length in steps]


def _each_row(axis: TimeAxis, every: float, phase: str, dt: float) -> int:
    """The steps of a held row.

    Raises:
        ValueError: It is no whole number of them.
    """
    steps = every / dt
    if not 0.5 <= steps < 2**52 or abs(steps - round(steps)) > NEAR * max(steps, 1.0):
        better = max(round(steps), 1)
        raise ValueError(
            f"signal {axis.stream!r}: a row lasts {every:g}, which is {steps:g} steps of the phase "
            f"{phase!r}; expected a whole number, as with dt = {every / better:.10g}, or with "
            f"`every` = {better * dt:.10g}; `between: linear` needs none"
        )
    return round(steps)
