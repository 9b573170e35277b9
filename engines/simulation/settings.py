"""Settings: what a simulator was asked for, checked; it never changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...graphs.circuit import Circuit
from ...graphs.program import Program
from ..executable import Executable
from ..registry import Engine, find
from ..threads import available
from .argument_checks import seeds_of, whole

DTYPES = {"float64": "float64", "float32": "float32", "bfloat16": "float32"}  # of weights


@dataclass(frozen=True)
class Settings:
    """A circuit, and how it is simulated.

    seed: as it was given; seeds: that of each replica. activity: the dtype of activity; dtype: that
    of weights and states. compensate: whether sums keep what rounding takes from them.
    """

    circuit: Circuit
    engine: str
    seed: int | list[int]
    seeds: tuple[int, ...]
    activity: str
    dtype: np.dtype
    device: str | None
    compensate: bool
    threads: int

    @classmethod
    def of(
        cls,
        circuit: Circuit,
        engine: str,
        seed: Any,
        dtype: str | None,
        replicas: int,
        device: str | None,
        compensate: bool,
        threads: int | None = None,
    ) -> Settings:
        """What a caller gave.

        Raises:
            ValueError: A value of a wrong kind, no such engine, or one that does not run so.
            ImportError: The package of the engine is not installed.
        """
        if not isinstance(circuit, Circuit):
            raise ValueError(
                f"circuit: expected a Circuit, got {circuit!r}; "
                f"apical.load(...) gives one, of a file or by a bundled name"
            )
        row = find(engine)
        activity, wide = _dtypes(dtype or row.default_dtype(device))
        given, seeds = seeds_of(seed, whole("replicas", replicas, 1))
        row.check(device, activity)
        most = available() if threads is None else whole("threads", threads, 1)
        return cls(circuit, engine, given, seeds, activity, wide, device, compensate, most)

    @property
    def replicas(self) -> int:
        """How many replicas run side by side."""
        return len(self.seeds)

    @property
    def row(self) -> Engine:
        """What the registry says of the engine."""
        return find(self.engine)

    def compile(self, program: Program) -> Executable:
        """A Program made ready by the engine."""
        narrow = self.activity if self.activity != str(self.dtype) else None
        return self.row.make(program, self.dtype, self.device, narrow)


def _dtypes(given: str) -> tuple[str, np.dtype]:
    """The dtype of activity, and that of weights and states."""
    try:
        activity = given if given == "bfloat16" else str(np.dtype(given))
    except TypeError:
        activity = str(given)
    if activity not in DTYPES:
        raise ValueError(f"dtype {activity!r}: expected one of {', '.join(map(repr, DTYPES))}")
    return activity, np.dtype(DTYPES[activity])
