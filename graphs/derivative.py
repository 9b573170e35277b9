"""Symbolic derivatives, and the few simplifications that are exact."""

from __future__ import annotations

from collections.abc import Sequence

from .expression import Expr


class DerivativeError(ValueError):
    """There is no derivative (softmax, a sum over units, an unknown function)."""


def simplify(expr: Expr) -> Expr:
    """The same value with numbers folded and neutral terms gone; structure is kept otherwise."""
    raise NotImplementedError


def derivative_of(function: str, arguments: Sequence[Expr], position: int) -> Expr:
    """The partial derivative of a function of the table with respect to one argument."""
    raise NotImplementedError


def expand_primes(expr: Expr) -> Expr:
    """Every `f'(x)` of a function of the table replaced by its derivative."""
    raise NotImplementedError


def differentiate(expr: Expr, by: Expr) -> Expr:
    """The partial derivative d expr / d by; `by` is a leaf, all other leaves are constants."""
    raise NotImplementedError
