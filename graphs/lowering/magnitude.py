"""Magnitude: how large an expression of a rule can be, by a rough bound.

|variable| <= 1, |parameter| its value, |a - b| <= |a| + |b|, |f(a)| about |f(|a|)|
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ...compartments.functions import FUNCTIONS
from ..circuit import Equation, Synapse
from ..expressions.constants import Value
from ..expressions.derivative import differentiate
from ..expressions.tree import (
    Binary,
    Call,
    Compare,
    Expr,
    Number,
    Parameter,
    Trace,
    Unary,
    Weight,
    transform,
)


class Magnitude:
    """Bounds for the expressions of one synapse (or of a population: None).

    parameters: by member name. weight: a typical |w|.
    """

    def __init__(
        self, synapse: Synapse | None, parameters: Mapping[str, Value], weight: float = 1.0
    ):
        self.parameters, self.weight = parameters, weight
        self.traces = {t.variable: t for t in synapse.trace} if synapse else {}

    def of(self, expr: Expr) -> float:
        """The bound; 1 for what is not known before a run."""
        match expr:
            case Number(value=value):
                return abs(value)
            case Parameter(name=name):
                return float(np.max(np.abs(self.parameters[name])))
            case Weight():
                return self.weight
            case Trace(name=name) if name in self.traces:
                return self._trace(self.traces[name])
            case Unary(operand=operand):
                return self.of(operand)
            case Binary(op=op, left=left, right=right):
                return self._binary(op, self.of(left), self.of(right))
            case Call(function=function, arguments=arguments) if not expr.primed:
                return self._call(function, [self.of(a) for a in arguments])
            case Compare():
                return 1.0
        return 1.0

    def _trace(self, equation: Equation) -> float:
        """|x| at rest of dx/dt = -a x + b: |b| / a; |b| where it does not forget."""
        own = Trace(equation.variable)
        drive = self.of(transform(equation.right, lambda n: Number(0.0) if n == own else None))
        slope = self.of(differentiate(equation.right, own))
        return drive / slope if slope else drive

    def _binary(self, op: str, left: float, right: float) -> float:
        match op:
            case "+" | "-":
                return left + right
            case "*":
                return left * right
            case "/":
                return left / right if right else 1.0
        return left**right if left else 0.0

    def _call(self, function: str, arguments: list[float]) -> float:
        known = FUNCTIONS.get(function)
        if known is None or known.kind != "elementwise":
            return max(arguments, default=1.0)
        with np.errstate(all="ignore"):
            found = float(np.abs(known.numpy(*arguments)))
        return found if math.isfinite(found) else 1.0
