"""Orthogonal wavelets: recordings in coefficients, of which few are large at a time."""

from __future__ import annotations

from math import comb

import numpy as np


def daubechies(moments: int) -> np.ndarray:
    """The scaling filter (2 * moments,) of Daubechies with so many vanishing moments; sum sqrt 2.

        h(z) ~ (1 + z)^p q(z),   |q|^2 = sum_{k < p} C(p - 1 + k, k) y^k,   y = (2 - z - 1/z)/4

    q takes the roots inside the unit circle. Source: Daubechies 1988, section 4.
    """
    powers = [comb(moments - 1 + k, k) for k in range(moments)]
    b = 1 - 2 * np.roots(powers[::-1])
    inside = b + np.sqrt(b**2 - 1 + 0j)
    inside = np.where(np.abs(inside) < 1, inside, 1 / inside)
    h = np.real(np.poly(inside))
    for _ in range(moments):
        h = np.convolve(h, [1, 1])
    return h * np.sqrt(2) / np.sum(h)


def coefficients(signals: np.ndarray, moments: int = 4, levels: int = 3) -> np.ndarray:
    """The wavelet coefficients (n, N) of signals (n, N), continued as a circle.

    First the `levels` times smoothed signal, then the details from coarse to fine. The map is
    orthogonal and linear: mixtures of signals become mixtures of coefficients. Raises ValueError
    where N is no multiple of 2^levels.
    """
    if signals.shape[-1] % 2**levels:
        raise ValueError(f"{signals.shape[-1]} samples: expected a multiple of {2**levels}")
    low = daubechies(moments)
    high = low[::-1] * (-1.0) ** np.arange(len(low))
    details, smooth = [], signals
    for _ in range(levels):
        circle = np.take(smooth, np.arange(smooth.shape[-1] + len(low) - 2), axis=-1, mode="wrap")
        windows = np.lib.stride_tricks.sliding_window_view(circle, len(low), axis=-1)[..., ::2, :]
        smooth, detail = windows @ low, windows @ high
        details.append(detail)
    return np.concatenate([smooth, *details[::-1]], axis=-1)
