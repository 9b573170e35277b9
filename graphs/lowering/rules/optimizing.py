"""Optimizers: from what the rules of a synapse add to what its weight changes by.

An optimizer is data (see `compartments.optimizers`): statements over the weight `w`, the change `g`
that the rules ask for, and states of its own.
"""

from __future__ import annotations

from ...circuit import Synapse
from ...expressions.parser import parse_expression, parse_statement
from ...expressions.tree import Call, Expr, Load, named, transform
from ...instructions import Map, MatrixReduce
from ..emitter import Emitter


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
            value = self._means(named(statement.right, names))
            target = names[statement.target.name]
            assert isinstance(target, Load)
            if statement.target.name in scalars:
                self.at.emit(Map(target.buffer, value))
            else:
                self.at.put(target.buffer, value)

    def _means(self, value: Expr) -> Expr:
        """`mean(E)` over all elements of a weight, as a scalar of its own."""

        def leaf(node: Expr) -> Expr | None:
            if isinstance(node, Call) and node.function == "mean":
                name = self.at.passing("mean", None, "scalar")
                self.at.emit(MatrixReduce(name, node.arguments[0]))
                return Load(name)
            return None

        return transform(value, leaf)
