"""Draws: the calls of distributions in a line, each with its number within the line.

A draw is known by where it stands in the text: an argument that a function of the file repeats is
drawn once.
"""

from __future__ import annotations

from typing import TypeGuard

from ...compartments.distributions import DISTRIBUTIONS
from .tree import Call, Expr, walk


def is_draw(node: Expr) -> TypeGuard[Call]:
    """Whether a node is drawn."""
    return isinstance(node, Call) and node.function in DISTRIBUTIONS and not node.primed


def numbers(*lines: Expr) -> dict[object, int]:
    """Where each draw stands (line, span) -> its number, counted over all lines."""
    places = [
        (row, node.span) for row, line in enumerate(lines) for node in walk(line) if is_draw(node)
    ]
    return {place: number for number, place in enumerate(dict.fromkeys(places))}
