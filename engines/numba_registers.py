"""Loops of very small circuits, one sample at a time: every unit is a local variable of its own.

With no store to memory in the loop the compiler keeps the whole state in registers; a relaxation of
five units then takes about half the time of the same loop over arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..graphs.expression import Expr, Load
from ..graphs.program import Block, Instruction, Loop, Product, Reduce, Stop, loads, reads, writes

if TYPE_CHECKING:
    from .numba_printer import Printer

UNITS = 8
LINES = 150


def fits(printer: Printer, body: tuple[Instruction, ...]) -> bool:
    """Whether a loop may be printed with local variables."""
    if not printer.single:
        return False
    lines = 0
    for instruction in body:
        if not isinstance(instruction, Block | Reduce | Product | Stop):
            return False
        names = reads(instruction) | writes(instruction)
        sizes = [
            int(n)
            for name in names
            for n in printer.program.buffers[name].shape[1:]
            if not isinstance(n, str)
        ]
        if max(sizes, default=1) > UNITS or any(
            printer.program.buffers[name].shape[0] == "matrix" for name in writes(instruction)
        ):
            return False
        count = len(instruction.maps) if isinstance(instruction, Block) else 1
        lines += count * max(sizes, default=1)
    return lines <= LINES


class Registers:
    """Prints one loop with local variables; `printer.registers` is this while it does."""

    def __init__(self, printer: Printer, loop: Loop):
        self.to, self.loop = printer, loop
        self.buffers = printer.program.buffers
        body = loop.body
        self.written = set().union(set(), *(writes(i) for i in body))
        self.names = sorted(self.written.union(*(reads(i) for i in body)))
        self.number = {name: k for k, name in enumerate(self.names)}

    def write(self) -> None:
        """The loads, the loop, and the stores."""
        to = self.to
        kept = [n for n in self.names if n in to.index and self._kind(n) != "matrix"]
        scalars = [n for n in self.names if self._kind(n) == "scalar"]
        for name in kept:
            for i in range(self._units(name)):
                to._line(f"{self.unit(name, i)} = {to._array(name)}[{i}]")
        for name in scalars:
            to._line(f"{self.scalar(name)} = {to._use('S')}[{to.place[name]}]")
        to.registers = self
        to._line(f"for step in range({to.steps}):")
        with to._deeper():
            if "#step" in self.number:
                to._line(f"{self.scalar('#step')} = float(step)")
            for instruction in self.loop.body:
                to.hoisted = {}
                self._instruction(instruction)
        to.registers = None
        for name in kept:
            if name in self.written:
                for i in range(self._units(name)):
                    to._line(f"{to._array(name)}[{i}] = {self.unit(name, i)}")
        to._line(f"{to._use('S')}[{to.place['#step']}] = step")
        for name in scalars:
            if name in self.written:
                to._line(f"S[{to.place[name]}] = {self.scalar(name)}")

    def _kind(self, name: str) -> str:
        return str(self.buffers[name].shape[0])

    def _units(self, name: str) -> int:
        return self.to.layout.units(name) if name in self.to.index else self.buffers[name].size

    def unit(self, name: str, i: int) -> str:
        """The local variable of one unit."""
        return f"r{self.number[name]}_{i if self._kind(name) != 'sample' else 0}"

    def scalar(self, name: str) -> str:
        """The local variable of a scalar."""
        return f"z{self.number[name]}"

    def _text(self, expr: Expr, i: int) -> str:
        from .numba_printer import Text

        def load(node: Load) -> str:
            return self.unit(node.buffer, i)

        return Text(self.to, load, self.to.bits, hoist=True).of(expr)

    def _instruction(self, instruction: Instruction) -> None:
        match instruction:
            case Block(shape=shape, maps=maps):
                for i in range(1 if shape[0] == "scalar" else int(shape[1])):
                    for m in maps:
                        if shape[0] == "scalar":
                            text = self.to._scalar(m.value)
                            self.to.hoisted = {}
                            self.to._line(f"{self.scalar(m.target)} = {text}")
                        else:
                            text = self._text(m.value, i)
                            self.to._line(f"{self.unit(m.target, i)} = {text}")
            case Reduce():
                self._reduce(instruction)
            case Product():
                self._product(instruction)
            case Stop(condition=condition):
                self.to._use("p")
                self.to._line(f"if {self._text(condition, 0)} != 0:")
                table = self.to._use("stopped")
                self.to._line(f"    {table}[{self.to.stop_row}, p, 0] = step + 1")
                self.to._line("    break")

    def _reduce(self, r: Reduce) -> None:
        units = r.size if any(self._kind(n) in ("unit", "row") for n in loads(r.value)) else 1
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
        self.to._line(
            f"{target} = ({total}) / {r.size}" if r.op == "mean" else f"{target} = {total}"
        )

    def _product(self, p: Product) -> None:
        weight = self.to._array(p.weight)
        rows, columns = (int(n) for n in self.buffers[p.weight].shape[1:])
        if p.transposed:
            for j in range(self.buffers[p.target].size):
                parts = [f"{weight}[{i}, {j}] * {self.unit(p.source, i)}" for i in range(rows)]
                self.to._line(f"{self.unit(p.target, j)} = {' + '.join(parts)}")
            if self._units(p.target) > self.buffers[p.target].size:
                self.to._line(f"{self.unit(p.target, columns - 1)} = {self.to._zero()}")
            return
        for i in range(rows):
            parts = [f"{weight}[{i}, {j}] * {self.unit(p.source, j)}" for j in range(columns)]
            self.to._line(f"{self.unit(p.target, i)} = {' + '.join(parts)}")
