"""Copy propagation: what a phase left behind and nothing has written since is read where it is.

x@free is x where nothing has written x since that phase: a clamped presynaptic layer. The terms of
a rule that then have one end in common are joined by `merge_terms`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...buffer import Buffer
from ...expressions.tree import Load
from ...instructions import Branch, Instruction, Map
from ...program import PhaseProgram


def propagate_copies(
    phases: tuple[PhaseProgram, ...], buffers: Mapping[str, Buffer]
) -> tuple[PhaseProgram, ...]:
    """The phases, reading originals instead of copies that equal them."""
    copies = _Latched(buffers)
    found = []
    for phase in phases:
        enter = copies.replaced(phase.enter)
        loop = phase.loop
        if loop is not None:
            copies.forget(*loop.body)  # what a step writes is old in the next
            loop = replace(loop, body=copies.replaced(loop.body))
        found.append(replace(phase, enter=enter, loop=loop, leave=copies.replaced(phase.leave)))
    return tuple(found)


class _Latched:
    """Which latches equal which buffer at a point of a program; code is given in its order."""

    def __init__(self, buffers: Mapping[str, Buffer]):
        self.buffers = buffers
        self.original: dict[str, str] = {}

    def forget(self, *code: Instruction) -> None:
        """Nothing is the same any more once one of the two is written."""
        made = set().union(set(), *(i.writes for i in code))
        self.original = {k: o for k, o in self.original.items() if not {k, o} & made}

    def replaced(self, code: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
        """Straight-line code, reading originals."""
        found: list[Instruction] = []
        for i in code:
            if isinstance(i, Branch):
                before = dict(self.original)
                i = replace(i, body=self.replaced(i.body))
                self.original = before
            elif i.reads & self.original.keys():
                i = i.renamed(self._name)
                if isinstance(i, Map) and i.value == Load(i.target):
                    continue
            self.forget(i)
            if isinstance(i, Map) and not i.masked and isinstance(i.value, Load):
                if self.buffers[i.target].kind == "latch":
                    self.original[i.target] = i.value.buffer
            found.append(i)
        return tuple(found)

    def _name(self, buffer: str) -> str:
        return self.original.get(buffer, buffer)
