"""Place: the words for where a unit stands in its population.

unit = (channel * rows + row) * columns + column,  from 0, of a shape (rows, columns) or
(channels, rows, columns); `index` is the unit itself
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class PlaceWord:
    """One word; `axis` is that of the shape, counted from its end, None for the unit itself."""

    name: str
    meaning: str
    axis: int | None = None

    def of(self, size: int, shape: Shape | None) -> np.ndarray:
        """The number of each of `size` units, (unit,), float64."""
        units = np.arange(size)
        if self.axis is not None:
            assert shape is not None and self.known(shape)
            units = np.unravel_index(units, shape)[self.axis]
        return units.astype(np.float64)

    def known(self, shape: Shape | None) -> bool:
        """Whether units of this shape have such a number."""
        return self.axis is None or (shape is not None and len(shape) >= -self.axis)


_TABLE = (
    PlaceWord("index", "the number of a unit in its population, from 0"),
    PlaceWord("row", "the row of a unit, from 0, where its population has a `shape`", -2),
    PlaceWord("column", "its column", -1),
    PlaceWord("channel", "its channel, where the shape has three numbers", -3),
)
PLACES: Mapping[str, PlaceWord] = MappingProxyType({place.name: place for place in _TABLE})
