"""Where each buffer of a Program stands in the generated module."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ...graphs.buffer import BEFORE, EPOCH, PRESENTATION, SAMPLE, SLOT, TURN
from ...graphs.instructions import Block, Draw, Instruction, Product, RankUpdate, Store
from ...graphs.program import Program

COUNTERS = (PRESENTATION, SAMPLE, EPOCH, SLOT, BEFORE, TURN)
UNROLLED = 8  # numbers of units up to this are literals in the generated code


@dataclass(frozen=True)
class ModuleLayout:
    """Where each buffer stands in the generated code.

    Unit variables are unit-major, one flat array (units * batch); rows, per-sample numbers and
    matrices as they are; all scalars in one float64 array S. For one sample at a time (`single`)
    there are no loops over samples.
    """

    program: Program
    bits: int
    single: bool
    arrays: tuple[str, ...]  # buffers that are arrays
    scalars: tuple[str, ...]  # buffers in S
    extended: frozenset[str]  # unit buffers with one more unit that is always 1
    draws: tuple[str, ...]  # names of random streams, rows of K

    @cached_property
    def held(self) -> frozenset[str]:
        """The buffers that are arrays."""
        return frozenset(self.arrays)

    @cached_property
    def place(self) -> dict[str, int]:
        """Where in S a scalar stands."""
        return {name: k for k, name in enumerate(self.scalars)}

    @cached_property
    def sources(self) -> list[str]:
        """The buffer that each record is filled from; any one for a record that stays empty."""
        code = [i for p in self.program.phases for i in p.instructions]
        found = {i.slot: i.source for i in code if isinstance(i, Store)}
        any_one = next(iter((*found.values(), *self.arrays)), "")
        return [found.get(slot, any_one) for slot in range(len(self.program.slots))]

    def units(self, name: str) -> int:
        """Units of a buffer in memory, the constant one included."""
        return self.program.buffers[name].size + (name in self.extended)

    def samples(self, name: str, batch: int) -> int:
        """How many numbers each unit of a buffer has."""
        return batch if self.kind(name) in ("unit", "sample") else 1

    def kind(self, name: str) -> str:
        """What a buffer has numbers for: "unit", "row", "sample", "scalar" or "matrix"."""
        return str(self.program.buffers[name].shape[0])

    def matrix(self, name: str) -> tuple[int, int]:
        """Rows and columns of a matrix."""
        rows, columns = self.program.buffers[name].shape[1:]
        return int(rows), int(columns)

    def filled(self, r: RankUpdate) -> int:
        """The columns of a matrix that the terms of a rule fill: all but that of a bias unit."""
        return self.program.buffers[r.terms[0].pre].size if r.terms else self.matrix(r.target)[1]

    @cached_property
    def changes(self) -> dict[str, tuple[int, int]]:
        """The shapes of the scratch arrays for what rules add to matrices."""
        code = [i for p in self.program.phases for i in p.instructions]
        ranks = [i for i in code if isinstance(i, RankUpdate) and i.terms]
        return {r.target: (self.matrix(r.target)[0], self.filled(r)) for r in ranks}

    @property
    def streams(self) -> list[str]:
        """The buffers that samples are copied to."""
        return [n for n in self.arrays if self.program.buffers[n].kind == "stream"]

    @property
    def signals(self) -> list[str]:
        """The buffers that stay where the caller has them, (sample, row, unit)."""
        return [n for n, b in self.program.buffers.items() if b.kind == "signal"]


def layout(program: Program, bits: int, single: bool) -> ModuleLayout:
    """The layout of a program, for float64 or float32, for one sample at a time or many."""
    code = [i for p in program.phases for i in p.instructions]
    local = set().union(set(), *(i.local for i in code if isinstance(i, Block)))
    kinds = {n: str(b.shape[0]) for n, b in program.buffers.items() if b.kind != "signal"}
    return ModuleLayout(
        program=program,
        bits=bits,
        single=single,
        arrays=tuple(n for n, k in kinds.items() if k != "scalar" and n not in local),
        scalars=tuple(n for n, k in kinds.items() if k == "scalar"),
        extended=_extended(program, code),
        draws=tuple(dict.fromkeys(i.name for i in code if isinstance(i, Draw))),
    )


def _extended(program: Program, code: list[Instruction]) -> frozenset[str]:
    """Presynaptic buffers with a unit for the bias."""
    found: set[str] = set()
    for i in code:
        if isinstance(i, Product):
            columns = program.buffers[i.weight].shape[2]
            if i.bias and not i.transposed:
                found.add(i.source)
            if i.transposed and columns == program.buffers[i.target].size + 1:
                found.add(i.target)
    return frozenset(found)
