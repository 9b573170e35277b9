"""The ledger: all claims, circuit by circuit, and the runner that measures them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from importlib import import_module

from .claim import Claim, Verdict

# Where the claims about a circuit stand; those of `training` take minutes and real images.
MODULES = {
    "corinfomax": ("corinfomax", "corinfomax_theory"),
    "corinfomax_sst": ("corinfomax",),
    "ep": ("ep",),
    "hopfield": ("hopfield",),
    "pc": ("pc", "pc_theory", "pc_precision", "pc_learning"),
    "pem": ("pem", "pem_learns"),
    "bsm": ("pem_learns",),
    "nsm": ("pem_learns",),
    "neuron": ("microcircuits",),
    "ring_attractor": ("microcircuits",),
    "sacramento": ("microcircuits",),
    "urbanczik_senn": ("microcircuits",),
    "seqil": ("seqil",),
    "training": ("training",),
}
MODELS = tuple(MODULES)


def claims(model: str | None = None, slow: bool = False) -> tuple[Claim, ...]:
    """The claims of a model, or of all; the slow ones only if asked for.

    Raises ValueError for a model that has none.
    """
    if model is not None and model not in MODELS:
        raise ValueError(f"no claims about {model!r}; there are some about {', '.join(MODELS)}")
    found: list[Claim] = []
    chosen = [model] if model else MODELS
    for module in dict.fromkeys(one for name in chosen for one in MODULES[name]):
        found += import_module(f".{module}", __package__).CLAIMS
    about = [c for c in found if model is None or c.id.partition(".")[0] == model]
    return tuple(c for c in about if slow or c.cost == "quick")


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
