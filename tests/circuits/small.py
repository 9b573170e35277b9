"""Every bundled circuit and variant, so small that it runs in milliseconds: to compare engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from apical import Circuit, load
from apical.graphs.load import bundled, variants_of

LAYERS = {"sizes": [5, 4, 3], "T_free": 6, "T_nudged": 3}
MIXTURES = {"n": 3, "m_x": 4, "T": 25}
PARAMETERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "backprop": {"sizes": [5, 4, 3, 2]},
        "bsm": MIXTURES,
        "corinfomax": {**LAYERS, "lam": 0.9},
        "canonical_microcircuit": {"N": 4, "inputs": 3, "duration": 4, "h": 0.5},
        "chaos": {"N": [6, 4], "K": [3, 2], "duration": 1},
        "convolutional_pc": {"side": 4, "c1": 2, "c2": 3},
        "corinfomax_sst": {**LAYERS, "lam": 0.9},
        "ep": LAYERS,
        "dtp": {"sizes": [5, 4, 3, 2]},
        "eprop": {"inputs": 3, "cells": 6, "lif": 3, "T": 8},
        "hodgkin_huxley": {"duration": 6, "resolution": 0.25},
        "hopfield": {"d": 5, "M": 4, "T": 30},
        "lif_stdp": {"N": 6, "M": 3, "f_exc": 300, "g_max": 0.5, "duration": 5, "h": 0.5},
        "nsm": MIXTURES,
        "oja": {"inputs": 4, "cells": 2},
        "pc": {"sizes": [5, 4, 3, 2], "T": 6},
        "pem": {"n": 3, "m": 4, "T": 25},
        "ring_attractor": {"N": 8, "h": 10},
        "sacramento": {"duration": 8},
        "seqil": {"sizes": [6, 5, 4, 3]},
        "synaptic_depression": {"N": 4, "duration": 5, "d": 0.5},
        "urbanczik_senn": {"duration": 8},
        "whittington_bogacz": {"sizes": [5, 4, 2], "duration": 5},
        "wilson_cowan": {"duration": 4},
    }
)
GROUPS = {"signed": [1, 1, 0], "member": [1, 0, 1]}
OF_VARIANTS: Mapping[tuple[str, str], Mapping[str, Any]] = MappingProxyType(
    {("corinfomax", "mixed"): GROUPS, ("corinfomax_sst", "mixed"): GROUPS}
)
UNDER = MappingProxyType(
    {
        "simplex": "sparse",
        "nonnegative_sparse": "sparse",
        "music": "sparse",
        "photographs": "nonnegative",
    }
)


ROWS = 20
Case = tuple[str, tuple[str, ...]]


def cases() -> list[Case]:
    """(circuit, variants): each circuit as it is, and with each variant and what that needs."""
    return [
        (name, (UNDER[variant], variant) if variant in UNDER else (variant,) if variant else ())
        for name in bundled()
        for variant in ("", *variants_of(name))
    ]


def label(case: Case) -> str:
    """A name for a table or a test: "pem-sparse-simplex"."""
    return "-".join((case[0], *case[1]))


def parameters(name: str, variants: Sequence[str] = ()) -> dict[str, Any]:
    """The parameters that make a circuit small."""
    found = dict(PARAMETERS.get(name, {}))
    for variant in variants:
        found |= OF_VARIANTS.get((name, variant), {})
    return found


def small(name: str, variants: Sequence[str] = (), **given: Any) -> Circuit:
    """A small bundled circuit; `given` are parameters laid over `parameters`."""
    return load(name, variants=list(variants), **parameters(name, variants) | given)


def random_streams(circuit: Circuit, samples: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Uniform numbers for every stream of a small circuit; signals have more rows than it reads."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.uniform(size=(samples, *((ROWS,) if name in circuit.signals else ()), size))
        for name, size in circuit.streams.items()
    }
