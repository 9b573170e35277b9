"""The text of expressions and statements becomes trees: a lark LALR grammar and its builder.

Every node carries its `span`, offsets into the text that was parsed. What cannot be parsed is a
`ParseProblem` with the offset of the first wrong character; nothing else is raised.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .building import Builder, bounds
from .parse_errors import check_brackets, check_characters, explain, without_quoted
from .syntax import Family, LearnEntry, Loop, ParseProblem, RecordEntry, Statement
from .tree import Expr, Reference, children

if TYPE_CHECKING:
    from lark import Lark

__all__ = [
    "Family",
    "LearnEntry",
    "Loop",
    "ParseProblem",
    "RecordEntry",
    "Statement",
    "parse_expression",
    "parse_family",
    "parse_learn",
    "parse_order",
    "parse_record",
    "parse_reference",
    "parse_signature",
    "parse_statement",
]

MAX_LENGTH = 10_000
MAX_DEPTH = 100

STARTS = ("expression", "reference", "statement", "learn", "order", "family", "signature", "record")


@cache
def _parser() -> Lark:
    from lark import Lark

    grammar = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    return Lark(
        grammar,
        parser="lalr",
        start=list(STARTS),
        keep_all_tokens=True,
        transformer=Builder(),  # type: ignore[arg-type]
    )


def _parse(text: str, start: str) -> Any:
    """What `start` makes of a text; raises `ParseProblem`."""
    from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

    if len(text) > MAX_LENGTH:
        message = f"{len(text)} characters are too many for one value (at most {MAX_LENGTH})"
        raise ParseProblem(MAX_LENGTH, message, "several variables, each with its own equation")
    plain = without_quoted(text)
    check_characters(plain)
    check_brackets(plain, MAX_DEPTH)
    try:
        return _parser().parse(text, start)
    except UnexpectedToken as error:
        at_end = error.token.type == "$END"
        offset = len(text.rstrip()) if at_end else error.token.start_pos or 0
        raise explain(text, offset, set(error.expected), start) from None
    except UnexpectedCharacters as error:
        raise explain(text, error.pos_in_stream, set(error.allowed), start) from None
    except UnexpectedInput as error:  # nothing else is known to lark
        raise ParseProblem(error.pos_in_stream or 0, "this cannot be read") from None


def _check_depth(*trees: Expr | None) -> None:
    """Refuse trees that recursive functions could not walk; this walk keeps its own stack."""
    stack = [(tree, 1) for tree in trees if tree is not None]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            message = f"more than {MAX_DEPTH} nested operations"
            raise ParseProblem(
                bounds(node)[0], message, "several variables, each with its equation"
            )
        stack.extend((child, depth + 1) for child in children(node))


def _loop_trees(loop: Loop | None) -> tuple[Expr, ...]:
    return () if loop is None else (loop.start, loop.stop)


def parse_expression(text: str) -> Expr:
    """The tree of an expression; raises `ParseProblem`."""
    tree = _parse(text, "expression")
    _check_depth(tree)
    return tree


def parse_reference(text: str) -> Reference:
    """A reference alone, as an endpoint: `layer[k].basal`, `y.soma.threshold`."""
    tree = _parse(text, "reference")
    _check_depth(tree)
    return tree


def parse_statement(text: str) -> Statement:
    """`tau * dx/dt = E`, `x = E`, `x := E for k = a..b`, `x += E`, `x -= E`."""
    found: Statement = _parse(text, "statement")
    _check_depth(found.target, found.right, found.tau, *_loop_trees(found.loop))
    return found


def parse_learn(text: str) -> tuple[tuple[LearnEntry, ...], ...]:
    """`W; y.mu; y.var, C`: groups, one after another, of entries that act at once."""
    groups: tuple[tuple[LearnEntry, ...], ...] = _parse(text, "learn")
    for entry in (e for group in groups for e in group):
        _check_depth(entry.reference, entry.when, *_loop_trees(entry.loop))
    return groups


def parse_order(text: str) -> None | Loop | tuple[Reference, ...]:
    """`simultaneous` is None, `k = a..b` a Loop, `y, gate` a tuple of references."""
    if text.strip() == "simultaneous":
        return None
    found: Loop | tuple[Reference, ...] = _parse(text, "order")
    _check_depth(*(_loop_trees(found) if isinstance(found, Loop) else found))
    return found


def parse_family(text: str) -> Family:
    """The key of an entry: `W`, `layer[0]`, `layer[k=1..L]`."""
    found: Family = _parse(text, "family")
    _check_depth(found.start, found.stop, found.member)
    return found


def parse_signature(text: str) -> tuple[str, tuple[str, ...]]:
    """The key of a function: `rate(i)` is ("rate", ("i",)), `f` is ("f", ())."""
    return _parse(text, "signature")


def parse_record(text: str) -> RecordEntry:
    """`VAR [for k = a..b] [in PHASE] [every n [steps | presentations]] [mean | norm]`."""
    found: RecordEntry = _parse(text, "record")
    _check_depth(found.reference, found.every, *_loop_trees(found.loop))
    return found
