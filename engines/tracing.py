"""From the records of an engine to labelled traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..graphs.circuit import Circuit
from ..graphs.expression import Load, Number, walk
from ..graphs.program import PhaseProgram, Program, Slot
from ..traces.traces import Traces
from .arithmetic import value
from .presentation import Arrays, Presentations


def row_times(program: Program, memory: Arrays, counters: Mapping[str, float]) -> np.ndarray:
    """Time at each row of the traces, for the first replica; `counters` by buffer name."""
    times = np.zeros(program.rows)
    now = 0.0
    for phase in program.phases:
        rows = slice(phase.first_row, phase.first_row + phase.steps + 1)
        times[rows] = now + np.concatenate([[0.0], _elapsed(phase, memory, counters)])
        now = float(times[rows][-1])
    return times


def _elapsed(phase: PhaseProgram, memory: Arrays, counters: Mapping[str, float]) -> np.ndarray:
    """Time since the phase began, after each of its steps."""
    dt = phase.dt or Number(1.0)

    def length(step: int) -> float:
        def scalar(node: Load) -> Any:
            if node.buffer == "#step":
                return float(step)
            if node.buffer in memory:
                return memory[node.buffer][0]
            return counters.get(node.buffer, 0.0)

        return float(np.ravel(value(dt, scalar))[0])

    if any(isinstance(n, Load) and n.buffer == "#step" for n in walk(dt)):
        return np.cumsum([length(step) for step in range(phase.steps)])
    return np.arange(1, phase.steps + 1) * (length(0) if phase.steps else 0.0)


def traced(
    circuit: Circuit,
    program: Program,
    done: Sequence[Presentations],
    times: np.ndarray,
    facts: Mapping[str, Any],
) -> Traces:
    """The records of presentations as traces; NaN at the rows that a record did not take."""
    rows = sorted({row for slot in program.slots for row in slot.rows}) or list(range(program.rows))
    names = [(p.name, s) for p in program.phases for s in range(p.steps + 1)]
    arrays = {
        slot.name: _joined(slot, [work.records[number] for work in done], rows)
        for number, slot in enumerate(program.slots)
    }
    return Traces(
        arrays,
        phase=[names[r][0] for r in rows],
        phase_step=[names[r][1] for r in rows],
        time=times[rows],
        time_unit=circuit.time_unit,
        replica=list(range(len(done[0].seeds) if done else 1)),
        manifest=facts,
    )


def _joined(slot: Slot, records: list[np.ndarray], rows: list[int]) -> np.ndarray:
    """(replica, sample, row, unit) of one record, or (replica, sample, row) of a number."""
    joined = np.concatenate([_by_sample(record) for record in records], axis=1)
    if len(slot.rows) != len(rows):
        position = {row: i for i, row in enumerate(rows)}
        wide = np.full((*joined.shape[:2], len(rows), joined.shape[3]), np.nan, joined.dtype)
        wide[:, :, [position[r] for r in slot.rows]] = joined
        joined = wide
    return joined if slot.shape[0] == "unit" else joined[..., 0]


def _by_sample(record: np.ndarray) -> np.ndarray:
    """(replica, presentation, row, unit, batch) -> (replica, sample, row, unit)."""
    moved = record.transpose(0, 1, 4, 2, 3)
    return moved.reshape(moved.shape[0], -1, *moved.shape[3:])
