"""Abilities: what each engine can do, as a table; what it cannot, it refuses by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..compartments.connectivity import CONNECTIVITY
from ..compartments.optimizers import OPTIMIZERS
from ..compartments.tableaux import TABLEAUX
from .engine import ENGINES

ALL = frozenset(ENGINES)
TORCH = frozenset({"torch"})


@dataclass(frozen=True)
class Ability:
    """Something that the `engines` can do and others refuse."""

    name: str
    engines: frozenset[str] = ALL


ABILITIES = (
    Ability("float64"),
    Ability("float32, small sums compensated"),
    Ability("activity in bfloat16", TORCH),
    Ability("a GPU", TORCH),
    Ability("replicas with their own seeds and parameters"),
    Ability("samples side by side"),
    Ability(f"methods: {', '.join(TABLEAUX)}"),
    Ability(f"optimizers: {', '.join(OPTIMIZERS)}"),
    Ability(f"connections: {', '.join(CONNECTIVITY)}"),
    Ability("every function of the language"),
    Ability("filters, traces, plasticity in continuous time"),
    Ability("rules at the end of a phase and at each step"),
    Ability("stop rules, sample by sample"),
    Ability("noise and draws, the same on every engine"),
    Ability("records at chosen steps and in chosen phases"),
    Ability("several processes that share a batch", TORCH),
)


def table() -> dict[str, dict[str, bool]]:
    """Ability -> engine -> whether it can."""
    return {a.name: {engine: engine in a.engines for engine in ENGINES} for a in ABILITIES}


def listing(abilities: dict[str, dict[str, bool]]) -> Iterator[str]:
    """The table for people."""
    width = max(map(len, abilities))
    yield f"{'what each can do':<{width}}  {'  '.join(ENGINES)}"
    for name, cells in abilities.items():
        said = "  ".join(f"{'yes' if can else '-':<{len(e)}}" for e, can in cells.items())
        yield f"{name:<{width}}  {said.rstrip()}"
