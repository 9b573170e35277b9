"""Expressions of a circuit over buffers; what runs over units gets a buffer of its own.

What a parameter or `x@phase` means depends on the *view*: the phase, its clamps, and the parameters
that it sets to 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...compartments.functions import over_units
from ..buffer import Made
from ..circuit import Circuit, Synapse
from ..expressions.derivative import defined, expand_primes, simplify, summed
from ..expressions.text import text
from ..expressions.tree import (
    Binary,
    Call,
    Counter,
    Expr,
    Input,
    Load,
    Noise,
    Number,
    Parameter,
    Rate,
    Stream,
    Trace,
    Transmitted,
    Variable,
    Weight,
    transform,
    walk,
)
from ..instructions import Instruction, Map, Reduce
from .buffers import Buffers
from .refusal import LoweringError, NotYetError, Subject


@dataclass
class PhaseView:
    """What holds in a phase: its name, clamps, and the parameters set to a literal 0."""

    clamps: dict[tuple[str, str], Expr] = field(default_factory=dict)
    zeros: frozenset[str] = frozenset()
    phase: str = ""


class Translation(Buffers):
    """Translates expressions; `ended` are the phases whose ends can be read."""

    def __init__(self, circuit: Circuit):
        super().__init__(circuit)
        self.view = PhaseView()
        self.ended: set[str] = set()
        self._temporaries: dict[tuple[object, ...], Made] = {}
        self._fixed: dict[str, tuple[Instruction, ...]] = {}

    def parameter(self, name: str, axis: str | None = None) -> Expr:
        """A parameter as an operand: a number if structural, a scalar, or a row for a list."""
        entry = self.circuit.parameters[name]
        if isinstance(entry.value, tuple):
            return Load(self.parameter_buffer(name), axis)
        if name in self.view.zeros:
            return Number(0.0)
        whole = float(entry.value).is_integer()  # a step size stays an operand: one code for all
        if entry.structural and whole and name not in self.circuit.set_names:
            return Number(float(entry.value))
        return Load(self.parameter_buffer(name))

    # --- expressions ---------------------------------------------------------------------------

    def translate(self, expr: Expr, current: Synapse | None = None) -> Expr:
        """An expression of the circuit over buffers; sums over units become buffers of their own.

        `current`: the synapse whose weight and signal `w` and `pre` mean.
        """
        return simplify(transform(simplify(expand_primes(expr)), lambda n: self._leaf(n, current)))

    def _leaf(self, node: Expr, synapse: Synapse | None) -> Expr | None:
        match node:
            case Variable(population=population, name=name, phase=phase):
                if phase is None:
                    return Load(self.variable(population, name))
                if phase not in self.ended:
                    raise NotYetError(
                        f"{population}.{name}@{phase} is read before the phase {phase!r} has ended",
                        Subject(population, name),
                    )
                return Load(self.latch(population, name, phase))
            case Parameter(name=name):
                return self.parameter(name)
            case Input():
                return summed(Load(self.arrival(s)) for s in self.circuit.arriving(node))
            case Stream(name=name):
                return Load(self.stream(name))
            case Counter(name=name):
                return Load(self.counter(name))
            case Rate(population=population, name=name):
                return Load(self.rate(population, name))
            case Call() if (made := defined(node)) is not None:
                return self._inner(made, synapse)
            case Call(function="softmax", arguments=(argument,)):
                return self._softmax(argument, synapse)
            case Call(function=function, arguments=(argument,)) if over_units(function, 1):
                return self._reduction(function, self._inner(argument, synapse))
            case Weight() if synapse is not None and synapse.connection.elementwise:
                return Load(self.weight(synapse))
            case Transmitted() if synapse is not None and synapse.connection.elementwise:
                return Load(self.sent(synapse))
            case Trace(name=name) if synapse is not None:
                return Load(self.trace(synapse, name))
            case Noise():
                return self._noise(node)
        return None

    def _inner(self, expr: Expr, synapse: Synapse | None) -> Expr:
        return simplify(transform(expr, lambda n: self._leaf(n, synapse)))

    def _noise(self, node: Expr) -> Expr:
        raise LoweringError("`xi` can only be used in the derivative of a state")

    def fitted(self, expr: Expr, size: int) -> Expr:
        """An expression over buffers for `size` units: what has one unit is the same for all."""

        def single(node: Expr) -> Expr | None:
            if not isinstance(node, Load) or size == 1:
                return None
            shape = self.buffers[node.buffer].shape
            return self._reduction("sum", node) if shape in (("unit", 1), ("row", 1)) else None

        return transform(expr, single)

    def units(self, expr: Expr) -> int:
        """The number of units of the vectors in an expression."""
        sizes = {
            int(self.buffers[n.buffer].shape[1])
            for n in walk(expr)
            if isinstance(n, Load) and self.buffers[n.buffer].shape[0] in ("unit", "row")
        }
        if len(sizes) > 1:
            raise LoweringError(f"vectors of different lengths meet: {sorted(sizes)}")
        return sizes.pop() if sizes else 1

    def temporary(
        self, key: tuple[object, ...], what: str, of: tuple[str, ...], kind: str, *shape: str | int
    ) -> tuple[str, bool]:
        """A buffer that is made by one recipe wherever `key` stands; whether it is known."""
        known = key in self._temporaries
        if not known:
            owners = tuple(self.buffers[name].identity for name in of)
            self._temporaries[key] = Made(what, owners, len(self._temporaries), again=True)
        return self.declare(self._temporaries[key], kind, *shape), known

    def computed(
        self,
        what: str,
        of: tuple[str, ...],
        key: object,
        size: int,
        recipe: Callable[[str], tuple[Instruction, ...]],
    ) -> Expr:
        """A number per unit with a recipe of its own, made once for each (what, of, key)."""
        name, known = self.temporary((what, of, key), what, of, "algebraic", "unit", size)
        if not known:
            self._fixed[name] = recipe(name)
        return Load(name)

    def sampled(self, name: str) -> str:
        """A buffer with a number for each sample: itself, or what shows a slow variable to all."""
        kind, *size = self.buffers[name].shape
        if kind != "row":
            return name
        shown = self.computed("shown", (), name, int(size[0]), lambda to: (Map(to, Load(name)),))
        assert isinstance(shown, Load)
        return shown.buffer

    def _reduction(self, op: str, value: Expr) -> Expr:
        kinds = {self.buffers[n.buffer].shape[0] for n in walk(value) if isinstance(n, Load)}
        if not kinds & {"unit", "row", "sample"}:
            raise LoweringError(
                f"`{op}({text(value)})` has no units to run over: its argument is one number"
            )
        size = self.units(value)
        name, known = self.temporary((op, value), op, (), "algebraic", "sample")
        if not known:
            self._fixed[name] = (Reduce(name, op, value, size),)
        return Load(name)

    def _softmax(self, argument: Expr, synapse: Synapse | None) -> Expr:
        value = self._inner(argument, synapse)
        largest = self._reduction("max", value)
        shifted = Call("exp", (Binary("-", value, largest),))
        size = self.units(value)
        name, known = self.temporary(("exp", value), "exp", (), "algebraic", "unit", size)
        if not known:
            self._fixed[name] = (Map(name, shifted),)
        return Binary("/", Load(name), self._reduction("sum", Load(name)))

    def fix(self, name: str, *instructions: Instruction) -> None:
        """Says once for all views what makes a temporary current."""
        self._fixed[name] = instructions
