"""A rule taken apart: its right side is a sum of terms.

    coefficient * f(post) * g(pre) * h(w)

in which f and g are functions of the variables at one end and h of the weight and its traces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ...expressions.derivative import simplify
from ...expressions.text import text
from ...expressions.tree import (
    Binary,
    Expr,
    Load,
    Number,
    Parameter,
    Trace,
    Transmitted,
    Unary,
    Variable,
    Weight,
    walk,
)
from ..refusal import LoweringError

ONE = Number(1.0)


@dataclass(frozen=True)
class Factors:
    """One term of a separated right side; None stands for 1."""

    scalar: Expr = ONE
    post: Expr | None = None
    pre: Expr | None = None
    matrix: Expr | None = None


def times(left: Expr | None, right: Expr | None) -> Expr | None:
    """The product of two factors; None stands for 1."""
    if left is None or right is None:
        return left if right is None else right
    return simplify(Binary("*", left, right))


EndOf = Callable[[Load], str | None]


def _ends(expr: Expr, end_of: EndOf) -> set[str]:
    """Which of "post", "pre", "matrix" an expression depends on."""
    found: set[str] = set()
    for node in walk(expr):
        match node:
            case Load() if end := end_of(node):
                found.add(end)
            case Variable(side=side) | Parameter(side=side) if side:
                found.add(side)
            case Transmitted():
                found.add("pre")
            case Weight() | Trace():
                found.add("matrix")
    return found


def separate(expr: Expr, end_of: EndOf = lambda load: None) -> list[Factors]:
    """The terms of a right side; `end_of` says to which factor a buffer in it belongs.

    Raises:
        LoweringError: A function of both ends at once, which no matrix product can average.
    """
    ends = _ends(expr, end_of)
    if not ends:
        return [Factors(scalar=expr)]
    if len(ends) == 1 and not _scaled(expr, end_of):
        return [replace(Factors(), **{ends.pop(): expr})]
    match expr:
        case Unary(operand=operand):
            return [
                replace(f, scalar=simplify(Unary("-", f.scalar))) for f in separate(operand, end_of)
            ]
        case Binary(op="+", left=left, right=right):
            return separate(left, end_of) + separate(right, end_of)
        case Binary(op="-", left=left, right=right):
            return separate(left, end_of) + separate(Unary("-", right), end_of)
        case Binary(op="*", left=left, right=right):
            return [_product(a, b) for a in separate(left, end_of) for b in separate(right, end_of)]
        case Binary(op="/", left=left, right=right) if len(separate(right, end_of)) == 1:
            (below,) = separate(right, end_of)
            inverse = Factors(
                simplify(Binary("/", ONE, below.scalar)),
                *(e and Binary("/", ONE, e) for e in (below.post, below.pre, below.matrix)),
            )
            return [_product(a, inverse) for a in separate(left, end_of)]
        case Binary(op="^", left=left, right=Number(value=power)) if power in (2.0, 3.0, 4.0):
            terms = separate(left, end_of)
            result = terms
            for _ in range(int(power) - 1):
                result = [_product(a, b) for a in result for b in terms]
            return result
    raise LoweringError(
        f"the rule part {text(expr)} mixes both ends of the synapse in a way that is no sum of "
        f"products f(post) * g(pre) * h(w); write it as such a sum"
    )


def _scaled(expr: Expr, end_of: EndOf) -> bool:
    """Whether an expression is a number times, or over a number, of something else."""
    match expr:
        case Binary(op="*", left=left, right=right):
            return not _ends(left, end_of) or not _ends(right, end_of)
        case Binary(op="/", right=right):
            return not _ends(right, end_of)
        case Unary():
            return True
    return False


def _product(a: Factors, b: Factors) -> Factors:
    return Factors(
        simplify(Binary("*", a.scalar, b.scalar)),
        times(a.post, b.post),
        times(a.pre, b.pre),
        times(a.matrix, b.matrix),
    )
