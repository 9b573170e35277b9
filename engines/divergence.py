"""A number that is no longer finite: which, of which unit or connection, and when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..graphs.buffer import Quantity, trace, weight
from ..graphs.instructions import RankUpdate
from ..graphs.program import Program
from ..traces.traces import Traces
from .executable import Executable, Restore
from .presentation import Arrays, Failure, Presentations, allocate

_LEARNT = {
    "weight": "weight",
    "slow": "slow variable",
    "trace": "trace",
    "optimizer": "optimizer state",
}


class Divergence(ArithmeticError):
    """A number is no longer finite: a state, or something learnt. `traces`: what was recorded.

    `variable` and `unit` (of a weight: the postsynaptic one) say where, `connection` (post, pre)
    which weight; `phase`, `time`, `sample` (position in the stream; None where several were
    presented at once and the weight is that of all) and `presentation` (counted while learning,
    from 0) and `epoch` (from 1) when; `seed` which replica, where there are several.

    Weights and states are then as they were before that presentation.
    """

    def __init__(
        self,
        message: str,
        *,
        variable: str = "",
        unit: int = 0,
        connection: tuple[int, int] | None = None,
        sample: int | None = None,
        phase: str | None = None,
        time: float | None = None,
        presentation: int | None = None,
        epoch: int | None = None,
        seed: int | None = None,
    ):
        super().__init__(message)
        self.variable, self.unit, self.connection = variable, unit, connection
        self.sample, self.phase, self.time = sample, phase, time
        self.presentation, self.epoch, self.seed = presentation, epoch, seed
        self.traces: Traces | None = None


def diverged(
    executable: Executable,
    memory: Arrays,
    work: Presentations,
    chunk: tuple[int, int],
    failure: Failure | None,
    restore: Restore,
) -> tuple[int, Divergence]:
    """The first presentation of a chunk that broke, and what in it; `memory` is as before it.

    Args:
        executable: What ran.
        memory: What it left.
        work: The presentations.
        chunk: The first of them that ran, and where it was to stop.
        failure: What the executable found; None: only something that was learnt is not finite.
        restore: The way back to before the chunk (see `Executable.keep`).
    """
    program = executable.program
    if not executable.alone:  # the others do not present again
        executable.settle(memory)
        found = failure or Failure(0, chunk[1] - 1, program.phases[-1].name)
        return found.presentation, _divergence(program, memory, work, found, chunk[0])
    number, failure = _first(executable, memory, work, chunk, failure, restore)
    restore = executable.keep(memory)
    executable.settle(memory)
    broken, found = _retraced(program, memory, work, number)
    if found is None:  # not to be seen in the steps of another engine
        failure = executable.run(memory, work, number, number + 1)
        executable.settle(memory)
        broken, found = memory, failure or Failure(0, number, program.phases[-1].name)
    error = _divergence(program, broken, work, found, number)
    restore(memory)
    _forget(work, number, chunk[1])
    return number, error


def _first(
    executable: Executable,
    memory: Arrays,
    work: Presentations,
    chunk: tuple[int, int],
    failure: Failure | None,
    restore: Restore,
) -> tuple[int, Failure | None]:
    """The first presentation that breaks, with memory as before it; by presenting halves again."""
    low, high = chunk
    restore(memory)
    if failure is not None:
        high = failure.presentation
        if high == low or (
            executable.run(memory, work, low, high) is None and executable.sound(memory)
        ):
            return high, failure
        restore(memory)
    while high - low > 1:
        middle = (low + high) // 2
        if executable.run(memory, work, low, middle) is None and executable.sound(memory):
            low, restore = middle, executable.keep(memory)
        else:
            high = middle
            restore(memory)
    return low, None


def _forget(work: Presentations, number: int, stop: int) -> None:
    """What presentations after the one that broke have left."""
    for table in (*work.records, *(() if work.output is None else (work.output,))):
        table[:, number + 1 : stop] = np.nan
    for table in work.stopped.values():
        table[:, number + 1 : stop] = -1


def _divergence(
    program: Program,
    memory: Arrays,
    work: Presentations,
    failure: Failure,
    first: int,
) -> Divergence:
    """What broke; `first` is the first presentation that may have been it."""
    phase = next(p for p in program.phases if p.name == failure.phase)
    row = phase.first_row + (phase.steps if failure.step is None else failure.step)
    assert work.keeper is not None
    times = work.keeper.rows(failure.presentation, failure.presentation + 1)
    facts: dict[str, Any] = {"phase": phase.name, "time": float(times[failure.replica, 0, row])}
    if program.learnt:
        facts |= {"presentation": work.presentation + failure.presentation}
        facts |= {"epoch": work.epoch + 1}
    for names, describe in ((program.finite, _of_state), (program.learnt, _of_learnt)):
        for name in names:
            bad = np.argwhere(~np.isfinite(memory[name]))
            if len(bad):
                place = next((p for p in bad if p[0] == failure.replica), bad[0])
                facts["seed"] = work.seeds[place[0]] if len(work.seeds) > 1 else None
                return describe(program, name, tuple(map(int, place)), work, failure, facts, first)
    return Divergence(f"a state is not finite, in phase {phase.name!r}", **facts)


def _of_state(
    program: Program,
    name: str,
    place: tuple[int, ...],
    work: Presentations,
    failure: Failure,
    facts: dict[str, Any],
    first: int,
) -> Divergence:
    replica, sample, unit = place
    of, connection = f"{name} of unit {unit}", None
    identity = program.buffers[name].identity
    if isinstance(identity, Quantity) and identity.what == "trace of each sample":
        name = trace(identity.owner, identity.part).name
        shape = program.buffers[weight(identity.owner).name].shape
        connection = divmod(unit, int(shape[2])) if shape[0] == "matrix" else (unit, unit)
        unit = connection[0]
        of = f"trace {name} of connection (post {unit}, pre {connection[1]})"
    number = int(work.order[replica, failure.presentation, sample]) % work.total
    return Divergence(
        f"{of} is not finite for sample {number}, in phase {facts['phase']!r} "
        f"at time {facts['time']:g}{_seed(facts)}; {_advice(failure)}",
        variable=name,
        unit=unit,
        connection=connection,
        sample=number,
        **facts,
    )


def _advice(failure: Failure) -> str:
    """What may help: from where a phase starts, one step of any length ends at a finite number."""
    if failure.step is not None and failure.step <= 1:
        return (
            "already the first step: look for a division by 0, or log or sqrt of what is not "
            "positive, in the equations at the values that the phase starts from"
        )
    return "a smaller step (dt) or a smaller rate may help"


def _of_learnt(
    program: Program,
    name: str,
    place: tuple[int, ...],
    work: Presentations,
    failure: Failure,
    facts: dict[str, Any],
    first: int,
) -> Divergence:
    replica, post, pre = place
    buffer = program.buffers[name]
    matrix = buffer.shape[0] == "matrix"
    unit = post if matrix else pre
    of = f" of unit {unit}" if buffer.shape[0] == "row" else ""
    connection = None
    if matrix or (of and buffer.kind in ("weight", "trace")):
        connection = (unit, pre)
        sends = "bias" if matrix and _is_bias(program, name, pre) else f"pre {pre}"
        of = f" of connection (post {unit}, {sends})"
    samples = work.order[replica, failure.presentation] % work.total
    shown = ", ".join(map(str, samples[:5])) + (", ..." if len(samples) > 5 else "")
    last = work.presentation + failure.presentation
    between = f"s {work.presentation + first} to {last}" if first < failure.presentation else ""
    return Divergence(
        f"{_LEARNT[buffer.kind]} {name}{of} is not finite, in phase {facts['phase']!r} at time "
        f"{facts['time']:g} of presentation{between or f' {last}'} (epoch {facts['epoch']}, "
        f"sample{'s' * (len(samples) > 1)} {shown}){_seed(facts)}; a smaller rate may help",
        variable=name,
        unit=unit,
        connection=connection,
        sample=int(samples[0]) if len(samples) == 1 else None,
        **facts,
    )


def _seed(facts: dict[str, Any]) -> str:
    return "" if facts["seed"] is None else f", with seed {facts['seed']}"


def _is_bias(program: Program, name: str, column: int) -> bool:
    """Whether a column of weights belongs to the unit that always sends 1."""
    code = [i for phase in program.phases for i in phase.instructions]
    biased = any(isinstance(i, RankUpdate) and i.target == name and i.bias for i in code)
    return biased and column == int(program.buffers[name].shape[2]) - 1


def _retraced(
    program: Program, memory: Arrays, work: Presentations, number: int
) -> tuple[Arrays, Failure | None]:
    """A presentation once more, step by step, to find the first number that breaks."""
    from .numpy.engine import NumpyExecutable

    names = (*program.finite, *program.learnt)
    dtype = next((memory[n].dtype for n in names if n in memory), np.dtype("float64"))
    streams = {name: on_host(values) for name, values in work.streams.items()}
    again = replace(work, streams=streams, records=[], output=None, stopped={})
    allocate(program, again, dtype)
    copied = {name: array.copy() for name, array in memory.items()}
    walker = NumpyExecutable(program, dtype, check_steps=True)
    return copied, walker.run(copied, again, number, number + 1)


def on_host(values: Any) -> np.ndarray:
    """The same values as a numpy array, also where they were a tensor on a device."""
    move = getattr(values, "cpu", None)
    return np.asarray(values if move is None else move())
