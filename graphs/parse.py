"""The text of expressions and statements becomes trees: a lark LALR grammar and its builder.

Every node carries its `span`, offsets into the text that was parsed. What cannot be parsed is a
`ParseProblem` with the offset of the first wrong character; nothing else is raised.
"""

from __future__ import annotations

from dataclasses import dataclass

from .expression import Expr, Reference


class ParseProblem(ValueError):
    """The text is not of the language: where (`offset`), what, and what was expected instead."""

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
    """One line of `record`: what, of which members, in which phase, how often, reduced how."""

    reference: Reference
    loop: Loop | None = None
    phase: str | None = None
    every: Expr | None = None
    reduce: str | None = None


def parse_expression(text: str) -> Expr:
    """The tree of an expression."""
    raise NotImplementedError


def parse_reference(text: str) -> Reference:
    """A reference alone, as an endpoint: `layer[k].basal`, `y.soma.threshold`."""
    raise NotImplementedError


def parse_statement(text: str) -> Statement:
    """`tau * dx/dt = E`, `x = E`, `x := E for k = a..b`, `x += E`, `x -= E`."""
    raise NotImplementedError


def parse_learn(text: str) -> tuple[tuple[LearnEntry, ...], ...]:
    """`W; y.mu; y.var, C`: groups, one after another, of entries that act at once."""
    raise NotImplementedError


def parse_order(text: str) -> None | Loop | tuple[Reference, ...]:
    """`simultaneous` is None, `k = a..b` a Loop, `y, gate` a tuple of references."""
    raise NotImplementedError


def parse_family(text: str) -> Family:
    """The key of an entry: `W`, `layer[0]`, `layer[k=1..L]`."""
    raise NotImplementedError


def parse_signature(text: str) -> tuple[str, tuple[str, ...]]:
    """The key of a function: `rate(i)` is ("rate", ("i",)), `f` is ("f", ())."""
    raise NotImplementedError


def parse_record(text: str) -> RecordEntry:
    """`VAR [for k = a..b] [in PHASE] [every n] [mean | norm]`."""
    raise NotImplementedError
