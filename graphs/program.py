"""Program: a circuit and a protocol as a flat table of typed instructions over buffers.

Names exist up to here; engines see buffers only. Axes: unit variables (replica, batch, units), rows
(replica, 1, units), matrices (replica, post, pre), per-sample numbers (replica, batch, 1), scalars
(replica, 1, 1). `print(program)` is a listing that states the matrix products of each step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from .expressions.tree import Expr, Load, walk

PERSISTENT = ("slow", "weight", "trace", "optimizer")
CLOCK = ("#t", "#origin", "#n", "#dt")  # scalars that outlive a presentation (see `timing`)
EACH = "~each"  # ends the name of a trace that every sample of a batch has for itself
LOST = "~lost"  # ends the name of what rounding took from a compensated buffer


@dataclass(frozen=True)
class Buffer:
    """An array of a Program.

    `kind`: state algebraic slow weight trace optimizer latch stream parameter counter scratch.
    `shape`: ("unit", n), ("row", n), ("matrix", post, pre), ("sample",) or ("scalar",).
    """

    name: str
    kind: str
    shape: tuple[str | int, ...]

    @property
    def size(self) -> int:
        """Numbers per replica, and per sample where the shape has a sample axis."""
        total = 1
        for n in self.shape[1:]:
            total *= int(n)
        return total


# --- instructions --------------------------------------------------------------------------------


class Effects:
    """What an instruction reads and writes; looked up once, since lowering asks again and again."""

    @cached_property
    def reads(self) -> frozenset[str]:
        """The buffers it reads."""
        return frozenset(_reads(self))  # type: ignore[arg-type]

    @cached_property
    def writes(self) -> frozenset[str]:
        """The buffers it writes."""
        return frozenset(_writes(self))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Map(Effects):
    """target := value, element by element; `masked`: only where the sample still runs."""

    target: str
    value: Expr
    masked: bool = False


@dataclass(frozen=True)
class Block(Effects):
    """Maps over one shape in sequence, as one loop; `local` targets are read nowhere else."""

    shape: tuple[str | int, ...]
    maps: tuple[Map, ...]
    local: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Reduce(Effects):
    """target (per sample) := sum | mean | max | norm of value over `size` units."""

    target: str
    op: str
    value: Expr
    size: int


@dataclass(frozen=True)
class BatchReduce(Effects):
    """target (a row) := the mean (or sum) of value over the samples of the batch.

    Where the target is a matrix, unit i * pre + j is its element (i, j).
    """

    target: str
    value: Expr
    average: bool = True


@dataclass(frozen=True)
class Product(Effects):
    """target := source @ weight.T (+ last column where `bias`); source @ weight if transposed."""

    target: str
    weight: str
    source: str
    transposed: bool = False
    bias: bool = False


@dataclass(frozen=True)
class PairwiseSum(Effects):
    """target_i := sum (or max) over j of value(w_ij, pre_j, post_i), per sample.

    Leaves of `value`: Weight, Transmitted (the source), Loads with the axis "pre" or "post", and
    Loads of matrices, scalars and numbers per sample. `bias`: what the bias unit brings, in which
    Weight is the last column. `off_diagonal`: j = i is left out.
    """

    target: str
    weight: str
    source: str
    value: Expr
    transposed: bool = False
    op: str = "sum"
    bias: Expr | None = None
    off_diagonal: bool = False


@dataclass(frozen=True)
class Spread(Effects):
    """target (post * pre units) := source_i ("post"), source_j ("pre") or source_ij ("both").

    `source`: a unit variable or a row of one end, or a matrix; `bias`: the last j is 1.
    """

    target: str
    source: str
    axis: str
    shape: tuple[int, int]
    bias: bool = False


@dataclass(frozen=True)
class RowReduce(Effects):
    """target_i (a row) := sum (or max) over j of value, a matrix of `shape` (post, pre)."""

    target: str
    op: str
    value: Expr
    shape: tuple[int, int]
    off_diagonal: bool = False


@dataclass(frozen=True)
class Term:
    """coefficient * sum over samples of scale * post_i * pre_j; `scale` is a number per sample.

    Where post and pre are the same buffer the result is symmetric to the last bit: an inverse that
    is divided by a forgetting factor in each update amplifies what is not (Liavas & Regalia 1999).
    """

    coefficient: Expr
    post: str
    pre: str
    scale: str | None = None

    @property
    def symmetric(self) -> bool:
        """Whether both ends give the same numbers."""
        return self.post == self.pre


@dataclass(frozen=True)
class RankUpdate(Effects):
    """target := base + terms, a matrix; base None is target itself; terms averaged or summed.

    The terms fill as many columns as their presynaptic ends have units. `bias`: a row that is added
    to the last column, that of the bias unit. `off_diagonal`: the diagonal is 0 afterwards.
    """

    target: str
    base: Expr | None
    terms: tuple[Term, ...] = ()
    average: bool = True
    bias: str | None = None
    off_diagonal: bool = False


@dataclass(frozen=True)
class MatrixReduce(Effects):
    """target (a scalar) := the mean of value over all elements of a matrix or row."""

    target: str
    value: Expr


@dataclass(frozen=True)
class Draw(Effects):
    """target := random numbers from the stream `name`: random_sign, uniform or normal.

    Counted by unit, `step` and sample: a unit variable by the number of each slot ("#slot" is that
    of the first), a scalar by that of the first.
    """

    target: str
    kind: str
    name: str
    step: Expr
    arguments: tuple[Expr, ...] = ()


@dataclass(frozen=True)
class Branch(Effects):
    """The body where a scalar condition holds."""

    condition: Expr
    body: tuple[Instruction, ...]


@dataclass(frozen=True)
class Store(Effects):
    """Copies source to row `row` of a record, for the samples that still run."""

    slot: int
    source: str
    row: Expr


@dataclass(frozen=True)
class Output(Effects):
    """Copies source to the output of the presentation."""

    source: str


@dataclass(frozen=True)
class Stop(Effects):
    """Samples for which the condition holds stop moving; the loop ends when none is left."""

    condition: Expr


Instruction = (
    Map | Block | Reduce | BatchReduce | Product | PairwiseSum | Spread | RowReduce | RankUpdate
    | MatrixReduce | Draw | Branch | Store | Output | Stop
)  # fmt: skip
Code = tuple[Instruction, ...]


# --- program -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loop:
    """`steps` times the body; the counter "#step" runs from 0. `stops`: the body holds a Stop.

    Afterwards "#step" is steps - 1, wherever samples stopped. Then `steps` times `again`, scalars
    that take all steps.
    """

    steps: int
    body: tuple[Instruction, ...]
    stops: bool = False
    again: tuple[Instruction, ...] = ()


@dataclass(frozen=True)
class PhaseProgram:
    """enter, then the loop, then leave. `first_row` is the row after `begin` in the traces."""

    name: str
    enter: tuple[Instruction, ...]
    loop: Loop | None
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
class RecordSlot:
    """A recorded quantity: name in the traces, shape, and the rows it takes."""

    name: str
    shape: tuple[str | int, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """What an engine runs once per presentation.

    `reset` names the buffers that start a presentation at 0 or at an initial value, `traces` those
    of synapses that move and start at 0, unless it is carried; `finite` those that are checked at
    the end of each phase. `single_sample`: why a batch is refused (see `trace_means`).
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

    @property
    def streams(self) -> tuple[str, ...]:
        """The names of the streams it reads."""
        return tuple(n[1:] for n, b in self.buffers.items() if b.kind == "stream")

    @property
    def steps(self) -> int:
        """Steps of all phases, at most."""
        return sum(phase.steps for phase in self.phases)

    @property
    def compensated(self) -> tuple[str, ...]:
        """The weights and slow variables whose sums keep what rounding takes from them."""
        names = (n for n, b in self.buffers.items() if b.kind == "optimizer" and n.endswith(LOST))
        return tuple(name.removesuffix(LOST) for name in names)

    @property
    def digest(self) -> str:
        """A hash of everything that decides what the program does."""
        rows = [(slot.name, slot.rows) for slot in self.slots]
        return hashlib.sha256(f"{self}\n{rows}".encode()).hexdigest()

    def __str__(self) -> str:
        from .reports.listing import listing

        return "\n".join(listing(self))

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


def flat(instructions: tuple[Instruction, ...]) -> Iterator[Instruction]:
    """Every instruction, those of branches included."""
    for instruction in instructions:
        yield instruction
        if isinstance(instruction, Branch):
            yield from flat(instruction.body)


def count_products(instructions: tuple[Instruction, ...]) -> int:
    """How many of the instructions multiply a matrix with a batch of vectors."""
    return sum(isinstance(i, Product | PairwiseSum) for i in flat(instructions))


def loads(expr: Expr) -> set[str]:
    """The buffers an expression reads."""
    return {node.buffer for node in walk(expr) if isinstance(node, Load)}


def _reads(instruction: Instruction) -> set[str] | frozenset[str]:
    match instruction:
        case Map(target=target, value=value, masked=masked):
            return loads(value) | ({target} if masked else set())
        case Block(maps=maps):
            return set().union(*(m.reads for m in maps))
        case Reduce() | BatchReduce() | RowReduce() | MatrixReduce():
            return loads(instruction.value)
        case Product():
            return {instruction.weight, instruction.source}
        case PairwiseSum(value=value, bias=bias):
            found = {instruction.weight, instruction.source} | loads(value)
            return found if bias is None else found | loads(bias)
        case RankUpdate(target=target, base=base, terms=terms, bias=bias):
            found = {target} if base is None else loads(base)
            found |= {bias} if bias else set()
            for term in terms:
                found |= loads(term.coefficient) | {term.post, term.pre}
                found |= {term.scale} if term.scale else set()
            return found
        case Draw():
            return loads(instruction.step).union(*(loads(a) for a in instruction.arguments))
        case Branch(condition=condition, body=body):
            return loads(condition).union(*(i.reads for i in body))
        case Spread():
            return {instruction.source}
        case Store():
            return {instruction.source} | loads(instruction.row)
        case Output():
            return {instruction.source}
        case Stop():
            return loads(instruction.condition)


def _writes(instruction: Instruction) -> set[str] | frozenset[str]:
    match instruction:
        case Block(maps=maps):
            return {m.target for m in maps}
        case Branch(body=body):
            return set().union(set(), *(i.writes for i in body))
        case Store() | Output() | Stop():
            return set()
        case _:
            return {instruction.target}
