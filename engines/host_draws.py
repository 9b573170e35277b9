"""Draws of the host: those that a presentation shares, and those that start a replica."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..compartments.distributions import DISTRIBUTIONS
from ..graphs.buffer import start_draw
from ..graphs.expressions.constants import Drawn
from ..graphs.expressions.numbered_draws import numbers
from ..graphs.expressions.tree import Call, Expr
from . import philox


def shared_draw(kind: str, name: str, seeds: Sequence[int], turn: Any, sample: Any) -> np.ndarray:
    """(replica, ...): a sign, or a uniform or normal number, before `arguments` move it.

    turn: presentations that the slots have behind them; sample: the number of slot 0; numbers or
    arrays (presentation).
    """
    draw = getattr(philox, DISTRIBUTIONS[kind].standard)
    words = philox.counter(np.uint64(0), *(np.asarray(n).astype(np.uint64) for n in (turn, sample)))
    return np.stack([np.asarray(draw(seed, name, *words), np.float64) for seed in seeds])


def moved(kind: str, number: Any, arguments: Sequence[Any]) -> Any:
    """What a distribution with arguments makes of standard numbers."""
    return DISTRIBUTIONS[kind].of(number, *arguments) if arguments else number


def of_start(seed: int, population: str, name: str, expr: Expr, size: int) -> Drawn:
    """The draws of a parameter or a slow variable of a population: one per unit and seed."""
    places = numbers(expr)

    def drawn(node: Call, arguments: list[np.ndarray]) -> np.ndarray:
        stream = start_draw(population, name, places[0, node.span]).name
        words = philox.counter(np.arange(size, dtype=np.uint64), np.uint64(0), np.uint64(0))
        standard = getattr(philox, DISTRIBUTIONS[node.function].standard)(seed, stream, *words)
        return moved(node.function, standard, arguments)

    return drawn
