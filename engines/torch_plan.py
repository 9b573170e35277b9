"""Plan: a Program laid out for one number of replicas and samples: static tensors and tapes.

The tapes are straight-line code over tensors that never move. `Section`s say what runs in which
order: a tape once, a tape a fixed number of times, a tape until no sample runs, a check for numbers
that are not finite. In a loop that stops by itself and runs `block` steps between two looks, steps
after the last sample stopped must leave no mark: states keep their values by the mask of their
samples, everything else that outlives a step by the mask `running`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from ..graphs.expression import Expr, Load, Number, Transmitted, Weight, transform, walk
from ..graphs.fusion import exposed
from ..graphs.program import (
    BatchReduce,
    Block,
    Branch,
    Buffer,
    Draw,
    Instruction,
    Loop,
    Map,
    MatrixReduce,
    Output,
    Pair,
    Product,
    Program,
    Rank,
    Reduce,
    Stop,
    Store,
    Term,
    flat,
    reads,
    writes,
)
from . import philox
from .arithmetic import value as value_of
from .presentation import Presentations, row_map
from .torch_elementwise import Assembler, Pool, Tape, Tensor
from .torch_kernels import KernelPrinter, Unprintable
from .torch_parallel import ALONE, Team
from .torch_philox import Generator, keys

SHARED = ("slow", "weight", "trace", "optimizer", "parameter")
LASTING = (*SHARED, "state", "counter")
UNROLLED = 6000  # calls that a straight tape may have


@dataclass
class Section:
    """`kind`: "straight", "repeat" and "until" (at most `times` times), or "check"."""

    kind: str
    tape: Tape = field(default_factory=Tape)
    times: int = 1
    phase: int = 0
    call: Any = None


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


class Plan:
    """Static tensors and sections of a Program for `replicas` and `batch`."""

    def __init__(
        self,
        program: Program,
        shared: dict[str, Tensor],
        seeds: tuple[int, ...],
        batch: int,
        dtype: torch.dtype,
        device: torch.device,
        mode: Mode,
        team: Team = ALONE,
    ):
        self.program, self.shared, self.seeds, self.batch = program, shared, seeds, batch
        self.replicas = len(seeds)
        self.dtype, self.device, self.mode, self.team = dtype, device, mode, team
        self.pool = Pool(device)
        self.tensors: dict[str, Tensor] = dict(shared)
        for name, buffer in program.buffers.items():
            if name not in self.tensors:
                self.tensors[name] = self._new(buffer)
        lead = (self.replicas, batch, 1)
        self.active = torch.ones(lead, dtype=torch.bool, device=device)
        self.running = torch.ones((1, 1, 1), dtype=torch.bool, device=device)
        self.index = torch.zeros((self.replicas * batch,), dtype=torch.int64, device=device)
        self.samples = torch.arange(batch, device=device).reshape(1, batch, 1) + team.rank * batch
        self.place = torch.zeros((1, batch, 1), dtype=torch.int64, device=device)
        self.stopped = {
            p.name: torch.full(lead, -1, dtype=torch.int64, device=device)
            for p in program.phases
            if p.loop and p.loop.stops
        }
        self.output = None
        self.records: list[Tensor] = []
        self.row_maps: list[Tensor] = []
        for number, slot in enumerate(program.slots):
            size = int(slot.shape[1]) if slot.shape[0] == "unit" else 1
            rows = row_map(program, number)
            rows = np.where(rows < 0, len(slot.rows), rows)
            spare = np.full(4 * mode.block + 4, len(slot.rows))  # warming up runs past the end
            rows = np.concatenate([rows, spare])
            shape = (self.replicas, len(slot.rows) + 1, batch, size)
            self.records.append(torch.zeros(shape, dtype=dtype, device=device))
            self.row_maps.append(torch.tensor(rows, device=device))
        self.raw_draws: dict[str, Tensor] = {}
        self.drawn: dict[str, Tensor] = {}
        self.constants: dict[tuple[Expr, torch.dtype], Tensor] = {}
        self.health = torch.zeros((len(program.phases),), dtype=dtype, device=device)
        self._written = self._all_written()
        self._set = [
            n for n in self._written if n[0] == "$" and program.buffers[n].shape[0] == "scalar"
        ]
        self._given = {n: self.tensors[n].clone() for n in self._set}
        self._hoisted: dict[Expr, str] = {}
        self._moving: set[str] | None = None
        self._prologue = Tape()
        self._until: str | None = None
        self.sections = self._sections()

    # --- tensors -------------------------------------------------------------------------------

    def _new(self, buffer: Buffer) -> Tensor:
        r, b, kind = self.replicas, self.batch, str(buffer.shape[0])
        dtype = torch.float64 if kind == "scalar" else self.dtype
        lead = {"unit": (r, b), "sample": (r, b), "row": (r, 1), "scalar": (r, 1)}
        shape = (*lead[kind], buffer.size) if kind in lead else (r, *map(int, buffer.shape[1:]))
        return torch.zeros(shape, dtype=dtype, device=self.device)

    def _all_written(self) -> set[str]:
        found: set[str] = set()
        for phase in self.program.phases:
            for instruction in phase.instructions:
                found |= writes(instruction)
        return found

    def _load(self, node: Load) -> Tensor:
        tensor = self.tensors[node.buffer]
        return tensor.reshape(self.replicas, -1, 1) if node.axis == "post" else tensor

    def _is_scalar(self, expr: Expr) -> bool:
        for node in walk(expr):
            if isinstance(node, Load):
                if self.tensors[node.buffer].dtype != torch.float64 or node.axis:
                    return False
                if self.tensors[node.buffer].shape != (self.replicas, 1, 1):
                    return False
                buffer = self.program.buffers.get(node.buffer)
                if buffer is not None and buffer.shape[0] != "scalar":
                    return False
            elif isinstance(node, Weight | Transmitted):
                return False
        return True

    def _constant(self, expr: Expr, dtype: torch.dtype) -> Tensor | None:
        """A scalar of parameters that the Program never sets: computed when they change."""
        loads = [n.buffer for n in walk(expr) if isinstance(n, Load)]
        if not loads or any(n[0] != "$" or n in self._written for n in loads):
            return None
        if not self._is_scalar(expr):
            return None
        key = (expr, dtype)
        if key not in self.constants:
            shape = (self.replicas, 1, 1)
            self.constants[key] = torch.zeros(shape, dtype=dtype, device=self.device)
        return self.constants[key]

    def refresh(self, parameters: Mapping[str, np.ndarray]) -> None:
        """Puts new parameter values into what depends on them alone."""
        with np.errstate(all="ignore"):
            for (expr, _), tensor in self.constants.items():
                number = value_of(expr, lambda node: parameters[node.buffer])
                full = np.broadcast_to(np.asarray(number, dtype=np.float64), tuple(tensor.shape))
                tensor.copy_(torch.from_numpy(np.array(full)))

    def _assembler(
        self, tape: Tape, dtype: torch.dtype | None = None, leaf: Any = None
    ) -> Assembler:
        made = Assembler(tape, self.pool, dtype or self.dtype, self._load)
        made.constant, made.scalar, made.leaf = self._constant, self._is_scalar, leaf
        return made

    # --- sections ------------------------------------------------------------------------------

    def _sections(self) -> list[Section]:
        found: list[Section] = []
        straight = Tape()
        for name in self._set:
            straight.append(partial(self.tensors[name].copy_, self._given[name]))
        for number, phase in enumerate(self.program.phases):
            self._write(phase.enter, straight)
            if phase.loop is not None:
                straight = self._loop(phase.name, phase.loop, straight, found)
            if self.mode.predicated:
                self._check(number, straight)
            else:
                found += [Section("straight", straight), Section("check", phase=number)]
                straight = Tape()
            self._write(phase.leave, straight)
        found.append(Section("straight", straight))
        return [s for s in found if s.kind != "straight" or s.tape]

    def _loop(self, phase: str, loop: Loop, straight: Tape, found: list[Section]) -> Tape:
        step = self.tensors["#step"]
        code, idle = _parted(loop)
        counts = loop.stops or any("#step" in reads(i) for i in code)
        body, self._prologue = Tape(), straight
        self._hoisted = {}
        self._moving = set().union(*(writes(i) for i in flat(loop.body))) | {"#step", "#t"}
        self._until = phase if loop.stops else None
        learns = any(isinstance(i, Rank | BatchReduce) for i in flat(loop.body))
        if loop.stops and learns and self.team.size > 1:
            raise NotImplementedError(
                f"phase {phase!r} learns at every step and stops by itself: its processes would "
                f"stop at different steps; run it in one process"
            )
        late = self.mode.block > 1 or self.mode.predicated
        gate = self.running if loop.stops and late else None
        if counts:
            body.append(partial(step.add_, 1.0 if gate is None else gate))
        self._write(code, body, gate)
        self._moving = self._until = None
        straight.append(partial(step.fill_, -1.0))
        if loop.stops:
            straight += [partial(self.active.fill_, True), partial(self.running.fill_, True)]
            straight.append(partial(self.stopped[phase].fill_, -1))
            axes = (0, 1, 2)
            body.append(partial(torch.amax, self.active, dim=axes, keepdim=True, out=self.running))
            found += [Section("straight", straight), Section("until", body, loop.steps)]
            return Tape([partial(self.active.fill_, True)])
        if self.mode.unroll and len(straight) + loop.steps * len(body) <= UNROLLED:
            for _ in range(loop.steps):
                straight += body
        else:
            found += [Section("straight", straight), Section("repeat", body, loop.steps)]
            straight = Tape()
        straight.append(partial(step.fill_, loop.steps - 1.0))
        self._write(idle, straight)
        return straight

    def _check(self, phase: int, tape: Tape) -> None:
        """health[phase] is NaN where a state is not finite."""
        total = self.pool.take((), self.dtype)
        tape.append(partial(self.health[phase].zero_))
        for name in self.program.finite:
            state = self.tensors[name]
            scratch = self.pool.take(tuple(state.shape), state.dtype)
            tape.append(partial(torch.mul, state, 0.0, out=scratch))
            tape.append(partial(torch.sum, scratch, dim=(0, 1, 2), out=total))
            tape.append(partial(self.health[phase].add_, total))
            self.pool.give(scratch)
        self.pool.give(total)

    # --- instructions --------------------------------------------------------------------------

    def _write(
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
                    self._batch_reduce(instruction, tape)
                case Product():
                    self._product(instruction, tape)
                case Pair():
                    self._pair(instruction, tape)
                case Rank():
                    self._rank(instruction, tape, gate)
                case MatrixReduce():
                    self._matrix_reduce(instruction, tape)
                case Draw():
                    self._draw(instruction, tape)
                case Branch(condition=condition, body=body):
                    self._branch(condition, body, tape, gate)
                case Store(slot=slot, source=source, row=row):
                    self._store(slot, source, row, tape, gate)
                case Output(source=source):
                    shape = self.tensors[source].shape
                    self.output = torch.zeros(shape, dtype=self.dtype, device=self.device)
                    tape.append(partial(self.output.copy_, self.tensors[source]))
                case Stop(condition=condition):
                    self._stop(condition, tape)
                case _:
                    raise NotImplementedError(
                        f"{self.program.name}: the torch engine has no {type(instruction).__name__}"
                    )

    def _hoist(self, expr: Expr, also: frozenset[str] | set[str] = frozenset()) -> Expr:
        """Parts that a loop does not change are computed before it and read from a buffer."""
        moving = self._moving
        if moving is None:
            return expr

        def fixed(node: Expr) -> Expr | None:
            if isinstance(node, Load | Number):
                return node
            loads = set()
            for n in walk(node):
                if isinstance(n, Load):
                    loads.add(n.buffer)
                elif isinstance(n, Weight | Transmitted):
                    return None
            if (
                not loads
                or loads & moving
                or loads & also
                or self._constant(node, self.dtype) is not None
            ):
                return None
            if node not in self._hoisted:
                dtype = torch.float64 if self._is_scalar(node) else self.dtype
                assembler = self._assembler(self._prologue, dtype)
                value = assembler.value(node)
                if isinstance(value, float):
                    return Number(value)
                name = f"%{len(self.tensors)}"
                shape = assembler.nodes[value].shape
                self.tensors[name] = torch.zeros(shape, dtype=dtype, device=self.device)
                assembler.assign(self.tensors[name], value)
                assembler.finish()
                self._hoisted[node] = name
            return Load(self._hoisted[node])

        return transform(expr, fixed)

    def _block(
        self,
        maps: tuple[Map, ...],
        local: frozenset[str],
        tape: Tape,
        gate: Tensor | None,
        all_: bool,
    ) -> None:
        wide = self.tensors[maps[0].target].dtype
        maps = tuple(replace(m, value=self._hoist(m.value)) for m in maps)
        if self.mode.fused and self._fused(maps, local, tape, gate, all_):
            return
        made = self._assembler(tape, wide)
        for number, m in enumerate(maps):
            value = made.value(m.value)
            old = made.alias.pop(m.target, None)
            if m.target in local and not m.masked:
                after = {other.target for other in maps[number + 1 :]} - local
                places = {self.tensors[name].data_ptr() for name in after}
                made.alias[m.target] = made.hold(value, places)
                continue
            if old is not None:
                made.assign(self.tensors[m.target], old)
            where = self.active if m.masked else self._gated(m.target, gate, all_)
            made.assign(self.tensors[m.target], value, where)
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
        target = self.tensors[maps[0].target]
        if target.dim() != 3:
            return False
        made = KernelPrinter(
            tuple(target.shape), target.dtype, self._load, self._constant, self._is_scalar
        )
        try:
            for m in maps:
                if m.target in local and not m.masked:
                    made.alias[m.target] = made.value(m.value)
                    continue
                old = made.alias.pop(m.target, None)
                if old is not None:
                    made.assign(self.tensors[m.target], old)
                where = self.active if m.masked else self._gated(m.target, gate, all_)
                made.assign(self.tensors[m.target], m.value, where)
        except Unprintable:
            return False
        made.write(tape)
        return True

    def _gated(self, target: str, gate: Tensor | None, all_: bool) -> Tensor | None:
        if gate is None or all_:
            return gate
        return gate if self.program.buffers[target].kind in LASTING else None

    def _reduce(self, r: Reduce, tape: Tape) -> None:
        made = self._assembler(tape)
        shape = (self.replicas, self.batch, r.size)
        units, lent = made.result(made.value(self._hoist(r.value)), shape)
        target = self.tensors[r.target]
        if r.op == "max":
            tape.append(partial(torch.amax, units, dim=-1, keepdim=True, out=target))
        elif r.op == "norm":
            squares = self.pool.take(shape, self.dtype)
            tape.append(partial(torch.square, units, out=squares))
            tape.append(partial(torch.sum, squares, dim=-1, keepdim=True, out=target))
            tape.append(partial(torch.sqrt, target, out=target))
            self.pool.give(squares)
        else:
            how = {"sum": torch.sum, "mean": torch.mean}[r.op]
            tape.append(partial(how, units, dim=-1, keepdim=True, out=target))
        if lent:
            self.pool.give(units)

    def _batch_reduce(self, r: BatchReduce, tape: Tape) -> None:
        made = self._assembler(tape)
        target = self.tensors[r.target]
        shape = (self.replicas, self.batch, target.shape[-1])
        units, lent = made.result(made.value(self._hoist(r.value)), shape)
        how = torch.mean if r.average else torch.sum
        tape.append(partial(how, units, dim=1, keepdim=True, out=target))
        self.team.add_up(target, tape)
        if r.average and self.team.size > 1:
            tape.append(partial(target.mul_, 1.0 / self.team.size))
        if lent:
            self.pool.give(units)

    def _matrix_reduce(self, r: MatrixReduce, tape: Tape) -> None:
        made = self._assembler(tape)
        value = made.value(self._hoist(r.value))
        target = self.tensors[r.target]
        if isinstance(value, float):
            tape.append(partial(target.fill_, value))
            return
        matrix, lent = made.result(value, made.nodes[value].shape)
        tape.append(
            partial(torch.mean, matrix, dim=(1, 2), keepdim=True, dtype=torch.float64, out=target)
        )
        if lent:
            self.pool.give(matrix)

    def _product(self, p: Product, tape: Tape) -> None:
        weight, source, target = (self.tensors[n] for n in (p.weight, p.source, p.target))
        if p.bias and not p.transposed:
            right = weight[:, :, :-1].transpose(1, 2)
            row = weight[:, None, :, -1]
            tape.append(partial(torch.baddbmm, row, source, right, out=target))
            return
        right = weight[:, :, : target.shape[-1]] if p.transposed else weight.transpose(1, 2)
        tape.append(partial(torch.bmm, source, right, out=target))

    def _pair(self, p: Pair, tape: Tape) -> None:
        weight = self.tensors[p.weight]
        weight = weight.transpose(1, 2) if p.transposed else weight

        def leaf(node: Expr) -> Tensor:
            if isinstance(node, Weight):
                return weight[:, None]
            return self.tensors[p.source][:, :, None, :]

        made = self._assembler(tape, leaf=leaf)
        made.load = lambda node: self.tensors[node.buffer][..., None]
        made.constant = lambda expr, dtype: None
        shape = (self.replicas, self.batch, weight.shape[1], weight.shape[2])
        pairs, lent = made.result(made.value(p.value), shape)
        tape.append(partial(torch.sum, pairs, dim=-1, out=self.tensors[p.target]))
        if lent:
            self.pool.give(pairs)

    def _rank(self, r: Rank, tape: Tape, gate: Tensor | None) -> None:
        target = self.tensors[r.target]
        new = target if gate is None else self.pool.take(tuple(target.shape), target.dtype)
        if r.base is None or r.base == Load(r.target):
            if new is not target:
                tape.append(partial(new.copy_, target))
        else:
            made = self._assembler(tape)
            made.assign(new, made.value(self._hoist(r.base)))
            made.finish()
        scale = 1.0 / (self.batch * self.team.size) if r.average else 1.0
        apart = bool(r.terms) and self.team.size > 1
        total = self.pool.take(tuple(target.shape), target.dtype) if apart else new
        if apart:
            tape.append(partial(total.zero_))
        for term in r.terms:
            self._term(term, scale, total, r.bias, tape)
        if apart:
            self.team.add_up(total, tape)
            tape.append(partial(new.add_, total))
            self.pool.give(total)
        if r.off_diagonal:
            tape.append(partial(new.diagonal(dim1=-2, dim2=-1).zero_))
        if gate is not None:
            tape.append(partial(torch.where, gate, new, target, out=target))
            self.pool.give(new)

    def _term(self, term: Term, scale: float, new: Tensor, bias: bool, tape: Tape) -> None:
        """New += coefficient * scale * sum over samples of post (x) pre."""
        left, right = self.tensors[term.post], self.tensors[term.pre]
        made = self._assembler(tape)
        gain = made.value(self._hoist(term.coefficient))
        lent: list[Tensor] = []

        def scratch(*shape: int) -> Tensor:
            lent.append(self.pool.take(shape, self.dtype))
            return lent[-1]

        alpha, scaled = scale, left
        if isinstance(gain, float):
            alpha = gain * scale
        else:
            scaled = scratch(*left.shape)
            made.assign(scaled, made._node("mul", made.tensor(left), gain))
            made.finish()
        if term.scale is not None:
            weighted = scratch(*right.shape)
            tape.append(partial(torch.mul, right, self.tensors[term.scale], out=weighted))
            right = weighted
        part = new[:, :, : right.shape[-1]]
        if term.symmetric:
            product, total = scratch(*part.shape), scratch(*part.shape)
            tape.append(partial(torch.bmm, scaled.transpose(1, 2), right, out=product))
            tape.append(partial(torch.add, product, product.transpose(1, 2), out=total))
            tape.append(partial(part.add_, total, alpha=alpha / 2))
        else:
            tape.append(partial(part.baddbmm_, scaled.transpose(1, 2), right, alpha=alpha))
        if bias:
            sums = scratch(left.shape[0], left.shape[2])
            tape.append(partial(torch.sum, scaled, dim=1, out=sums))
            tape.append(partial(new[:, :, -1].add_, sums, alpha=alpha))
        for tensor in lent:
            self.pool.give(tensor)

    def _draw(self, d: Draw, tape: Tape) -> None:
        target = self.tensors[d.target]
        if self.program.buffers[d.target].shape[0] == "unit":
            units = torch.arange(target.shape[-1], device=self.device).reshape(1, 1, -1)
            step = torch.zeros((1, 1, 1), dtype=torch.int64, device=self.device)
            tape.append(partial(step.copy_, self.tensors["#step"][:1]))
            zero = torch.zeros((1, 1, 1), dtype=torch.int64, device=self.device)
            counters = (units, step, self.place, zero)
            generator = Generator(tuple(target.shape), counters, self.device)
            generator.write_normal(tape, keys(self.seeds, d.name, self.device), target)
            return
        raw = torch.zeros((self.replicas, 1, 1), dtype=torch.float64, device=self.device)
        self.raw_draws[f"{d.kind} {d.name}"] = raw
        made = self._assembler(tape, torch.float64)
        if d.kind == "random_sign" or not d.arguments:
            made.assign(target, made.tensor(raw))
        else:
            first, second = (made.value(a) for a in d.arguments)
            width = made._two("sub", second, first) if d.kind == "uniform" else second
            made.assign(target, made._two("add", made._two("mul", width, made.tensor(raw)), first))
        made.finish()

    def prepare_draws(self, first: int, count: int) -> None:
        """The scalar draws of `count` presentations, from the counters of the host."""
        self.drawn = {}
        numbers = np.arange(first, first + count)
        for key in self.raw_draws:
            kind, name = key.split(" ", 1)
            how = {"random_sign": philox.random_sign, "uniform": philox.uniform}
            draw = how.get(kind, philox.normal)
            table = np.stack([draw(seed, name, 0, 0, numbers) for seed in self.seeds])
            self.drawn[key] = torch.from_numpy(table).to(self.device)

    def _branch(
        self, condition: Expr, body: tuple[Instruction, ...], tape: Tape, gate: Tensor | None
    ) -> None:
        made = self._assembler(tape, torch.float64)
        test = torch.zeros((self.replicas, 1, 1), dtype=torch.float64, device=self.device)
        made.assign(test, made.value(self._hoist(condition)))
        made.finish()
        holds = torch.zeros((1, 1, 1), dtype=torch.bool, device=self.device)
        if not self.mode.predicated:
            inside = Tape()
            self._write(body, inside, gate)
            tape.append(partial(_decide, test, inside))
            return
        least = torch.zeros((1, 1, 1), dtype=torch.float64, device=self.device)
        tape.append(partial(torch.ne, test, 0.0, out=test))
        tape.append(partial(torch.amin, test, dim=(0, 1, 2), keepdim=True, out=least))
        tape.append(partial(torch.ne, least, 0.0, out=holds))
        if gate is not None:
            tape.append(partial(holds.logical_and_, gate))
        self._write(body, tape, holds, all_=True)

    def _store(self, slot: int, source: str, row: Expr, tape: Tape, gate: Tensor | None) -> None:
        number = torch.zeros((self.replicas, 1, 1), dtype=torch.float64, device=self.device)
        made = self._assembler(tape, torch.float64)
        made.assign(number, made.value(row))
        made.finish()
        whole = torch.zeros((1,), dtype=torch.int64, device=self.device)
        place = torch.zeros((1,), dtype=torch.int64, device=self.device)
        tape.append(partial(whole.copy_, number[0, 0]))
        tape.append(partial(torch.index_select, self.row_maps[slot], 0, whole, out=place))
        record, values = self.records[slot], self.tensors[source]
        masks = [self.active] if self._until is not None else []
        masks += [gate] if gate is not None and gate is not self.running else []
        if masks:
            shape = tuple(values.shape)
            old, new = self.pool.take(shape, self.dtype), self.pool.take(shape, self.dtype)
            tape.append(partial(torch.index_select, record, 1, place, out=old[:, None]))
            for mask in masks:
                tape.append(partial(torch.where, mask, values, old, out=new))
                values = new
            self.pool.give(old)
            self.pool.give(new)
        tape.append(partial(record.index_copy_, 1, place, values[:, None]))

    def _stop(self, condition: Expr, tape: Tape) -> None:
        assert self._until is not None
        shape = (self.replicas, self.batch, 1)
        met = torch.zeros(shape, dtype=torch.bool, device=self.device)
        now = torch.zeros((self.replicas, 1, 1), dtype=torch.int64, device=self.device)
        stopped = self.stopped[self._until]
        made = self._assembler(tape)
        test, lent = made.result(made.value(self._hoist(condition)), shape)
        tape.append(partial(torch.ne, test, 0.0, out=met))
        tape.append(partial(met.logical_and_, self.active))
        tape.append(partial(now.copy_, self.tensors["#step"]))
        tape.append(partial(now.add_, 1))
        tape.append(partial(torch.where, met, now, stopped, out=stopped))
        tape.append(partial(met.logical_not_))
        tape.append(partial(self.active.logical_and_, met))
        if lent:
            self.pool.give(test)

    # --- a presentation ------------------------------------------------------------------------

    def begin(
        self,
        work: Presentations,
        number: int,
        place: int,
        order: Tensor,
        streams: Mapping[str, Tensor],
    ) -> None:
        """Sets what differs between presentations; `order[:, place]` are the samples."""
        presentation = work.presentation + number
        self.index.copy_(order[:, place].reshape(-1))
        for name, buffer in self.program.buffers.items():
            tensor = self.tensors[name]
            if buffer.kind == "stream":
                flat_tensor = tensor.reshape(self.replicas * self.batch, -1)
                torch.index_select(streams[name[1:]], 0, self.index, out=flat_tensor)
            elif buffer.kind == "state" and not work.carry:
                tensor.zero_()
        counters = {
            "#presentation": presentation,
            "#sample": (work.sample + number * self.batch) * self.team.size,
            "#epoch": work.epoch,
        }
        for name, count in counters.items():
            self.tensors[name].fill_(float(count))
        if "#step" in self.tensors:
            self.tensors["#step"].zero_()
        if not work.carry:
            self.tensors["#t"].zero_()
        torch.add(self.samples, presentation * self.batch * self.team.size, out=self.place)
        self.active.fill_(True)
        for key, table in self.drawn.items():
            self.raw_draws[key].copy_(table[:, place].reshape(-1, 1, 1))
        for record in self.records:
            record.fill_(float("nan"))


def _parted(loop: Loop) -> tuple[tuple[Instruction, ...], tuple[Instruction, ...]]:
    """The body without scalars that only its last step decides, and those.

    They are functions of the step that no other instruction of the body reads.
    """
    if loop.stops:
        return loop.body, ()
    idle = []
    for instruction in loop.body:
        if not isinstance(instruction, Block) or instruction.shape[0] != "scalar":
            continue
        made = writes(instruction)
        others = [i for i in loop.body if i is not instruction]
        if exposed(instruction) & made or any(made & (reads(i) | writes(i)) for i in others):
            continue
        idle.append(instruction)
    return tuple(i for i in loop.body if i not in idle), tuple(idle)


def _decide(test: Tensor, inside: Tape) -> None:
    if bool((test != 0).all()):
        inside()
