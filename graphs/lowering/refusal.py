"""Refusals: why a circuit that reads well cannot be run."""

from __future__ import annotations


class LoweringError(ValueError):
    """A circuit that reads well but cannot be run; the message names what and why."""

    phase: str | None = None  # where


class NotYetError(LoweringError):
    """`x@p` is read before the phase p has ended."""
