"""Workload and Case: what `race.py` needs to know of a workload."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

CIRCUITS = Path(__file__).resolve().parent.parent / "circuits"


class Case(Protocol):
    """One way to do the work, in a process of its own."""

    def start(self) -> None:
        """Set the initial weights and states; not timed."""

    def go(self, units: int) -> None:
        """Do the first `units` units of the work; timed."""

    def result(self) -> dict[str, np.ndarray]:
        """What came out, in the plain loops' layout: weights are (pre, post)."""
        ...


@dataclass(frozen=True)
class Workload:
    """`units` units are timed at once; results are compared after `checked` units."""

    title: str
    unit: str
    units: int
    checked: int
    tolerance: float  # of |a - b| / |b|
    cases: Mapping[
        str, Callable[[str], Case]
    ]  # name -> builder(engine); the first is the reference
    targets: Mapping[str, float] = field(default_factory=dict)  # case -> least (case time / apical)
