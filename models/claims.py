"""Claims: what papers state, as something that can be computed and compared.

A claim has an id ("pem.bounds"), the place in the paper, the statement, how it is computed, what is
expected and how near. The quick ones are tests; the slow ones are run by `apical claims --slow`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

MODELS = ("corinfomax", "ep", "pem", "training")
KINDS = ("near", "at least", "at most")


@dataclass(frozen=True)
class Claim:
    """One statement of a paper.

    `compute(seed)` measures it; the median over `seeds` seeds is compared with `expected`: within
    `tolerance` ("near"), or `at least` or `at most` it. `cost` is "quick" or "slow". With
    `replicas` all the seeds are measured by one call, `compute(range)`, a value for each.
    """

    id: str
    where: str
    statement: str
    compute: Callable[..., Any]
    expected: float
    tolerance: float = 0.0
    kind: str = "near"
    cost: str = "quick"
    seeds: int = 1
    replicas: bool = False

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
    """A claim and what was measured: each seed's value, their median, seconds, whether it holds.

    `missing` is the reason why it could not be measured (data or a package that is not there).
    """

    claim: Claim
    values: tuple[float, ...] = ()
    seconds: float = 0.0
    missing: str = ""

    @property
    def measured(self) -> float:
        """The median over the seeds."""
        return float(np.median(self.values)) if self.values else float("nan")

    @property
    def holds(self) -> bool | None:
        """Whether the claim holds; None where it was not measured."""
        return self.claim.holds(self.measured) if self.values else None

    @property
    def word(self) -> str:
        """holds, fails or not measured."""
        return {True: "holds", False: "fails", None: "not measured"}[self.holds]


def claims(model: str | None = None, slow: bool = False) -> tuple[Claim, ...]:
    """The claims of a model, or of all; the slow ones only if asked for.

    Raises ValueError for a model that has none.
    """
    if model is not None and model not in MODELS:
        raise ValueError(f"no claims about {model!r}; there are some about {', '.join(MODELS)}")
    found: list[Claim] = []
    for name in (model,) if model else MODELS:
        found += import_module(f".{name}", __package__).CLAIMS
    return tuple(c for c in found if slow or c.cost == "quick")


def run(chosen: Iterable[Claim], seeds: int | None = None) -> Iterator[Verdict]:
    """Measures claims one after another; `seeds` overrides how many seeds each takes."""
    for claim in chosen:
        began = time.perf_counter()
        try:
            values = claim.measure(seeds)
        except (FileNotFoundError, ModuleNotFoundError) as error:
            yield Verdict(claim, missing=str(error).partition("\n")[0])
            continue
        yield Verdict(claim, values, time.perf_counter() - began)
