"""What a value means at one moment of a protocol, and the instructions that make it current.

Every algebraic variable, synaptic current, derivative and population sum has one buffer and one
recipe. A recipe depends on the *view*: which variables are clamped and which parameters a phase set
to 0. `Emitter.need` emits what is not current yet, in order; `Emitter.write` notes that a
buffer changed, so that all that depends on it has to be made again before it is next read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..buffer import Quantity
from ..circuit import Circuit, Population
from ..expressions.derivative import simplify, summed
from ..expressions.tree import (
    Binary,
    Call,
    Compare,
    Counter,
    Expr,
    Load,
    Noise,
    Number,
    Residual,
    transform,
    walk,
)
from ..instructions import Branch, Draw, Instruction, Map, RankUpdate
from .refusal import LoweringError, NotYetError, Subject, about
from .translation import PhaseView, Translation

Maker = Callable[[], tuple[Instruction, ...]]


@dataclass
class DryRun:
    """What a piece of code emits in a dry run, what it asks for, and what is current after it."""

    code: tuple[Instruction, ...] = ()
    asked: list[str] = field(default_factory=list)
    valid: set[str] = field(default_factory=set)


class Emitter(Translation):
    """Emits instructions that make buffers current, no sooner and no more often than needed."""

    def __init__(self, circuit: Circuit):
        super().__init__(circuit)
        self.valid: set[str] = set()
        self.emitted: list[Instruction] = []
        self._moved: set[str] | None = None  # in a dry run: what is not taken as current
        self._asked: list[str] = []
        self._recipes: dict[str, tuple[Instruction, ...]] = {}
        self._calls: dict[Expr, set[str]] = {}  # a function value -> the buffers it makes
        self._reach: dict[str, frozenset[str]] = {}
        self._above: dict[str, set[str]] = {}  # a buffer -> those that depend on it
        self._open: list[str] = []
        self.makers: dict[str, Maker] = {}  # what others make: currents, live weights

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
                if equation.tau is not None:
                    right = simplify(Binary("/", right, self.translate(equation.tau)))
                return self.moving(population, variable, right, Number(0.0))
        return Number(0.0)

    def moving(self, population: str, variable: str, moved: Expr, still: Expr) -> Expr:
        """What becomes of a variable that moves; what it is where an event holds it."""
        events = self.circuit.populations[population].events
        holds = [Load(self.hold(population, e.name)) for e in events if variable in e.hold]
        if not holds:
            return moved
        return Call("where", (Compare(">", summed(holds), Number(0.0)), still, moved))

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
            if self._moved is not None and not (self.reach(name) & self._moved):
                self._asked.append(name)
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

    @contextmanager
    def branch(self, condition: Expr) -> Iterator[None]:
        """What is emitted inside is done where a condition holds, and leaves nothing current."""
        outside, self.emitted, before = self.emitted, [], set(self.valid)
        yield
        body, self.emitted = tuple(self.emitted), outside
        self.valid &= before
        self.emit(Branch(condition, body))

    @contextmanager
    def dry_run(self, valid: set[str], moved: set[str] | None = None) -> Iterator[DryRun]:
        """What is emitted inside is not kept, but told once it is over.

        valid: What is current before. moved: Where given, all that does not depend on it is taken
            as current and noted as asked for.
        """
        kept = self.emitted, self.valid, self.made_so_far
        self.emitted, self.valid, self._moved, self._asked = [], set(valid), moved, []
        found = DryRun()
        yield found
        found.code, found.asked, found.valid = tuple(self.emitted), self._asked, self.valid
        self._moved = None
        self.emitted, self.valid, self.made_so_far = kept

    def take(self) -> tuple[Instruction, ...]:
        """What was emitted since the last call."""
        done, self.emitted = tuple(self.emitted), []
        return done

    def look(self, view: PhaseView) -> None:
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
