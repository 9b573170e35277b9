"""Program: a circuit and a protocol as a flat table of typed instructions over buffers.

Names exist up to here; engines see buffers only. Axes: unit variables (replica, batch, units), rows
(replica, 1, units), matrices (replica, post, pre), per-sample numbers (replica, batch, 1), scalars
(replica, 1, 1). `print(program)` is a listing that states the matrix products of each step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

from .buffer import Beside, Buffer
from .expressions.tree import Expr
from .instructions import (
    BatchReduce,
    Code,
    Correlate,
    Instruction,
    MatrixReduce,
    RankUpdate,
    count_products,
    flat,
)
from .markup import folded, heading

PERSISTENT = ("slow", "weight", "trace", "optimizer")


@dataclass(frozen=True)
class StepLoop:
    """`steps` times the body; the counter `STEP` runs from 0. `stops`: the body holds a Stop.

    Afterwards `STEP` is steps - 1, wherever samples stopped. Then `steps` times `again`, scalars
    that take all steps. `invariants`: the largest parts of expressions that the loop does not
    change, which an engine may compute once, before it (see `loop_motion`).
    """

    steps: int
    body: tuple[Instruction, ...]
    stops: bool = False
    again: tuple[Instruction, ...] = ()
    invariants: frozenset[Expr] = frozenset()

    @cached_property
    def learns(self) -> bool:
        """Whether something is learnt, or adds up the samples, at every step."""
        return any(isinstance(i, BatchReduce | Correlate | RankUpdate) for i in flat(self.body))

    @cached_property
    def apart(self) -> bool:
        """Whether the samples know nothing of each other, so that some may go on by themselves."""
        return not self.learns and not any(isinstance(i, MatrixReduce) for i in flat(self.body))


@dataclass(frozen=True)
class PhaseProgram:
    """enter, then the loop, then leave. `first_row` is the row after `begin` in the traces."""

    name: str
    enter: tuple[Instruction, ...]
    loop: StepLoop | None
    leave: tuple[Instruction, ...]
    first_row: int = 0
    dt: Expr | None = None

    def each(self, function: Callable[[Code], Code]) -> PhaseProgram:
        """The phase with its three pieces of straight-line code put through a function."""
        loop = self.loop
        if loop is not None:
            loop = replace(loop, body=function(loop.body), again=function(loop.again))
        return replace(self, enter=function(self.enter), loop=loop, leave=function(self.leave))

    @property
    def body(self) -> tuple[Instruction, ...]:
        """What one step does; nothing where the phase has no steps."""
        return self.loop.body if self.loop else ()

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """Every instruction of the phase, those of branches included."""
        again = self.loop.again if self.loop else ()
        return tuple(flat((*self.enter, *self.body, *again, *self.leave)))

    @property
    def steps(self) -> int:
        """The number of steps, at most."""
        return self.loop.steps if self.loop else 0


@dataclass(frozen=True)
class TimeAxis:
    """When a signal has its rows: each `every` time units, None each step; `linear` between."""

    stream: str
    every: Expr | None
    linear: bool


@dataclass(frozen=True)
class RecordSlot:
    """A recorded quantity: name in the traces, shape, and the rows it takes.

    shape: ("unit", n), ("pairs", post, pre) or ("sample",).
    """

    name: str
    shape: tuple[str | int, ...]
    rows: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many numbers a row has for each sample."""
        return prod(int(n) for n in self.shape[1:])


@dataclass(frozen=True)
class Program:
    """What an engine runs once per presentation.

    `reset` names the buffers that start a presentation at 0 or at an initial value, `traces` those
    of synapses that move and start at 0, unless it is carried; `traces_of_samples` all those of the
    circuit that each sample has for itself; `finite` those that are checked at
    the end of each phase. `single_sample`: why a batch is refused (see `trace_means`).
    `signals` have a time axis, and so has the `output` where `output_axis` says so.
    """

    name: str
    buffers: Mapping[str, Buffer]
    phases: tuple[PhaseProgram, ...]
    reset: tuple[str, ...]
    finite: tuple[str, ...]
    slots: tuple[RecordSlot, ...] = ()
    output: str | None = None
    starts: Mapping[str, Expr] = field(default_factory=dict)  # optimizer state -> start value
    traces: tuple[str, ...] = ()
    single_sample: str | None = None
    traces_of_samples: tuple[str, ...] = ()
    signals: tuple[TimeAxis, ...] = ()
    output_axis: TimeAxis | None = None

    @property
    def rows(self) -> int:
        """Rows of the traces, over all phases."""
        return sum(phase.steps + 1 for phase in self.phases)

    @cached_property
    def learnt(self) -> tuple[str, ...]:
        """What presentations change for good: weights first, then slow variables and the rest."""
        written = {n for phase in self.phases for i in phase.instructions for n in i.writes}
        names = [n for n, b in self.buffers.items() if n in written and b.kind in PERSISTENT]
        order = ("weight", "slow", "trace", "optimizer")
        return tuple(sorted(names, key=lambda n: order.index(self.buffers[n].kind)))

    @cached_property
    def assigned(self) -> frozenset[str]:
        """The parameters that phases set; each presentation starts with what was given."""
        written = {n for phase in self.phases for i in phase.instructions for n in i.writes}
        return frozenset(n for n in written if self.buffers[n].kind == "parameter")

    @property
    def streams(self) -> tuple[str, ...]:
        """The names of the streams it reads."""
        return tuple(b.owner for b in self.buffers.values() if b.kind in ("stream", "signal"))

    @property
    def steps(self) -> int:
        """Steps of all phases, at most."""
        return sum(phase.steps for phase in self.phases)

    @property
    def compensated(self) -> tuple[str, ...]:
        """The weights and slow variables whose sums keep what rounding takes from them."""
        identities = (b.identity for b in self.buffers.values())
        return tuple(i.of.name for i in identities if isinstance(i, Beside) and i.what == "lost")

    @property
    def digest(self) -> str:
        """A hash of everything that decides what the program does."""
        rows = [(slot.name, slot.rows) for slot in self.slots]
        return hashlib.sha256(f"{self}\n{rows}".encode()).hexdigest()

    def __str__(self) -> str:
        from .reports.listing import listing

        return "\n".join(listing(self))

    def _repr_html_(self) -> str:
        phases = ", ".join(phase.name for phase in self.phases)
        return heading(f"Program of {phases}") + folded("instructions", str(self))

    def products(self) -> dict[str, tuple[int, int, int]]:
        """Matrix products of each phase: on entry, per step, on leaving."""
        return {
            p.name: (
                count_products(p.enter),
                count_products(p.body),
                count_products(p.leave),
            )
            for p in self.phases
        }
