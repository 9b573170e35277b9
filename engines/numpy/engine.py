"""The numpy engine: walks the table, one array operation at a time. Slow, obvious, the referee."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...compartments.distributions import DISTRIBUTIONS
from ...graphs.buffer import CLOCK, SLOT, STEP
from ...graphs.expressions.tree import Expr, Load
from ...graphs.instructions import (
    BatchReduce,
    Block,
    Branch,
    Draw,
    Instruction,
    Map,
    MatrixProduct,
    MatrixReduce,
    Output,
    PairwiseSum,
    Product,
    Push,
    RankUpdate,
    ReadRow,
    Recall,
    Reduce,
    RowReduce,
    Spread,
    Stop,
    Store,
    Windowed,
)
from ...graphs.program import PERSISTENT, PhaseProgram, Program, StepLoop
from .. import philox
from ..arithmetic import value
from ..host_draws import moved, shared_draw
from ..host_memory import HostMemory
from ..presentation import Arrays, Failure, Presentations, row_map
from . import windows
from .delays import filled, pushed, recalled
from .matrices import pairwise, product, ranked, side, spread
from .reductions import REDUCE, of_connections


class NumpyExecutable(HostMemory):
    """A Program that numpy walks. All replicas and samples advance together.

    `check_steps`: whether to look after every step, and at what was learnt, too.
    """

    def __init__(self, program: Program, dtype: np.dtype, check_steps: bool = False):
        super().__init__(program, dtype)
        self.check_steps = check_steps
        self.finite = (*program.finite, *program.learnt) if check_steps else program.finite
        self.rows = [row_map(program, slot) for slot in range(len(program.slots))]

    def run(self, memory: Arrays, work: Presentations, start: int, stop: int) -> Failure | None:
        """Presents batches `start` to `stop`."""
        with np.errstate(all="ignore"):
            for number in range(start, stop):
                failure = Walk(self, memory, work, number).run()
                if failure is not None:
                    return failure
        return None


class Walk:
    """One presentation of one batch."""

    def __init__(self, parent: NumpyExecutable, memory: Arrays, work: Presentations, number: int):
        self.parent, self.memory, self.work, self.number = parent, memory, work, number
        self.program = parent.program
        self.order = work.order[:, number]
        self.replicas, self.batch = self.order.shape
        self.active = np.ones((self.replicas, self.batch, 1), dtype=bool)
        self.arrays: Arrays = {}
        self._prepare()

    def _prepare(self) -> None:
        work, dtype = self.work, self.parent.dtype
        for name, buffer in self.program.buffers.items():
            if buffer.kind == "stream":
                self.arrays[name] = work.streams[buffer.owner][self.order].astype(dtype, copy=False)
            elif buffer.kind == "signal":
                continue  # stays where it is; `ReadRow` copies a row
            elif name in self.program.assigned:
                self.arrays[name] = self.memory[name].copy()
            elif name in self.program.traces and not work.carry:
                self.arrays[name] = np.zeros_like(self.memory[name])
            elif buffer.kind in PERSISTENT or buffer.kind == "parameter" or self._carried(name):
                self.arrays[name] = self.memory[name]
            else:
                wide = np.float64 if buffer.shape[0] == "scalar" else dtype
                self.arrays[name] = np.zeros(buffer.axes(self.replicas, self.batch), wide)
        starts = [work.starts(self.number, replica) for replica in range(self.replicas)]
        for name in starts[0]:
            self.arrays[name] = np.stack([own[name] for own in starts]).astype(dtype)
        for name, count in work.counters(self.number).items():
            if name in self.arrays:
                self.arrays[name] = np.full((self.replicas, 1, 1), float(count))

    def _carried(self, name: str) -> bool:
        """Whether a state, or the clock, goes on where the last presentation left it."""
        if not self.work.carry or name not in self.memory:
            return False
        if name in CLOCK:
            return True
        state = self.program.buffers[name].kind == "state"
        return state and self.memory[name].shape[:2] == self.order.shape

    def run(self) -> Failure | None:
        """All its phases."""
        for phase in self.program.phases:
            failure = self._phase(phase)
            if failure is not None:
                return failure
        for name, buffer in self.program.buffers.items():
            if buffer.kind == "state" or buffer.kind in PERSISTENT or name in CLOCK:
                self.memory[name] = self.arrays[name]
        return None

    def _phase(self, phase: PhaseProgram) -> Failure | None:
        self._do(phase.enter)
        if phase.loop is not None:
            self.active[:] = True
            for step in range(phase.loop.steps):
                self._count(step)
                self.stopping = (phase.name, step)
                self._step(phase.loop)
                if self.parent.check_steps and not self._finite():
                    return self._failed(phase, step + 1)
                if not self.active.any():
                    break
            self.active[:] = True
            for step in range(phase.loop.steps if phase.loop.again else 0):
                self._count(step)
                self._do(phase.loop.again)
            self._count(phase.loop.steps - 1)
        if not self._finite():
            return self._failed(phase, None)
        self._do(phase.leave)
        if self.parent.check_steps and not self._finite():
            return self._failed(phase, None)
        return None

    def _count(self, step: int) -> None:
        self.arrays[STEP] = np.full((self.replicas, 1, 1), float(step))

    def _step(self, loop: StepLoop) -> None:
        """One step; a replica whose samples have all stopped stays as it is, but for the clock."""
        running = self.active.any(axis=1, keepdims=True)
        written = set() if running.all() else set().union(*(i.writes for i in loop.body))
        buffers = self.program.buffers
        held = {n: self.arrays[n] for n in written if buffers[n].kind != "counter"}
        self._do(loop.body)
        for name, old in held.items():
            self.arrays[name] = np.where(running, self.arrays[name], old)

    def _finite(self) -> bool:
        return all(np.isfinite(self.arrays[name]).all() for name in self.parent.finite)

    def _failed(self, phase: PhaseProgram, step: int | None) -> Failure:
        bad = [~np.isfinite(self.arrays[n]).all(axis=(1, 2)) for n in self.parent.finite]
        replica = int(np.argmax(np.any(bad, axis=0)))
        for name in self.parent.finite:
            self.memory[name] = self.arrays[name]
        return Failure(replica, self.number, phase.name, step)

    # --- instructions --------------------------------------------------------------------------

    def _load(self, node: Load) -> np.ndarray:
        array = self.arrays[node.buffer]
        if node.axis == "post":
            return array.reshape(self.replicas, -1, 1)
        return array

    def _value(self, expr: Expr) -> Any:
        return value(expr, self._load)

    def _do(self, code: tuple[Instruction, ...]) -> None:
        for instruction in code:
            self._perform(instruction)

    def _perform(self, instruction: Instruction) -> None:
        match instruction:
            case Block(maps=maps):
                for m in maps:
                    self._map(m)
            case Map():
                self._map(instruction)
            case Reduce(target=target, op=op, value=expr, size=size):
                units = np.broadcast_to(self._value(expr), (self.replicas, self.batch, size))
                self.arrays[target] = REDUCE[op](units, axis=-1, keepdims=True)
            case BatchReduce(target=target, value=expr, average=average):
                shape, size = self.arrays[target].shape, self.program.buffers[target].size
                units = np.broadcast_to(self._value(expr), (self.replicas, self.batch, size))
                reduced = (np.mean if average else np.sum)(units, axis=1)
                self.arrays[target] = reduced.reshape(shape).astype(self.parent.dtype)
            case Product():
                self.arrays[instruction.target] = product(instruction, self.arrays)
            case MatrixProduct(target=target, left=left, right=right, inner=inner):
                rows, columns = self.arrays[target].shape[1:]
                first = side(left, self.arrays, rows, inner)
                self.arrays[target] = first @ side(right, self.arrays, inner, columns)
            case Windowed():
                windows.perform(instruction, self.arrays, self.batch)
            case PairwiseSum():
                found = pairwise(instruction, self.arrays, self.program.buffers, self.order)
                self.arrays[instruction.target] = found.astype(self.parent.dtype)
            case Spread():
                source = self.arrays[instruction.source]
                self.arrays[instruction.target] = spread(instruction, source, self.order)
            case RowReduce():
                self._row_reduce(instruction)
            case RankUpdate():
                new = ranked(instruction, self.arrays, self._value, self.batch)
                self.arrays[instruction.target] = new
            case MatrixReduce(target=target, value=expr):
                mean = np.mean(self._value(expr), axis=(1, 2), keepdims=True)
                self.arrays[target] = mean.astype(np.float64)
            case Draw():
                self._draw(instruction)
            case Branch(condition=condition, body=body):
                self._branch(condition, body)
            case Store(slot=slot, source=source, row=row):
                self._store(slot, source, int(np.ravel(self._value(row))[0]))
            case ReadRow(target=target, source=source, row=row):
                self._read_row(target, source, row)
            case Push():
                self._push(instruction)
            case Recall(target=target, line=line, head=head, back=back):
                units = self.program.buffers[target].size
                self.arrays[target] = recalled(self.arrays[line], self.arrays[head], back, units)
            case Output(source=source, row=row):
                self._put_out(source, row)
            case Stop(condition=condition):
                self._stop(condition)

    def _whole(self, expr: Expr) -> np.ndarray:
        """A whole number for each replica."""
        return np.broadcast_to(self._value(expr), (self.replicas, 1, 1)).astype(np.int64)[:, 0, 0]

    def _read_row(self, target: str, source: str, row: Expr) -> None:
        rows = self.work.streams[self.program.buffers[source].owner]
        number = np.clip(self._whole(row), 0, rows.shape[1] - 1)
        read = rows[self.order % len(rows), number[:, None]]
        self.arrays[target] = read.astype(self.parent.dtype, copy=False)

    def _push(self, p: Push) -> None:
        line, head, source = (self.arrays[n] for n in (p.line, p.head, p.source))
        if p.first:
            self.arrays[p.line], self.arrays[p.head] = filled(line, head, source)
            return
        running = self.active if p.masked else np.ones_like(self.active)
        self.arrays[p.line] = pushed(line, head, source, running)

    def _put_out(self, source: str, row: Expr | None) -> None:
        assert self.work.output is not None
        output, values = self.work.output[:, self.number], self.arrays[source].swapaxes(1, 2)
        if row is None:
            output[...] = values
        else:
            output[np.arange(self.replicas), self._whole(row)] = values

    def _map(self, m: Map) -> None:
        old = self.arrays[m.target]
        new = np.broadcast_to(
            self._value(m.value), np.broadcast_shapes(old.shape, np.shape(self._value(m.value)))
        )
        if m.masked:
            new = np.where(self.active, new, old)
        self.arrays[m.target] = np.array(new, dtype=old.dtype)

    def _row_reduce(self, r: RowReduce) -> None:
        values = np.broadcast_to(self._value(r.value), (self.replicas, *r.shape))
        values = of_connections(values, r, self.arrays[r.only] if r.only else None)
        reduced = REDUCE[r.op](values, axis=-1)
        self.arrays[r.target] = reduced[:, None].astype(self.parent.dtype)

    def _branch(self, condition: Expr, body: tuple[Instruction, ...]) -> None:
        """The body, in the replicas where the condition holds."""
        holds = np.broadcast_to(self._value(condition) != 0, (self.replicas, 1, 1))
        if not holds.any():
            return
        written = set().union(set(), *(i.writes for i in body))
        before = {name: self.arrays[name].copy() for name in written if not holds.all()}
        self._do(body)
        for name, old in before.items():
            self.arrays[name] = np.where(holds, self.arrays[name], old)

    def _draw(self, d: Draw) -> None:
        first, target = self.arrays[SLOT], self.program.buffers[d.target]
        step = self._value(d.step)
        if target.shape[0] == "scalar":
            number = shared_draw(d.kind, d.name, self.work.seeds, step.flat[0], first.flat[0])
            arguments = [self._value(a) for a in d.arguments]
            self.arrays[d.target] = moved(d.kind, number[:, None, None], arguments)
            return
        slots = np.uint64(first.flat[0]) + np.arange(self.batch, dtype=np.uint64)[:, None]
        units = np.arange(target.size, dtype=np.uint64)
        words = philox.counter(units, np.uint64(step.flat[0]), slots)
        standard = getattr(philox, DISTRIBUTIONS[d.kind].standard)
        drawn = np.stack([standard(seed, d.name, *words) for seed in self.work.seeds])
        arguments = [self._value(a) for a in d.arguments]
        self.arrays[d.target] = moved(d.kind, drawn, arguments).astype(self.parent.dtype)

    def _store(self, slot: int, source: str, row: int) -> None:
        place = self.parent.rows[slot][row]
        if place < 0:
            return
        values = np.where(self.active, self.arrays[source], np.nan)
        self.work.records[slot][:, self.number, place] = values.swapaxes(1, 2)

    def _stop(self, condition: Expr) -> None:
        met = np.broadcast_to(self._value(condition) != 0, self.active.shape) & self.active
        phase, step = self.stopping
        stopped = self.work.stopped[phase][:, self.number]
        stopped[met[..., 0]] = step + 1
        self.active &= ~met
