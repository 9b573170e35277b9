"""Plan: a Program as tapes over a layout, and what runs in which order.

`Section`s say what runs: a tape once, a tape a fixed number of times, a tape until no sample runs,
a check for numbers that are not finite.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from ...graphs.buffer import STEP
from ...graphs.program import StepLoop
from .layout import TensorLayout
from .tape import Tape
from .tape_writer import Mode, TapeWriter

UNROLLED = 6000  # calls that a straight tape may have


@dataclass
class Section:
    """`kind`: "straight", "repeat" and "until" (at most `times` times), or "check".

    `apart`: the samples know nothing of each other, so that the last ones may go on by themselves.
    """

    kind: str
    tape: Tape = field(default_factory=Tape)
    times: int = 1
    phase: int = 0
    apart: bool = False


class Plan:
    """The sections of a Program.

    Raises:
        NotImplementedError: An instruction that this engine lacks, by name.
    """

    def __init__(self, layout: TensorLayout, mode: Mode):
        self.layout, self.mode = layout, mode
        self.writer = TapeWriter(layout, mode)
        self.sections = self._sections()

    def _sections(self) -> list[Section]:
        found: list[Section] = []
        straight, layout, writer = Tape(), self.layout, self.writer
        for name, given in layout.given.items():
            straight.append(partial(layout.tensors[name].copy_, given))
        for number, phase in enumerate(layout.program.phases):
            writer.write(phase.enter, straight)
            if phase.loop is not None:
                straight = self._loop(phase.name, phase.loop, straight, found)
            if self.mode.predicated:
                self._check(number, straight)
            else:
                found += [Section("straight", straight), Section("check", phase=number)]
                straight = Tape()
            writer.write(phase.leave, straight)
        found.append(Section("straight", straight))
        return [s for s in found if s.kind != "straight" or s.tape]

    def _loop(self, phase: str, loop: StepLoop, straight: Tape, found: list[Section]) -> Tape:
        layout, writer = self.layout, self.writer
        step = layout.tensors[STEP]
        code = loop.body
        self._refuse_uneven(phase, loop)
        gate = self._gate(loop)
        body = Tape()
        if loop.stops or any(STEP in i.reads for i in code):
            body.append(partial(step.add_, 1.0))
        writer.hoist.enter(loop, straight)
        writer.until = phase if loop.stops else None
        writer.write(code, body, gate)
        writer.until = None
        writer.hoist.leave()
        straight.append(partial(step.fill_, -1.0))
        if loop.stops:
            straight += [partial(t.fill_, True) for t in (layout.active, layout.running)]
            straight.append(partial(layout.stopped[phase].fill_, -1))
            body.append(
                partial(torch.amax, layout.active, dim=(1, 2), keepdim=True, out=layout.running)
            )
            found += [
                Section("straight", straight),
                Section("until", body, loop.steps, apart=loop.apart),
            ]
            straight = Tape([partial(layout.active.fill_, True)])
            if loop.again:
                straight = self._again(loop, straight, found)
            straight.append(partial(step.fill_, loop.steps - 1.0))
            return straight
        if self.mode.unroll and len(straight) + loop.steps * len(body) <= UNROLLED:
            for _ in range(loop.steps):
                straight += body
        else:
            found += [Section("straight", straight), Section("repeat", body, loop.steps)]
            straight = Tape()
        straight.append(partial(step.fill_, loop.steps - 1.0))
        return straight

    def _again(self, loop: StepLoop, straight: Tape, found: list[Section]) -> Tape:
        """Scalars that take all steps, after the last sample stopped."""
        step, body = self.layout.tensors[STEP], Tape()
        body.append(partial(step.add_, 1.0))
        self.writer.write(loop.again, body)
        straight.append(partial(step.fill_, -1.0))
        found += [Section("straight", straight), Section("repeat", body, loop.steps)]
        return Tape()

    def _gate(self, loop: StepLoop) -> Tensor | None:
        """What keeps steps after the last sample of a replica stopped from leaving a mark."""
        late = self.mode.block > 1 or self.mode.predicated or self.layout.replicas > 1
        return self.layout.running if loop.stops and late else None

    def _refuse_uneven(self, phase: str, loop: StepLoop) -> None:
        if loop.stops and loop.learns and self.layout.team.size > 1:
            raise NotImplementedError(
                f"phase {phase!r} learns at every step and stops by itself: its processes would "
                f"stop at different steps; run it in one process"
            )

    def _check(self, phase: int, tape: Tape) -> None:
        """health[phase] is NaN where a state is not finite."""
        layout, pool = self.layout, self.layout.pool
        total = pool.take((), layout.dtype)
        tape.append(partial(layout.health[phase].zero_))
        for name in layout.program.finite:
            state = layout.tensors[name]
            scratch = pool.take(tuple(state.shape), state.dtype)
            tape.append(partial(torch.mul, state, 0.0, out=scratch))
            tape.append(partial(torch.sum, scratch, dim=(0, 1, 2), out=total))
            tape.append(partial(layout.health[phase].add_, total))
            pool.give(scratch)
        pool.give(total)
