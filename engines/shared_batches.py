"""Team: the processes that share each batch. Engines that cannot share one refuse it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Team:
    """How many processes share a batch, which one this is, and what the engine knows them by."""

    size: int = 1
    rank: int = 0
    group: object = None


ALONE = Team()
TEAM: ContextVar[Team] = ContextVar("team", default=ALONE)


def current() -> Team:
    """The team of executables made now."""
    return TEAM.get()
