"""Signs: the words for which side of 0 weights stay on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Sign:
    """One word: the smallest and the largest weight, None where there is none.

    `symbol` is what an audit calls it; `mended` puts a start there, of the text that stands in {}.
    """

    name: str
    low: float | None
    high: float | None
    symbol: str
    mended: str


_TABLE = (
    Sign("positive", 0.0, None, "+", "|{}|"),
    Sign("negative", None, 0.0, "-", "-|{}|"),
)
SIGNS: Mapping[str, Sign] = MappingProxyType({sign.name: sign for sign in _TABLE})
