"""Rates: continuous plasticity, dw/dt = E, and the traces of synapses."""

from __future__ import annotations

from dataclasses import replace

from ...circuit import Equation, Synapse, Update
from ...expressions.derivative import differentiate, simplify
from ...expressions.tree import Binary, Call, Expr, Load, Number, Trace, Weight, transform, walk
from ...instructions import BatchReduce, RankUpdate
from ..emitter import Emitter
from .lines import RuleLine, RuleLines


class Rates:
    """Emits the rates of what moves at a synapse."""

    def __init__(self, at: Emitter, lines: RuleLines):
        self.at, self.lines, self.pairs = at, lines, lines.pairs

    def of(self, synapse: Synapse) -> list[tuple[str, str, Expr]]:
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
            hollow, only = synapse.connection.off_diagonal, self.at.connections(synapse)
            self.at.emit(RankUpdate(rate, mean, off_diagonal=hollow, only=only))
        return rate, self._where_connected(synapse, slope)

    def _rate(self, synapse: Synapse, target: str, right: Expr) -> tuple[str, Expr]:
        weight = self.at.weight(synapse)
        shape = self.at.buffers[target].shape
        rate = self.at.made("d", target, *shape)
        own = Load(target)
        if synapse.connection.elementwise:
            right = self.lines.transmission.reductions.of(right, synapse)
            swapped = transform(right, lambda n: Load(weight) if isinstance(n, Weight) else None)
            value = self.at.reading(self.at.translate(swapped, synapse))
            self.at.emit(BatchReduce(rate, value, synapse.batch == "mean"))
            slope = _slope(value, own)
            if slope == Number(0.0):
                return rate, slope
            name = self.at.made("slope", target, *shape)
            self.at.emit(BatchReduce(name, slope, synapse.batch == "mean"))
            return rate, Load(name)
        line = RuleLine(synapse, Update("w", "+=", right), weight, False, None)
        base, terms, bias = self.lines.parts(line, right)
        base = simplify(base) if base is not None else Number(0.0)
        hollow, only = synapse.connection.off_diagonal, self.at.connections(synapse)
        average = synapse.batch == "mean"
        row = self.lines.bias_row(synapse, bias)
        self.at.emit(RankUpdate(rate, base, tuple(terms), average, row, hollow, only))
        return rate, self._where_connected(synapse, _slope(base, own))

    def _where_connected(self, synapse: Synapse, slope: Expr) -> Expr:
        """A slope, 0 where there is no connection: there the rate is 0, whatever the slope is."""
        only = self.at.connections(synapse)
        if only is None or slope == Number(0.0):
            return slope
        return Call("where", (Load(only), slope, Number(0.0)))


def _slope(value: Expr, own: Load) -> Expr:
    return simplify(differentiate(value, own))
