"""Refusals: why a circuit that reads well cannot be run, and what of it that is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..buffer import Buffer

OF_A_VARIABLE = ("variable", "rate", "latch", "noise")


@dataclass(frozen=True)
class Subject:
    """A population or a synapse; `part`: a variable of the population, or "rule"."""

    owner: str
    part: str = ""

    @classmethod
    def of(cls, *buffers: Buffer | None) -> Subject | None:
        """What the first of some buffers belongs to that belongs to something."""
        found = (buffer.identity.about for buffer in buffers if buffer is not None)
        about = next((one for one in found if one is not None), None)
        if about is None:
            return None
        return cls(about.owner, about.part if about.what in OF_A_VARIABLE else "")


class LoweringError(ValueError):
    """A circuit that reads well but cannot be run; the message names what and why.

    about: What of the circuit. phase: The phase that is lowered.
    """

    def __init__(self, message: str, about: Subject | None = None):
        super().__init__(message)
        self.about = about
        self.phase: str | None = None


class NotYetError(LoweringError):
    """`x@p` is read before the phase p has ended."""


@contextmanager
def about(subject: Subject | None) -> Iterator[None]:
    """What is refused inside is about a subject, where the error does not say it more closely."""
    try:
        yield
    except LoweringError as error:
        error.about = error.about or subject
        raise
