"""Retrieval: images are stored one by one, damaged, and asked for again."""

from __future__ import annotations

from typing import Any

import numpy as np

from .digits import digits
from .task import Predictions, Samples, Task


def retrieval(images: int = 20, damaged: float = 0.15, seed: int = 0) -> Task:
    """The task "retrieval": handwritten digits of 8 x 8 pixels, -1 or 1, stored and asked for.

    Learnt from are `image` (sample, 64) and `slot` (sample, images), 1 for the place that the image
    is to have, else 0. Tested is whether `image` comes back from `query`, the image with round(64
    `damaged`) pixels of the other sign. Which images and pixels, `seed` draws. Raises ValueError
    for a number that cannot be, ModuleNotFoundError without scikit-learn.
    """
    every = digits(test_fraction=0).train["image"]
    if not 1 <= images <= len(every):
        raise ValueError(f"images: expected a number from 1 to {len(every)}, got {images}")
    if not 0 <= damaged <= 1:
        raise ValueError(f"damaged: expected a number from 0 to 1, got {damaged}")
    rng = np.random.default_rng(seed)
    stored = np.where(every[rng.choice(len(every), images, replace=False)] > 0.5, 1.0, -1.0)
    flips = round(damaged * stored.shape[1])
    query = stored.copy()
    for row in query:
        row[rng.choice(len(row), flips, replace=False)] *= -1
    return Task(
        name="retrieval",
        train=Samples({"image": stored, "slot": np.eye(images)}),
        test=Samples({"query": query, "image": stored}, {"image": "bits"}),
        about=f"{images} handwritten digits of 64 bits; {flips} bits of each query are wrong",
        batch=1,
        report=lambda predictions: _report(predictions, query, stored),
        picture=lambda predictions: _picture(predictions, query, stored),
    )


def _report(predictions: Predictions, query: np.ndarray, stored: np.ndarray) -> list[str]:
    right = np.sign(predictions["image"]) == stored
    wrong = query != stored
    whole = int(np.sum(np.all(right, axis=1)))
    return [
        f"of {int(wrong.sum())} wrong bits {int(np.sum(right & wrong))} came back, "
        f"of {int(np.sum(~wrong))} right ones {int(np.sum(~right & ~wrong))} were lost; "
        f"{whole} of {len(stored)} images are whole"
    ]


def _picture(predictions: Predictions, query: np.ndarray, stored: np.ndarray) -> Any:
    """Stored, damaged and retrieved images, a column each."""
    from matplotlib.figure import Figure

    count = min(10, len(stored))
    figure = Figure(figsize=(count, 3.4), layout="constrained")
    panels = figure.subplots(3, count, squeeze=False)
    rows = (("stored", stored), ("damaged", query), ("retrieved", predictions["image"]))
    for line, (name, values) in zip(panels, rows, strict=True):
        line[0].set_title(name, loc="left", fontsize="small")
        for panel, image in zip(line, values, strict=False):
            panel.imshow(image.reshape(8, 8), cmap="gray", vmin=-1, vmax=1)
            panel.set_axis_off()
    return figure
