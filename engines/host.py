"""What engines share whose arrays all lie in `memory`: copies of it, and whether it is sound."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graphs.program import Program
from .presentation import Arrays


class HostMemory:
    """Keeps and restores what presentations of a Program change, in the memory of the host."""

    program: Program
    alone = True

    def settle(self, memory: Arrays) -> None:
        """Nothing: `run` keeps `memory` up to date."""

    def keep(self, memory: Arrays) -> Any:
        """A copy of all that a presentation changes and a later one reads."""
        return keep(self.program, memory)

    def restore(self, memory: Arrays, kept: Any) -> None:
        """Everything as it was when `keep` made the copy."""
        restore(self.program, memory, kept)

    def sound(self, memory: Arrays) -> bool:
        """Whether all that was learnt is finite."""
        return all(np.isfinite(memory[name]).all() for name in self.program.learnt)


def keep(program: Program, memory: Arrays) -> Arrays:
    """Copies of what was learnt, of states and of counters."""
    return {name: memory[name].copy() for name in _changing(program, memory)}


def restore(program: Program, memory: Arrays, kept: Arrays) -> None:
    """Puts copies back in place; what was not there before goes."""
    for name in _changing(program, memory):
        if name not in kept:
            del memory[name]
    for name, array in kept.items():
        if name in memory and memory[name].shape == array.shape:
            memory[name][...] = array
        else:
            memory[name] = array.copy()


def _changing(program: Program, memory: Arrays) -> list[str]:
    learnt, buffers = {*program.learnt, *program.traces}, program.buffers
    states = {name for name, buffer in buffers.items() if buffer.kind == "state"}
    return [name for name in memory if name[0] == "#" or name in learnt or name in states]
