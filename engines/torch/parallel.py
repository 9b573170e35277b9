"""Data-parallel training: every process presents its part of each batch, all learn the same.

What rules add up over the samples of a batch is summed over the processes before it reaches
weights, slow variables or an optimizer:

    joint batch = the batches of all processes, in the order of their ranks

so that the weights equal those of one process with the joint batch. Every process gives its own
samples, as many as the others, and the same seed:

    torch.distributed.init_process_group("gloo", ...)
    with parallel():
        sim = apical.Simulator(circuit, engine="torch", seed=0)
        sim.fit(my_part, batch=64, shuffle=False)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch.distributed as dist

from .elementwise import Tape, Tensor


@dataclass(frozen=True)
class Team:
    """The processes that share a batch: how many, and which one this is."""

    size: int = 1
    rank: int = 0
    group: Any = None

    def add_up(self, tensor: Tensor, tape: Tape) -> None:
        """Appends: tensor := its sum over the processes."""
        if self.size > 1:
            tape.append(partial(dist.all_reduce, tensor, group=self.group))


ALONE = Team()
_TEAM: ContextVar[Team] = ContextVar("team", default=ALONE)


def current() -> Team:
    """The team of executables made now."""
    return _TEAM.get()


@contextmanager
def parallel(group: Any = None) -> Iterator[Team]:
    """Simulators whose programs are first run inside learn from the samples of all processes.

    Raises:
        RuntimeError: `torch.distributed` is not initialised.
    """
    if not dist.is_initialized():
        raise RuntimeError(
            "parallel() needs torch.distributed.init_process_group(...) to have been called"
        )
    team = Team(dist.get_world_size(group), dist.get_rank(group), group)
    token = _TEAM.set(team)
    try:
        yield team
    finally:
        _TEAM.reset(token)
