"""Ranges: what a number of the language may be, as data."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np


@dataclass(frozen=True)
class Interval:
    """The numbers from `low` to `high`, each end taken in or not; NaN is in none.

    `example` is a number of the range that often makes sense, for the corrected line of an error.
    """

    low: float
    high: float = inf
    low_in: bool = True
    high_in: bool = False
    example: float = 1.0

    def holds(self, numbers: np.ndarray) -> np.ndarray:
        """Where the numbers lie in the range."""
        above = numbers >= self.low if self.low_in else numbers > self.low
        below = numbers <= self.high if self.high_in else numbers < self.high
        return above & below

    def __str__(self) -> str:
        """What is expected, in words."""
        if self.low == -inf:
            return f"{'at most' if self.high_in else 'less than'} {self.high:g}"
        low = f"at least {self.low:g}" if self.low_in else f"more than {self.low:g}"
        if self.high == inf:
            return low
        return f"{low} and {'at most' if self.high_in else 'less than'} {self.high:g}"


POSITIVE = Interval(0, low_in=False)
NOT_NEGATIVE = Interval(0)
ORDERED = Interval(0, high_in=True)  # of a difference; it may be infinite
FRACTION = Interval(0, 1, example=0.9)  # of what is kept from step to step
SHARE = Interval(0, 1, high_in=True, example=0.9999)
