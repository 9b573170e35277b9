"""Circuit: what a file says, checked, expanded and resolved. Frozen; engines never see it.

Families are expanded to members ("layer[1]"), variants and `is` are merged, user functions are
inlined, names are resolved (see `expression`). Everything is in file order.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..compartments.connectivity import CONNECTIVITY, Connectivity
from ..compartments.integrators import DEFAULT_METHOD
from ..compartments.optimizers import OPTIMIZERS, UpdateRule
from ..compartments.signs import SIGNS
from ..compartments.windows import Windows
from .diagnostics import CircuitError, Diagnostic
from .expressions.text import text
from .expressions.tree import Array, Call, Expr, Input, Number, UnitPlace, Variable, WeightOf, walk
from .population import (
    Equation as Equation,
    Event as Event,
    Population as Population,
    Update as Update,
)
from .records import Held as Held, Record as Record, Snapshot as Snapshot

if TYPE_CHECKING:
    import networkx

    from .reports.findings import Audit
    from .requirements import Requirement


@dataclass(frozen=True)
class ParameterValue:
    """One parameter member: its expression (in `Parameter` leaves), its value, whether structural.

    `units`: how many values the expression has, one for each unit of a population; 0 elsewhere.
    Structural parameters reach sizes, index bounds, step counts or `connect`: fixed at lowering.
    """

    name: str
    expression: Expr | tuple[Expr, ...]
    value: float | tuple[float, ...]
    structural: bool = False
    units: int = 0


@dataclass(frozen=True)
class Optimizer:
    """An optimizer with the arguments that the file gives: `momentum(0.1)`."""

    kind: str
    arguments: tuple[Expr, ...]

    @property
    def rule(self) -> UpdateRule:
        """What `kind` stands for."""
        return OPTIMIZERS[self.kind]

    @property
    def parameters(self) -> dict[str, Expr]:
        """Every parameter of the rule with its argument, or its default."""
        given = dict(zip(self.rule.parameters, self.arguments, strict=False))
        defaults = self.rule.parameters.items()
        return {name: given.get(name, Number(default or 0.0)) for name, default in defaults}


@dataclass(frozen=True)
class Synapse:
    """One member of a synapse family, from `source` to `target`.

    `shape` is (post, pre), pre counting the bias unit; (n,) where `connection` is elementwise;
    (out, in * rows * columns), and one for a bias, of a convolution.
    `rule` holds `Update`s of "w" and `Equation`s (`dw/dt = E`, variable "w"); `trace` holds
    `Equation`s. `weight` is None, or the live expression that stands for the weight (then there
    is no `init`). `delay_steps`: the `delay` in steps of the circuit's one dt.
    """

    name: str
    base: str
    index: int | None
    source: tuple[str, str]  # population, variable
    target: tuple[str, str, str | None]  # population, compartment, port
    connect: str  # a row of `compartments.connectivity`
    shape: tuple[int, ...]
    init: Expr | None
    weight: Expr | None = None
    bias: bool = False
    current: Expr | None = None
    filter: tuple[Expr, Expr] | None = None
    delay: Expr | None = None
    delay_steps: int = 0
    trace: tuple[Equation, ...] = ()
    rule: tuple[Update | Equation, ...] = ()
    batch: str = "mean"
    optimizer: Optimizer | None = None
    init_stated: bool = True
    check: str | None = None  # a property of the weights, `compartments.properties`
    bounds: tuple[Expr, Expr] | None = None
    sign: str | None = None  # a row of `compartments.signs`
    given: Expr | None = None  # what stands behind the word of `connect`: `when E`, `sparse(p)`
    windows: Windows | None = None  # of a convolution or a pooling
    backwards: bool = False  # from the map to the image: the transpose of one
    pool: str | None = None  # mean | max

    @property
    def kernel(self) -> tuple[int, int, int, int] | None:
        """(out, in, rows, columns) of a convolution's weights."""
        return None if self.windows is None or self.pool else self.windows.kernel

    @property
    def connection(self) -> Connectivity:
        """What `connect` says of the weights."""
        return CONNECTIVITY[self.connect]

    @property
    def connect_text(self) -> str:
        """The value of `connect`: "dense", "sparse(p)"."""
        given = "" if self.given is None else text(self.given)
        return self.connection.written(self.windows.arguments(self.pool) if self.windows else given)

    @property
    def shares(self) -> tuple[str, bool] | None:
        """The synapse to whose array the rule adds, and whether transposed; None: its own."""
        weight, turned = self.weight, False
        if weight is None or not self.rule:
            return None
        while isinstance(weight, Call) and weight.function in ("transpose", "copy"):
            turned ^= weight.function == "transpose"
            weight = weight.arguments[0]
        return (weight.synapse, turned) if isinstance(weight, WeightOf) else None

    @property
    def limits(self) -> tuple[Expr | None, Expr | None]:
        """The smallest and the largest weight, as `bounds` or `sign` say; the bias is free."""
        if self.bounds is not None:
            return self.bounds
        if self.sign is None:
            return None, None
        low, high = SIGNS[self.sign].low, SIGNS[self.sign].high
        return (None if low is None else Number(low)), (None if high is None else Number(high))


Target = tuple[str, str, str | None]  # population, compartment, port


def by_target(synapses: Iterable[Synapse]) -> dict[Target, list[Synapse]]:
    """The synapses that arrive at each place, in file order."""
    found: dict[Target, list[Synapse]] = {}
    for synapse in synapses:
        found.setdefault(synapse.target, []).append(synapse)
    return found


@dataclass(frozen=True)
class LearnItem:
    """What a `learn` names: a synapse ("W[1]", None) or a slow variable ("y", "mu")."""

    name: str
    variable: str | None = None

    def __str__(self) -> str:
        return self.name if self.variable is None else f"{self.name}.{self.variable}"


@dataclass(frozen=True)
class Phase:
    """One phase of a protocol, expanded over members; keys act in this order."""

    name: str
    start_from: str | None = None  # `from:`
    release: tuple[Variable, ...] = ()
    clamp: tuple[tuple[Variable, Expr], ...] = ()
    set: tuple[tuple[str, Expr], ...] = ()
    begin: tuple[tuple[Variable, Expr], ...] = ()
    steps: Expr | None = None
    duration: Expr | None = None  # `for:`
    dt: Expr | None = None
    method: str = DEFAULT_METHOD  # a row of `compartments.tableaux`
    order: tuple[tuple[str, ...], ...] | None = None  # turns of populations; None: all at once
    until: Expr | None = None
    learn_each_step: tuple[tuple[LearnItem, Expr | None], ...] = ()  # item, when
    plasticity: bool = True  # `plasticity: off` also stops dw/dt and traces
    learn: tuple[tuple[LearnItem, ...], ...] = ()  # groups, in order


@dataclass(frozen=True)
class Protocol:
    """What happens during one presentation."""

    name: str
    phases: tuple[Phase, ...]


@dataclass(frozen=True)
class Signal:
    """The time axis of a stream: a row each `every` time units; None: each step.

    A step reads the row that it starts in; `linear`: the value at its own time, between two rows.
    """

    every: Expr | None
    linear: bool = False


@dataclass(frozen=True)
class Source:
    """Where a circuit came from: enough to build it again."""

    path: str
    texts: Mapping[str, str]  # path -> text of this file and of those it extends
    variants: tuple[str, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Circuit:
    """A checked circuit. `parameters`, `populations`, `synapses` are keyed by member name."""

    name: str
    title: str
    cite: str
    time_unit: str | None
    parameters: Mapping[str, ParameterValue]
    streams: Mapping[str, int]
    populations: Mapping[str, Population]
    synapses: Mapping[str, Synapse]
    energies: Mapping[str, Expr]  # over Call("sum" | "mean", (e,)) of units; members summed
    predicts: Mapping[str, Variable]
    record: tuple[Record | Snapshot, ...]
    protocols: Mapping[str, Protocol]
    source: Source
    set_names: frozenset[str] = frozenset()  # parameters that some phase sets
    warnings: tuple[Diagnostic, ...] = ()
    requirements: tuple[Requirement, ...] = ()  # of numbers that parameters decide
    task: str = ""  # what it is for, see `graphs.task`
    stream_sizes: Mapping[str, str] = field(default_factory=dict)  # as written: "sizes[0]"
    signals: Mapping[str, Signal] = field(default_factory=dict)  # of the streams that have one

    @cached_property
    def graph(self) -> networkx.MultiDiGraph:
        """Compartments as nodes; synapses, autapses and couplings as edges (see `network`)."""
        from .network import graph

        return graph(self)

    @cached_property
    def stated(self) -> Mapping[str, ParameterValue]:
        """The parameters but those that say where a unit stands, which nobody states."""
        return {n: p for n, p in self.parameters.items() if not isinstance(p.expression, UnitPlace)}

    @cached_property
    def plastic(self) -> frozenset[str]:
        """The synapses whose arrays rules change, their own or those of synapses that share."""
        synapses = self.synapses.values()
        own = (s.name for s in synapses if s.rule and s.weight is None)
        return frozenset((*own, *(s.shares[0] for s in synapses if s.shares is not None)))

    @cached_property
    def arrays(self) -> Mapping[str, Array]:
        """The arrays from files and from Python that synapses are made of, by `Array.key`."""
        synapses = self.synapses.values()
        starts = [e for s in synapses for e in (s.init, s.given) if e is not None]
        found = [node for start in starts for node in walk(start) if isinstance(node, Array)]
        return {node.key: node for node in found}

    @cached_property
    def _by_target(self) -> Mapping[Target, list[Synapse]]:
        return by_target(self.synapses.values())

    def arriving(self, node: Input) -> Sequence[Synapse]:
        """The synapses whose currents an `input` adds up, in file order."""
        return self._by_target.get((node.population, node.compartment, node.port), ())

    def audit(self) -> Audit:
        """What every synapse and rule reads, and whether that is local (see `audit`)."""
        from .reports.audit import audit

        return audit(self)

    def draw(self, path: str | os.PathLike[str] | None = None, **settings: Any) -> Any:
        """A picture of cells, synapses and a protocol; gives a matplotlib figure.

        Args:
            path: Where to save the picture (.svg, .pdf, .png), or None.
            settings: `width`, `protocol`, `fold` (see `drawing.drawing.draw`).
        """
        from .drawing.drawing import draw

        return draw(self, path, **settings)

    def to_yaml(self) -> str:
        """The text of a file that describes this circuit; `apical.load` reads it back.

        Families stand member by member, functions are written out, sizes are numbers.
        """
        from .reports.yaml_text import print_circuit

        return print_circuit(self)

    def strict(self) -> Circuit:
        """This circuit, where its file gave no warning.

        Raises:
            CircuitError: It gave some; all are listed.
        """
        if self.warnings:
            raise CircuitError(self.warnings)
        return self

    def __str__(self) -> str:
        from .reports.show import summary

        return summary(self)

    def _repr_html_(self) -> str:
        from .reports.show import html

        return html(self)
