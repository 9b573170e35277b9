"""Counting: how many units, synapses and weights a circuit has, and what they weigh."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ..circuit import Circuit
from ..lowering.trace_means import apart

BYTES = {"float64": 8, "float32": 4}


@dataclass(frozen=True)
class Counts:
    """Numbers that a circuit holds.

    `weights` counts what is stored (a live weight is not), `slow` the per-unit slow variables and
    `traces` the synaptic traces of a whole batch, `masks` what says which connections there are;
    `activity` the unit variables of one sample,
    algebraic ones too, and the traces that it has for itself.
    """

    units: int
    weights: int
    plastic: int
    slow: int
    traces: int
    masks: int
    activity: int

    def stored(self, dtype: str = "float64") -> int:
        """Bytes of weights, slow variables, traces and masks."""
        return BYTES[dtype] * (self.weights + self.slow + self.traces + self.masks)

    def per_sample(self, dtype: str = "float64") -> int:
        """Bytes of the activity of one sample."""
        return BYTES[dtype] * self.activity


def counts(circuit: Circuit) -> Counts:
    """The counts of a circuit."""
    populations, synapses = circuit.populations.values(), circuit.synapses.values()
    own = [s for s in synapses if s.weight is None]
    each = apart(circuit)
    return Counts(
        units=sum(p.size for p in populations),
        weights=sum(prod(s.shape) for s in own),
        plastic=sum(prod(s.shape) for s in own if s.name in circuit.plastic),
        slow=sum(p.size * len(p.slow) for p in populations),
        traces=sum(prod(s.shape) * len(s.trace) for s in own if s.name not in each),
        masks=sum(prod(s.shape) for s in synapses if s.connection.some),
        activity=sum(
            p.size * len({*(e.variable for e in p.equations), *p.states} - {*p.slow})
            for p in populations
        )
        + sum(prod(s.shape) * len(s.trace) for s in own if s.name in each),
    )
