"""Delay lines: (replica, sample, place * unit), and the newest place of each sample from 1."""

from __future__ import annotations

import numpy as np


def pushed(
    line: np.ndarray, head: np.ndarray, source: np.ndarray, running: np.ndarray
) -> np.ndarray:
    """A line once source has entered at the newest place, for the samples that run."""
    places = _places(line, source.shape[-1])
    here = (np.arange(places.shape[2]) == head - 1) & running
    return np.where(here[..., None], source[:, :, None], places).reshape(line.shape)


def filled(line: np.ndarray, head: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A line with source at all places where nothing had entered, and its head."""
    empty = head == 0
    places = np.where(empty[..., None], source[:, :, None], _places(line, source.shape[-1]))
    return places.reshape(line.shape), np.where(empty, 1, head).astype(head.dtype)


def recalled(line: np.ndarray, head: np.ndarray, back: int, units: int) -> np.ndarray:
    """What entered `back` steps before the newest."""
    places = _places(line, units)
    here = (head.astype(np.int64) - 1 - back) % places.shape[2]
    return np.take_along_axis(places, here[..., None], axis=2)[:, :, 0]


def _places(line: np.ndarray, units: int) -> np.ndarray:
    """(replica, sample, place, unit)."""
    return line.reshape(*line.shape[:2], -1, units)
