"""Holes: what may differ between two pieces of generated code that are otherwise the same.

Code is first written with a hole wherever it names an array, a scalar, a size or a number. Pieces
are the same where their texts are, holes numbered as they come. In the end a hole is filled with a
name of its own, or, where one text serves many pieces, from a table (see `repeats`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

HOLE = re.compile("«([0-9]+)»")


@dataclass(frozen=True)
class View:
    """An array as code sees it: `units` rows of a buffer, or all numbers in one row (`flat`).

    `changes`: not the buffer itself, but scratch for what a rule adds to it.
    """

    buffer: str
    units: int
    flat: bool
    changes: bool = False


@dataclass(frozen=True)
class Hole:
    """What stands in a hole: a View, the place of a scalar in S, a size, a number, a float64."""

    kind: Literal["array", "scalar", "size", "number", "float", "integer"]
    value: View | int | float

    @property
    def looks(self) -> str:
        """Its kind, and of an array how many indices it takes."""
        return f"{self.kind} {isinstance(self.value, View) and self.value.flat}"


class Holes:
    """All holes of a module; each different one has a number."""

    def __init__(self) -> None:
        self.all: list[Hole] = []
        self._number: dict[Hole, int] = {}

    def of(self, hole: Hole) -> str:
        """The text of a hole."""
        if hole not in self._number:
            self._number[hole] = len(self.all)
            self.all.append(hole)
        return f"«{self._number[hole]}»"

    def piece(self, lines: list[str]) -> Piece:
        """Lines with holes as a piece, in which holes have numbers of their own."""
        own: dict[int, int] = {}

        def renumbered(found: re.Match[str]) -> str:
            return f"«{own.setdefault(int(found[1]), len(own))}»"

        texts = tuple(HOLE.sub(renumbered, line) for line in lines)
        return Piece(texts, tuple(self.all[number].looks for number in own), tuple(own))


@dataclass(frozen=True)
class Piece:
    """Lines of code with holes; what goes into each, and which hole of the module it is."""

    lines: tuple[str, ...]
    looks: tuple[str, ...]
    holes: tuple[int, ...]

    @property
    def open(self) -> list[str]:
        """The lines, with the numbers of the module in their holes."""
        return filled(self.lines, lambda number: f"«{self.holes[number]}»")

    @property
    def shape(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What pieces have in common of which one text can serve all."""
        return self.lines, self.looks


def filled(lines: list[str] | tuple[str, ...], name: Callable[[int], str]) -> list[str]:
    """Lines with a name in each hole."""
    return [HOLE.sub(lambda found: name(int(found[1])), line) for line in lines]
