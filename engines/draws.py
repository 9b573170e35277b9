"""Draws that a presentation shares: one number for each replica, from the counters of the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import philox


def shared_draw(kind: str, name: str, seeds: Sequence[int], turn: Any, sample: Any) -> np.ndarray:
    """(replica, ...): a sign, or a uniform or normal number, before `arguments` move it.

    turn: presentations that the slots have behind them; sample: the number of slot 0; numbers or
    arrays (presentation).
    """
    draw = {"random_sign": philox.random_sign, "uniform": philox.uniform}.get(kind, philox.normal)
    words = philox.counter(np.uint64(0), *(np.asarray(n).astype(np.uint64) for n in (turn, sample)))
    return np.stack([np.asarray(draw(seed, name, *words), np.float64) for seed in seeds])


def moved(kind: str, number: Any, arguments: Sequence[Any]) -> Any:
    """uniform(a, b): a + (b - a) u; normal(m, s): m + s z."""
    if not arguments:
        return number
    first, second = arguments
    return first + ((second - first) if kind == "uniform" else second) * number
