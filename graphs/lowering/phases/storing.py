"""What is stored in the traces, and when."""

from __future__ import annotations

from ...circuit import Held, Phase, Record, Synapse
from ...expressions.tree import Binary, Call, Compare, Expr, Load, Number
from ...instructions import Map, Spread, Store
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
        if isinstance(record.what, Held):
            self._held(slot, record, record.what, row)
            return
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

    def _held(self, slot: int, record: Record, held: Held, row: Expr) -> None:
        """Stores what a synapse holds, as each sample finds it."""
        at, synapse = self.at, self.at.circuit.synapses[held.synapse]
        source = at.trace(synapse, held.part) if held.part else at.weight(synapse)
        source = self._of_pairs(synapse, source)
        if record.reduce is not None:
            source = self._reduced(synapse, source, record.reduce)
        at.need(source)
        at.emit(Store(slot, source, row))

    def _of_pairs(self, synapse: Synapse, source: str) -> str:
        """A number for each connection and sample."""
        at = self.at
        if at.buffers[source].shape[0] != "matrix":
            return at.sampled(source)
        posts, pres = synapse.shape
        key = ("recorded", source)
        name, known = at.temporary(key, "recorded", (source,), "algebraic", "unit", posts * pres)
        if not known:
            at.fix(name, Spread(name, source, "both", (posts, pres)))
        return name

    def _reduced(self, synapse: Synapse, source: str, reduce: str) -> str:
        """The norm or the mean over the connections that there are, a number per sample."""
        at = self.at
        total = at.translate(Call("norm" if reduce == "norm" else "sum", (Load(source),)))
        assert isinstance(total, Load)
        if reduce == "norm":
            return total.buffer
        only = at.connections(synapse)
        count: Expr = Number(
            float(synapse.shape[0] * synapse.connection.connections(synapse.shape[-1]))
        )
        if only is not None:
            there = at.translate(Call("sum", (Load(self._of_pairs(synapse, only)),)))
            count = Call("max", (there, Number(1.0)))
        name, known = at.temporary(("mean of", source), "mean", (source,), "algebraic", "sample")
        if not known:
            at.fix(name, Map(name, Binary("/", total, count)))
        return name
