"""The text of one generated function while it is written: its lines, and the names it uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ...graphs.expressions.tree import Expr
from .layout import UNROLLED, Layout


@dataclass
class Constants:
    """The float32 constants of a module: a literal would be a float64 in numba."""

    names: dict[float, str] = field(default_factory=dict)

    def of(self, number: float) -> str:
        """The name of a constant."""
        return self.names.setdefault(number, f"c{len(self.names)}")

    def lines(self) -> list[str]:
        """What defines them."""
        return [f"{name} = np.float32({number!r})" for number, name in self.names.items()]


class Writer:
    """One function: `lines` so far, at `depth`; `used` are the arguments that it needs.

    `hoisted` holds scalar expressions that local variables have, until the next instruction;
    `local` gives the local variable of a scalar where scalars are not read from S.
    """

    def __init__(self, layout: Layout, constants: Constants):
        self.layout, self.constants = layout, constants
        self.bits, self.single = layout.bits, layout.single
        self.buffers = layout.program.buffers
        self.index, self.place = layout.index, layout.place
        self.lines: list[str] = []
        self.depth = 1
        self.used: set[str] = set()
        self.hoisted: dict[Expr, str] = {}
        self.local: Callable[[str], str] | None = None
        self.stop_row: int | None = None  # row of `stopped`, in a loop with a stop rule
        self._count = 0

    @property
    def masked(self) -> bool:
        """Whether some samples of the batch may have stopped."""
        return self.stop_row is not None and not self.single

    def line(self, *texts: str) -> None:
        """Adds lines."""
        self.lines += ["    " * self.depth + text for text in texts]

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Indents what follows."""
        self.depth += 1
        yield
        self.depth -= 1

    def fresh(self, letter: str) -> str:
        """The name of a new local variable."""
        self._count += 1
        return f"{letter}{self._count}_"

    def use(self, name: str) -> str:
        """An argument of the function."""
        self.used.add(name)
        return name

    def array(self, name: str) -> str:
        """The array of a buffer."""
        return self.use(f"a{self.index[name]}")

    def scratch(self, name: str) -> str:
        """The array for the changes of a matrix."""
        return self.use(f"g{self.index[name]}")

    def view(self, name: str, units: int) -> str:
        """The (unit, sample) view of a unit variable; without the constant one, where not asked."""
        view = self.use(f"x{self.index[name]}")
        return view if self.layout.units(name) == units else f"{view}[:{self.size(units)}]"

    def scalar(self, name: str) -> str:
        """Where a scalar stands: in S, or in a local variable."""
        if self.local is not None:
            return self.local(name)
        return f"{self.use('S')}[{self.place[name]}]"

    def size(self, n: int) -> str:
        """A number of units: a literal where small, else a run-time number (see performance)."""
        return str(n) if n <= UNROLLED else self.use(f"n{n}")

    def number(self, value: float) -> str:
        """A number in the precision of the arrays."""
        if self.bits == 32:
            return self.constants.of(value)
        return repr(value) if value >= 0 else f"({value!r})"

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
