"""Windows: which units of an image each unit of a map sees, in a convolution and in a pooling.

Unit (o, r, c) of the map sees, of each channel of the image, the rows and columns

    stride * r - padding + a,   stride * c - padding + b,   0 <= a, b < size

that there are. In a convolution it sees all channels, each through weights (out, in, a, b) that all
units of its channel share; in a pooling only the channel of its own number.
"""

from __future__ import annotations

from dataclasses import dataclass

from .place import Shape


@dataclass(frozen=True)
class Windows:
    """Windows over an image: `image` and `map` are (channels, rows, columns)."""

    image: tuple[int, int, int]
    map: tuple[int, int, int]
    size: int
    stride: int = 1
    padding: int = 0

    @property
    def kernel(self) -> tuple[int, int, int, int]:
        """The shape of the weights of a convolution: (out, in, rows, columns)."""
        return self.map[0], self.image[0], self.size, self.size

    @property
    def taps(self) -> int:
        """Weights of one channel of the map: in * rows * columns."""
        return self.image[0] * self.size**2

    @property
    def fans(self) -> tuple[int, int]:
        """`n_pre` and `n_post`: units that one of the map sees, and that see one of the image."""
        return self.taps, self.map[0] * self.size**2

    @property
    def positions(self) -> int:
        """Units of one channel of the map."""
        return self.map[1] * self.map[2]

    @property
    def units(self) -> int:
        """Units of the image."""
        return self.image[0] * self.image[1] * self.image[2]

    @property
    def seeing(self) -> int:
        """Units of the map."""
        return self.map[0] * self.positions

    @property
    def left_over(self) -> tuple[int, int]:
        """Rows and columns at the end of the (padded) image that no window reaches."""
        over = [n + 2 * self.padding - self.size for n in self.image[1:]]
        return over[0] % self.stride, over[1] % self.stride

    def arguments(self, pool: str | None) -> str:
        """What stands in brackets behind `convolution`, or behind `pooling` of a kind."""
        if pool is not None:
            return f"{pool}, {self.size}"
        numbers = (self.size, self.stride, self.padding)
        stated = 3 if self.padding else 2 if self.stride > 1 else 1
        return ", ".join(map(str, numbers[:stated]))

    def __str__(self) -> str:
        image, seeing = (" x ".join(map(str, shape)) for shape in (self.image, self.map))
        extra = f" stride {self.stride}" if self.stride != 1 else ""
        extra += f" padding {self.padding}" if self.padding else ""
        return f"{self.size} x {self.size}{extra}: {image} -> {seeing}"


def with_channels(shape: Shape) -> tuple[int, int, int]:
    """The shape of a population as (channels, rows, columns)."""
    rows, columns = shape[-2:]
    return (shape[0] if len(shape) == 3 else 1), rows, columns


def map_sides(image: Shape, size: int, stride: int, padding: int) -> tuple[int, int]:
    """Rows and columns of the map that windows over an image make; 0 or less where none fits."""
    rows, columns = image[-2:]
    return (
        (rows + 2 * padding - size) // stride + 1,
        (columns + 2 * padding - size) // stride + 1,
    )
