"""What is stored in the traces, and when."""

from __future__ import annotations

from ...circuit import Phase, Record
from ...expressions.tree import Binary, Call, Compare, Expr, Load, Number
from ...instructions import Store
from ..emitter import Emitter
from .timing import plus, times


class Storing:
    """Emits the stores of some records."""

    def __init__(self, at: Emitter, records: tuple[Record, ...]):
        self.at, self.records = at, records

    def store(self, phase: Phase, first_row: int, step: Expr, fixed: bool = False) -> None:
        """Stores what is due after a step, or (`fixed`) after `begin`."""
        row = plus(Number(float(first_row)), step)
        for slot, record in enumerate(self.records):
            if record.phase not in (None, phase.name):
                continue
            if record.every == 1 or fixed:
                self._one(slot, record, row)
            else:
                every = Number(float(record.every))
                rest = Binary("-", step, times(every, Call("floor", (Binary("/", step, every),))))
                with self.at.branch(Compare("==", rest, Number(0.0))):
                    self._one(slot, record, row)

    def _one(self, slot: int, record: Record, row: Expr) -> None:
        at = self.at
        if isinstance(record.what, str):
            source = at.energy(record.what)
        elif record.what.phase is not None:
            if record.what.phase not in at.ended:
                return
            source = at.latch(record.what.population, record.what.name, record.what.phase)
        else:
            source = at.variable(record.what.population, record.what.name)
        if record.reduce is not None:
            reduced = at.translate(Call(record.reduce, (Load(source),)))
            assert isinstance(reduced, Load)
            source = reduced.buffer
        if not at.readable(source):
            return  # the row stays NaN
        source = at.sampled(source)
        at.need(source)
        at.emit(Store(slot, source, row))
