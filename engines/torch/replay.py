"""Replay: the recorded sections of a plan, presentation after presentation, for one batch size."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from ..presentation import Arrays, Failure, Presentations
from .graph_capture import Direct, Recorder, Replay
from .layout import SHARED
from .plan import Plan, Section
from .stopping import EVERY, Look, Survivors, smaller
from .tape import Tape


class RecordedPlan:
    """A plan with its recorded sections.

    Args:
        plan: The plan.
        recorder: Turns tapes into calls.
        careful: Whether to look after every phase for numbers that are not finite.
        sized: Gives the run of the same Program for another batch size; None: samples that stopped
            stay until the last one has.
    """

    def __init__(
        self,
        plan: Plan,
        recorder: Recorder,
        careful: bool,
        sized: Callable[[int], RecordedPlan] | None = None,
    ):
        self.plan, self.layout = plan, plan.layout
        self.recorder, self.careful, self.sized = recorder, careful, sized
        self.replays: dict[tuple[int, int], Replay] = {}
        every = max(1, EVERY // plan.mode.block)
        self.look = Look(self.layout.active, self.layout.running, every)

    # --- state ---------------------------------------------------------------------------------

    def resume(self, memory: Arrays, work: Presentations) -> None:
        """Takes parameters from memory and, where presentations go on, states and time."""
        layout = self.layout
        layout.refresh(memory)
        if not work.carry:
            return
        states = [n for n, b in layout.program.buffers.items() if b.kind == "state"]
        for name in (*states, *layout.clock):
            tensor, array = layout.tensors[name], memory.get(name)
            if array is not None and array.shape == tuple(tensor.shape):
                tensor.copy_(as_tensor(array))
            else:
                tensor.zero_()

    def lasting(self) -> list[Tensor]:
        """All that outlives a presentation."""
        kinds = (*SHARED, "state")
        names = [n for n, b in self.layout.program.buffers.items() if b.kind in kinds]
        return [self.layout.tensors[n] for n in (*names, *self.layout.clock)]

    def snapshot(self) -> list[Tensor]:
        """Copies of all that outlives a presentation."""
        return [tensor.clone() for tensor in self.lasting()]

    def restore(self, kept: list[Tensor] | None) -> None:
        """Back to a snapshot."""
        for tensor, old in zip(self.lasting(), kept or [], strict=True):
            tensor.copy_(old)

    def continue_from(self, other: RecordedPlan) -> None:
        """States and time of another run of the same size."""
        for mine, theirs in zip(self.lasting(), other.lasting(), strict=True):
            if mine.data_ptr() != theirs.data_ptr():
                mine.copy_(theirs)

    # --- presentations -------------------------------------------------------------------------

    def present(
        self,
        work: Presentations,
        start: int,
        stop: int,
        order: Tensor,
        streams: Mapping[str, Tensor],
    ) -> Failure | None:
        """Batches `start` to `stop`."""
        layout = self.layout
        bad = torch.zeros_like(layout.health)
        layout.prepare_draws(work, start, stop)
        if layout.program.output_axis is not None and layout.prepare_output(work.output_rows):
            self.replays.clear()  # what was captured puts out somewhere else
        for number in range(start, stop):
            self._begin(work, number, number - start, order, streams)
            for position, section in enumerate(self.plan.sections):
                phase = self._section(position, section)
                if phase is not None:
                    return Failure(self._worst(), number, layout.program.phases[phase].name)
            if not self.careful:
                bad.add_(layout.health)
            self._finish(work, number)
        if not self.careful and not bool(torch.isfinite(bad).all()):
            return Failure(0, start, layout.program.phases[0].name)  # found again, carefully
        return None

    def _begin(
        self,
        work: Presentations,
        number: int,
        place: int,
        order: Tensor,
        streams: Mapping[str, Tensor],
    ) -> None:
        self.layout.begin(work, number, place, order, streams)
        starts = [work.starts(number, replica) for replica in range(self.layout.replicas)]
        for name in starts[0]:
            chosen = np.stack([own[name] for own in starts])
            self.layout.tensors[name].copy_(as_tensor(chosen))

    def _section(self, position: int, section: Section) -> int | None:
        """Runs a section; the number of a phase that ended with a number that is not finite."""
        match section.kind:
            case "straight":
                self._replay(position, section, 1)()
            case "repeat":
                self._repeat(position, section)
            case "until":
                self.until(position, section, section.times)
            case "check":
                layout = self.layout
                finite = (layout.tensors[n] for n in layout.program.finite)
                if not all(bool(torch.isfinite(tensor).all()) for tensor in finite):
                    return section.phase
        return None

    def _repeat(self, position: int, section: Section) -> None:
        block = min(section.times, self.plan.mode.block)
        whole, rest = divmod(section.times, block)
        replay = self._replay(position, section, block)
        for _ in range(whole):
            replay()
        if rest:
            self._replay(position, section, rest)()

    def until(self, position: int, section: Section, times: int) -> None:
        """Blocks of steps until no sample runs, in a smaller layout once few do."""
        block = min(times, self.plan.mode.block)
        self.look.count = 0
        while times >= block > 0:
            self._replay(position, section, block)()
            times -= block
            left = self.look.left()
            if left == 0:
                return
            size = smaller(left, self.layout.batch) if section.apart and self.sized else None
            if size is not None and times:
                self._go_on(position, size, times)
                return
        if times:
            self._replay(position, section, times)()

    def _go_on(self, position: int, size: int, times: int) -> None:
        """The samples that still run take their other steps by themselves."""
        assert self.sized is not None
        few = self.sized(size)
        survivors = Survivors(self.layout, few.layout)
        survivors.gather()
        few.until(position, few.plan.sections[position], times)
        survivors.scatter()

    def _replay(self, position: int, section: Section, times: int) -> Replay:
        key = (position, times)
        if key not in self.replays:
            self.replays[key] = self._record(section, times)
        return self.replays[key]

    def _record(self, section: Section, times: int) -> Replay:
        if isinstance(self.recorder, Direct):
            return section.tape
        tape = Tape()
        for _ in range(times):
            tape += section.tape
        everything = self._every()
        kept = [tensor.clone() for tensor in everything]
        replay = self.recorder.record(tape)
        for tensor, old in zip(everything, kept, strict=True):
            tensor.copy_(old)
        return replay

    def _every(self) -> list[Tensor]:
        """Every tensor that a tape may change and a later one may read."""
        layout = self.layout
        found = [*layout.tensors.values(), *layout.records, *layout.stopped.values()]
        found += [layout.active, layout.running, layout.health]
        found += [layout.output] if layout.output is not None else []
        unique = {(t.data_ptr(), tuple(t.shape)): t for t in found}
        return list(unique.values())

    def _worst(self) -> int:
        """The replica with a number that is not finite."""
        layout = self.layout
        tensors = [layout.tensors[n] for n in layout.program.finite]
        bad = [~torch.isfinite(t).reshape(layout.replicas, -1).all(dim=1) for t in tensors]
        return int(torch.stack(bad).any(dim=0).to(torch.int8).argmax())

    def _finish(self, work: Presentations, number: int) -> None:
        layout = self.layout
        for slot, record in enumerate(layout.records):
            rows = record[:, :-1].permute(0, 1, 3, 2)
            work.records[slot][:, number] = rows.cpu().numpy()
        if layout.output is not None and work.output is not None:
            work.output[:, number] = layout.output.cpu().numpy().swapaxes(-1, -2)
        for name, steps in layout.stopped.items():
            work.stopped[name][:, number] = steps[..., 0].cpu().numpy()


def as_tensor(array: np.ndarray) -> Tensor:
    """A tensor of its own with the numbers of an array."""
    return torch.from_numpy(np.array(array, order="C", copy=True))
