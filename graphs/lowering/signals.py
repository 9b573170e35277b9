"""Signals: streams with a time axis, of which a step reads one row.

    held      x = rows[row]                                       row: of the step's start
    linear    x = rows[i] + f (rows[i + 1] - rows[i])             i + f = elapsed / every

A held row is counted in whole steps when a phase is entered (see `phases.signal_rows`), and never
the quotient of two times. `elapsed` is the time since the presentation began, in stages of a method
their own. Behind the last row stands the last row.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..buffer import ELAPSED, STEP, parameter, stream
from ..circuit import Circuit, Signal
from ..expressions.derivative import simplify
from ..expressions.tree import Binary, Call, Expr, Load, Number
from ..instructions import Instruction, Map, ReadRow, loads
from ..program import PhaseProgram, Program, TimeAxis
from .emitter import Emitter
from .refusal import LoweringError


def rows_elapsed(at: Emitter, every: Expr) -> Expr:
    """The time since the presentation began, in rows."""
    at.counter("elapsed")
    return simplify(Binary("/", Load(ELAPSED), at.translate(every)))


class Signals:
    """Says how the present value of every signal is made."""

    def __init__(self, at: Emitter):
        self.at = at
        for name, signal in at.circuit.signals.items():
            at.makers[at.stream(name)] = partial(self._made, name, signal)

    def _made(self, name: str, signal: Signal) -> tuple[Instruction, ...]:
        at, target, rows = self.at, self.at.stream(name), stream(name).name
        row = at.of_signal("row", name)
        if not signal.linear or signal.every is None:
            return (ReadRow(target, rows, Load(row)),)
        part = at.of_signal("part", name)
        before, after = (at.beside(rows, word, "algebraic") for word in ("before", "after"))
        position = rows_elapsed(at, signal.every)
        between = Binary("-", Load(after), Load(before))
        return (
            Map(row, Call("floor", (position,))),
            Map(part, Binary("-", position, Load(row))),
            ReadRow(before, rows, Load(row)),
            ReadRow(after, rows, Binary("+", Load(row), Number(1.0))),
            Map(target, Binary("+", Load(before), Binary("*", Load(part), between))),
        )


def with_signals(program: Program, circuit: Circuit, at: Emitter, output: str | None) -> Program:
    """The Program with the time axes of the signals that it reads, and of what it puts out.

    Raises:
        LoweringError: The steps of a phase are not fixed before the run.
    """
    axes = {
        name: TimeAxis(name, signal.every and at.translate(signal.every), signal.linear)
        for name, signal in circuit.signals.items()
        if stream(name).name in program.buffers or name == output
    }
    for axis in axes.values():
        for phase in program.phases if axis.every is not None else ():
            _check_steps(axis, phase, circuit)
    read = tuple(axis for name, axis in axes.items() if stream(name).name in program.buffers)
    return replace(program, signals=read, output_axis=axes.get(output or ""))


def _check_steps(axis: TimeAxis, phase: PhaseProgram, circuit: Circuit) -> None:
    """Whether the length of the steps of a phase is known before the run."""
    read = loads(phase.dt) if phase.dt is not None and phase.loop is not None else set()
    fixed = {parameter(name).name for name in circuit.parameters if name not in circuit.set_names}
    fixed |= {STEP} if axis.linear else set()
    if read <= fixed:
        return
    rows = "each step of it reads its own time" if axis.linear else "a row is a number of steps"
    error = LoweringError(
        f"the rows of the signal '{axis.stream}' are counted before the run, where {rows}: `dt` "
        f"is then made of parameters that no phase sets; `every: step` needs none of this"
    )
    error.phase = phase.name
    raise error
