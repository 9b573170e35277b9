"""Optimizers: from what the rules of a synapse add to what its weight changes by.

An optimizer is data (see `compartments.optimizers`): statements over the weight `w`, the change `g`
that the rules ask for, and states of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from ....compartments.optimizers import OPTIMIZERS
from ...circuit import Synapse
from ...expressions.parser import parse_expression, parse_statement
from ...expressions.tree import Call, Expr, Load, Number, Reference, transform
from ...instructions import Map, MatrixReduce
from ..emitter import Emitter
from ..refusal import LoweringError


class Optimizing:
    """Emits optimizers; `starts` learns where their states start, `scratch` makes a buffer."""

    def __init__(self, at: Emitter, starts: dict[str, Expr], scratch: Callable[..., str]):
        self.at, self.starts, self.scratch = at, starts, scratch

    def apply(self, synapse: Synapse, change: str) -> None:
        """Emits the update of a weight by its optimizer; the buffer `change` is what rules add."""
        assert synapse.optimizer is not None
        rule = OPTIMIZERS[synapse.optimizer.kind]
        weight = self.at.weight(synapse)
        shape = self.at.buffers[weight].shape
        names: dict[str, Expr] = {"w": Load(weight), "g": Load(change)}
        given = list(synapse.optimizer.arguments)
        for (name, default), argument in zip(
            rule.parameters.items(),
            [*given, *[None] * (len(rule.parameters) - len(given))],
            strict=True,
        ):
            if argument is None and default is None:
                raise LoweringError(f"{synapse.name}: {rule.name} needs {name}")
            names[name] = (
                Number(float(default or 0.0)) if argument is None else self.at.translate(argument)
            )
        for name, start in rule.states.items():
            buffer = self.at.buffer(f"{synapse.name}.{rule.name}.{name}", "optimizer", *shape)
            self.starts[buffer] = _over(parse_expression(start), names)
            names[name] = Load(buffer)
        scalars: dict[str, str] = {}
        for name, start in rule.scalars.items():
            buffer = self.at.buffer(f"{synapse.name}.{rule.name}.{name}", "optimizer", "scalar")
            self.starts[buffer] = _over(parse_expression(start), names)
            scalars[name] = buffer
        names |= {name: Load(buffer) for name, buffer in scalars.items()}
        for line in rule.statements:
            statement = parse_statement(line)
            value = self._means(_over(statement.right, names))
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
                name = self.scratch("mean", "scalar")
                self.at.emit(MatrixReduce(name, node.arguments[0]))
                return Load(name)
            return None

        return transform(value, leaf)


def _over(expr: Expr, names: dict[str, Expr]) -> Expr:
    """An expression of an update rule, its names replaced by operands."""
    return transform(expr, lambda n: names[n.name] if isinstance(n, Reference) else None)
