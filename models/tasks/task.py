"""Task and Samples: what a circuit is presented with, and how its answer is scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


class Samples(Mapping[str, np.ndarray]):
    """Streams of equal length: name -> array (sample, unit). `len` is the number of samples.

    `metrics` says by which metric a prediction of a stream is scored, name -> name in
    `apical.models.metrics.METRICS`. Raises ValueError when an array is not (sample, unit) or the
    lengths differ.
    """

    def __init__(self, streams: Mapping[str, Any], metrics: Mapping[str, str] | None = None):
        self._streams = {name: np.asanyarray(array) for name, array in streams.items()}
        self.metrics: Mapping[str, str] = dict(metrics or {})
        lengths = {}
        for name, array in self._streams.items():
            if array.ndim != 2:
                raise ValueError(f"stream {name!r}: expected (sample, unit), got {array.shape}")
            lengths[name] = len(array)
        if len(set(lengths.values())) > 1:
            raise ValueError(f"streams differ in their number of samples: {lengths}")
        unknown = sorted(set(self.metrics) - set(self._streams))
        if unknown:
            raise ValueError(f"a metric for {unknown}, which are no streams of {list(lengths)}")

    def __getitem__(self, name: str) -> np.ndarray:
        return self._streams[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._streams)

    def __contains__(self, name: object) -> bool:
        return name in self._streams

    def __len__(self) -> int:
        return len(next(iter(self._streams.values()), ()))

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {array.shape[1]}" for name, array in self._streams.items())
        return f"<Samples: {len(self)} samples of {sizes}>"

    def take(self, which: Any) -> Samples:
        """The samples at these indices, or of this slice, in that order."""
        streams = {name: array[which] for name, array in self._streams.items()}
        return Samples(streams, self.metrics)

    def score(self, predictions: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """The scores of predictions (sample, unit) of these streams, by name of the metric."""
        from ..metrics import METRICS

        return {
            metric: METRICS[metric](predictions[name], self._streams[name])
            for name, metric in self.metrics.items()
            if name in predictions
        }

    def first(self, count: int) -> Samples:
        """The first `count` samples."""
        return self.take(slice(count))


@dataclass(frozen=True, eq=False)
class Task:
    """Samples to learn from and samples to be tested on; `about` is one line for people."""

    name: str
    train: Samples
    test: Samples
    about: str = ""
    extras: Mapping[str, Any] = field(default_factory=dict)

    @property
    def metrics(self) -> Mapping[str, str]:
        """By which metric a prediction of a stream is scored."""
        return self.test.metrics

    @property
    def metric(self) -> str:
        """The name of the first metric; "accuracy" for images."""
        return next(iter(self.metrics.values()))


def one_hot(labels: np.ndarray, classes: int = 10, dtype: Any = np.float64) -> np.ndarray:
    """(sample, class) with 1 at the label, else 0."""
    return (np.asarray(labels)[:, None] == np.arange(classes)).astype(dtype)
