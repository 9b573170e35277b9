"""The builder: called by the parser, rule by rule, with the pieces of a text; returns nodes.

Every method is named after a rule of grammar.lark and receives all its pieces, tokens included;
what is optional and absent is None. Spans are taken from the first and the last piece.
"""

from __future__ import annotations

from dataclasses import replace
from math import isinf
from typing import Any

from .syntax import Family, LearnEntry, Loop, ParseProblem, RecordEntry, Statement
from .tree import (
    Binary,
    Call,
    Compare,
    Expr,
    Number,
    Quoted,
    Range,
    RateReference,
    Reference,
    Unary,
)

Pieces = list[Any]


def bounds(piece: Any) -> tuple[int, int]:
    """Start and end of a token or of a node."""
    if isinstance(piece, Expr):
        assert piece.span is not None
        return piece.span
    return piece.start_pos, piece.end_pos


def over(first: Any, last: Any) -> tuple[int, int]:
    """The span from one piece to another."""
    return bounds(first)[0], bounds(last)[1]


class ExpressionBuilder:
    """The rules of expressions."""

    def number(self, pieces: Pieces) -> Expr:
        """A literal; one that is not finite in double precision is refused."""
        token = pieces[0]
        value = float(token)
        if isinf(value):
            raise ParseProblem(token.start_pos, f"the number {token} is too large")
        return Number(value, span=bounds(token))

    def rate(self, pieces: Pieces) -> Expr:
        """`dx/dt`."""
        token = pieces[0]
        return RateReference(str(token)[1:-3], span=bounds(token))

    def quoted(self, pieces: Pieces) -> Expr:
        """A text in quotation marks."""
        token = pieces[0]
        return Quoted(str(token)[1:-1], span=bounds(token))

    def binary(self, pieces: Pieces) -> Expr:
        """Two operands and the operator between them."""
        left, op, right = pieces
        return Binary(str(op), left, right, span=over(left, right))

    def compare(self, pieces: Pieces) -> Expr:
        """A comparison."""
        left, op, right = pieces
        return Compare(str(op), left, right, span=over(left, right))

    def negative(self, pieces: Pieces) -> Expr:
        """Unary minus."""
        minus, operand = pieces
        return Unary("-", operand, span=over(minus, operand))

    def bracket(self, pieces: Pieces) -> Expr:
        """What stands in round brackets; its span takes them in."""
        left, inner, right = pieces
        return replace(inner, span=over(left, right))

    def bars(self, pieces: Pieces) -> Expr:
        """`|x|`."""
        left, inner, right = pieces
        return Call("abs", (inner,), span=over(left, right))

    def arguments(self, pieces: Pieces) -> tuple[Expr, ...]:
        """The arguments of a call, without their commas."""
        return tuple(p for p in pieces if isinstance(p, Expr))

    def call(self, pieces: Pieces) -> Expr:
        """`f(x)`."""
        name, _, arguments, last = pieces
        return Call(str(name), arguments or (), span=over(name, last))

    def primed(self, pieces: Pieces) -> Expr:
        """`f'(x)`."""
        name, _, _, arguments, last = pieces
        return Call(str(name), arguments or (), primed=True, span=over(name, last))

    def range(self, pieces: Pieces) -> Expr:
        """`a..b` inside an index."""
        start, _, stop = pieces
        return Range(start, stop, span=over(start, stop))

    def index(self, pieces: Pieces) -> Pieces:
        """`[position]`, with its brackets."""
        return pieces  # [ position ]

    def attributes(self, pieces: Pieces) -> Pieces:
        """The names behind the dots."""
        return pieces[1::2]

    def phase(self, pieces: Pieces) -> Any:
        """The name behind @."""
        return pieces[1]

    def reference(self, pieces: Pieces) -> Expr:
        """A name with its index, attributes and phase."""
        name, index, attributes, phase = pieces
        last = name
        if index is not None:
            last = index[-1]
        if attributes:
            last = attributes[-1]
        if phase is not None:
            last = phase
        return Reference(
            str(name),
            None if index is None else index[1],
            tuple(str(a) for a in attributes),
            None if phase is None else str(phase),
            span=over(name, last),
        )


class Builder(ExpressionBuilder):
    """The rules of statements and of the small forms."""

    def loop(self, pieces: Pieces) -> Loop:
        """`for k = a..b`."""
        _, index, _, start, _, stop = pieces
        return Loop(str(index), start, stop)

    def statement(self, pieces: Pieces) -> Statement:
        """The left side says which kind of statement it is."""
        left, assign, right, loop = pieces
        op = str(assign)
        if op == "=":
            tau, rate = split_rate(left)
            if rate is not None:
                target = Reference(rate.name, span=rate.span)
                return Statement(target, "state", right, tau, loop)
        return Statement(
            checked_target(left, op), "algebraic" if op == "=" else op, right, None, loop
        )

    def when(self, pieces: Pieces) -> Expr:
        """The condition of a `learn_each_step`."""
        return pieces[1]

    def entry(self, pieces: Pieces) -> LearnEntry:
        """One item of `learn`."""
        return LearnEntry(*pieces)

    def group(self, pieces: Pieces) -> tuple[LearnEntry, ...]:
        """The items of `learn` between two semicolons."""
        return tuple(pieces[::2])

    def learn(self, pieces: Pieces) -> tuple[tuple[LearnEntry, ...], ...]:
        """The groups of `learn`."""
        return tuple(pieces[::2])

    def order_loop(self, pieces: Pieces) -> Loop:
        """`k = a..b`."""
        index, _, start, _, stop = pieces
        return Loop(str(index), start, stop)

    def order_list(self, pieces: Pieces) -> tuple[Reference, ...]:
        """Names, one after another."""
        return tuple(pieces[::2])

    def family_one(self, pieces: Pieces) -> Family:
        """`name`."""
        return Family(str(pieces[0]))

    def family_range(self, pieces: Pieces) -> Family:
        """`name[k=a..b]`."""
        name, _, index, _, start, _, stop, _ = pieces
        return Family(str(name), str(index), start, stop)

    def family_member(self, pieces: Pieces) -> Family:
        """`name[e]`."""
        return Family(str(pieces[0]), member=pieces[2])

    def names(self, pieces: Pieces) -> tuple[Any, ...]:
        """The argument names of a function."""
        return tuple(pieces[::2])

    def signature(self, pieces: Pieces) -> tuple[str, tuple[str, ...]]:
        """`f` or `f(x, y)`."""
        names = pieces[2] or ()
        for position, name in enumerate(names):
            if name in names[:position]:
                raise ParseProblem(name.start_pos, f"the argument {name} is given twice")
        return str(pieces[0]), tuple(str(n) for n in names)

    def in_phase(self, pieces: Pieces) -> str:
        """`in PHASE`."""
        return str(pieces[1])

    def every(self, pieces: Pieces) -> tuple[Expr, str | None]:
        """`every n`, `every n steps`, `every n presentations`."""
        _, number, counted = pieces
        return number, None if counted is None else str(counted).rstrip("s")

    def record(self, pieces: Pieces) -> RecordEntry:
        """One line of `record`."""
        reference, loop, phase, every, reduce = pieces
        number, counted = every or (None, None)
        reduce = None if reduce is None else str(reduce)
        return RecordEntry(reference, loop, phase, number, counted, reduce)


def split_rate(left: Expr) -> tuple[Expr | None, RateReference | None]:
    """`tau * dx/dt` is (tau, dx/dt), `dx/dt` is (None, dx/dt), anything else (None, None)."""
    if isinstance(left, RateReference):
        return None, left
    if isinstance(left, Binary) and left.op == "*" and isinstance(left.right, RateReference):
        return left.left, left.right
    return None, None


def checked_target(left: Expr, op: str) -> Reference:
    """What may stand left of `=` or of an update: one name, without a phase."""
    start = bounds(left)[0]
    tau, rate = split_rate(left)
    if rate is not None:
        message = f"d{rate.name}/dt is left of {op}: a differential equation is written with ="
        raise ParseProblem(start, message, "dx/dt = ..., or x " + op + " ...")
    if isinstance(left, Binary) and left.op == "/":
        raise quotient_on_the_left(left, start)
    if not isinstance(left, Reference):
        raise ParseProblem(start, "the left side is no variable", LEFT_SIDES)
    if left.phase is not None:
        raise ParseProblem(start, f"{left.name}@{left.phase} is a value of the past, not to be set")
    if isinstance(left.index, Range):
        message = "a range cannot be assigned to; repeat the statement over its members"
        raise ParseProblem(bounds(left.index)[0], message, "layer[k].x := E for k = a..b")
    return left


LEFT_SIDES = "x = E, dx/dt = E, tau * dx/dt = E, x := E, x += E or x -= E"


def quotient_on_the_left(left: Binary, start: int) -> ParseProblem:
    """`dx / dt`, with spaces, is a quotient; `dx/dt * tau` and its like are no left side either."""
    above = left.left.right if isinstance(left.left, Binary) else left.left
    names = [n.name for n in (above, left.right) if isinstance(n, Reference)]
    if len(names) == 2 and names[0].startswith("d") and names[1] == "dt":
        message = "a derivative is written without spaces"
        return ParseProblem(bounds(above)[0], message, f"{names[0]}/dt = ...")
    return ParseProblem(start, "the left side is no variable", LEFT_SIDES)
