"""Position: an epoch that has begun, how it is presented, and how much of it is over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..streams import Streams


@dataclass(frozen=True)
class Position:
    """Where in an epoch a training stands.

    protocol, samples, batch, shuffle, carry: how the epoch is presented.
    done: samples of it that have been learnt.
    streams: digest of what is presented; None where it was not asked for yet.
    """

    protocol: str
    samples: int
    batch: int
    shuffle: bool
    carry: bool = False
    done: int = 0
    streams: str | None = None

    def after(self, samples: int) -> Position:
        """The position that many samples later."""
        return replace(self, done=self.done + samples)

    def check(self, asked: Position) -> None:
        """Whether a call of `fit` goes on as this epoch began.

        Raises:
            ValueError: It does not; the message says in what, and how to begin an epoch anew.
        """
        mine, its = (asdict(p) for p in (self, asked))
        names = [n for n in ("protocol", "samples", "batch", "shuffle", "carry", "streams")]
        other = [n for n in names if None not in (mine[n], its[n]) and mine[n] != its[n]]
        if not other:
            return
        said = [f"{n}={mine[n]!r}, not {its[n]!r}" for n in other if n != "streams"]
        if not said:
            said = ["other numbers in the streams"]
        raise ValueError(
            f"an epoch is unfinished, with {self.done} of {self.samples} samples learnt, and goes "
            f"on only as it began: with {'; '.join(said)}. To leave it, and present all samples "
            f"from the first on: sim.start_epoch_anew()"
        )


def digest_of(streams: Streams, names: Iterable[str]) -> str:
    """A digest of the numbers of the streams of these names, and of who is given which."""
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(names):
        array: Any = streams.arrays[name]
        array = np.ascontiguousarray(array.cpu() if hasattr(array, "cpu") else array)
        found.update(f"{name} {array.dtype.str} {array.shape}".encode())
        found.update(array.reshape(-1).view(np.uint8).data)
    found.update(np.ascontiguousarray(streams.places).tobytes())
    return found.hexdigest()
