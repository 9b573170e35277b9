"""Handwritten digits of 8 x 8 pixels: 1,797 images that scikit-learn ships.

Source: Alpaydin & Kaynak 1998, UCI Optical Recognition of Handwritten Digits, test part, CC BY 4.0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engines.philox import permutation
from .task import Samples, Task, one_hot


def digits(seed: int = 0, test_fraction: float = 0.2, dtype: Any = np.float64) -> Task:
    """The task "digits": image (sample, 64) in [0, 1], label (sample, 10) one-hot.

    The same fraction of every class is held out for the test, drawn by `seed`; both parts are in
    the order of the data set. Raises ModuleNotFoundError without scikit-learn.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the task digits needs scikit-learn; install it with: pip install 'apical[demo]'",
            name=error.name,
        ) from error
    images, labels = (np.asarray(part) for part in load_digits(return_X_y=True))
    held_out = _stratified(labels, test_fraction, seed)
    streams = {
        "image": (images / 16.0).astype(dtype),
        "label": one_hot(labels, dtype=dtype),
    }
    every = Samples(streams, {"label": "accuracy"})
    return Task(
        name="digits",
        train=every.take(~held_out),
        test=every.take(held_out),
        about="8 x 8 handwritten digits, ten classes (scikit-learn)",
        epochs=10,
    )


def _stratified(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """A mask that holds round(fraction * n) of the n members of every class."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"test_fraction: expected a number from 0 to 1, got {fraction}")
    mask = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        order = permutation(seed, "task digits split", int(label), len(members))
        mask[members[order[: round(fraction * len(members))]]] = True
    return mask
