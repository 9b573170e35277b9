"""Scores of predictions: by the samples' own metrics, else the squared error."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import numpy as np

from ...graphs.circuit import Circuit


def check_scored(circuit: Circuit, samples: Mapping[str, Any]) -> None:
    """Whether there is something to score.

    Raises:
        ValueError: The samples hold no stream that the circuit predicts.
    """
    predicted = list(circuit.predicts)
    if not any(name in samples for name in predicted):
        what = f"predicts {', '.join(predicted)}" if predicted else "has no `predicts`"
        raise ValueError(
            f"nothing to score: {circuit.name} {what}, and the samples hold "
            f"{', '.join(map(str, samples)) or 'nothing'}"
        )


def scores(
    samples: Mapping[str, Any], predictions: Mapping[str, np.ndarray], signals: Container[str] = ()
) -> dict[str, Any]:
    """The mean over samples of sum_i (p_i - x_i)^2, or what `samples.score` gives.

    Args:
        samples: Streams x, (sample, unit) or (replica, sample, unit); of a signal with its rows
            before the units, over which the mean is taken, too.
        predictions: p by stream name, in the same axes.
        signals: The names of signals.
    """
    score = getattr(samples, "score", None)
    if score is not None:
        return score(predictions)
    known = {n: p for n, p in predictions.items() if n in samples}
    return {
        "squared_error" if len(known) == 1 else f"squared_error of {n}": _squared_error(
            p, np.asarray(samples[n]), n in signals
        )
        for n, p in known.items()
    }


def _squared_error(p: np.ndarray, x: np.ndarray, signal: bool) -> Any:
    """Over samples; of a signal over the rows that are predicted, which a replica may lack."""
    if not signal:
        return np.mean(np.sum((p - x) ** 2, axis=-1), axis=-1)
    each = np.sum((p - x[..., : p.shape[-2], :]) ** 2, axis=-1)
    return np.nanmean(each, axis=(-2, -1))
