"""Problems: what has been found wrong with a file so far, gathered until all has been read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NoReturn, TypeVar

from ..diagnostics import CircuitError, Diagnostic, Place
from ..expressions.parser import ParseProblem
from ..wording import listed, nearest
from . import expansion_budget
from .nodes import ScalarNode

T = TypeVar("T")


class Skip(Exception):  # noqa: N818 - not an error: the error has been written down already
    """The statement at hand is wrong, its problem is written down, go on with the next."""


@lru_cache(maxsize=8)
def _lines(text: str) -> list[str]:
    return text.splitlines()


@dataclass(frozen=True)
class Added:
    """What a variant, an heir or an extending file adds: `name` in `scalar`, beside `known`."""

    scalar: ScalarNode
    name: str
    known: tuple[str, ...]


@dataclass
class Problems:
    """Diagnostics of one load. `texts` maps a path to its text, for the lines that are shown."""

    texts: dict[str, str] = field(default_factory=dict)
    found: dict[tuple[Place, bool], Diagnostic] = field(default_factory=dict)
    added: list[Added] = field(default_factory=list)
    work: int = 0  # see `expansion_budget`
    most_work: int = field(default_factory=expansion_budget.limit)
    count: int = 0  # errors so far, also those at a place that has one already

    def line(self, place: Place) -> str:
        """The line of the file at a place, "" if there is none."""
        lines = _lines(self.texts.get(place.path, ""))
        return lines[place.line - 1] if 0 < place.line <= len(lines) else ""

    def add(
        self,
        place: Place,
        message: str,
        *,
        expected: str | None = None,
        got: str | None = None,
        suggestion: str | None = None,
        warning: bool = False,
    ) -> None:
        """Write one problem down; of several at one place the first one stays."""
        diagnostic = Diagnostic(
            place, message, self.line(place), expected, got, suggestion, warning
        )
        self.found.setdefault((place, warning), diagnostic)
        self.count += not warning

    def fail(
        self,
        place: Place,
        message: str,
        *,
        expected: str | None = None,
        got: str | None = None,
        suggestion: str | None = None,
    ) -> NoReturn:
        """Write one problem down and leave the statement at hand."""
        self.add(place, message, expected=expected, got=got, suggestion=suggestion)
        raise Skip

    def spend(self, work: int, place: Place) -> None:
        """Count what loading takes; raises `CircuitError` where the files expand to too much."""
        self.work += work
        if self.work > self.most_work:
            self.add(
                place,
                "the families, repetitions and functions of these files expand to more than can "
                "be loaded in good time",
                expected="fewer or smaller ones; of a file that you trust, "
                f"{expansion_budget.VARIABLE}={10 * self.most_work} in the environment allows more",
            )
            raise CircuitError(self.errors)

    def echo(self) -> NoReturn:
        """Leave the statement at hand: what it needs is wrong itself, and written down there."""
        self.count += 1
        raise Skip

    def unknown(
        self, place: Place, what: str, name: str, known: Iterable[str], among: str | None = None
    ) -> None:
        """`there is no WHAT 'name'`, with the nearest known name or all of them."""
        known = list(known)
        near = nearest(name, known)
        self.add(
            place,
            f"{what} '{name}'",
            expected=among or (listed(known) if known else None),
            suggestion=self.corrected(place, name, near) if near else None,
        )

    def corrected(self, place: Place, wrong: str, right: str) -> str:
        """The line with one word put right; the word alone if it does not stand there."""
        line = self.line(place)
        start = place.column - 1
        if line[start : start + len(wrong)] == wrong:
            return (line[:start] + right + line[start + len(wrong) :]).strip()
        return right

    def parsed(self, scalar: ScalarNode, parse: Callable[[str], T]) -> T:
        """`parse(scalar.text)`; what it finds wrong is written down at its place in the file."""
        try:
            return parse(scalar.text)
        except ParseProblem as problem:
            self.fail(
                scalar.place_at(problem.offset),
                problem.message,
                expected=problem.expected,
                suggestion=problem.suggestion,
            )

    @contextmanager
    def guard(self, broken: set[str] | None = None, name: str = "") -> Iterator[None]:
        """What is inside may leave early by `fail` (`name` is then `broken`); the rest goes on."""
        try:
            yield
        except Skip:
            if broken is not None:
                broken.add(name)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The warnings, in file order."""
        return tuple(sorted((d for d in self.found.values() if d.warning), key=_order))

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The errors, in file order."""
        return tuple(sorted((d for d in self.found.values() if not d.warning), key=_order))

    def raise_errors(self) -> None:
        """Raise `CircuitError` if anything is wrong."""
        if self.errors:
            raise CircuitError(self.errors)


def _order(diagnostic: Diagnostic) -> Place:
    return diagnostic.place


def base_name(key: ScalarNode) -> str:
    """The name before the index of a key, also of one that cannot be read."""
    return key.text.partition("[")[0].strip()
