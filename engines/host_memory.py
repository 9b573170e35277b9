"""What engines share whose arrays all lie in `memory`: copies of it, and whether it is sound."""

from __future__ import annotations

from functools import partial
from typing import Self

import numpy as np

from ..graphs.buffer import CLOCK
from ..graphs.program import Program
from .executable import Executable, Restore
from .presentation import Arrays


class HostMemory(Executable):
    """Keeps and restores what presentations of a Program change, in the memory of the host."""

    def __init__(self, program: Program, dtype: np.dtype):
        self.program, self.dtype = program, dtype

    @classmethod
    def make(
        cls, program: Program, dtype: np.dtype, device: str | None, activity: str | None
    ) -> Self:
        """A Program made ready, on the CPU, with activity in `dtype`."""
        return cls(program, dtype)

    @classmethod
    def check_device(cls, device: str | None) -> None:
        """Nothing: the CPU is always there."""

    def settle(self, memory: Arrays) -> None:
        """Nothing: `run` keeps `memory` up to date."""

    def keep(self, memory: Arrays) -> Restore:
        """Copies all that a presentation changes and a later one reads; calling it restores it."""
        return keep(self.program, memory)

    def sound(self, memory: Arrays) -> bool:
        """Whether all that was learnt is finite."""
        return all(np.isfinite(memory[name]).all() for name in self.program.learnt)


def keep(program: Program, memory: Arrays) -> Restore:
    """Copies what was learnt, states and counters; calling it puts them back."""
    return partial(_restore, program, {n: memory[n].copy() for n in _changing(program, memory)})


def _restore(program: Program, kept: Arrays, memory: Arrays) -> None:
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
    return [name for name in memory if name in CLOCK or name in learnt or name in states]
