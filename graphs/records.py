"""Records: what a line of `record` asks for, step by step or between presentations."""

from __future__ import annotations

from dataclasses import dataclass

from . import buffer
from .expressions.tree import Variable


@dataclass(frozen=True)
class Held:
    """What a synapse holds for each of its connections: its weights, or (part) a trace of it."""

    synapse: str
    part: str = ""

    def __str__(self) -> str:
        one = buffer.trace(self.synapse, self.part) if self.part else buffer.weight(self.synapse)
        return one.name


@dataclass(frozen=True)
class Record:
    """What to record step by step: a variable, what a synapse holds, or an energy by its name."""

    what: Variable | Held | str
    phase: str | None = None
    every: int = 1
    reduce: str | None = None  # mean | norm, over units or connections

    @property
    def name(self) -> str:
        """Its name in the traces: "layer[1].v_A", "F", "mean(layer[1].v_A)"."""
        if isinstance(self.what, str):
            return self.what
        if isinstance(self.what, Held):
            return f"{self.reduce}({self.what})" if self.reduce else str(self.what)
        population, variable, phase = self.what.population, self.what.name, self.what.phase
        held = buffer.variable(population, variable)
        if phase is not None:
            held = buffer.latch(population, variable, phase)
        return f"{self.reduce}({held.name})" if self.reduce else held.name


@dataclass(frozen=True)
class Snapshot:
    """What is recorded between presentations: weights, a synaptic trace, a slow variable.

    It is taken before the first presentation of a call, and whenever the number of presentations
    that were learnt is a multiple of `every`.

    owner: A synapse, or the population of a slow variable. part: Which trace or slow variable of
    it; "" for the weights.
    """

    owner: str
    part: str = ""
    every: int = 1
    reduce: str | None = None  # mean | norm, over connections or units

    @property
    def held(self) -> str:
        """The name of the array that it is a copy of: "W[1]", "W[1].m", "y.mu"."""
        if not self.part:
            return buffer.weight(self.owner).name
        return buffer.trace(self.owner, self.part).name

    @property
    def name(self) -> str:
        """Its name in the traces: "W[1]", "norm(W[1])", "y.mu"."""
        return f"{self.reduce}({self.held})" if self.reduce else self.held

    def __str__(self) -> str:
        """The line of `record` that asks for it."""
        reduce = f" {self.reduce}" if self.reduce else ""
        return f"{self.held} every {self.every} presentations{reduce}"
