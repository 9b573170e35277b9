"""Optimizers: from what the rules of a synapse add to what its weight changes by.

An optimizer is data (see `compartments.optimizers`): statements over the weight `w`, the change `g`
that the rules ask for, and states of its own.
"""

from __future__ import annotations

from ...circuit import Synapse
from ...expressions.parser import parse_expression, parse_statement
from ...expressions.tree import Binary, Call, Expr, Load, Number, named, transform
from ...instructions import Map, MatrixReduce
from ..emitter import Emitter

NONE = 1e-300  # in the place of 0 connections, so that a mean over none is 0


class Optimizing:
    """Emits optimizers; `starts` learns where their states start."""

    def __init__(self, at: Emitter, starts: dict[str, Expr]):
        self.at, self.starts = at, starts

    def apply(self, synapse: Synapse, change: str) -> None:
        """Emits the update of a weight by its optimizer; the buffer `change` is what rules add."""
        assert synapse.optimizer is not None
        rule = synapse.optimizer.rule
        weight = self.at.weight(synapse)
        shape = self.at.buffers[weight].shape
        names: dict[str, Expr] = {"w": Load(weight), "g": Load(change)}
        for name, argument in synapse.optimizer.parameters.items():
            names[name] = self.at.translate(argument)
        for name, start in rule.states.items():
            buffer = self.at.optimizer(synapse, rule.name, name, *shape)
            self.starts[buffer] = named(parse_expression(start), names)
            names[name] = Load(buffer)
        scalars: dict[str, str] = {}
        for name, start in rule.scalars.items():
            buffer = self.at.optimizer(synapse, rule.name, name, "scalar")
            self.starts[buffer] = named(parse_expression(start), names)
            scalars[name] = buffer
        names |= {name: Load(buffer) for name, buffer in scalars.items()}
        for line in rule.statements:
            statement = parse_statement(line)
            value = self._means(named(statement.right, names), self.at.connections(synapse))
            target = names[statement.target.name]
            assert isinstance(target, Load)
            if statement.target.name in scalars:
                self.at.emit(Map(target.buffer, value))
            else:
                self.at.put(target.buffer, value)

    def _means(self, value: Expr, only: str | None) -> Expr:
        """`mean(E)` over all elements of a weight, or `only` some, as a scalar of its own."""

        def mean(value: Expr) -> Expr:
            name = self.at.passing("mean", None, "scalar")
            self.at.emit(MatrixReduce(name, value))
            return Load(name)

        def leaf(node: Expr) -> Expr | None:
            if not isinstance(node, Call) or node.function != "mean":
                return None
            if only is None:
                return mean(node.arguments[0])
            there = Call("where", (Load(only), node.arguments[0], Number(0.0)))
            count = Call("max", (mean(Load(only)), Number(NONE)))
            return Binary("/", mean(there), count)

        return transform(value, leaf)
