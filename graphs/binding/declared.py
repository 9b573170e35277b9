"""What is known of each thing that a file declares, while the file is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...compartments.windows import Windows
from ..expressions.tree import Expr, Parameter, Reference, WeightOf
from ..reading.nodes import MappingNode, ScalarNode
from .cells import Cell


@dataclass
class Member:
    """One member of a population while a file is loaded."""

    name: str
    base: str
    index: int | None
    key: ScalarNode
    size: int
    cell: Cell
    kinds: dict[str, str]  # of its variables, also those that only a protocol assigns
    own: dict[str, Expr] = field(default_factory=dict)
    own_texts: dict[str, ScalarNode] = field(default_factory=dict)  # of those that are one number
    shape: tuple[int, ...] | None = None
    places: dict[str, Parameter] = field(default_factory=dict)  # those that something reads


@dataclass
class Link:
    """One member of a synapse family while a file is loaded; `shape` leaves a bias column out."""

    name: str
    base: str
    index: int | None
    key: ScalarNode
    entry: MappingNode
    bound: dict[str, int]
    source: Member
    variable: str
    target: Member
    compartment: str
    port: str | None
    connect: str
    bias: bool
    shape: tuple[int, ...]
    plastic: bool = False
    event: bool = True  # has rules that `learn` calls for
    weights: list[WeightOf] = field(default_factory=list)
    windows: Windows | None = None  # of a convolution or a pooling; then `shape` is its kernel's
    pool: str | None = None  # mean | max
    backwards: bool = False  # from the map to the image


@dataclass(frozen=True)
class Latch:
    """One `@phase` as written: where, which phase, and who reads it (`reader`, `name`)."""

    scalar: ScalarNode
    offset: int
    phase: str
    reader: str  # equation | synapse | slow
    name: str


@dataclass(frozen=True)
class InputRead:
    """One `input` or `input.port` as written, in a compartment of a population."""

    scalar: ScalarNode
    node: Reference
    population: str
    compartment: str
    port: str | None
