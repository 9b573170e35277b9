"""Writer: the instructions of a Program as calls on static tensors, appended to tapes.

In a loop that stops by itself and runs several steps between two looks of the host, steps after
the last sample stopped must leave no mark: states keep their values by the mask of their samples,
everything else that outlives a step by a gate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from ...compartments.distributions import DISTRIBUTIONS
from ...graphs.buffer import STEP
from ...graphs.expressions.tree import Expr
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
from .delays import DelayWriter
from .hoisting import Hoister
from .kernels import KernelPrinter, Unprintable
from .layout import LASTING, TensorLayout
from .philox import Generator, counter_words, keys, write_moved
from .products import ProductWriter
from .rows import RowWriter
from .rules import RuleWriter
from .tape import Tape
from .windows import WindowWriter


@dataclass(frozen=True)
class Mode:
    """How tapes are written.

    predicated: branches are masks, not decisions of the host. block: steps between two looks at
    whether samples still run. unroll: whether short loops become straight code. fused: whether a
    Block is one Triton kernel.
    """

    predicated: bool = False
    block: int = 1
    unroll: bool = False
    fused: bool = False


class TapeWriter:
    """Appends instructions to tapes; `until` is the phase whose samples may stop, in its loop."""

    def __init__(self, layout: TensorLayout, mode: Mode):
        self.layout, self.mode = layout, mode
        self.hoist = Hoister(layout)
        self.products = ProductWriter(layout, self.hoist)
        self.windows = WindowWriter(layout, self.products)
        self.rules = RuleWriter(layout, self.hoist)
        self.delays = DelayWriter(layout)
        self.rows = RowWriter(layout)
        self.until: str | None = None

    def write(
        self,
        code: tuple[Instruction, ...],
        tape: Tape,
        gate: Tensor | None = None,
        all_: bool = False,
    ) -> None:
        """Appends instructions; with `gate`, what lasts (or all) changes only where it is true."""
        for instruction in code:
            match instruction:
                case Block(maps=maps, local=local):
                    self._block(maps, local, tape, gate, all_)
                case Map():
                    self._block((instruction,), frozenset(), tape, gate, all_)
                case Reduce():
                    self._reduce(instruction, tape)
                case BatchReduce():
                    self.rules.batch_reduce(instruction, tape)
                case Product():
                    self.products.product(instruction, tape)
                case MatrixProduct():
                    self.products.matrix_product(instruction, tape)
                case Windowed():
                    self.windows.write(instruction, tape)
                case PairwiseSum():
                    self.products.pair(instruction, tape)
                case Spread():
                    self.products.spread(instruction, tape)
                case RowReduce():
                    self.rules.row_reduce(instruction, tape)
                case RankUpdate():
                    self.rules.rank(instruction, tape, gate)
                case MatrixReduce():
                    self.rules.matrix_reduce(instruction, tape)
                case Draw():
                    self._draw(instruction, tape)
                case Branch(condition=condition, body=body):
                    self._branch(condition, body, tape, gate)
                case Store(slot=slot, source=source, row=row):
                    self.rows.store(slot, source, row, tape, self._masks(gate))
                case ReadRow(target=target, source=source, row=row):
                    self.rows.read(target, source, row, tape)
                case Push():
                    self.delays.push(instruction, tape)
                case Recall():
                    self.delays.recall(instruction, tape)
                case Output(source=source, row=row):
                    self.rows.put_out(source, row, tape)
                case Stop(condition=condition):
                    self._stop(condition, tape)
                case _:
                    raise NotImplementedError(
                        f"{self.layout.program.name}: the torch engine has no "
                        f"{type(instruction).__name__}"
                    )

    # --- element by element --------------------------------------------------------------------

    def _block(
        self,
        maps: tuple[Map, ...],
        local: frozenset[str],
        tape: Tape,
        gate: Tensor | None,
        all_: bool,
    ) -> None:
        tensors = self.layout.tensors
        maps = tuple(replace(m, value=self.hoist(m.value)) for m in maps)
        if self.mode.fused and self._fused(maps, local, tape, gate, all_):
            return
        made = self.layout.assembler(tape, tensors[maps[0].target].dtype)  # scalars in float64
        for number, m in enumerate(maps):
            value = made.value(m.value)
            old = made.alias.pop(m.target, None)
            if m.target in local and not m.masked:
                after = {other.target for other in maps[number + 1 :]} - local
                places = {tensors[name].data_ptr() for name in after}
                made.alias[m.target] = made.hold(value, places)
                continue
            if old is not None:
                made.assign(tensors[m.target], old)
            where = self.layout.active if m.masked else self._gated(m.target, gate, all_)
            made.assign(tensors[m.target], value, where)
        made.finish()

    def _fused(
        self,
        maps: tuple[Map, ...],
        local: frozenset[str],
        tape: Tape,
        gate: Tensor | None,
        all_: bool,
    ) -> bool:
        """Writes the Block as one kernel; False where it cannot be."""
        layout = self.layout
        target = layout.tensors[maps[0].target]
        if target.dim() != 3:
            return False
        made = KernelPrinter(
            tuple(target.shape), target.dtype, layout.load, layout.constant, layout.is_scalar
        )
        try:
            for m in maps:
                if m.target in local and not m.masked:
                    made.alias[m.target] = made.value(m.value)
                    continue
                old = made.alias.pop(m.target, None)
                if old is not None:
                    made.assign(layout.tensors[m.target], old)
                where = layout.active if m.masked else self._gated(m.target, gate, all_)
                made.assign(layout.tensors[m.target], m.value, where)
        except Unprintable:
            return False
        made.write(tape)
        return True

    def _gated(self, target: str, gate: Tensor | None, all_: bool) -> Tensor | None:
        if gate is None or all_:
            return gate
        return gate if self.layout.program.buffers[target].kind in LASTING else None

    def _reduce(self, r: Reduce, tape: Tape) -> None:
        layout = self.layout
        made = layout.assembler(tape)
        shape = (layout.replicas, layout.batch, r.size)
        units, lent = made.result(made.value(self.hoist(r.value)), shape)
        target = layout.tensors[r.target]
        if r.op == "max":
            tape.append(partial(torch.amax, units, dim=-1, keepdim=True, out=target))
        elif r.op == "norm":
            squares = layout.pool.take(shape, layout.dtype)
            tape.append(partial(torch.square, units, out=squares))
            tape.append(partial(torch.sum, squares, dim=-1, keepdim=True, out=target))
            tape.append(partial(torch.sqrt, target, out=target))
            layout.pool.give(squares)
        else:
            how = {"sum": torch.sum, "mean": torch.mean}[r.op]
            tape.append(partial(how, units, dim=-1, keepdim=True, out=target))
        if lent:
            layout.pool.give(units)

    # --- chance and choice ---------------------------------------------------------------------

    def _draw(self, d: Draw, tape: Tape) -> None:
        layout, device = self.layout, self.layout.device
        target = layout.tensors[d.target]
        if layout.program.buffers[d.target].shape[0] == "unit":
            units = torch.arange(target.shape[-1], device=device).reshape(1, 1, -1)
            now = torch.zeros((layout.replicas, 1, 1), dtype=torch.float64, device=device)
            made = layout.assembler(tape, torch.float64)
            made.assign(now, made.value(d.step))
            made.finish()
            step = torch.zeros(now.shape, dtype=torch.int64, device=device)
            tape.append(partial(step.copy_, now))
            counters = (units, *counter_words(step, layout.place, tape))
            generator = Generator(tuple(target.shape), counters, device)
            standard = DISTRIBUTIONS[d.kind].standard
            known = keys(layout.seeds, d.name, device)
            if not d.arguments:
                generator.write_standard(standard, tape, known, target)
                return
            raw = torch.zeros(target.shape, dtype=torch.float64, device=device)
            generator.write_standard(standard, tape, known, raw)
        else:
            raw = torch.zeros((layout.replicas, 1, 1), dtype=torch.float64, device=device)
            layout.raw_draws[d] = raw
        arguments = [self._argument(argument, d, tape) for argument in d.arguments]
        write_moved(d.kind, tape, raw, arguments, target)

    def _argument(self, expr: Expr, d: Draw, tape: Tape) -> Tensor:
        """An argument of a distribution in float64, worked out so where it is over scalars."""
        layout = self.layout
        wide = layout.is_scalar(expr)
        shape = (layout.replicas, 1, 1) if wide else tuple(layout.tensors[d.target].shape)
        held = torch.zeros(shape, dtype=torch.float64, device=layout.device)
        made = layout.assembler(tape, torch.float64 if wide else None)
        value, lent = made.result(made.value(expr if wide else self.hoist(expr)), shape)
        tape.append(partial(held.copy_, value))
        if lent:
            layout.pool.give(value)
        return held

    def _branch(
        self, condition: Expr, body: tuple[Instruction, ...], tape: Tape, gate: Tensor | None
    ) -> None:
        layout, device = self.layout, self.layout.device
        made = layout.assembler(tape, torch.float64)
        test = torch.zeros((layout.replicas, 1, 1), dtype=torch.float64, device=device)
        made.assign(test, made.value(self.hoist(condition)))
        made.finish()
        holds = torch.zeros((layout.replicas, 1, 1), dtype=torch.bool, device=device)
        masked = Tape()
        masked.append(partial(torch.ne, test, 0.0, out=holds))
        if gate is not None:
            masked.append(partial(holds.logical_and_, gate))
        self.write(body, masked, holds, all_=True)
        if self.mode.predicated:
            tape += masked
            return
        inside = Tape()
        self.write(body, inside, gate)
        tape.append(partial(_decide, test, inside, masked))

    def _masks(self, gate: Tensor | None) -> list[Tensor]:
        """Which samples and replicas a record takes now; the others keep what they hold."""
        masks = [self.layout.active] if self.until is not None else []
        return masks + ([gate] if gate is not None and gate is not self.layout.running else [])

    def _stop(self, condition: Expr, tape: Tape) -> None:
        assert self.until is not None
        layout, device = self.layout, self.layout.device
        shape = (layout.replicas, layout.batch, 1)
        met = torch.zeros(shape, dtype=torch.bool, device=device)
        now = torch.zeros((layout.replicas, 1, 1), dtype=torch.int64, device=device)
        stopped = layout.stopped[self.until]
        made = layout.assembler(tape)
        test, lent = made.result(made.value(self.hoist(condition)), shape)
        tape.append(partial(torch.ne, test, 0.0, out=met))
        tape.append(partial(met.logical_and_, layout.active))
        tape.append(partial(now.copy_, layout.tensors[STEP]))
        tape.append(partial(now.add_, 1))
        tape.append(partial(torch.where, met, now, stopped, out=stopped))
        tape.append(partial(met.logical_not_))
        tape.append(partial(layout.active.logical_and_, met))
        if lent:
            layout.pool.give(test)


def _decide(test: Tensor, inside: Tape, masked: Tape) -> None:
    """What stands in a branch, where all replicas take it; masked, where only some do."""
    if bool((test != 0).all()):
        inside()
    elif bool((test != 0).any()):
        masked()
