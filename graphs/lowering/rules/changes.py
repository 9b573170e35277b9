"""Changes: what the rules of one `learn` group bring to an array, and what becomes of it.

change = sum over the rules of (w after the rule - w),   w := optimizer(w, change), within limits
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...circuit import Synapse
from ...expressions.derivative import summed
from ...expressions.tree import Binary, Load
from ...instructions import RankUpdate
from ..emitter import Emitter
from .compensation import Compensation
from .limits import Limits
from .optimizing import Optimizing

Steps = Sequence[Callable[[], None]]


class Changes:
    """Emits changes of weights."""

    def __init__(self, at: Emitter, optimizing: Optimizing, sums: Compensation):
        self.at, self.optimizing, self.sums = at, optimizing, sums
        self.limits = Limits(at)

    def together(self, synapse: Synapse, rules: Sequence[tuple[str, Steps]]) -> None:
        """Emits one change by several rules: for each an array of its own, and its steps on it."""
        at, weight = self.at, self.at.weight(synapse)
        for new, steps in rules:
            at.put(new, Load(weight))
            for step in steps:
                step()
            at.put(new, Binary("-", Load(new), Load(weight)))
        change = rules[0][0]
        if len(rules) > 1:
            at.put(change, summed([Load(new) for new, _ in rules]))
        self.take(synapse, change)

    def take(self, synapse: Synapse, change: str) -> None:
        """Emits what a change does to a weight: by its optimizer, and within its limits."""
        at, weight = self.at, self.at.weight(synapse)
        if synapse.optimizer is not None:
            self.optimizing.apply(synapse, change)
        elif weight in self.sums.names:
            self.sums.add(weight, lambda name, lost: at.put(name, Binary("-", Load(change), lost)))
        else:
            at.put(weight, Binary("+", Load(weight), Load(change)))
        hollow, only = synapse.connection.off_diagonal, at.connections(synapse)
        if hollow or only:
            at.emit(RankUpdate(weight, Load(weight), off_diagonal=hollow, only=only))
        self.limits.keep(synapse)
        at.write(weight)
