"""Task and Samples: what a circuit is presented with, and how its answer is scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Metrics = Mapping[str, str | tuple[str, ...]]
Predictions = Mapping[str, np.ndarray]


class Samples(Mapping[str, np.ndarray]):
    """Streams of equal length: name -> array (sample, unit). `len` is the number of samples.

    An array may be (replica, sample, unit), where each replica has samples of its own. `metrics`
    says by which metrics a prediction of a stream is scored, name -> name or names in
    `apical.models.metrics.METRICS`. `ids` are the numbers of the samples, which traces carry; None:
    0, 1, ... Raises ValueError when an array has another shape or the lengths differ.
    """

    def __init__(self, streams: Mapping[str, Any], metrics: Metrics | None = None, ids: Any = None):
        self._streams = {name: np.asanyarray(array) for name, array in streams.items()}
        self.metrics: Metrics = dict(metrics or {})
        lengths = {}
        for name, array in self._streams.items():
            if array.ndim not in (2, 3):
                raise ValueError(f"stream {name!r}: expected (sample, unit), got {array.shape}")
            lengths[name] = array.shape[-2]
        if len(set(lengths.values())) > 1:
            raise ValueError(f"streams differ in their number of samples: {lengths}")
        self.ids = np.arange(len(self)) if ids is None else np.asarray(ids)
        if self.ids.shape != (len(self),):
            raise ValueError(f"ids: expected {len(self)} numbers, got shape {self.ids.shape}")
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
        return next((array.shape[-2] for array in self._streams.values()), 0)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {array.shape[-1]}" for name, array in self._streams.items())
        return f"<Samples: {len(self)} samples of {sizes}>"

    def take(self, which: Any) -> Samples:
        """The samples at these indices, or of this slice, in that order."""
        streams = {name: array[..., which, :] for name, array in self._streams.items()}
        return Samples(streams, self.metrics, self.ids[which])

    def score(self, predictions: Predictions) -> dict[str, Any]:
        """The scores of predictions (sample, unit) of these streams, by name of the metric."""
        from ..metrics import METRICS

        return {
            metric: METRICS[metric](predictions[name], self._streams[name])
            for name, metrics in self.metrics.items()
            for metric in ((metrics,) if isinstance(metrics, str) else metrics)
            if name in predictions
        }

    def first(self, count: int) -> Samples:
        """The first `count` samples."""
        return self.take(slice(count))


@dataclass(frozen=True, eq=False)
class Task:
    """Samples to learn from and samples to be tested on, and how they are presented.

    about: one line for people.
    extras: what else belongs to it, by name.
    epochs, batch, shuffle: how the samples are learnt from where nothing else is said.
    report: lines about predictions of the test samples, beyond their scores.
    picture: draws predictions of the test samples; gives a matplotlib figure.
    """

    name: str
    train: Samples
    test: Samples
    about: str = ""
    extras: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 1
    batch: int = 20
    shuffle: bool = True
    report: Callable[[Predictions], Sequence[str]] | None = None
    picture: Callable[[Predictions], Any] | None = None

    @property
    def metrics(self) -> Metrics:
        """By which metrics a prediction of a stream is scored."""
        return self.test.metrics

    @property
    def metric(self) -> str:
        """The name of the first metric; "accuracy" for images."""
        first = next(iter(self.metrics.values()))
        return first if isinstance(first, str) else first[0]

    @property
    def sizes(self) -> dict[str, int]:
        """How many values each stream has."""
        return {n: a.shape[-1] for part in (self.train, self.test) for n, a in part.items()}


def one_hot(labels: np.ndarray, classes: int = 10, dtype: Any = np.float64) -> np.ndarray:
    """(sample, class) with 1 at the label, else 0."""
    return (np.asarray(labels)[:, None] == np.arange(classes)).astype(dtype)
