"""What a constant may name: a size, a bound, the value of a parameter."""

from __future__ import annotations

from collections.abc import Mapping

from ..expressions.tree import Expr, Reference
from ..reading.nodes import ScalarNode
from .names import Names, Scope


class ConstantScope(Scope):
    """Sizes, bounds, parameter values: parameters and bound indices."""

    lists = "constant"
    counters = False

    def __init__(
        self,
        names: Names,
        scalar: ScalarNode,
        indices: Mapping[str, int] | None = None,
        where: str = "a constant",
    ):
        super().__init__(names, scalar, indices)
        self.where = where

    def own(self, reference: Reference) -> Expr | None:
        """Nothing of its own."""
        return None
