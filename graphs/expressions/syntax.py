"""What a text of the language can be besides an expression, and what is raised if it is neither."""

from __future__ import annotations

from dataclasses import dataclass

from .tree import Expr, Reference


class ParseProblem(ValueError):
    """The text is not of the language: where, what, what was expected, the corrected text."""

    def __init__(
        self, offset: int, message: str, expected: str | None = None, suggestion: str | None = None
    ):
        super().__init__(message)
        self.offset = offset
        self.message = message
        self.expected = expected
        self.suggestion = suggestion


@dataclass(frozen=True)
class Loop:
    """`for index = start..stop`, inclusive; downwards if stop < start."""

    index: str
    start: Expr
    stop: Expr


@dataclass(frozen=True)
class Statement:
    """`target kind right`; kind is state, algebraic, :=, += or -=; `tau` only of a state."""

    target: Reference
    kind: str
    right: Expr
    tau: Expr | None = None
    loop: Loop | None = None


@dataclass(frozen=True)
class LearnEntry:
    """One item of `learn`: a synapse or a slow variable, for which members, when."""

    reference: Reference
    loop: Loop | None = None
    when: Expr | None = None


@dataclass(frozen=True)
class Family:
    """The key of an entry: `name`, `name[index=start..stop]` or `name[member]`."""

    name: str
    index: str | None = None
    start: Expr | None = None
    stop: Expr | None = None
    member: Expr | None = None


@dataclass(frozen=True)
class RecordEntry:
    """One line of `record`: what, of which members, in which phase, how often, reduced how.

    counted: What `every` counts, "step" or "presentation"; None where the line does not say.
    """

    reference: Reference
    loop: Loop | None = None
    phase: str | None = None
    every: Expr | None = None
    counted: str | None = None
    reduce: str | None = None
