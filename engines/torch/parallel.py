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
from functools import partial
from typing import Any

import torch.distributed as dist
from torch import Tensor

from ..shared_batches import TEAM, Team
from .tape import Tape


def add_up(team: Team, tensor: Tensor, tape: Tape) -> None:
    """Appends: tensor := its sum over the processes of a team."""
    if team.size > 1:
        group: Any = team.group
        tape.append(partial(dist.all_reduce, tensor, group=group))


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
    token = TEAM.set(team)
    try:
        yield team
    finally:
        TEAM.reset(token)
