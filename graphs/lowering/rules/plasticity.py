"""The rule compiler: a rule as matrix products, without anything of size batch x post x pre.

The average over the samples of a term f(post) g(pre) (see `factors`) is one matrix product for the
whole batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ...circuit import Equation, LearnItem, Synapse, Update
from ...expressions.derivative import simplify, summed
from ...expressions.tree import (
    Binary,
    Call,
    Expr,
    Load,
    Number,
    Trace,
    Unary,
    Weight,
    transform,
    walk,
)
from ...instructions import BatchReduce, Instruction, Map, RankUpdate, RowReduce, Term
from ..emitter import Emitter
from ..refusal import LoweringError, Subject, about
from ..transmission import Transmission
from .changes import Changes
from .compensation import Compensation
from .factors import ONE, separate, times
from .optimizing import Optimizing
from .pairs import Pairs
from .shared import array_of, as_own_rule
from .terms import Terms

Apply = Callable[[], None]


@dataclass(frozen=True)
class _Line:
    """One line of a rule: `weight` is the array that `w` means.

    `keep`: states move between reading and applying. `later`: what is done when it is applied,
    since only then `w` is known; None for the first line.
    """

    synapse: Synapse
    update: Update
    weight: str
    keep: bool
    later: list[Instruction] | None


class RuleCompiler:
    """Compiles the rules of one protocol; each rule is first read, then applied."""

    def __init__(
        self,
        evaluator: Emitter,
        transmission: Transmission,
        compensate: frozenset[str] = frozenset(),
    ):
        self.at, self.transmission = evaluator, transmission
        self.starts: dict[str, Expr] = {}
        self.pairs = Pairs(evaluator, transmission)
        self.sums = Compensation(evaluator, compensate, self.starts)
        self.optimizing = Optimizing(evaluator, self.starts)
        self.terms = Terms(evaluator)
        self.changes = Changes(evaluator, self.optimizing, self.sums)
        self.limits = self.changes.limits

    def read(self, item: LearnItem, keep: bool = False) -> Apply:
        """Emits what a rule reads; the returned function emits its application.

        `keep`: states move between reading and applying, so factors are copied.
        """
        with about(Subject(item.name, item.variable or "rule")):
            return self._read(item, keep)

    def read_group(self, items: tuple[LearnItem, ...], keep: bool = False) -> Apply:
        """The same for what changes one array: its changes are summed, then applied once."""
        circuit = self.at.circuit
        if len(items) == 1 and array_of(circuit, items[0]) == str(items[0]):
            return self.read(items[0], keep)
        owner = circuit.synapses[array_of(circuit, items[0])]
        weight = self.at.weight(owner)
        shape = self.at.buffers[weight].shape
        read: list[tuple[str, list[Apply]]] = []
        for item in items:
            with about(Subject(item.name, "rule")):
                synapse = circuit.synapses[item.name]
                one = owner if synapse is owner else as_own_rule(circuit, synapse)
                updates = [r for r in one.rule if isinstance(r, Update)]
                new = self.at.passing("new", owner, *shape)
                read.append((new, self._read_updates(one, updates, new, keep)))

        return lambda: self.changes.together(owner, read)

    def _read(self, item: LearnItem, keep: bool) -> Apply:
        if item.variable is not None:
            return self._read_slow(item.name, item.variable)
        synapse = self.at.circuit.synapses[item.name]
        updates = [r for r in synapse.rule if isinstance(r, Update)]
        if not updates:
            raise LoweringError(f"`learn` names {item.name}, which has no `rule` for an event")
        if synapse.optimizer is not None:
            return self._read_optimized(synapse, updates, keep)
        weight = self.at.weight(synapse)
        steps = self._read_updates(synapse, updates, weight, keep)
        return lambda: self._apply([*steps, lambda: self.limits.keep(synapse)], weight)

    def _apply(self, steps: list[Apply], *written: str) -> None:
        for step in steps:
            step()
        for name in written:
            self.at.write(name)

    # --- slow variables ------------------------------------------------------------------------

    def _read_slow(self, population: str, variable: str) -> Apply:
        target = self.at.variable(population, variable)
        size = self.at.population(population).size
        rules = [r for r in self.at.population(population).rules if r.target == variable]
        if not rules:
            raise LoweringError(f"{population}.{variable} has no entry in the `rules` of its cell")
        steps = [self._read_row(target, r, self.at.translate(r.right), size, True) for r in rules]
        return lambda: self._apply(steps, target)

    def _read_row(self, target: str, rule: Update, right: Expr, size: int, average: bool) -> Apply:
        """A rule of one number per unit: averaged over the samples, then added or put in place."""
        mean = self.at.passing("mean", target, "row", size)
        self.at.emit(BatchReduce(mean, self.at.reading(right), average))
        if rule.kind != ":=" and target in self.sums.names:
            signed = Load(mean) if rule.kind == "+=" else Unary("-", Load(mean))
            return lambda: self.sums.add(
                target, lambda name, lost: self.at.emit(Map(name, Binary("-", signed, lost)))
            )
        value = _updated(rule.kind, Load(target), Load(mean))
        return lambda: self.at.emit(Map(target, value))

    # --- synapses ------------------------------------------------------------------------------

    def _read_updates(
        self, synapse: Synapse, updates: list[Update], weight: str, keep: bool
    ) -> list[Apply]:
        """Every line of a rule; from the second on, `w` is known only when they are applied."""
        lines = []
        for number, update in enumerate(updates):
            later: list[Instruction] | None = [] if number else None
            line = _Line(synapse, update, weight, keep, later)
            elementwise = synapse.connection.elementwise
            lines.append(self._read_elementwise(line) if elementwise else self._read_update(line))
        return lines

    def _read_elementwise(self, line: _Line) -> Apply:
        synapse, weight = line.synapse, line.weight
        right = self.transmission.reductions.of(line.update.right, synapse)
        own = Load(self.at.weight(synapse) if line.later is None else weight)
        swapped = transform(right, lambda n: own if isinstance(n, Weight) else None)
        value = self.at.reading(self.at.translate(swapped, synapse))
        average = synapse.batch == "mean"
        if line.later is None or own not in walk(value):
            return self._read_row(weight, line.update, value, synapse.shape[0], average)
        held = self._all_held(value, {weight})

        def apply() -> None:
            self._read_row(weight, line.update, held, synapse.shape[0], average)()

        return apply

    def _all_held(self, value: Expr, later: set[str]) -> Expr:
        """A value in which all but the buffers `later` is what it is now, in copies."""
        copies: dict[Expr, Expr] = {}

        def leaf(node: Expr) -> Expr | None:
            if not isinstance(node, Load) or node.buffer in later:
                return None
            if node not in copies:
                shape = self.at.buffers[node.buffer].shape
                name = self.at.passing("held", node.buffer, *shape)
                self.at.put(name, Load(node.buffer))
                copies[node] = replace(node, buffer=name)
            return copies[node]

        return transform(value, leaf)

    def _read_update(self, line: _Line) -> Apply:
        synapse, rule, weight = line.synapse, line.update, line.weight
        average = synapse.batch == "mean"
        base, terms, bias = self._split(line, rule.right)
        if rule.kind == "-=":
            base = base and Unary("-", base)
            bias = bias and Unary("-", bias)
            terms = [replace(t, coefficient=simplify(Unary("-", t.coefficient))) for t in terms]
        if base is not None and not synapse.bias and self._biased(synapse):
            base = Call("where", (Load(self.at.bias_column(synapse), "pre"), Number(0.0), base))
        row = self._bias_row(synapse, bias)
        diagonal = synapse.connection.off_diagonal

        def rank(name: str, base: Expr | None) -> None:
            for instruction in line.later or ():
                self.at.emit(instruction)
            self.at.emit(RankUpdate(name, base, tuple(terms), average, row, diagonal))

        if rule.kind != ":=" and weight in self.sums.names:
            return lambda: self.sums.add(
                weight,
                lambda name, lost: rank(name, simplify(Binary("-", base or Number(0.0), lost))),
            )
        whole = base
        if rule.kind != ":=":
            whole = base and Binary("+", Load(weight), base)
        elif base is None:
            whole = Number(0.0)
        return lambda: rank(weight, whole and simplify(whole))

    def _split(self, line: _Line, right: Expr) -> tuple[Expr | None, list[Term], Expr | None]:
        """The part in w alone (None if there is none), the terms, and what the bias column adds."""
        synapse, weight = line.synapse, line.weight
        if synapse.name in self.at.apart and any(isinstance(n, Trace) for n in walk(right)):
            shape = self.at.buffers[weight].shape
            mean = self.at.passing("mean", synapse, *shape)
            return self.pairs.mean(synapse, self.pairs.value(synapse, right), mean), [], None
        base: list[Expr] = []
        terms: list[Term] = []
        biases: list[Expr] = []
        means = None if line.later is None else weight
        right = self.transmission.reductions.of(right, synapse, means, line.later)
        try:
            parts = separate(right, self._end_of)
        except LoweringError as error:
            raise LoweringError(f"{synapse.name}: {error}", Subject(synapse.name, "rule")) from None
        for factors in parts:
            if synapse.bias and factors.pre is not None and factors.post is None:
                factors = replace(factors, post=ONE)  # the bias unit has a number of its own
            scalar = self.at.reading(self.at.translate(factors.scalar))
            matrix = factors.matrix and self._element(line, factors.matrix)
            post = self.terms.end(synapse, factors.post, "post")
            pre = self.terms.end(synapse, factors.pre, "pre")
            if post is None and pre is None:
                alone = times(scalar, matrix) or ONE
                if synapse.batch == "sum":
                    alone = times(alone, self._samples(synapse)) or ONE
                base.append(alone)
            elif post is not None and pre is not None:
                term = self.terms.of(synapse, scalar, post, pre, line.keep)
                bias = self._bias(synapse, scalar, post, factors.pre)
                if matrix is None:
                    terms.append(term)
                    biases += [] if bias is None else [bias]
                else:
                    product = self.at.passing("product", synapse, "matrix", *synapse.shape)
                    average = synapse.batch == "mean"
                    row = self._bias_row(synapse, bias)
                    self.at.emit(RankUpdate(product, Number(0.0), (term,), average, row))
                    base.append(Binary("*", matrix, Load(product)))
            else:
                side = "post" if post is not None else "pre"
                row = self.terms.row(post or pre or ONE, side, synapse)
                base.append(times(times(scalar, matrix), row) or ONE)
        return (
            summed(base) if base else None,
            terms,
            summed(biases) if biases else None,
        )

    def _samples(self, synapse: Synapse) -> Expr:
        """The number of samples, along the matrix."""
        return self.terms.row(ONE, "post", synapse)

    def _element(self, line: _Line, matrix: Expr) -> Expr:
        """A factor of the connection itself: of its weight and its traces."""
        own = Load(line.weight)
        expr = self.at.translate(
            transform(matrix, lambda n: own if isinstance(n, Weight) else None), line.synapse
        )
        later = {i.target: None for i in line.later or () if isinstance(i, RowReduce)}
        now = {n.buffer for n in walk(expr) if isinstance(n, Load) and n.buffer not in later}
        self.at.need(*sorted(now - {line.weight}))
        return self._all_held(expr, {line.weight, *later}) if line.keep else expr

    def _end_of(self, load: Load) -> str | None:
        """Which factor a buffer belongs to that stands in a rule: post, pre or matrix."""
        kind = self.at.buffers[load.buffer].shape[0]
        return {"row": "matrix", "unit": "post", "sample": "pre"}.get(str(kind))

    def _biased(self, synapse: Synapse) -> bool:
        """Whether the array has a column of a bias unit, which a rule that shares it lacks."""
        return self.at.circuit.synapses[synapse.name].bias

    # --- the bias unit -------------------------------------------------------------------------

    def _bias(self, synapse: Synapse, scalar: Expr, post: Expr, pre: Expr | None) -> Expr | None:
        """What a term adds to the weight of the bias unit, per sample: scalar * f(post) * g(1)."""
        if not synapse.bias or pre is None:
            return None
        sent = self.terms.end(synapse, self.transmission.ends.at_bias(pre, synapse), "post")
        return simplify(times(times(scalar, post), sent) or ONE)

    def _bias_row(self, synapse: Synapse, bias: Expr | None) -> str | None:
        """The row that holds what the bias column adds, averaged over the samples."""
        if bias is None or bias == Number(0.0):
            return None
        name = self.at.passing("bias", synapse, "row", synapse.shape[0])
        self.at.emit(BatchReduce(name, bias, synapse.batch == "mean"))
        return name

    # --- optimizers ----------------------------------------------------------------------------

    def _read_optimized(self, synapse: Synapse, updates: list[Update], keep: bool) -> Apply:
        weight = self.at.weight(synapse)
        shape = self.at.buffers[weight].shape
        changed = self.at.passing("new", synapse, *shape)
        steps = self._read_updates(synapse, updates, changed, keep)
        return lambda: self.changes.together(synapse, [(changed, steps)])

    # --- continuous plasticity -----------------------------------------------------------------

    def rates(self, synapse: Synapse) -> list[tuple[str, str, Expr]]:
        """Emits d/dt of a synapse's traces and weight: (buffer, buffer of its rate, own slope).

        A trace is one sample's: its array holds their mean, also where a rule adds samples up.
        """
        found: list[tuple[str, str, Expr]] = []
        for equation in (*synapse.trace, *(r for r in synapse.rule if isinstance(r, Equation))):
            if equation.variable == "w":
                target = self.at.weight(synapse)
            else:
                target = self.at.trace(synapse, equation.variable)
            right = (
                equation.right
                if equation.tau is None
                else Binary("/", equation.right, equation.tau)
            )
            if synapse.name in self.at.apart and self._of_pairs(right, target):
                found.append((target, *self._pair_rate(synapse, target, right)))
                continue
            over = synapse if equation.variable == "w" else replace(synapse, batch="mean")
            found.append((target, *self._rate(over, target, right)))
        return found

    def _of_pairs(self, right: Expr, target: str) -> bool:
        """Whether an equation is that of a trace, or reads one: it is evaluated for each sample."""
        trace = self.at.buffers[target].shape[0] == "unit"
        return trace or any(isinstance(n, Trace) for n in walk(right))

    def _pair_rate(self, synapse: Synapse, target: str, right: Expr) -> tuple[str, Expr]:
        """The rate of a trace of each sample, or of the weight, of which it is the mean."""
        value = self.pairs.value(synapse, right)
        shape = self.at.buffers[target].shape
        rate = self.at.made("d", target, *shape)
        if shape[0] == "unit":
            self.at.assign(rate, value)
            return rate, _slope(value, Load(target))
        mean = self.pairs.mean(synapse, value, self.at.made("mean", rate, *shape))
        slope = self.pairs.slope(synapse, value, self.at.made("slope", target, *shape))
        if synapse.connection.elementwise:
            self.at.put(rate, mean)
        else:
            hollow = synapse.connection.off_diagonal
            self.at.emit(RankUpdate(rate, mean, off_diagonal=hollow))
        return rate, slope

    def _rate(self, synapse: Synapse, target: str, right: Expr) -> tuple[str, Expr]:
        weight = self.at.weight(synapse)
        shape = self.at.buffers[target].shape
        rate = self.at.made("d", target, *shape)
        own = Load(target)
        if synapse.connection.elementwise:
            right = self.transmission.reductions.of(right, synapse)
            swapped = transform(right, lambda n: Load(weight) if isinstance(n, Weight) else None)
            value = self.at.reading(self.at.translate(swapped, synapse))
            self.at.emit(BatchReduce(rate, value, synapse.batch == "mean"))
            slope = _slope(value, own)
            if slope == Number(0.0):
                return rate, slope
            name = self.at.made("slope", target, *shape)
            self.at.emit(BatchReduce(name, slope, synapse.batch == "mean"))
            return rate, Load(name)
        line = _Line(synapse, Update("w", "+=", right), weight, False, None)
        base, terms, bias = self._split(line, right)
        base = simplify(base) if base is not None else Number(0.0)
        diagonal = synapse.connection.off_diagonal
        average = synapse.batch == "mean"
        row = self._bias_row(synapse, bias)
        self.at.emit(RankUpdate(rate, base, tuple(terms), average, row, diagonal))
        return rate, _slope(base, own)


def _slope(value: Expr, own: Load) -> Expr:
    from ...expressions.derivative import differentiate

    return simplify(differentiate(value, own))


def _updated(kind: str, old: Expr, right: Expr) -> Expr:
    """The new value of `old` after an update `old KIND right`."""
    return right if kind == ":=" else Binary(kind[0], old, right)
