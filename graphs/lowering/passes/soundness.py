"""Soundness: whether every instruction of a Program finds the numbers that it reads.

An engine reads element i of what a loop over n units names, and does not look whether there is one.
This is the one place that does: what passes here runs on every engine, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Mapping

from ....compartments.windows import Windows
from ...buffer import Buffer
from ...expressions.tree import Expr, Load, Transmitted, Weight, walk
from ...instructions import (
    BatchReduce,
    Block,
    Branch,
    Convolve,
    Correlate,
    Draw,
    Instruction,
    Map,
    MatrixProduct,
    MatrixReduce,
    Output,
    PairwiseSum,
    Pool,
    Product,
    Push,
    RankUpdate,
    ReadRow,
    Recall,
    Reduce,
    RowReduce,
    Side,
    Spread,
    Stop,
    Store,
    Unpool,
)
from ...program import PhaseProgram
from ..refusal import LoweringError, Subject

Shape = tuple[str | int, ...]

# What a loop over a kind of buffer may read; of units and rows as many as it has.
READABLE = {
    "unit": {"unit", "row", "sample", "scalar"},
    "row": {"row", "scalar"},
    "sample": {"sample", "scalar"},
    "scalar": {"scalar"},
}


def check_soundness(phases: tuple[PhaseProgram, ...], buffers: Mapping[str, Buffer]) -> None:
    """Refuses phases in which an instruction reads what is not there.

    Raises:
        LoweringError: It names the instruction's target, what it reads, and both shapes.
    """
    check = _Check(buffers)
    for phase in phases:
        for instruction in phase.instructions:
            check.instruction(instruction)


class _Check:
    def __init__(self, buffers: Mapping[str, Buffer]):
        self.buffers = buffers

    def shape(self, name: str) -> Shape:
        return self.buffers[name].shape

    def fail(self, target: str, read: str, expected: str) -> None:
        shape = " ".join(map(str, self.shape(read)))
        raise LoweringError(
            f"{target} reads {read}, which is {shape}, where {expected} is meant",
            Subject.of(self.buffers.get(target), self.buffers[read]),
        )

    def sized(self, target: str, name: str, kind: str, size: int) -> None:
        """A buffer of one kind and size."""
        if self.shape(name) != (kind, size):
            self.fail(target, name, f"{kind} {size}")

    def elementwise(self, target: str, value: Expr, shape: Shape) -> None:
        """What one loop over `shape` reads."""
        for node in walk(value):
            if not isinstance(node, Load):
                continue
            kind, *sizes = self.shape(node.buffer)
            if kind not in READABLE[str(shape[0])]:
                self.fail(target, node.buffer, f"a number for each {shape[0]}")
            if kind in ("unit", "row") and sizes != [shape[1]]:
                self.fail(target, node.buffer, f"{kind} {shape[1]}")

    def on_matrix(self, target: str, value: Expr, posts: int, pres: int) -> None:
        """What a loop over connections reads: matrices, rows along an axis, scalars."""
        for node in walk(value):
            if not isinstance(node, Load):
                continue
            kind = self.shape(node.buffer)[0]
            if kind == "row":
                self.sized(target, node.buffer, "row", pres if node.axis == "pre" else posts)
            elif kind == "matrix" and self.shape(node.buffer) != ("matrix", posts, pres):
                self.fail(target, node.buffer, f"matrix {posts} {pres}")
            elif kind not in ("matrix", "scalar"):
                self.fail(target, node.buffer, "a number for each connection")

    def instruction(self, i: Instruction) -> None:
        match i:
            case Map(target=target, value=value):
                self.elementwise(target, value, self.shape(target))
            case Block(shape=shape, maps=maps):
                for one in maps:
                    if self.shape(one.target) != shape:
                        self.fail("a loop", one.target, " ".join(map(str, shape)))
                    self.elementwise(one.target, one.value, shape)
            case Reduce(target=target, value=value, size=size):
                self.elementwise(target, value, ("unit", size))
                self._exactly(target, ("sample",))
            case BatchReduce(target=target, value=value):
                self.elementwise(target, value, ("unit", self.buffers[target].size))
            case Spread():
                self._spread(i)
            case Product():
                self._product(i)
            case MatrixProduct():
                self._matrix_product(i)
            case Convolve() | Correlate() | Pool() | Unpool():
                self._windowed(i)
            case PairwiseSum():
                self._pair(i)
            case RowReduce(target=target, value=value, shape=(posts, pres)):
                self.on_matrix(target, value, posts, pres)
                self._exactly(target, ("row", posts))
                if i.only is not None:
                    self._exactly(i.only, ("matrix", posts, pres))
            case RankUpdate():
                self._rank(i)
            case Branch(condition=condition):
                self.elementwise("a condition", condition, ("scalar",))
            case Stop(condition=condition):
                self.elementwise("a stop rule", condition, ("sample",))
            case Draw(target=target, arguments=arguments):
                for argument in arguments:
                    self.elementwise(target, argument, self.shape(target))
            case ReadRow(target=target, source=source, row=row):
                self._exactly(target, self.shape(source))
                self.elementwise(target, row, ("scalar",))
            case Push(line=line, head=head, source=source):
                self._line(line, head, source)
            case Recall(target=target, line=line, head=head):
                self._line(line, head, target)
            case Output(source=source, row=row) if row is not None:
                self.elementwise("a row of the output", row, ("scalar",))
                if self.shape(source)[0] not in ("unit", "sample"):
                    self.fail("the output", source, "a number for each sample")
            case Store(source=source) | Output(source=source):
                if self.shape(source)[0] not in ("unit", "sample"):
                    self.fail("a record", source, "a number for each sample")
            case MatrixReduce():
                pass

    def _exactly(self, target: str, shape: Shape) -> None:
        if self.shape(target) != shape:
            self.fail("an instruction", target, " ".join(map(str, shape)))

    def _line(self, line: str, head: str, end: str) -> None:
        """A delay line: whole numbers of what enters it or comes out."""
        self._exactly(head, ("sample",))
        self._exactly(end, ("unit", self.buffers[end].size))
        if self.shape(line)[0] != "unit" or self.buffers[line].size % self.buffers[end].size:
            self.fail(line, end, f"a part of {self.buffers[line].size} units")

    def _spread(self, s: Spread) -> None:
        posts, pres = s.shape
        self._exactly(s.target, ("unit", posts * pres))
        if s.axis == "both":
            self._exactly(s.source, ("matrix", posts, pres))
            return
        kind, size = str(self.shape(s.source)[0]), {"post": posts, "pre": pres - s.bias}[s.axis]
        self.sized(s.target, s.source, kind if kind in ("unit", "row") else "unit", size)

    def _product(self, p: Product) -> None:
        _, rows, columns = self.shape(p.weight)
        into, out = (rows, columns) if p.transposed else (columns, rows)
        if p.transposed:  # the column of a bias unit receives nothing
            out = min(int(out), self.buffers[p.target].size)
            if int(columns) - out > 1:
                self.fail(p.target, p.weight, f"{out} columns")
        self.sized(p.target, p.source, "unit", int(into) - (p.bias and not p.transposed))
        self._exactly(p.target, ("unit", out))

    def _matrix_product(self, p: MatrixProduct) -> None:
        _, rows, columns = self.shape(p.target)
        self._side(p.target, p.left, int(rows), p.inner)
        self._side(p.target, p.right, p.inner, int(columns))

    def _side(self, target: str, side: Side, rows: int, columns: int) -> None:
        """A side of so many rows and columns, but for a bias column, the last of its matrix."""
        _, has_rows, has_columns = self.shape(side.matrix)
        meant = (columns, rows) if side.transposed else (rows, columns)
        if int(has_rows) != meant[0] or int(has_columns) - meant[1] not in (0, 1):
            self.fail(target, side.matrix, f"matrix {meant[0]} {meant[1]}")

    def _windowed(self, i: Convolve | Correlate | Pool | Unpool) -> None:
        over, target = i.windows, i.target
        match i:
            case Convolve(weight=weight, source=source, bias=bias):
                ends = (over.seeing, over.units) if i.transposed else (over.units, over.seeing)
                self._kernel(target, weight, over, bias and not i.transposed)
                self.sized(target, source, "unit", ends[0])
                self._exactly(target, ("unit", ends[1]))
            case Correlate(post=post, pre=pre, bias=bias):
                self._kernel(target, target, over, bias is not None)
                self.sized(target, pre, "unit", over.units)
                for seeing in (post,) if bias is None else (post, bias):
                    self.sized(target, seeing, "unit", over.seeing)
            case Pool(source=source):
                self.sized(target, source, "unit", over.units)
                self._exactly(target, ("unit", over.seeing))
            case Unpool(source=source, values=values):
                self.sized(target, source, "unit", over.seeing)
                self.sized(target, values, "unit", over.units)
                self._exactly(target, ("unit", over.units))

    def _kernel(self, target: str, name: str, over: Windows, bias: bool) -> None:
        """A matrix (out, taps), with a column more where there is a bias."""
        kind, rows, columns = self.shape(name)
        spare = int(columns) - over.taps
        if (kind, rows) != ("matrix", over.map[0]) or spare not in ((1,) if bias else (0, 1)):
            self.fail(target, name, f"matrix {over.map[0]} {over.taps + bias}")

    def _pair(self, p: PairwiseSum) -> None:
        posts, pres = self.buffers[p.target].size, self.buffers[p.source].size
        _, rows, columns = self.shape(p.weight)
        rows, columns = (columns, rows) if p.transposed else (rows, columns)
        if int(rows) < posts or int(columns) < pres + (p.bias is not None):
            self.fail(p.target, p.weight, f"at least {posts} by {pres}")
        self._exactly(p.source, ("unit", pres))
        self._exactly(p.target, ("unit", posts))
        if p.only is not None:
            self._exactly(p.only, self.shape(p.weight))
        for node in (*walk(p.value), *(walk(p.bias) if p.bias is not None else ())):
            if isinstance(node, Load) and self.shape(node.buffer)[0] in ("unit", "row"):
                kind = str(self.shape(node.buffer)[0])
                self.sized(p.target, node.buffer, kind, pres if node.axis == "pre" else posts)
        if p.bias is not None and any(isinstance(n, Transmitted) for n in walk(p.bias)):
            self.fail(p.target, p.source, "the bias unit, which sends 1,")

    def _rank(self, r: RankUpdate) -> None:
        _, rows, columns = self.shape(r.target)
        posts, pres = int(rows), int(columns)
        if r.base is not None:
            self.on_matrix(r.target, r.base, posts, pres)
            if any(isinstance(n, Weight | Transmitted) for n in walk(r.base)):
                whose = Subject.of(self.buffers[r.target])
                raise LoweringError(f"{r.target} reads a weight that is not known", whose)
        filled = {self.buffers[t.pre].size for t in r.terms}
        if len(filled) > 1 or any(pres - n not in (0, 1) for n in filled):
            whose = Subject.of(self.buffers[r.target])
            raise LoweringError(f"{r.target}: terms of {sorted(filled)} columns for {pres}", whose)
        for term in r.terms:
            self.sized(r.target, term.post, "unit", posts)
            self.sized(r.target, term.pre, "unit", self.buffers[term.pre].size)
            self.elementwise(r.target, term.coefficient, ("scalar",))
            if term.scale is not None:
                self._exactly(term.scale, ("sample",))
        if r.bias is not None:
            self.sized(r.target, r.bias, "row", posts)
        if r.only is not None:
            self._exactly(r.only, self.shape(r.target))
