"""Metrics: plain functions of arrays.

Predictions and targets are (sample, unit), or have a replica axis in front; the scores of a replica
stand on that axis. Sources and estimates of a separation are (source, sample), as in the papers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

Metric = Callable[[np.ndarray, np.ndarray], Any]


def accuracy(prediction: np.ndarray, target: np.ndarray) -> Any:
    """The fraction of samples whose largest unit is the target's; ties go to the first unit."""
    hits = np.argmax(prediction, axis=-1) == np.argmax(target, axis=-1)
    return np.mean(hits, axis=-1)


def squared_error(prediction: np.ndarray, target: np.ndarray) -> Any:
    """Mean over samples of the sum over units of (prediction - target)^2."""
    error = np.asarray(prediction, dtype=np.float64) - target
    return np.mean(np.sum(np.square(error), axis=-1), axis=-1)


@dataclass(frozen=True)
class Matching:
    """Estimates brought to their sources.

    `rows[i]` is the row of the estimate that source i was matched with, `signs[i]` and `gains[i]`
    what it was multiplied with; `estimate` (source, sample) is the result.
    """

    rows: np.ndarray
    signs: np.ndarray
    gains: np.ndarray
    estimate: np.ndarray


def match(sources: np.ndarray, estimate: np.ndarray) -> Matching:
    """Each source with the row of highest |normalised correlation|, its sign, least-squares gain.

        rows_i = argmax_j |s_i . y_j| / (|s_i| |y_j|),  gain_i = s_i . y / (y . y)

    An argmax, not an assignment: one row may serve two sources. No mean is removed. `sources` and
    `estimate` are (source, sample). Source: the evaluation of the Predictive-Entropy-Maximization
    programs.
    """
    norms = np.linalg.norm(sources, axis=1)[:, None] * np.linalg.norm(estimate, axis=1)[None, :]
    correlation = (sources @ estimate.T) / norms
    rows = np.argmax(np.abs(correlation), axis=1)
    signs = np.sign(correlation[np.arange(len(sources)), rows])
    signed = signs[:, None] * estimate[rows]
    gains = np.sum(sources * signed, axis=1) / np.sum(np.square(signed), axis=1)
    return Matching(rows, signs, gains, gains[:, None] * signed)


def sinr(sources: np.ndarray, estimate: np.ndarray) -> float:
    """10 log10(|S|_F^2 / |S - Y|_F^2) in dB, of an estimate already matched."""
    return float(10 * np.log10(np.sum(sources**2) / np.sum((sources - estimate) ** 2)))


def snr(sources: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """10 log10(|s_i|^2 / |s_i - y_i|^2) in dB per source, of an estimate already matched."""
    return 10 * np.log10(np.sum(sources**2, axis=1) / np.sum((sources - estimate) ** 2, axis=1))


def mean_snr(sources: np.ndarray, estimate: np.ndarray) -> float:
    """The mean over sources of `snr`, a mean of decibels."""
    return float(np.mean(snr(sources, estimate)))


def bits(prediction: np.ndarray, target: np.ndarray) -> Any:
    """The fraction of units whose sign is the target's."""
    return np.mean(np.sign(prediction) == np.sign(target), axis=(-2, -1))


def _of_sources(score: Callable[[np.ndarray, np.ndarray], float]) -> Metric:
    """A score of matched sources (source, sample) as one of predictions (sample, unit)."""

    def measured(prediction: np.ndarray, target: np.ndarray) -> Any:
        estimates, sources = np.swapaxes(prediction, -1, -2), np.swapaxes(target, -1, -2)
        if estimates.ndim == 2:
            return score(sources, match(sources, estimates).estimate)
        every = np.broadcast_to(sources, estimates.shape[:1] + sources.shape[-2:])
        return np.array(
            [score(s, match(s, y).estimate) for s, y in zip(every, estimates, strict=True)]
        )

    return measured


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "accuracy": accuracy,
        "bits": bits,
        "mean_snr": _of_sources(mean_snr),
        "sinr": _of_sources(sinr),
        "squared_error": squared_error,
    }
)
