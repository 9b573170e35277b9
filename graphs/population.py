"""Populations: what their cells say, resolved for each member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .expressions.tree import Expr


@dataclass(frozen=True)
class Equation:
    """`tau * dx/dt = right` (kind "state") or `x = right` (kind "algebraic"); `tau` None is 1."""

    variable: str
    right: Expr
    kind: str
    tau: Expr | None = None
    compartment: str | None = None


@dataclass(frozen=True)
class Update:
    """`target := right`, an event; `x += E` stands here as kind "+=" with right E, "-=" too."""

    target: str
    kind: str
    right: Expr


@dataclass(frozen=True)
class Event:
    """What happens at the end of a step in the units where `when` holds.

    `name` is a variable, 1 throughout the next step, else 0. `do` acts line by line. Of the
    variables in `hold` nothing moves for `duration`, and meanwhile `when` is not tested.
    """

    name: str
    when: Expr
    do: tuple[Update, ...] = ()
    hold: tuple[str, ...] = ()
    duration: Expr | None = None

    @property
    def expressions(self) -> tuple[Expr, ...]:
        """All its texts: the condition first, then the lines of `do`, then how long it holds."""
        last = () if self.duration is None else (self.duration,)
        return (self.when, *(line.right for line in self.do), *last)


@dataclass(frozen=True)
class Population:
    """One member of a population: `size` cells. `slow` maps slow variables to their start."""

    name: str
    base: str
    index: int | None
    size: int
    cell: str
    compartments: tuple[str, ...]
    equations: tuple[Equation, ...]
    after_step: tuple[Update, ...] = ()
    slow: Mapping[str, Expr] = field(default_factory=dict)
    rules: tuple[Update, ...] = ()
    shape: tuple[int, ...] | None = None
    states: tuple[str, ...] = ()  # with d/dt, or assigned only by after_step, begin or events
    events: tuple[Event, ...] = ()

    def is_event(self, variable: str) -> bool:
        """Whether a variable is an event: 1 in the step after it, else 0."""
        return any(event.name == variable for event in self.events)
