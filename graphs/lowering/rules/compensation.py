"""Compensation: sums that keep what rounding takes from them (Kahan 1965, CACM 8, 40).

    change = update - lost,  w' = w + change,  lost' = (w' - w) - change

w: a weight or slow variable; lost: of its shape, at most half the spacing of floats at w. Over n
updates the rounding error of w + update grows with n; that of w - lost stays at two roundings.
"""

from __future__ import annotations

from collections.abc import Callable

from ...expressions.tree import Binary, Call, Expr, Load, Number
from ..emitter import Emitter


class Compensation:
    """Adds to the buffers `names` with compensation; `starts` learns where a sum starts."""

    def __init__(self, at: Emitter, names: frozenset[str], starts: dict[str, Expr]):
        self.at, self.names, self.starts = at, names, starts

    def lost(self, target: str) -> Expr:
        """What rounding has taken from a buffer so far."""
        name = self.at.beside(target, "lost", "optimizer")
        self.starts[name] = Number(0.0)
        return Load(name)

    def add(
        self, target: str, change: Callable[[str, Expr], None], old: Expr | None = None
    ) -> None:
        """Emits target := old + update.

        change: Emits `name := update - lost`, given name and lost. old: target itself by default.
        """
        at = self.at
        lost = self.lost(target)
        step = at.beside(target, "change")
        change(step, lost)
        if old is None:
            old = Load(at.beside(target, "old"))
            at.put(old.buffer, Load(target))
        at.put(target, Binary("+", old, Load(step)))
        assert isinstance(lost, Load)
        at.put(lost.buffer, Call("rounding", (Load(target), old, Load(step))))
