"""A state that is no longer finite: which, of which unit and sample, and when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..graphs.program import Program
from ..traces.traces import Traces
from .presentation import Arrays, Failure, Presentations, allocate


class Divergence(ArithmeticError):
    """A state is no longer finite. `traces` holds what was recorded before.

    `variable`, `unit`, `sample` (position in the stream), `phase` and `time` say where and when;
    `seed` which replica, where there are several.
    """

    def __init__(
        self,
        message: str,
        *,
        variable: str = "",
        unit: int = 0,
        sample: int | None = None,
        phase: str | None = None,
        time: float | None = None,
        seed: int | None = None,
    ):
        super().__init__(message)
        self.variable, self.unit, self.sample, self.phase = variable, unit, sample, phase
        self.time, self.seed = time, seed
        self.traces: Traces | None = None


def divergence(
    program: Program, memory: Arrays, work: Presentations, failure: Failure, times: np.ndarray
) -> Divergence:
    """What broke, where an engine found a failure; `times` are those of the rows of the traces."""
    memory, failure = _retraced(program, memory, work, failure)
    index = [p.name for p in program.phases].index(failure.phase)
    phase = program.phases[index]
    row = phase.first_row + (phase.steps if failure.step is None else failure.step)
    seed = work.seeds[failure.replica] if len(work.seeds) > 1 else None
    for name in program.finite:
        bad = ~np.isfinite(memory[name][failure.replica])
        if bad.any():
            sample, unit = (int(i) for i in np.argwhere(bad)[0])
            place = int(work.order[failure.replica, failure.presentation, sample])
            sample = place % work.total
            return _of_state(name, unit, sample, failure.phase, float(times[row]), seed)
    return _of_state("a state", 0, 0, failure.phase, None, seed)


def _of_state(
    name: str, unit: int, sample: int, phase: str, time: float | None, seed: int | None
) -> Divergence:
    when = f"at time {time:g}" if time is not None else "at its end"
    when += "" if seed is None else f", with seed {seed}"
    return Divergence(
        f"{name} of unit {unit} is not finite for sample {sample}, in phase {phase!r} {when}; "
        f"a smaller step (dt) or a smaller rate may help",
        variable=name,
        unit=unit,
        sample=sample,
        phase=phase,
        time=time,
        seed=seed,
    )


def _retraced(
    program: Program, memory: Arrays, work: Presentations, failure: Failure
) -> tuple[Arrays, Failure]:
    """The failed presentation once more, step by step, to find the first number that broke."""
    if failure.step is not None or work.carry:
        return memory, failure
    from .numpy_engine import NumpyExecutable

    dtype = memory[program.finite[0]].dtype if program.finite else np.dtype("float64")
    streams = {name: _on_host(values) for name, values in work.streams.items()}
    again = replace(work, streams=streams, records=[], output=None, stopped={})
    allocate(program, again, dtype)
    copied = {name: array.copy() for name, array in memory.items()}
    walker = NumpyExecutable(program, dtype, check_steps=True)
    found = walker.run(copied, again, failure.presentation, failure.presentation + 1)
    return (memory, failure) if found is None else (copied, found)


def _on_host(values: Any) -> np.ndarray:
    """The same values as a numpy array, also where they were a tensor on a device."""
    return np.asarray(values.cpu() if hasattr(values, "cpu") else values)
