"""Expressions: the trees that equations, rules and protocols are made of.

Two families of leaves share one family of operators. What the parser returns has `Reference`
leaves: names as the user wrote them. What a `Circuit` holds has *resolved* leaves: `Variable`,
`Input`, `Parameter`, ... that say which member of which population is meant. The lowering turns
those into `Load`s of buffers. All nodes are frozen and compare by structure; `span` (where the node
stands in the text) takes no part in comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from typing import Any

import numpy as np

from ...compartments.place import PLACES


@dataclass(frozen=True)
class Expr:
    """A node of an expression; `span` = (start, end) offsets into the text it was parsed from."""

    span: tuple[int, int] | None = field(default=None, compare=False, repr=False, kw_only=True)


# --- operators -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number(Expr):
    """A literal."""

    value: float


@dataclass(frozen=True)
class Unary(Expr):
    """`-operand`; `op` is always "-"."""

    op: str
    operand: Expr


@dataclass(frozen=True)
class Binary(Expr):
    """`left op right`, op one of + - * / ^."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Compare(Expr):
    """`left op right`, op one of < <= > >= == !=; 1 where it holds, else 0."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Call(Expr):
    """`function(arguments)`, or `function'(argument)` when primed; `|x|` is Call("abs", (x,))."""

    function: str
    arguments: tuple[Expr, ...]
    primed: bool = False


# --- leaves as written ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Range(Expr):
    """`start..stop`, inclusive; only inside an index."""

    start: Expr
    stop: Expr


@dataclass(frozen=True)
class Reference(Expr):
    """A name as written: `x`, `x@p`, `eta[k]`, `layer[k-1].x@free`, `pre.x`, `input.port`.

    `layer[1..L].e` has a `Range` as index; `pop.compartment.port` has two attributes.
    """

    name: str
    index: Expr | None = None
    attributes: tuple[str, ...] = ()
    phase: str | None = None


@dataclass(frozen=True)
class Quoted(Expr):
    """`"W.npz"`: a text in quotation marks, which `file` and `array` take."""

    value: str


@dataclass(frozen=True)
class RateReference(Expr):
    """`du/dt` on a right side: that derivative now."""

    name: str


# --- leaves as resolved --------------------------------------------------------------------------


@dataclass(frozen=True)
class Variable(Expr):
    """A variable of one population member ("layer[1]", "x"): a state, an algebraic or a slow one.

    `side` is "pre" or "post" inside the rule, trace or current of a synapse, else None. `phase` is
    the p of `x@p`: the value latched at the end of that phase.
    """

    population: str
    name: str
    phase: str | None = None
    side: str | None = None


@dataclass(frozen=True)
class Rate(Expr):
    """dx/dt of a state, now."""

    population: str
    name: str


@dataclass(frozen=True)
class Input(Expr):
    """The synaptic current that arrives at a compartment, at its port `port` if not None."""

    population: str
    compartment: str
    port: str | None = None


@dataclass(frozen=True)
class Parameter(Expr):
    """A parameter by member name: "tau", "eta_W[1]"; a list parameter is one value per unit."""

    name: str
    side: str | None = None


@dataclass(frozen=True)
class UnitPlace(Expr):
    """What the parameter "y.index" of a population y is: a row of `compartments.place`."""

    name: str
    size: int
    shape: tuple[int, ...] | None = None

    @cached_property
    def values(self) -> tuple[float, ...]:
        """The number of each unit."""
        return tuple(PLACES[self.name].of(self.size, self.shape).tolist())


@dataclass(frozen=True)
class Stream(Expr):
    """A stream of `data:`."""

    name: str


@dataclass(frozen=True)
class Counter(Expr):
    """A built-in number: t dt step presentation sample epoch (pi is a Number)."""

    name: str


@dataclass(frozen=True)
class Noise(Expr):
    """`xi`: white noise, independent per replica, sample, unit and step."""


@dataclass(frozen=True)
class Weight(Expr):
    """`w`: the weight of the synapse whose rule this is."""


@dataclass(frozen=True)
class Trace(Expr):
    """A synaptic trace of the synapse whose rule this is."""

    name: str


@dataclass(frozen=True)
class Transmitted(Expr):
    """`pre` alone: what the synapse transmits, after filter and delay (1 at the bias unit)."""


@dataclass(frozen=True)
class WeightOf(Expr):
    """The weight array of another synapse, in `weight:` and `init:`; member name "W[2]"."""

    synapse: str


@dataclass(frozen=True)
class Array(Expr):
    """Numbers from a file, `file("W.npz", "a")`, or from Python, `array("W")`; equal by hash.

    beside: The circuit file in whose folder the file lies. values: of numpy, or compressed rows.
    """

    word: str
    arguments: tuple[str, ...]
    beside: str = field(default="", compare=False)
    sha256: str = ""
    values: Any = field(default=None, compare=False, repr=False)

    @property
    def said(self) -> str:
        """As it is written."""
        arguments = ", ".join(f'"{argument}"' for argument in self.arguments)
        return f"{self.word}({arguments})"

    @property
    def key(self) -> str:
        """What it is known by in manifests and checkpoints."""
        return f"{self.beside}: {self.said}" if self.beside else self.said

    @property
    def dense(self) -> np.ndarray:
        """The numbers as an array of numpy."""
        return self.values if isinstance(self.values, np.ndarray) else self.values.toarray()


@dataclass(frozen=True)
class Residual(Expr):
    """`residual` of a stop rule: max over states of |dx/dt| / (1 + |x|), per sample."""


# --- leaves of a Program -------------------------------------------------------------------------


@dataclass(frozen=True)
class Load(Expr):
    """The value of a buffer of a Program; `axis` "post" or "pre" lays a row along a matrix."""

    buffer: str
    axis: str | None = None


# --- walking -------------------------------------------------------------------------------------


@cache
def _fields(kind: type[Expr]) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind))


def children(node: Expr) -> tuple[Expr, ...]:
    """The direct sub-expressions of a node."""
    found: list[Expr] = []
    for name in _fields(type(node)):
        value: Any = getattr(node, name)
        if isinstance(value, Expr):
            found.append(value)
        elif isinstance(value, tuple):
            found.extend(v for v in value if isinstance(v, Expr))
    return tuple(found)


def walk(node: Expr) -> Iterator[Expr]:
    """The node and everything below it, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)


def named(node: Expr, names: Mapping[str, Expr]) -> Expr:
    """The expression with operands in place of the names as written."""
    return transform(node, lambda n: names[n.name] if isinstance(n, Reference) else None)


def transform(node: Expr, function: Callable[[Expr], Expr | None]) -> Expr:
    """A copy in which `function(n)`, where not None, stands for n; parents are asked first."""
    instead = function(node)
    if instead is not None:
        return instead
    changes: dict[str, Any] = {}
    for name in _fields(type(node)):
        value: Any = getattr(node, name)
        if isinstance(value, Expr):
            new: Any = transform(value, function)
        elif isinstance(value, tuple) and any(isinstance(v, Expr) for v in value):
            new = tuple(transform(v, function) if isinstance(v, Expr) else v for v in value)
        else:
            continue
        if new is not value:
            changes[name] = new
    return replace(node, **changes) if changes else node
