"""A circuit while it is drawn: what it declares, what its cells have, its text."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

NAMES = ("p", "s", "I", "W", "F", "M", "y", "hid", "beta", "N", "A", "B", "d", "E", "k0", "Q", "Z")
SIZES = (1, 1, 2, 3, 3, 4)


@dataclass
class Variable:
    """`direct`: it follows what arrives without delay; such loops have no meaning."""

    name: str
    kind: str  # state | algebraic | slow | assigned
    direct: bool = False
    noisy: bool = False


@dataclass
class Population:
    """One member, with the variables of its cell and the ports that the cell reads."""

    name: str
    size: int
    number: int  # where it stands: direct variables are sent to later ones only
    variables: list[Variable] = field(default_factory=list)
    ports: list[tuple[str, str | None]] = field(default_factory=list)
    moves: bool = False
    rules: list[str] = field(default_factory=list)  # slow variables that have one
    lists: list[str] = field(default_factory=list)  # own parameters, one value per unit
    numbers: list[str] = field(default_factory=list)  # own parameters, one value
    shape: tuple[int, ...] | None = None

    def named(self, kinds: str = "", direct: bool = True) -> list[str]:
        return [
            v.name
            for v in self.variables
            if (not kinds or v.kind in kinds.split()) and (direct or not v.direct)
        ]


@dataclass
class Draft:
    """Sections as lists of lines, and the names taken so far."""

    rng: random.Random
    sections: dict[str, list[str]] = field(default_factory=dict)
    populations: list[Population] = field(default_factory=list)
    streams: dict[str, int] = field(default_factory=dict)
    signals: set[str] = field(default_factory=set)  # streams with a time axis
    even: bool = False  # some are held over steps: no dt may change
    late: bool = False  # some synapses have a delay: one dt for all phases
    features: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    learnable: list[str] = field(default_factory=list)
    synapses: dict[str, dict] = field(default_factory=dict)  # name -> shape, plastic, ...
    kernels: dict[str, dict] = field(default_factory=dict)  # convolutions and poolings: their ends
    set_parameters: list[str] = field(default_factory=list)
    replicated: list[str] = field(default_factory=list)  # parameters that replicas may have
    latched: set[tuple[str, str]] = field(default_factory=set)  # (synapse, phase) of x@p
    phases: list[str] = field(default_factory=list)
    named_like_a_word: str | None = None  # a parameter called like a word or a common variable
    clamped: set[tuple[str, str]] = field(default_factory=set)
    one_at_a_time: bool = False  # a trace whose mean over a batch would not do
    refused: str | None = None  # why no engine may run it, where it is wrong on purpose

    def chance(self, probability: float, feature: str | None = None) -> bool:
        """Whether to use a feature; noted where it is."""
        use = self.rng.random() < probability
        if use and feature:
            self.features.add(feature)
        return use

    def note(self, feature: str) -> None:
        self.features.add(feature)

    def name(self, *wanted: str) -> str:
        """A name that nothing else of the file has, among those that are easily confused."""
        free = [n for n in (wanted or NAMES) if n not in self.taken]
        free = free or [f"n{i}" for i in range(99) if f"n{i}" not in self.taken][:1]
        found = self.rng.choice(free)
        self.taken.add(found)
        return found

    def add(self, section: str, *lines: str) -> None:
        self.sections.setdefault(section, []).extend(lines)

    def text(self) -> str:
        """The file."""
        order = ("parameters", "functions", "data", "cells", "populations", "synapses", "energy")
        lines = ["apical: 1", "name: drawn"]
        for section in (*order, "predicts", "record", "protocols"):
            if self.sections.get(section):
                lines.append(f"{section}:")
                lines += [f"  {line}" for line in self.sections[section]]
        return "\n".join(lines) + "\n"


def statements(key: str, lines: list[str], indent: str = "  ") -> list[str]:
    """A key with one line beside it, or a list below it."""
    if len(lines) == 1:
        return [f"{indent}{key}: {lines[0]}"]
    return [f"{indent}{key}:", *(f"{indent}  - {line}" for line in lines)]
