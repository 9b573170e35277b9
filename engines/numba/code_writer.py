"""The text of a generated function while it is written: its lines, with holes for names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...graphs.expressions.tree import Expr
from .holes import Hole, Holes, View
from .layout import UNROLLED, ModuleLayout


class CodeWriter:
    """The lines so far, at `depth`.

    `hoisted` holds scalar expressions that local variables have, until the next instruction;
    `local` gives the local variable of a scalar where scalars are not read from S.
    """

    def __init__(self, layout: ModuleLayout):
        self.layout = layout
        self.bits, self.single = layout.bits, layout.single
        self.buffers = layout.program.buffers
        self.arrays, self.place = layout.arrays, layout.place
        self.holes = Holes()
        self.lines: list[str] = []
        self.depth = 1
        self.hoisted: dict[Expr, str] = {}
        self.local: Callable[[str], str] | None = None
        self.stop_row: int | None = None  # row of `stopped`, in a loop with a stop rule
        self._count = 0

    @property
    def masked(self) -> bool:
        """Whether some samples of the batch may have stopped."""
        return self.stop_row is not None and not self.single

    # --- lines ---------------------------------------------------------------------------------

    def line(self, *texts: str) -> None:
        """Adds lines."""
        self.lines += ["    " * self.depth + text for text in texts]

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Indents what follows."""
        self.depth += 1
        yield
        self.depth -= 1

    @contextmanager
    def apart(self) -> Iterator[list[str]]:
        """What follows goes to a list of its own, from depth 0, with local names from the first."""
        before = self.lines, self.depth, self._count
        self.lines, self.depth, self._count, self.hoisted = [], 0, 0, {}
        yield self.lines
        self.lines, self.depth, self._count = before

    def fresh(self, letter: str) -> str:
        """The name of a new local variable."""
        self._count += 1
        return f"{letter}{self._count}_"

    # --- holes ---------------------------------------------------------------------------------

    def array(self, name: str) -> str:
        """The array of a buffer: (rows, columns) of a matrix, one row of all numbers of others."""
        matrix = self.layout.kind(name) == "matrix"
        return self._view(View(name, self.layout.units(name), flat=not matrix))

    def flat(self, name: str) -> str:
        """All numbers of a buffer in one row."""
        return self._view(View(name, self.layout.units(name), flat=True))

    def view(self, name: str, units: int) -> str:
        """The first units of a unit variable as (unit, sample)."""
        return self._view(View(name, units, flat=False))

    def changes(self, name: str) -> str:
        """Scratch for what a rule adds to a matrix."""
        return self._view(View(name, self.layout.units(name), flat=False, changes=True))

    def _view(self, view: View) -> str:
        return self.holes.of(Hole("array", view))

    def scalar(self, name: str) -> str:
        """Where a scalar stands: in S, or in a local variable."""
        if self.local is not None:
            return self.local(name)
        return self.holes.of(Hole("scalar", self.place[name]))

    def size(self, n: int) -> str:
        """A number of units: a literal where small, else a run-time number (see performance)."""
        return str(n) if n <= UNROLLED else self.holes.of(Hole("size", n))

    def number(self, value: float) -> str:
        """A number in the precision of the arrays."""
        return self.holes.of(Hole("number", value))

    def float(self, value: float) -> str:
        """A float64."""
        return self.holes.of(Hole("float", value))

    def integer(self, value: int) -> str:
        """An integer that may differ between pieces of code that are otherwise the same."""
        return self.holes.of(Hole("integer", value))

    def argument(self, value: int) -> str:
        """An integer for a function: numba compiles those with `range` anew for each literal."""
        return self.holes.of(Hole("size", value))

    # --- numbers -------------------------------------------------------------------------------

    @property
    def zero(self) -> str:
        """0 in the precision of the arrays."""
        return "0.0" if self.bits == 64 else "f.ZERO32"

    @property
    def one(self) -> str:
        """1 in the precision of the arrays."""
        return "1.0" if self.bits == 64 else "f.ONE32"

    def rounded(self, text: str) -> str:
        """A float64 expression in the precision of the arrays."""
        return text if self.bits == 64 else f"np.float32({text})"
