"""Which row of a held signal a step reads: whole numbers, counted from where its phase begins.

    row = floor((first + step) / each)        each = round(every / dt) steps
                                              first = floor(origin / dt) + n steps are behind

origin and n are those of the presentation's own timeline, when the phase begins. For whole k and m
floor((a + k)/m) = floor((floor(a) + k)/m), so nothing is lost where a phase with another dt came
before. All numbers are whole and below 2^52: their quotient in float64 is never rounded up to the
next whole one. A signal with a row each step counts the steps of all phases. A phase without steps
reads what stood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...circuit import Phase
from ...expressions.derivative import simplify, summed
from ...expressions.tree import Binary, Call, Compare, Expr, Load, Number
from ...instructions import Output
from ..emitter import Emitter
from ..refusal import LoweringError
from ..signals import rows_elapsed
from .timing import DT_NOW, PRESENTATION, STEP_NOW, PhaseClock, plus

NEAR = 1e-9  # of a step or of a row: what rounding may take


class SignalRows:
    """Emits the row numbers of held signals, phase after phase.

    `predicted`: the signal whose rows are put out, and the buffer that says what it is.
    """

    def __init__(self, at: Emitter, predicted: tuple[str, str] | None):
        self.at = at
        signals = at.circuit.signals
        timed = [s for s in signals.values() if s.every is not None]
        moving = any(s.linear for s in timed)
        self.timelines = (replace(PRESENTATION, moving=moving),) if timed else ()
        self.held = {n: s.every for n, s in signals.items() if not s.linear}
        self.predicted = predicted
        self.steps = 0  # of the phases before

    def begin(self) -> None:
        """When the presentation begins."""
        for counter in ("elapsed", "elapsed_origin", "elapsed_n") if self.timelines else ():
            self.at.assign(self.at.counter(counter), Number(0.0))
        for name in self.held:
            self.at.assign(self.at.of_signal("row", name), Number(0.0))

    def enter(self, clock: PhaseClock) -> None:
        """On entering a phase with steps, before `begin`."""
        at = self.at
        for name, every in self.held.items():
            if every is not None and not clock.varying:
                each = Call("round", (simplify(Binary("/", at.translate(every), DT_NOW)),))
                behind = plus(Binary("/", Load(PRESENTATION.origin), DT_NOW), Number(NEAR))
                first = plus(Call("floor", (behind,)), Load(PRESENTATION.count))
                at.assign(at.of_signal("each", name), each)
                at.assign(at.of_signal("first", name), first)
            self._assign(name, every, Number(0.0), clock)

    def begin_step(self, clock: PhaseClock, made_of_rows: Sequence[str] = ()) -> None:
        """At the start of a step; also after the last one, where samples stopped before it.

        made_of_rows: What follows from held rows and from nothing else that moves: made again where
        one of them is another than in the step before.
        """
        at, changed = self.at, []
        for name, every in self.held.items():
            if made_of_rows and every is not None:
                last, row = (at.of_signal(word, name) for word in ("last row", "row"))
                at.assign(last, Load(row))
                changed.append(Compare("!=", Load(last), Load(row)))
            self._assign(name, every, STEP_NOW, clock)
        if changed:
            with at.branch(summed(changed)):
                at.need(*made_of_rows)
            at.valid.update(made_of_rows)  # or they are as they were

    @property
    def rows(self) -> set[str]:
        """The row numbers of signals that are held for several steps."""
        return {self.at.of_signal("row", name) for name, every in self.held.items() if every}

    def leave(self, steps: int) -> None:
        """After a phase."""
        self.steps += steps

    def _assign(self, name: str, every: Expr | None, step: Expr, clock: PhaseClock) -> None:
        if every is None:
            row = plus(Number(float(self.steps)), step)
        elif clock.varying:
            return  # refused where the signal is read
        else:
            first, each = (Load(self.at.of_signal(word, name)) for word in ("first", "each"))
            row = Call("floor", (Binary("/", plus(first, step), each),))
        self.at.assign(self.at.of_signal("row", name), row)

    def put_out(self, phase: Phase, first: bool = False) -> None:
        """The prediction of a signal, after each step: the last one of a row stays.

        The rows of a linear one are moments: the prediction of the last step that is over then.

        Raises:
            LoweringError: The samples of the phase stop when they like.
        """
        if self.predicted is None:
            return
        (stream, source), at = self.predicted, self.at
        if phase.until is not None:
            raise LoweringError(
                f"the prediction of the signal '{stream}' is read at the end of each of its rows, "
                f"which samples that stop before do not reach: give the phase {phase.name!r} "
                f"`steps` and no `until`"
            )
        signal = at.circuit.signals[stream]
        row: Expr = Load(at.of_signal("row", stream))
        if signal.linear and signal.every is not None:
            late = Binary("-", Number(NEAR), rows_elapsed(at, signal.every))
            row = Binary("-", Number(0.0), Call("floor", (late,)))
        elif first:
            return
        source = at.sampled(source)
        at.need(source)
        at.emit(Output(source, at.reading(row)))
