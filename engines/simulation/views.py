"""Arrays of a simulator by name, readable and writable, with their shapes checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from difflib import get_close_matches
from typing import Any

import numpy as np

from .given import numbers


class ArrayView(MutableMapping[str, np.ndarray]):
    """name -> array; reading gives a view on the memory, writing copies into it.

    Args:
        what: What the names are, for messages ("weight", "state").
        arrays: Gives the arrays now, name -> (replica, ...).
        check: Called with name and new array before it is written; raises ValueError.

    Raises:
        KeyError: No such name; the message has the nearest.
        ValueError: A wrong shape, no numbers, or numbers that are not finite.
    """

    def __init__(
        self,
        what: str,
        arrays: Callable[[], dict[str, np.ndarray]],
        check: Callable[[str, np.ndarray], None] | None = None,
        changed: Callable[[], None] | None = None,
    ):
        self._what, self._arrays, self._check, self._changed = what, arrays, check, changed

    def __getitem__(self, name: str) -> np.ndarray:
        array = self._find(name)
        return array[0] if len(array) == 1 else array

    def __setitem__(self, name: str, new: Any) -> None:
        array = self._find(name)
        values = numbers(f"{self._what} {name!r}", new, array.dtype)
        if values.shape not in (array.shape, array.shape[1:]):
            lead = f" or {array.shape}" if len(array) > 1 else ""
            raise ValueError(
                f"{self._what} {name!r}: expected shape {array.shape[1:]}{lead}, got {values.shape}"
            )
        if self._check is not None:
            self._check(name, values)
        array[...] = values
        if self._changed is not None:
            self._changed()

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"a {self._what} cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays())

    def __len__(self) -> int:
        return len(self._arrays())

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {array.shape[1:]}" for name, array in self._arrays().items())
        return f"<{self._what}s: {shapes}>"

    def _find(self, name: str) -> np.ndarray:
        arrays = self._arrays()
        if name not in arrays:
            near = get_close_matches(name, arrays, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(arrays)}"
            raise KeyError(f"no {self._what} {name!r}{hint}")
        return arrays[name]
