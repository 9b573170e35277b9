"""Updates: what an event does to weights and slow variables, first read, then applied.

    w += E,  w -= E,  w := E,   E averaged or summed over the samples

From the second line of a rule on, `w` is known only when the lines before it are applied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ...circuit import Synapse, Update
from ...expressions.derivative import simplify
from ...expressions.tree import Binary, Call, Expr, Load, Number, Unary, Weight, transform, walk
from ...instructions import BatchReduce, Instruction, Map, RankUpdate
from ..emitter import Emitter
from .compensation import Compensation
from .lines import RuleLine, RuleLines

Apply = Callable[[], None]


class Updates:
    """Emits what the lines of a rule read; what is returned emits their application."""

    def __init__(self, at: Emitter, lines: RuleLines, sums: Compensation):
        self.at, self.lines, self.sums = at, lines, sums

    def of_synapse(
        self, synapse: Synapse, updates: list[Update], weight: str, keep: bool
    ) -> list[Apply]:
        """Every line of a rule; from the second on, `w` is known only when they are applied."""
        lines = []
        for number, update in enumerate(updates):
            later: list[Instruction] | None = [] if number else None
            line = RuleLine(synapse, update, weight, keep, later)
            elementwise = synapse.connection.elementwise
            lines.append(self._read_elementwise(line) if elementwise else self._read_update(line))
        return lines

    def _read_elementwise(self, line: RuleLine) -> Apply:
        synapse, weight = line.synapse, line.weight
        right = self.lines.transmission.reductions.of(line.update.right, synapse)
        own = Load(self.at.weight(synapse) if line.later is None else weight)
        swapped = transform(right, lambda n: own if isinstance(n, Weight) else None)
        value = self.at.reading(self.at.translate(swapped, synapse))
        average = synapse.batch == "mean"
        if line.later is None or own not in walk(value):
            return self.of_row(weight, line.update, value, synapse.shape[0], average)
        held = self.lines.held(value, {weight})

        def apply() -> None:
            self.of_row(weight, line.update, held, synapse.shape[0], average)()

        return apply

    def _read_update(self, line: RuleLine) -> Apply:
        synapse, rule, weight = line.synapse, line.update, line.weight
        average = synapse.batch == "mean"
        base, terms, bias = self.lines.parts(line, rule.right)
        if rule.kind == "-=":
            base = base and Unary("-", base)
            bias = bias and Unary("-", bias)
            terms = [replace(t, coefficient=simplify(Unary("-", t.coefficient))) for t in terms]
        if base is not None and not synapse.bias and self._biased(synapse):
            base = Call("where", (Load(self.at.bias_column(synapse), "pre"), Number(0.0), base))
        row = self.lines.bias_row(synapse, bias)
        hollow, only = synapse.connection.off_diagonal, self.at.connections(synapse)

        def rank(name: str, base: Expr | None) -> None:
            for instruction in line.later or ():
                self.at.emit(instruction)
            self.at.emit(RankUpdate(name, base, tuple(terms), average, row, hollow, only))

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

    def _biased(self, synapse: Synapse) -> bool:
        """Whether the array has a column of a bias unit, which a rule that shares it lacks."""
        return self.at.circuit.synapses[synapse.name].bias

    def of_row(self, target: str, rule: Update, right: Expr, size: int, average: bool) -> Apply:
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


def _updated(kind: str, old: Expr, right: Expr) -> Expr:
    """The new value of `old` after an update `old KIND right`."""
    return right if kind == ":=" else Binary(kind[0], old, right)
