"""What a value means at one moment of a protocol, and the instructions that make it current.

Every algebraic variable, synaptic current, derivative and population sum has one buffer and one
recipe. A recipe depends on the *view*: which variables are clamped and which parameters a phase set
to 0. `Emitter.need` emits what is not current yet, in order; `Emitter.write` notes that a
buffer changed, so that all that depends on it has to be made again before it is next read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...compartments.functions import over_units
from ..buffer import Made, Quantity
from ..circuit import Circuit, Population, Synapse
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
    Residual,
    Stream,
    Trace,
    Transmitted,
    Variable,
    Weight,
    transform,
    walk,
)
from ..instructions import Draw, Instruction, Map, RankUpdate, Reduce
from .buffers import Buffers
from .refusal import LoweringError, NotYetError, Subject, about

Maker = Callable[[], tuple[Instruction, ...]]


@dataclass
class View:
    """What holds in a phase: its name, clamps, and the parameters set to a literal 0."""

    clamps: dict[tuple[str, str], Expr] = field(default_factory=dict)
    zeros: frozenset[str] = frozenset()
    phase: str = ""


class Emitter(Buffers):
    """Emits instructions that make buffers current, no sooner and no more often than needed."""

    def __init__(self, circuit: Circuit):
        super().__init__(circuit)
        self.view = View()
        self.valid: set[str] = set()
        self.emitted: list[Instruction] = []
        self.ended: set[str] = set()
        self.assumed: set[str] | None = None  # in a dry run: invariants taken as current
        self.asked: list[str] = []
        self._recipes: dict[str, tuple[Instruction, ...]] = {}
        self._calls: dict[Expr, set[str]] = {}  # a function value -> the buffers it makes
        self._reach: dict[str, frozenset[str]] = {}
        self._above: dict[str, set[str]] = {}  # a buffer -> those that depend on it
        self._temporaries: dict[tuple[object, ...], Made] = {}
        self._fixed: dict[str, tuple[Instruction, ...]] = {}
        self._open: list[str] = []
        self.makers: dict[str, Maker] = {}  # what others make: currents, live weights

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
            case Call(function="random_sign" | "uniform" | "normal") if synapse is None:
                raise LoweringError(f"{node.function}() can only be used in `set` and `init`")
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

    # --- recipes -------------------------------------------------------------------------------

    def recipe(self, name: str) -> tuple[Instruction, ...]:
        """The instructions that make an algebraic buffer current in this view; () for sources."""
        if name not in self._recipes:
            with about(Subject.of(self.buffers[name])):
                recipe = self._recipes[name] = self._make(name)
            match recipe:
                case (Map(value=Call() as value),):
                    self._calls.setdefault(value, set()).add(name)
        return self._recipes[name]

    def _make(self, name: str) -> tuple[Instruction, ...]:
        if name in self._fixed:
            return self._fixed[name]
        buffer = self.buffers[name]
        if buffer.kind not in ("algebraic", "state"):
            return ()
        if name in self.makers:
            return self.makers[name]()
        match buffer.identity:
            case Quantity(what="energy", owner=energy):
                return (Map(name, self.translate(self.circuit.energies[energy])),)
            case Quantity(what="rate", owner=population, part=variable):
                return (Map(name, self.derivative(population, variable)),)
            case Quantity(what="variable", owner=population, part=variable):
                return self._variable(name, population, variable)
        return ()

    def _variable(self, name: str, population: str, variable: str) -> tuple[Instruction, ...]:
        """What makes a variable that is clamped, or algebraic."""
        member = self.circuit.populations[population]
        equations = [e for e in member.equations if e.variable == variable]
        right = self.view.clamps.get((population, variable))
        if right is None:
            right = next((e.right for e in equations if e.kind == "algebraic"), None)
        return (
            () if right is None else (Map(name, self.fitted(self.translate(right), member.size)),)
        )

    def derivative(self, population: str, variable: str) -> Expr:
        """E / tau of a state's equation, over buffers; 0 for a state that has none."""
        for equation in self.circuit.populations[population].equations:
            if equation.variable == variable and equation.kind == "state":
                right = self._with_noise(equation.right, population, variable)
                right = self.translate(right)
                if equation.tau is None:
                    return right
                return simplify(Binary("/", right, self.translate(equation.tau)))
        return Number(0.0)

    def _with_noise(self, right: Expr, population: str, variable: str) -> Expr:
        """Each `xi` as a normal number over sqrt(dt): times dt the Euler-Maruyama increment.

        Every phase draws its own, and every `xi` of a line; an argument that a function of the
        file repeats is one, known by where it stands in the text.
        """
        places = list(dict.fromkeys(n.span for n in walk(right) if isinstance(n, Noise)))
        if not places:
            return right
        self.counter("slot")
        step = Binary("+", Load(self.counter("before")), Load(self.counter("step")))

        def drawn(node: Expr) -> Expr | None:
            if not isinstance(node, Noise):
                return None
            number = places.index(node.span)
            name = self.noise(population, variable, self.view.phase, number)
            self._fixed[name] = (Draw(name, "normal", name, step),)
            return Binary("/", Load(name), Call("sqrt", (Counter("dt"),)))

        return transform(right, drawn)

    # --- what is current -----------------------------------------------------------------------

    def reach(self, name: str) -> frozenset[str]:
        """All that a buffer depends on in this view, itself included."""
        if name not in self._reach:
            if name in self._open:
                cycle = [*self._open[self._open.index(name) :], name]
                whose = Subject.of(*(self.buffers[one] for one in cycle))
                raise LoweringError("algebraic loop: " + " -> ".join(cycle), whose)
            self._open.append(name)
            try:
                below = {name}
                for other in sorted(self._reads(name)):
                    below |= self.reach(other)
            finally:
                self._open.pop()
            self._reach[name] = frozenset(below)
            for other in below:
                self._above.setdefault(other, set()).add(name)
        return self._reach[name]

    def _reads(self, name: str) -> set[str]:
        recipe = self.recipe(name)
        made = set().union(set(), *(i.writes for i in recipe))
        return set().union(set(), *(i.reads for i in recipe)) - made

    def need(self, *names: str) -> None:
        """Makes buffers current, emitting what is missing."""
        for name in names:
            recipe = self.recipe(name)
            if not recipe or name in self.valid:
                continue
            self.reach(name)
            if self.assumed is not None and not (self.reach(name) & self.assumed):
                self.asked.append(name)
                self.valid.add(name)
                continue
            self.need(*sorted(self._reads(name)))
            self.emitted += [self._reuse(i) for i in recipe]
            self.valid.add(name)

    def _reuse(self, instruction: Instruction) -> Instruction:
        """A function value that a current buffer already holds is read from there."""
        if not isinstance(instruction, Map):
            return instruction

        def held(node: Expr) -> Expr | None:
            if not isinstance(node, Call):
                return None
            shape = self.buffers[instruction.target].shape  # `tanh(2)` has the size of its reader
            alike = {n for n in self._calls.get(node, ()) if self.buffers[n].shape == shape}
            return Load(min(alike & self.valid)) if alike & self.valid else None

        value = transform(instruction.value, held)
        return Map(instruction.target, value, instruction.masked)

    def readable(self, name: str) -> bool:
        """Whether a buffer can be made current now: every `x@p` below it has its value."""
        try:
            self.reach(name)
        except NotYetError:
            return False
        return True

    def reading(self, expr: Expr) -> Expr:
        """Makes all that an expression over buffers reads current, and returns it."""
        self.need(*sorted(n.buffer for n in walk(expr) if isinstance(n, Load)))
        return expr

    def write(self, name: str) -> None:
        """Notes that a buffer changed."""
        kept = name in self.valid and not self.recipe(name)
        self.valid -= self._above.get(name, set())
        if kept:
            self.valid.add(name)

    def assign(self, target: str, value: Expr, masked: bool = False) -> None:
        """Emits target := value, after making what value reads current."""
        self.reading(value)
        reused = self._reuse(Map(target, value, masked))
        self.emitted.append(reused)
        self.write(target)

    def put(self, target: str, value: Expr, masked: bool = False) -> None:
        """Emits target := value, on whatever shape target has; notes nothing and reads nothing."""
        if self.buffers[target].shape[0] == "matrix":
            self.emit(RankUpdate(target, value))
        else:
            self.emit(Map(target, value, masked))

    def emit(self, instruction: Instruction) -> None:
        """Emits an instruction as it stands."""
        self.emitted.append(instruction)

    def take(self) -> tuple[Instruction, ...]:
        """What was emitted since the last call."""
        done, self.emitted = tuple(self.emitted), []
        return done

    def look(self, view: View) -> None:
        """Changes the view; what means something else from now on is no longer current."""
        below = set().union(set(), *(self.reach(name) for name in sorted(self.valid)))
        old = {name: self.recipe(name) for name in sorted(below)}
        self.view = view
        self._recipes, self._calls, self._reach, self._above = {}, {}, {}, {}
        changed = {name for name in old if self.recipe(name) != old[name]}
        self.valid = {name for name in sorted(self.valid) if not (self.reach(name) & changed)}

    def population(self, name: str) -> Population:
        """A population by member name."""
        return self.circuit.populations[name]


def has_residual(expr: Expr) -> bool:
    """Whether a stop rule reads `residual`."""
    return any(isinstance(n, Residual) for n in walk(expr))
