"""Delay lines, called by generated code: place after place, each unit-major like what enters.

`head` has for each sample the number of the newest place from 1, or 0 where nothing has entered.
"""

from __future__ import annotations

from typing import Any

from ..kernel_cache import njit
from .options import FAST


@njit(**FAST)
def fill(line: Any, head: Any, source: Any, units: int) -> None:
    """Source enters at all places, for the samples where nothing has entered."""
    batch = len(head)
    places = len(line) // (units * batch)
    for j in range(batch):
        if head[j] == 0:
            head[j] = 1
            for k in range(places):
                for i in range(units):
                    line[(k * units + i) * batch + j] = source[i * batch + j]


@njit(**FAST)
def push(line: Any, head: Any, source: Any, units: int) -> None:
    """Source enters at the newest place."""
    batch = len(head)
    for j in range(batch):
        start = (int(head[j]) - 1) * units
        for i in range(units):
            line[(start + i) * batch + j] = source[i * batch + j]


@njit(**FAST)
def push_running(running: Any, line: Any, head: Any, source: Any, units: int) -> None:
    """The same, for the samples that still run."""
    batch = len(head)
    for j in range(batch):
        if running[j]:
            start = (int(head[j]) - 1) * units
            for i in range(units):
                line[(start + i) * batch + j] = source[i * batch + j]


@njit(**FAST)
def recall(line: Any, head: Any, back: int, target: Any, units: int) -> None:
    """target := what entered `back` steps before the newest."""
    batch = len(head)
    places = len(line) // (units * batch)
    for j in range(batch):
        place = (int(head[j]) - 1 - back + places) % places
        for i in range(units):
            target[i * batch + j] = line[(place * units + i) * batch + j]
