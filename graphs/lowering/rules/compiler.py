"""The rule compiler: what `learn` names, and what learns continuously, as instructions.

`lines` brings a rule to matrix products, `updates` does what an event does, `rates` what moves all
the time; `changes` are what several rules, or an optimizer, do to one array.
"""

from __future__ import annotations

from ...circuit import LearnItem, Synapse, Update
from ...expressions.tree import Expr
from ..emitter import Emitter
from ..refusal import LoweringError, Subject, about
from ..transmission import Transmission
from .changes import Changes
from .compensation import Compensation
from .lines import RuleLines
from .optimizing import Optimizing
from .pairs import Pairs
from .rates import Rates
from .shared_arrays import array_of, as_own_rule
from .updates import Apply, Updates


class RuleCompiler:
    """Compiles the rules of one protocol; each rule is first read, then applied.

    starts: What its buffers start from. sums: Those that are compensated. limits: Of weights.
    rates: Of what learns continuously.
    """

    def __init__(
        self, at: Emitter, transmission: Transmission, compensate: frozenset[str] = frozenset()
    ):
        self.at, self.transmission = at, transmission
        self.starts: dict[str, Expr] = {}
        self.sums = Compensation(at, compensate, self.starts)
        self.changes = Changes(at, Optimizing(at, self.starts), self.sums)
        self.limits = self.changes.limits
        lines = RuleLines(at, transmission, Pairs(at, transmission))
        self.updates = Updates(at, lines, self.sums)
        self.rates = Rates(at, lines)

    def read(self, item: LearnItem, keep: bool = False) -> Apply:
        """Emits what a rule reads; the returned function emits its application.

        `keep`: states move between reading and applying, so factors are copied.
        """
        with about(Subject(item.name, item.variable or "rule")):
            if item.variable is not None:
                return self._read_slow(item.name, item.variable)
            return self._read_synapse(self.at.circuit.synapses[item.name], keep)

    def read_group(self, items: tuple[LearnItem, ...], keep: bool = False) -> Apply:
        """The same for what changes one array: its changes are summed, then applied once."""
        circuit = self.at.circuit
        if len(items) == 1 and array_of(circuit, items[0]) == str(items[0]):
            return self.read(items[0], keep)
        owner = circuit.synapses[array_of(circuit, items[0])]
        read: list[tuple[str, list[Apply]]] = []
        for item in items:
            with about(Subject(item.name, "rule")):
                synapse = circuit.synapses[item.name]
                one = owner if synapse is owner else as_own_rule(circuit, synapse)
                read.append(self._read_change(owner, one, _updates(one), keep))

        return lambda: self.changes.together(owner, read)

    def _read_slow(self, population: str, variable: str) -> Apply:
        target = self.at.variable(population, variable)
        size = self.at.population(population).size
        rules = [r for r in self.at.population(population).rules if r.target == variable]
        if not rules:
            raise LoweringError(f"{population}.{variable} has no entry in the `rules` of its cell")
        row, translate = self.updates.of_row, self.at.translate
        steps = [row(target, rule, translate(rule.right), size, True) for rule in rules]
        return lambda: self._apply(steps, target)

    def _read_synapse(self, synapse: Synapse, keep: bool) -> Apply:
        updates = _updates(synapse)
        if not updates:
            raise LoweringError(f"`learn` names {synapse.name}, which has no `rule` for an event")
        if synapse.optimizer is not None:
            change = self._read_change(synapse, synapse, updates, keep)
            return lambda: self.changes.together(synapse, [change])
        weight = self.at.weight(synapse)
        steps = self.updates.of_synapse(synapse, updates, weight, keep)
        return lambda: self._apply([*steps, lambda: self.limits.keep(synapse)], weight)

    def _read_change(
        self, owner: Synapse, synapse: Synapse, updates: list[Update], keep: bool
    ) -> tuple[str, list[Apply]]:
        """An array beside the weight of `owner`, and the steps that do to it what a rule does."""
        shape = self.at.buffers[self.at.weight(owner)].shape
        new = self.at.passing("new", owner, *shape)
        return new, self.updates.of_synapse(synapse, updates, new, keep)

    def _apply(self, steps: list[Apply], written: str) -> None:
        for step in steps:
            step()
        self.at.write(written)


def _updates(synapse: Synapse) -> list[Update]:
    return [line for line in synapse.rule if isinstance(line, Update)]
