"""From the records of an engine to labelled traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...graphs.circuit import Circuit
from ...graphs.program import Program, RecordSlot
from ...traces.recording_budget import check_budget
from ...traces.traces import Traces
from ..presentation import Presentations
from .snapshots import Snapshots


def sample_times(done: Sequence[Presentations], rows: Sequence[int]) -> np.ndarray:
    """Time of some rows: (step,), or with `sample`, or `replica` too, where they differ in it."""
    if not done or not len(rows):
        return np.zeros(len(rows))
    parts = [work.keeper.rows(0, work.count)[:, :, rows] for work in done if work.keeper]
    times = parts[0][:, :1]
    if any(np.any(part != times) for part in parts):
        spread = [_spread(part, work) for part, work in zip(parts, done, strict=True)]
        times = np.concatenate(spread, axis=1)
    if np.any(times != times[:1]):
        return times
    return times[0, 0] if times.shape[1] == 1 else times[0]


def _spread(times: np.ndarray, work: Presentations) -> np.ndarray:
    """(replica, sample, row) from (replica, 1 or presentation, row)."""
    shape = (len(times), work.count, times.shape[2])
    return np.repeat(np.broadcast_to(times, shape), work.batch, axis=1)


def taken(program: Program) -> list[int]:
    """The rows that some record takes."""
    return sorted({row for slot in program.slots for row in slot.rows})


def _steps(program: Program, rows: Sequence[int]) -> tuple[list[str], list[int]]:
    """The phase of each row, and its step within the phase."""
    firsts = [phase.first_row for phase in program.phases]
    places = np.searchsorted(firsts, rows, side="right") - 1
    return (
        [program.phases[place].name for place in places],
        [row - firsts[place] for row, place in zip(rows, places, strict=True)],
    )


def traced(
    circuit: Circuit,
    program: Program,
    done: Sequence[Presentations],
    facts: Mapping[str, Any],
    parameters: Mapping[str, np.ndarray],
    snapshots: Snapshots,
    ids: np.ndarray | None = None,
) -> Traces:
    """The records of presentations as traces; NaN at the rows that a record did not take.

    parameters: those in which replicas differ. snapshots: what was taken between presentations.
    ids: the numbers of the samples.
    """
    count = sum(work.count * work.batch for work in done)
    rows = taken(program)
    phases, steps = _steps(program, rows)
    arrays: dict[str, np.ndarray] = {}
    for number, slot in enumerate(program.slots if done else ()):
        found = _joined(slot, [work.records[number] for work in done], rows)
        if slot.name in arrays:  # asked for by several lines: each row that one of them takes
            found = np.where(np.isnan(found), arrays[slot.name], found)
        arrays[slot.name] = found
    return Traces(
        arrays,
        phase=phases,
        phase_step=steps,
        time=sample_times(done, rows),
        time_unit=circuit.time_unit,
        sample=np.arange(count) if ids is None else ids[:count],
        replica=list(range(facts["replicas"])),
        manifest=facts,
        parameters=parameters,
        learnt=snapshots.joined(),
        presentation=snapshots.presentations,
    )


def traced_training(
    circuit: Circuit,
    facts: Mapping[str, Any],
    parameters: Mapping[str, np.ndarray],
    snapshots: Snapshots,
) -> Traces:
    """What was taken between the presentations of a training; no rows of steps."""
    return Traces(
        {},
        phase=[],
        phase_step=[],
        time=[],
        time_unit=circuit.time_unit,
        replica=list(range(facts["replicas"])),
        manifest=facts,
        parameters=parameters,
        learnt=snapshots.joined(),
        presentation=snapshots.presentations,
    )


def _joined(slot: RecordSlot, records: list[np.ndarray], rows: list[int]) -> np.ndarray:
    """(replica, sample, row, unit | post, pre) of one record, or (replica, sample, row)."""
    joined = np.concatenate([_by_sample(record) for record in records], axis=1)
    if len(slot.rows) != len(rows):
        position = {row: i for i, row in enumerate(rows)}
        wide = np.full((*joined.shape[:2], len(rows), joined.shape[3]), np.nan, joined.dtype)
        wide[:, :, [position[r] for r in slot.rows]] = joined
        joined = wide
    if slot.shape[0] == "pairs":
        return joined.reshape(*joined.shape[:3], *slot.shape[1:])
    return joined if slot.shape[0] == "unit" else joined[..., 0]


def _by_sample(record: np.ndarray) -> np.ndarray:
    """(replica, presentation, row, unit, batch) -> (replica, sample, row, unit)."""
    moved = record.transpose(0, 1, 4, 2, 3)
    return moved.reshape(moved.shape[0], -1, *moved.shape[3:])


def check_recording(
    program: Program, samples: int, replicas: int, dtype: np.dtype, budget: int
) -> None:
    """Whether the records of a run fit into a budget of bytes.

    Raises:
        BudgetError: They do not.
    """
    units = {s.name: s.size for s in program.slots}
    if units:
        rows = taken(program)
        check_budget(
            units,
            rows=len(rows),
            every=rows[1] - rows[0] if len(rows) > 1 else 1,
            samples=samples,
            replicas=replicas,
            itemsize=dtype.itemsize,
            budget=budget,
        )


def stops(done: Sequence[Presentations]) -> dict[str, np.ndarray]:
    """phase -> steps until each sample met its stop rule, (replica, sample); -1 at the limit."""
    names = done[0].stopped if done else {}
    replicas = len(done[0].seeds) if done else 1
    return {
        n: np.concatenate([w.stopped[n].reshape(replicas, -1) for w in done], axis=1) for n in names
    }
