"""The text of an expression, with as few brackets as the grammar needs."""

from __future__ import annotations

from .expression import Expr


def text(expr: Expr, style: str = "text") -> str:
    """The text of an expression; parsing it gives the same tree back."""
    raise NotImplementedError
