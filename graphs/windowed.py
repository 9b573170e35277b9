"""Windowed instructions: convolution, pooling, their transposes, and the change of a kernel.

Unit variables of an image and of a map are in the order of their units, (channel, row, column).
`weight` is a matrix (out, taps), taps k = (in, row, column), with one column more for a bias.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ..compartments.windows import Windows
from .effects import Effects


class Windowed(Effects):
    """An instruction about an image and a map."""

    target: str
    windows: Windows


@dataclass(frozen=True)
class Convolve(Windowed):
    """target := a kernel over the windows of source; `transposed`: from the map to the image.

    forward     target_(o, p) = sum over taps k of weight_(o, k) source_(what p sees at k)
    transposed  target_i = sum over the p that see i, at k, and o of weight_(o, k) source_(o, p)

    bias: the last column is added to each unit of a channel of the map.
    """

    target: str
    weight: str
    source: str
    windows: Windows
    transposed: bool = False
    bias: bool = False

    multiplies = True

    def _read(self) -> Iterable[str]:
        return (self.weight, self.source)


@dataclass(frozen=True)
class Correlate(Windowed):
    """target_(o, k) := sum over p of post_(o, p) pre_(what p sees at k), over the batch.

    The samples are averaged or summed. `bias`: a variable of the map; its sums over p are the last
    column.
    """

    target: str
    post: str
    pre: str
    windows: Windows
    average: bool = True
    bias: str | None = None

    def _read(self) -> Iterable[str]:
        return (self.post, self.pre, *((self.bias,) if self.bias else ()))

    def renamed(self, name: Callable[[str], str]) -> Correlate:
        """The same, reading `name(b)` for b."""
        bias = self.bias and name(self.bias)
        return replace(self, post=name(self.post), pre=name(self.pre), bias=bias)


@dataclass(frozen=True)
class Pool(Windowed):
    """target_(c, p) := the mean or the max of what p sees of channel c of source."""

    target: str
    source: str
    windows: Windows
    op: str

    def _read(self) -> Iterable[str]:
        return (self.source,)


@dataclass(frozen=True)
class Unpool(Windowed):
    """target_i := what the unit p of the map that sees i sends back, the transpose of a Pool.

    mean    source_p / size^2
    max     source_p where i is the first maximum of `values` that p sees, else 0
    """

    target: str
    source: str
    values: str
    windows: Windows
    op: str

    def _read(self) -> Iterable[str]:
        return (self.source, self.values)
