"""Abilities: what each engine can do, as a table; what it cannot, it refuses by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..compartments.connectivity import CONNECTIVITY
from ..compartments.integrators import TABLEAUX
from ..compartments.optimizers import OPTIMIZERS
from .registry import ENGINES, Engine


@dataclass(frozen=True)
class Capability:
    """Something that the engines can do whose row of the registry is `able`; others refuse it."""

    name: str
    able: Callable[[Engine], bool] = lambda engine: True

    @property
    def engines(self) -> frozenset[str]:
        """The names of those that can."""
        return frozenset(name for name, engine in ENGINES.items() if self.able(engine))


CAPABILITIES = (
    Capability("float64", lambda e: "float64" in e.dtypes),
    Capability("float32, small sums compensated", lambda e: "float32" in e.dtypes),
    Capability("activity in bfloat16", lambda e: "bfloat16" in e.dtypes),
    Capability("a GPU", lambda e: "cuda" in e.devices),
    Capability("replicas with their own seeds and parameters"),
    Capability("samples side by side"),
    Capability(f"methods: {', '.join(TABLEAUX)}"),
    Capability(f"optimizers: {', '.join(OPTIMIZERS)}"),
    Capability(f"connections: {', '.join(CONNECTIVITY)}"),
    Capability("weights of some connections as compressed rows", lambda e: False),
    Capability("every function of the language"),
    Capability("delays"),
    Capability("events: conditions, resets, refractory times"),
    Capability("filters, traces, plasticity in continuous time"),
    Capability("rules at the end of a phase and at each step"),
    Capability("signals: held rows, linear between rows, a row each step"),
    Capability("stop rules, sample by sample"),
    Capability("noise and draws, the same on every engine"),
    Capability("records at chosen steps and in chosen phases"),
    Capability("several processes that share a batch", lambda e: e.shares_batches),
)


def table() -> dict[str, dict[str, bool]]:
    """Capability -> engine -> whether it can."""
    return {a.name: {engine: engine in a.engines for engine in ENGINES} for a in CAPABILITIES}


def listing(abilities: dict[str, dict[str, bool]]) -> Iterator[str]:
    """The table for people."""
    width = max(map(len, abilities))
    yield f"{'what each can do':<{width}}  {'  '.join(ENGINES)}"
    for name, cells in abilities.items():
        said = "  ".join(f"{'yes' if can else '-':<{len(e)}}" for e, can in cells.items())
        yield f"{name:<{width}}  {said.rstrip()}"
