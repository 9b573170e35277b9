"""Names and scopes: what a file declares, and what a piece of its text may name.

These are the interfaces that all of the binding knows; `name_table` fills the table.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

from ..circuit import ParameterValue, Signal
from ..expressions.constants import Value
from ..expressions.tree import Call, Expr, Number, RateReference, Reference, walk
from ..reading.arrays import Arrays
from ..reading.nodes import ScalarNode
from ..reading.problems import Problems
from ..wording import listed
from .declared import InputRead, Latch, Link, Member

NOTHING = Number(0.0)  # stands for what could not be resolved, so that the rest is still looked at


class ParameterTable(ABC):
    """The parameters of a file."""

    structural: set[str]

    @abstractmethod
    def bases(self) -> tuple[str, ...]:
        """The names, families by their base name."""

    @abstractmethod
    def has(self, base: str) -> bool:
        """Whether there is a parameter or family of this name."""

    @abstractmethod
    def key(self, base: str) -> ScalarNode:
        """Where a parameter is declared."""

    @abstractmethod
    def is_family(self, base: str) -> bool:
        """Whether the parameter is declared with an index."""

    @abstractmethod
    def value(self, name: str) -> Value:
        """The value of a member by its full name."""

    @abstractmethod
    def get(self, name: str) -> ParameterValue:
        """A member by its full name."""

    @abstractmethod
    def written(self, name: str, number: float) -> ScalarNode | None:
        """The text that gives a parameter its value; of a list, the first that is `number`."""

    @abstractmethod
    def refer(self, node: Reference, scope: Scope) -> Expr:
        """What a reference to a parameter means: a `Parameter` leaf."""

    @abstractmethod
    def length(self, node: Call, scope: Scope) -> Expr:
        """`len(list)`: the number of its entries, a number at once."""

    @abstractmethod
    def mark_structural(self, expr: Expr) -> None:
        """Every parameter in an expression is fixed at lowering, and what it is made of."""

    @abstractmethod
    def add(self, name: str, expression: Expr | tuple[Expr, ...], units: int) -> None:
        """One value for each unit of a population, under the full name "y.period"."""


class FunctionTable(ABC):
    """The functions that a file defines."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Whether the file defines this function."""

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of the functions of the file."""

    @abstractmethod
    def inline(self, call: Call, scope: Scope) -> Expr:
        """A call of a function of the file, its arguments resolved, as its body."""


class Names(ABC):
    """What is declared, by kind; filled section by section while a file is loaded.

    `populations` and `synapses` map member names to what is known of them; `families` and
    `synapse_families` map a base name to member names by index (None: it is no family).
    """

    def __init__(self, problems: Problems, arrays: Arrays):
        self.problems = problems
        self.arrays = arrays
        self.parameters: ParameterTable
        self.functions: FunctionTable
        self.streams: dict[str, int] = {}
        self.signals: dict[str, Signal] = {}
        self.signal_places: dict[str, ScalarNode] = {}  # where `every` stands
        self.populations: dict[str, Member] = {}
        self.families: dict[str, dict[int | None, str]] = {}
        self.synapses: dict[str, Link] = {}
        self.synapse_families: dict[str, dict[int | None, str]] = {}
        self.broken: set[str] = set()  # populations and synapses whose declaration is wrong
        self.phases: tuple[str, ...] = ()
        self.latches: list[Latch] = []
        self.inputs: list[InputRead] = []
        self.equation_places: dict[tuple[str, str], ScalarNode] = {}
        self.set_places: dict[str, ScalarNode] = {}

    @abstractmethod
    def number(self, expr: Expr) -> float:
        """The value of a resolved constant expression; raises `NotConstantError`."""

    @abstractmethod
    def constant(
        self,
        scalar: ScalarNode,
        indices: Mapping[str, int] | None = None,
        where: str = "a constant",
    ) -> tuple[Expr, float]:
        """The resolved expression and the value of a constant."""

    @abstractmethod
    def resolved_constant(self, expr: Expr, scope: Scope) -> tuple[Expr, float]:
        """`expr` resolved in a scope, and its value."""

    @abstractmethod
    def integer(
        self,
        scalar: ScalarNode,
        indices: Mapping[str, int] | None = None,
        what: str = "a size",
        least: int = 1,
    ) -> int:
        """A whole number that is fixed at lowering: what it is made of becomes structural."""

    @abstractmethod
    def bound(
        self, expr: Expr, scalar: ScalarNode, indices: Mapping[str, int] | None = None
    ) -> int:
        """The whole number of an index or an index bound."""

    @abstractmethod
    def index(self, expr: Expr, scope: Scope) -> int:
        """The whole number of the index of a reference."""

    @abstractmethod
    def no_member(
        self, node: Reference, scope: Scope, index: int, members: Iterable[int | None]
    ) -> None:
        """Write down that a family has no such member."""

    @abstractmethod
    def population(self, node: Reference, scope: Scope) -> Member:
        """The one population member that a reference starts with."""

    @abstractmethod
    def population_members(self, node: Reference, scope: Scope) -> list[Member]:
        """The members that a reference starts with: one, or all of a family by its base name."""

    @abstractmethod
    def synapse_members(self, node: Reference, scope: Scope) -> list[Link]:
        """The synapses that a reference names: one, or all of a family by its base name."""

    def reading(self, scalar: ScalarNode, expr: Expr, reader: str, name: str) -> None:
        """Note every `@phase` of an expression as written, to be compared with the protocols."""
        for node in walk(expr):
            if isinstance(node, Reference) and node.phase is not None:
                start, stop = node.span or (0, len(scalar.text))
                at = scalar.text.rfind("@", start, stop)
                offset = at if at >= 0 else start
                self.latches.append(Latch(scalar, offset, node.phase, reader, name))


class Scope(ABC):
    """What a piece of text may name; `scalar` is that text, for the places of problems."""

    where = "here"
    lists = "none"  # bare list parameters: "unit" (one value per unit), "constant", "none"
    streams = False
    counters = True
    noise = False
    calls: Mapping[str, tuple[int, int]] = {}

    def __init__(self, names: Names, scalar: ScalarNode, indices: Mapping[str, int] | None = None):
        self.names = names
        self.scalar = scalar
        self.indices = dict(indices or {})

    @abstractmethod
    def own(self, reference: Reference) -> Expr | None:
        """What a reference means in this scope before parameters are asked; None if nothing."""

    def own_names(self) -> Iterable[str]:
        """The names of this scope, for suggestions."""
        return ()

    def rate(self, node: RateReference) -> Expr:
        """What `dx/dt` on a right side means."""
        self.fail(node, f"d{node.name}/dt can be used only in the equations of a cell")
        return NOTHING

    def built_in(self, node: Reference) -> Expr | None:
        """What a name means that nobody declared; None if nothing."""
        return None

    def call(self, node: Call) -> Expr | None:
        """A call that means something of its own in this scope; None if it does not."""
        return None

    def fail(
        self,
        node: Expr,
        message: str,
        expected: str | None = None,
        suggestion: str | None = None,
        offset: int = 0,
    ) -> None:
        """Write a problem down at the place of a node; resolving goes on."""
        start = node.span[0] if node.span else 0
        self.names.problems.add(
            self.scalar.place_at(start + offset),
            message,
            expected=expected,
            suggestion=suggestion,
        )

    def unknown(self, node: Expr, what: str, name: str, known: Iterable[str]) -> None:
        """Write down that a name is not known, with the nearest one, or all that are."""
        known = list(known)
        start = node.span[0] if node.span else 0
        if isinstance(node, RateReference):
            start += 1
        among = listed(known, 40) if known else None
        self.names.problems.unknown(self.scalar.place_at(start), what, name, known, among)
