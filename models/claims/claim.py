"""A claim: what a paper states, as something that can be computed and compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

KINDS = ("near", "at least", "at most")


@dataclass(frozen=True)
class Claim:
    """One statement of a paper.

    `compute(seed)` measures it; the median (or `over`, the mean) of `seeds` seeds is compared with
    `expected`: within `tolerance` ("near"), or `at least` or `at most` it. `cost` is "quick" or
    "slow". With `replicas` all the seeds are measured by one call, `compute(range)`, a value for
    each. `rows` are the rows of `rows.py` that it is about; `pure` says that it is a statement of
    mathematics for which no circuit is run; `ours` that `expected` is a choice of this project.
    """

    id: str
    where: str
    statement: str
    compute: Callable[..., Any]
    expected: float = 0.0
    tolerance: float = 0.0
    kind: str = "near"
    cost: str = "quick"
    seeds: int = 1
    replicas: bool = False
    rows: tuple[int, ...] = ()
    pure: bool = False
    ours: bool = False
    over: str = "median"

    def measure(self, seeds: int | None = None) -> tuple[float, ...]:
        """The value of each seed; `seeds` overrides how many."""
        every = range(seeds or self.seeds)
        found = self.compute(every) if self.replicas else [self.compute(s) for s in every]
        return tuple(float(value) for value in found)

    def holds(self, measured: float) -> bool:
        """Whether a measured value is what the claim says."""
        if self.kind == "at least":
            return measured >= self.expected
        if self.kind == "at most":
            return measured <= self.expected
        return abs(measured - self.expected) <= self.tolerance


@dataclass(frozen=True)
class Verdict:
    """A claim and what was measured: each seed's value, their middle, seconds, whether it holds.

    `missing` is the reason why it could not be measured (data or a package that is not there).
    """

    claim: Claim
    values: tuple[float, ...] = ()
    seconds: float = 0.0
    missing: str = ""

    @property
    def measured(self) -> float:
        """The median or the mean over the seeds."""
        if not self.values:
            return float("nan")
        return float(np.mean(self.values) if self.claim.over == "mean" else np.median(self.values))

    @property
    def of(self) -> str:
        """In parentheses how many values there are, "median of 3", where there are several."""
        return f" ({self.claim.over} of {len(self.values)})" if len(self.values) > 1 else ""

    @property
    def holds(self) -> bool | None:
        """Whether the claim holds; None where it was not measured."""
        return self.claim.holds(self.measured) if self.values else None

    @property
    def word(self) -> str:
        """holds, fails or not measured."""
        return {True: "holds", False: "fails", None: "not measured"}[self.holds]
