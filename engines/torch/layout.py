"""Layout: the static tensors of a Program for one number of replicas and samples.

Tensors never move, so that tapes over them can be captured. Unit variables are (replica, sample,
unit), rows (replica, 1, unit), matrices (replica, post, pre), scalars (replica, 1, 1) in float64.

Activity may be narrower than the rest: what is computed anew in every step (rates, dendritic
potentials, errors) and the streams, but not states, which take small steps, nor weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ...graphs.buffer import CLOCK, SAMPLE, SLOT, STEP, Buffer
from ...graphs.expressions.tree import Expr, Load, Transmitted, Weight, walk
from ...graphs.instructions import Draw
from ...graphs.program import Program
from ..arithmetic import value as value_of
from ..host_draws import shared_draw
from ..presentation import Presentations, row_map
from ..shared_batches import ALONE, Team
from .elementwise import Assembler
from .tape import ScratchTensors, Tape

SHARED = ("slow", "weight", "trace", "optimizer", "parameter")
LASTING = (*SHARED, "state")
ACTIVITY = ("algebraic", "stream")


class TensorLayout:
    """Every tensor that the tapes of a Program read or write.

    Args:
        program: The Program.
        shared: Tensors that several layouts use: weights, slow variables, parameters.
        seeds: One for each replica.
        batch: Samples presented at once.
        dtype: Of everything but scalars and activity.
        narrow: Of activity, and of what is multiplied with weights.
        device: Where the tensors lie.
        spare: Steps that a capture may run past the end of a phase.
        team: The processes that share a batch.
        tables: The signals by buffer, (sample, row, unit); they may change between presentations.
    """

    def __init__(
        self,
        program: Program,
        shared: dict[str, Tensor],
        seeds: tuple[int, ...],
        batch: int,
        dtype: torch.dtype,
        narrow: torch.dtype,
        device: torch.device,
        spare: int = 0,
        team: Team = ALONE,
        tables: Mapping[str, Tensor] | None = None,
    ):
        self.program, self.shared, self.seeds, self.batch = program, shared, seeds, batch
        self.replicas = len(seeds)
        self.dtype, self.narrow, self.device, self.team = dtype, narrow, device, team
        self.tables = {} if tables is None else tables
        self.pool = ScratchTensors(device)
        self.tensors: dict[str, Tensor] = dict(shared)
        for name, buffer in program.buffers.items():
            if name not in self.tensors and buffer.kind != "signal":
                self.tensors[name] = self._new(buffer)
        kinds = ("unit", "sample")
        self.clock = [name for name in CLOCK if name in program.buffers]
        self.per_sample = {
            n for n, b in program.buffers.items() if b.shape[0] in kinds and b.kind != "signal"
        }
        lead = (self.replicas, batch, 1)
        self.active = torch.ones(lead, dtype=torch.bool, device=device)
        self.running = torch.ones((self.replicas, 1, 1), dtype=torch.bool, device=device)
        self.index = torch.zeros((self.replicas * batch,), dtype=torch.int64, device=device)
        self.samples = torch.arange(batch, device=device).reshape(1, batch, 1) + team.rank * batch
        self.place = torch.zeros(lead, dtype=torch.int64, device=device)
        self.stopped = {
            p.name: torch.full(lead, -1, dtype=torch.int64, device=device)
            for p in program.phases
            if p.loop and p.loop.stops
        }
        self.health = torch.zeros((len(program.phases),), dtype=dtype, device=device)
        self.output: Tensor | None = None
        self.records: list[Tensor] = []
        self.row_maps: list[Tensor] = []
        self._make_records(spare)
        self.raw_draws: dict[Draw, Tensor] = {}
        self.drawn: dict[Draw, Tensor] = {}
        self.constants: dict[tuple[Expr, torch.dtype], Tensor] = {}
        given = {n for n, b in program.buffers.items() if b.kind == "parameter"}
        self.fixed = given - program.assigned
        self.given = {n: self.tensors[n].clone() for n in program.assigned}

    def _new(self, buffer: Buffer) -> Tensor:
        kind = buffer.shape[0]
        activity = kind == "unit" and buffer.kind in ACTIVITY
        dtype = self.narrow if activity else torch.float64 if kind == "scalar" else self.dtype
        shape = buffer.axes(self.replicas, self.batch)
        return torch.zeros(shape, dtype=dtype, device=self.device)

    def _make_records(self, spare: int) -> None:
        """Per slot (replica, row, sample, unit), with one row more for what is not kept."""
        for number, slot in enumerate(self.program.slots):
            rows = row_map(self.program, number)
            rows = np.where(rows < 0, len(slot.rows), rows)
            rows = np.concatenate([rows, np.full(spare, len(slot.rows))])
            shape = (self.replicas, len(slot.rows) + 1, self.batch, slot.size)
            self.records.append(torch.zeros(shape, dtype=self.dtype, device=self.device))
            self.row_maps.append(torch.tensor(rows, device=self.device))

    # --- what expressions stand for ------------------------------------------------------------

    def load(self, node: Load) -> Tensor:
        """The tensor of a buffer, broadcastable against the others."""
        tensor = self.tensors[node.buffer]
        return tensor.reshape(self.replicas, -1, 1) if node.axis == "post" else tensor

    def is_scalar(self, expr: Expr) -> bool:
        """Whether an expression depends on scalars alone."""
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

    def constant(self, expr: Expr, dtype: torch.dtype) -> Tensor | None:
        """A scalar of parameters that the Program never sets: computed when they change."""
        loads = [n.buffer for n in walk(expr) if isinstance(n, Load)]
        if not loads or not self.fixed.issuperset(loads):
            return None
        if not self.is_scalar(expr):
            return None
        key = (expr, dtype)
        if key not in self.constants:
            shape = (self.replicas, 1, 1)
            self.constants[key] = torch.zeros(shape, dtype=dtype, device=self.device)
        return self.constants[key]

    def assembler(
        self,
        tape: Tape,
        dtype: torch.dtype | None = None,
        leaf: Callable[[Expr], Tensor] | None = None,
    ) -> Assembler:
        """Writes expressions over these tensors to a tape."""
        wide = self.dtype if dtype in (None, self.narrow) else dtype
        made = Assembler(tape, self.pool, wide, self.load)
        made.constant, made.scalar, made.leaf = self.constant, self.is_scalar, leaf
        return made

    def cast(self, tensor: Tensor, dtype: torch.dtype, tape: Tape, lent: list[Tensor]) -> Tensor:
        """A tensor, or its copy in a dtype; the copy is noted in `lent`, to be given back."""
        if tensor.dtype == dtype:
            return tensor
        lent.append(self.pool.take(tuple(tensor.shape), dtype))
        tape.append(partial(lent[-1].copy_, tensor))
        return lent[-1]

    # --- what the host sets --------------------------------------------------------------------

    def refresh(self, parameters: Mapping[str, np.ndarray]) -> None:
        """Puts new parameter values into what depends on them alone."""
        with np.errstate(all="ignore"):
            for (expr, _), tensor in self.constants.items():
                number = value_of(expr, lambda node: parameters[node.buffer])
                full = np.broadcast_to(np.asarray(number, dtype=np.float64), tuple(tensor.shape))
                tensor.copy_(torch.from_numpy(np.array(full)))
        for name, given in self.given.items():
            if name in self.shared:
                given.copy_(self.shared[name])

    def prepare_draws(self, work: Presentations, start: int, stop: int) -> None:
        """The scalar draws of some presentations, from the counters of the host."""
        counters = [work.counters(number) for number in range(start, stop)]
        samples = np.array([c[SLOT] for c in counters], dtype=np.int64) * self.team.size
        self.drawn = {}
        for draw in self.raw_draws:
            steps = [value_of(draw.step, lambda n, c=c: c[n.buffer]) for c in counters]
            table = shared_draw(draw.kind, draw.name, self.seeds, steps, samples)
            self.drawn[draw] = torch.from_numpy(table).to(self.device)

    def begin(
        self,
        work: Presentations,
        number: int,
        place: int,
        order: Tensor,
        streams: Mapping[str, Tensor],
    ) -> None:
        """Sets what differs between presentations; `order[:, place]` are the samples."""
        self.index.copy_(order[:, place].reshape(-1))
        if self.output is not None:
            self.output.fill_(float("nan"))
        for name, buffer in self.program.buffers.items():
            if buffer.kind == "signal":
                continue
            tensor = self.tensors[name]
            if buffer.kind == "stream":
                flat_tensor = tensor.reshape(self.replicas * self.batch, -1)
                torch.index_select(streams[buffer.owner], 0, self.index, out=flat_tensor)
            elif (buffer.kind == "state" or name in self.program.traces) and not work.carry:
                tensor.zero_()
        counters = work.counters(number)
        for name in (SAMPLE, SLOT):
            counters[name] *= self.team.size
        for name, count in (counters | {STEP: 0}).items():
            if name in self.tensors:
                self.tensors[name].fill_(float(count))
        if not work.carry:
            for name in self.clock:
                self.tensors[name].zero_()
        self.place.copy_(self.samples + counters[SLOT])
        self.active.fill_(True)
        for key, table in self.drawn.items():
            self.raw_draws[key].copy_(table[:, place].reshape(-1, 1, 1))
        for record in self.records:
            record.fill_(float("nan"))

    def prepare_output(self, rows: int) -> bool:
        """Whether the output of a signal, (replica, row, sample, unit), had to be made anew."""
        assert self.program.output is not None
        units = self.program.buffers[self.program.output].size
        shape = (self.replicas, rows, self.batch, units)
        if self.output is not None and tuple(self.output.shape) == shape:
            return False
        self.output = torch.zeros(shape, dtype=self.dtype, device=self.device)
        return True
