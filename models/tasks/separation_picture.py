"""A picture of a separation: sources, mixtures and estimates, a row each."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..metrics import match

SHOWN = 150  # samples of a source without shape


def drawing(
    sources: np.ndarray,
    mixtures: np.ndarray,
    estimates: np.ndarray,
    shape: tuple[int, int] | None = None,
    rate: int | None = None,
) -> Any:
    """A matplotlib figure of sources (n, N), mixtures (m, N) and matched estimates (n, N).

    Pictures of `shape`, sounds of `rate` samples a second, or the first samples as lines.
    """
    from matplotlib.figure import Figure

    rows = {
        "sources": sources,
        "mixtures": mixtures[: len(sources)],
        "estimates": match(sources, estimates).estimate,
    }
    figure = Figure(figsize=(2.2 * len(sources), 5), layout="constrained")
    panels = figure.subplots(3, len(sources), squeeze=False)
    for line, (name, signals) in zip(panels, rows.items(), strict=True):
        line[0].set_title(name, loc="left", fontsize="small")
        for panel, signal in zip(line, signals, strict=False):
            if shape is not None:
                panel.imshow(signal.reshape(shape), cmap="gray")
                panel.set_axis_off()
            elif rate is not None:
                panel.plot(np.arange(len(signal)) / rate, signal, linewidth=0.3)
            else:
                panel.plot(signal[:SHOWN], linewidth=0.8)
    return figure
