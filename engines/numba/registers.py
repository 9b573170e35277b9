"""Loops of very small circuits, one sample at a time: every unit is a local variable of its own.

With no store to memory in the loop the compiler keeps the whole state in registers; a relaxation of
five units then takes about half the time of the same loop over arrays.
"""

from __future__ import annotations

from ...graphs.buffer import STEP
from ...graphs.expressions.tree import Expr
from ...graphs.instructions import Block, Instruction, Product, Reduce, Stop, loads
from ...graphs.program import StepLoop
from .code_writer import CodeWriter
from .text import Text, scalar

UNITS = 8
LINES = 150


def fits(to: CodeWriter, body: tuple[Instruction, ...]) -> bool:
    """Whether a loop may be printed with local variables."""
    if (
        not body
        or not to.single
        or not all(isinstance(i, Block | Reduce | Product | Stop) for i in body)
    ):
        return False
    lines = 0
    for instruction in body:
        if any(to.layout.kind(name) == "matrix" for name in instruction.writes):
            return False
        names = instruction.reads | instruction.writes
        largest = max((int(n) for name in names for n in to.buffers[name].shape[1:]), default=1)
        if largest > UNITS:
            return False
        lines += largest * (len(instruction.maps) if isinstance(instruction, Block) else 1)
    return lines <= LINES


class Registers:
    """Prints one loop with local variables; `to.local` names those of scalars while it does."""

    def __init__(self, to: CodeWriter, loop: StepLoop, steps: str):
        self.to, self.loop, self.steps = to, loop, steps
        self.written = set().union(set(), *(i.writes for i in loop.body))
        self.names = sorted(self.written.union(*(i.reads for i in loop.body)))
        self.number = {name: k for k, name in enumerate(self.names)}

    def write(self) -> None:
        """The loads, the loop, and the stores."""
        to = self.to
        vectors = [n for n in self.names if n in to.arrays and to.layout.kind(n) != "matrix"]
        scalars = [n for n in self.names if to.layout.kind(n) == "scalar"]
        places = {self.unit(n, i): f"{to.array(n)}[{i}]" for n in vectors for i in self._range(n)}
        places |= {self.scalar(n): to.scalar(n) for n in scalars}
        to.line(*(f"{local} = {place}" for local, place in places.items()))
        to.local = self.scalar
        to.line(f"for step in range({self.steps}):")
        with to.deeper():
            if STEP in self.number:
                to.line(f"{self.scalar(STEP)} = float(step)")
            for instruction in self.loop.body:
                to.hoisted = {}
                self._instruction(instruction)
            to.line("pass")  # nothing moves where everything is clamped
        to.local = None
        for name in (n for n in vectors if n in self.written):
            to.line(*(f"{to.array(name)}[{i}] = {self.unit(name, i)}" for i in self._range(name)))
        to.line(f"{to.scalar(STEP)} = step")
        to.line(*(f"{to.scalar(n)} = {self.scalar(n)}" for n in scalars if n in self.written))

    def _range(self, name: str) -> range:
        """The units of an array."""
        return range(self.to.layout.units(name))

    def unit(self, name: str, i: int) -> str:
        """The local variable of one unit."""
        return f"r{self.number[name]}_{i if self.to.layout.kind(name) != 'sample' else 0}"

    def scalar(self, name: str) -> str:
        """The local variable of a scalar."""
        return f"z{self.number[name]}"

    def _text(self, expr: Expr, i: int) -> str:
        return Text(self.to, lambda node: self.unit(node.buffer, i), hoist=True).of(expr)

    def _instruction(self, instruction: Instruction) -> None:
        to = self.to
        match instruction:
            case Block():
                self._block(instruction)
            case Reduce():
                self._reduce(instruction)
            case Product():
                self._product(instruction)
            case Stop(condition=condition):
                to.line(f"if {self._text(condition, 0)} != 0:")
                to.line(f"    stopped[{to.stop_row}, p, 0] = step + 1")
                to.line("    break")

    def _block(self, block: Block) -> None:
        if block.shape[0] == "scalar":
            for m in block.maps:
                self.to.line(f"{self.scalar(m.target)} = {scalar(self.to, m.value)}")
            return
        for i in range(int(block.shape[1]) if len(block.shape) > 1 else 1):
            for m in block.maps:
                self.to.line(f"{self.unit(m.target, i)} = {self._text(m.value, i)}")

    def _reduce(self, r: Reduce) -> None:
        units = (
            r.size if any(self.to.layout.kind(n) in ("unit", "row") for n in loads(r.value)) else 1
        )
        texts = [self._text(r.value, i) for i in range(units)]
        texts *= r.size // units
        target = self.unit(r.target, 0)
        if r.op == "max":
            total = texts[0]
            for text in texts[1:]:
                total = f"max({total}, {text})"
        elif r.op == "norm":
            total = f"math.sqrt({' + '.join(f'f.square({t})' for t in texts)})"
        else:
            total = " + ".join(texts)
        self.to.line(
            f"{target} = ({total}) / {r.size}" if r.op == "mean" else f"{target} = {total}"
        )

    def _product(self, p: Product) -> None:
        to, weight = self.to, self.to.array(p.weight)
        rows, columns = to.layout.matrix(p.weight)
        if p.transposed:
            for j in range(to.buffers[p.target].size):
                parts = [f"{weight}[{i}, {j}] * {self.unit(p.source, i)}" for i in range(rows)]
                to.line(f"{self.unit(p.target, j)} = {' + '.join(parts)}")
            if len(self._range(p.target)) > to.buffers[p.target].size:
                to.line(f"{self.unit(p.target, columns - 1)} = {to.zero}")
            return
        for i in range(rows):
            parts = [f"{weight}[{i}, {j}] * {self.unit(p.source, j)}" for j in range(columns)]
            to.line(f"{self.unit(p.target, i)} = {' + '.join(parts)}")
