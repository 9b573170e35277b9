"""Scores of predictions: by the samples' own metrics, else the squared error."""

from __future__ import annotations

from collections.abc import Mapping
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


def scores(samples: Mapping[str, Any], predictions: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The mean over samples of sum_i (p_i - x_i)^2, or what `samples.score` gives.

    Args:
        samples: Streams x, (sample, unit) or (replica, sample, unit).
        predictions: p by stream name, (sample, unit) or (replica, sample, unit).
    """
    score = getattr(samples, "score", None)
    if score is not None:
        return score(predictions)
    known = {n: p for n, p in predictions.items() if n in samples}
    return {
        "squared_error" if len(known) == 1 else f"squared_error of {n}": np.mean(
            np.sum((p - np.asarray(samples[n])) ** 2, axis=-1), axis=-1
        )
        for n, p in known.items()
    }
