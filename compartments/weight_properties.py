"""Properties of a weight array that a synapse can be checked for while it learns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np


@dataclass(frozen=True)
class Property:
    """One property of square weight arrays.

    `lost(w)` takes (replica, n, n) and tells where it fails: replica -> what was found instead.
    """

    name: str
    lost: Callable[[np.ndarray], dict[int, str]]
    text: str


def _indefinite(weights: np.ndarray) -> dict[int, str]:
    """Replicas whose symmetric part has an eigenvalue below 0, beyond rounding; the smallest one.

    Rounding in n x n weights moves an eigenvalue by up to about n eps max_i |w_ii|.
    """
    found = {}
    for replica, w in enumerate(weights):
        if not np.isfinite(w).all():
            found[replica] = "some of it is not finite"
            continue
        rounding = len(w) * np.finfo(w.dtype).eps * np.abs(np.diag(w)).max()
        symmetric = w.astype(np.float64) / 2 + w.T.astype(np.float64) / 2
        try:
            np.linalg.cholesky(symmetric + rounding * np.eye(len(w)))
        except np.linalg.LinAlgError:
            found[replica] = f"its smallest eigenvalue is {np.linalg.eigvalsh(symmetric)[0]:.3g}"
    return found


_TABLE = (
    Property(
        "positive_definite",
        _indefinite,
        "the symmetric part (w + w^T)/2 has no eigenvalue below 0",
    ),
)

PROPERTIES: Mapping[str, Property] = MappingProxyType({p.name: p for p in _TABLE})
