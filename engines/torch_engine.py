"""The torch engine: static tensors, straight-line tapes, CUDA graphs where there is a GPU.

On a GPU each stretch of a presentation is captured once and replayed; loops that stop by
themselves are captured in blocks of masked steps, and the host looks at whether samples still run
once a block, one block late. On the CPU the same tapes run call by call (`capture=None`), or
through a stand-in that checks what a capture would demand (`capture="rehearse"`).

A circuit of a few units that learns sample after sample is not for this engine: each step costs
tens of calls of microseconds, where the numba engine needs a fraction of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ..graphs.program import Program
from . import torch_kernels, torch_parallel
from .presentation import Arrays, Failure, Presentations
from .torch_elementwise import Tensor
from .torch_plan import SHARED, Mode, Plan, Section
from .torch_recorder import Direct, Graphs, Recorder, Rehearsal, Replay

BLOCK = 16  # steps between two looks of the host
DTYPES = {"float64": torch.float64, "float32": torch.float32}


class TorchExecutable:
    """A Program on torch.

    Args:
        program: The Program.
        dtype: float64 or float32, of activity and weights; scalars are float64.
        device: "cpu" (default) or "cuda".
        capture: None (call by call), "rehearse", or "graph"; default: "graph" on a GPU.
        block: Steps between two looks at whether samples still run.
        fused: Whether a Block is one Triton kernel; default: on a GPU, where Triton is installed.

    Raises:
        ValueError: No such device, or capture that it cannot do.
    """

    def __init__(
        self,
        program: Program,
        dtype: np.dtype,
        device: str | None = None,
        capture: str | None = "default",
        block: int | None = None,
        fused: bool | None = None,
    ):
        self.program, self.numpy_dtype = program, np.dtype(dtype)
        self.dtype = DTYPES[str(self.numpy_dtype)]
        self.device = find_device(device)
        gpu = self.device.type == "cuda"
        self.capture = ("graph" if gpu else None) if capture == "default" else capture
        if self.capture not in (None, "rehearse", "graph") or (self.capture == "graph" and not gpu):
            raise ValueError(f"capture {capture!r} is not possible on {self.device}")
        self.block = block or (BLOCK if self.capture else 1)
        self.fused = (gpu and torch_kernels.available()) if fused is None else fused
        self.team = torch_parallel.current()
        self.shared: dict[str, Tensor] = {}
        self.runs: dict[tuple[int, bool], _Run] = {}
        self._streams: dict[str, tuple[Any, Tensor]] = {}
        self._dirty: _Run | None = None

    # --- memory --------------------------------------------------------------------------------

    def _upload(self, memory: Arrays) -> None:
        """Puts weights, slow variables, optimizer states and parameters into the tensors."""
        for name, buffer in self.program.buffers.items():
            if buffer.kind not in SHARED or name not in memory:
                continue
            array = memory[name]
            held = self.shared.get(name)
            if held is None:
                self.shared[name] = self._first(array, buffer.kind)
            elif self.device.type != "cpu" or held.data_ptr() != array.ctypes.data:
                held.copy_(_tensor(array))
                if self.device.type == "cpu" and buffer.kind != "parameter":
                    memory[name] = held.numpy()

    def _first(self, array: np.ndarray, kind: str) -> Tensor:
        plain = array.flags.c_contiguous and array.flags.writeable
        if self.device.type == "cpu" and plain and kind != "parameter":
            return torch.from_numpy(array)  # the same memory: nothing is ever copied
        return _tensor(array).to(self.device, copy=True)

    def settle(self, memory: Arrays) -> None:
        """Writes what presentations changed on the device back to `memory`."""
        run, self._dirty = self._dirty, None
        if run is None:
            return
        for name, buffer in self.program.buffers.items():
            if buffer.kind in SHARED and buffer.kind != "parameter":
                held = self.shared[name]
                if self.device.type != "cpu":
                    memory[name][...] = held.cpu().numpy()
            elif buffer.kind == "state":
                memory[name] = run.plan.tensors[name].cpu().numpy().copy()
        memory["#t"] = run.plan.tensors["#t"].cpu().numpy().copy()

    def _stream_tensors(self, streams: Mapping[str, Any], fresh: bool) -> dict[str, Tensor]:
        """The streams on the device, moved once per call of `fit`, `run` or `predict`."""
        needed = {n[1:] for n, b in self.program.buffers.items() if b.kind == "stream"}
        for name in needed:
            source = streams[name]
            if fresh or name not in self._streams or self._streams[name][0] is not source:
                tensor = source if isinstance(source, Tensor) else _tensor(source)
                self._streams[name] = (source, tensor.to(self.device, self.dtype))
        return {name: self._streams[name][1] for name in needed}

    # --- running -------------------------------------------------------------------------------

    def _run(self, work: Presentations, careful: bool) -> _Run:
        key = (work.batch, careful)
        if key not in self.runs:
            self.runs[key] = _Run(self, work.seeds, work.batch, careful)
        return self.runs[key]

    def run(self, memory: Arrays, work: Presentations, start: int, stop: int) -> Failure | None:
        """Presents batches `start` to `stop`; `settle` brings `memory` up to date."""
        with torch.no_grad():
            if start == 0 or self._dirty is None:
                self.settle(memory)
                self._upload(memory)
            careful = self.capture is None
            run = self._run(work, careful)
            streams = self._stream_tensors(work.streams, start == 0)
            order = _tensor(work.order[:, start:stop])
            order = order.to(self.device)
            if self._dirty is not run:
                run.resume(memory, work)
            self._dirty = run
            kept = None if careful else run.snapshot()
            failure = run.present(work, start, stop, order, streams)
            if failure is not None and not careful:
                run.restore(kept)
                again = self._run(work, True)
                again.resume(memory, work)
                again.continue_from(run)
                self._dirty = again
                failure = again.present(work, start, stop, order, streams)
            if failure is not None:
                self.settle(memory)
            return failure


class _Run:
    """A plan with its recorded sections."""

    def __init__(self, parent: TorchExecutable, seeds: tuple[int, ...], batch: int, careful: bool):
        self.parent, self.careful = parent, careful
        capture = parent.capture is not None and not careful
        block = 1 if careful else parent.block
        mode = Mode(predicated=capture, block=block, unroll=capture, fused=parent.fused)
        self.plan = Plan(
            parent.program,
            parent.shared,
            seeds,
            batch,
            parent.dtype,
            parent.device,
            mode,
            parent.team,
        )
        self.recorder: Recorder = Direct()
        if capture:
            graphs = parent.capture == "graph"
            self.recorder = Graphs(parent.device) if graphs else Rehearsal()
        self.replays: dict[int, dict[int, Replay]] = {}
        self.look = _Late(self.plan.running)

    # --- state ---------------------------------------------------------------------------------

    def resume(self, memory: Arrays, work: Presentations) -> None:
        """Takes parameters from memory and, where presentations go on, states and time."""
        plan = self.plan
        parameters = {n: a for n, a in memory.items() if n[0] == "$"}
        plan.refresh(parameters)
        for name in plan._set:
            if name in plan.shared:
                plan._given[name].copy_(plan.shared[name])
        if not work.carry:
            return
        for name, buffer in plan.program.buffers.items():
            if buffer.kind == "state" and name in memory:
                if memory[name].shape == tuple(plan.tensors[name].shape):
                    plan.tensors[name].copy_(_tensor(memory[name]))
        if "#t" in memory:
            plan.tensors["#t"].copy_(_tensor(np.broadcast_to(memory["#t"], (plan.replicas, 1, 1))))

    def _lasting(self) -> list[Tensor]:
        plan = self.plan
        kinds = (*SHARED, "state")
        names = [n for n, b in plan.program.buffers.items() if b.kind in kinds]
        return [plan.tensors[n] for n in (*names, "#t")]

    def snapshot(self) -> list[Tensor]:
        """Copies of all that outlives a presentation."""
        return [tensor.clone() for tensor in self._lasting()]

    def restore(self, kept: list[Tensor] | None) -> None:
        """Back to a snapshot."""
        for tensor, old in zip(self._lasting(), kept or [], strict=True):
            tensor.copy_(old)

    def continue_from(self, other: _Run) -> None:
        """States and time of another run of the same size."""
        for mine, theirs in zip(self._lasting(), other._lasting(), strict=True):
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
        plan = self.plan
        bad = torch.zeros_like(plan.health)
        plan.prepare_draws(work.presentation + start, stop - start)
        for number in range(start, stop):
            self._begin(work, number, number - start, order, streams)
            for position, section in enumerate(plan.sections):
                phase = self._section(position, section)
                if phase is not None:
                    return Failure(self._worst(), number, plan.program.phases[phase].name)
            if not self.careful:
                bad.add_(plan.health)
            self._finish(work, number)
        if not self.careful and not bool(torch.isfinite(bad).all()):
            return Failure(0, start, plan.program.phases[0].name)  # found again, carefully
        return None

    def _begin(
        self,
        work: Presentations,
        number: int,
        place: int,
        order: Tensor,
        streams: Mapping[str, Tensor],
    ) -> None:
        plan = self.plan
        plan.begin(work, number, place, order, streams)
        if not work.initial or (work.carry and number):
            return
        for name, start in work.initial.items():
            rows = work.order[:, number]
            chosen = [
                start[r if len(start) > 1 else 0][rows[r if len(start) > 1 else 0]]
                for r in range(len(rows))
            ]
            plan.tensors[name].copy_(_tensor(np.stack(chosen)))

    def _section(self, position: int, section: Section) -> int | None:
        """Runs a section; the number of a phase that ended with a number that is not finite."""
        match section.kind:
            case "straight":
                self._replay(position, section, 1)()
            case "repeat":
                block = min(section.times, self.parent.block if not self.careful else 1)
                whole, rest = divmod(section.times, block)
                replay = self._replay(position, section, block)
                for _ in range(whole):
                    replay()
                if rest:
                    self._replay(position, section, rest)()
            case "until":
                self._until(position, section)
            case "check":
                finite = self.plan.program.finite
                if not all(bool(torch.isfinite(self.plan.tensors[n]).all()) for n in finite):
                    return section.phase
        return None

    def _worst(self) -> int:
        plan = self.plan
        tensors = [plan.tensors[n] for n in plan.program.finite]
        bad = [~torch.isfinite(t).reshape(plan.replicas, -1).all(dim=1) for t in tensors]
        return int(torch.stack(bad).any(dim=0).to(torch.int8).argmax())

    def _until(self, position: int, section: Section) -> None:
        """Blocks of steps until no sample runs."""
        plan = self.plan
        block = min(section.times, plan.mode.block)
        whole, rest = divmod(section.times, block)
        replay = self._replay(position, section, block)
        look = self.look
        look.count = 0
        for _ in range(whole):
            replay()
            if look.done():
                return
        if rest:
            self._replay(position, section, rest)()

    def _replay(self, position: int, section: Section, times: int) -> Replay:
        made = self.replays.setdefault(position, {})
        if times not in made:
            made[times] = self._record(section, times)
        return made[times]

    def _record(self, section: Section, times: int) -> Replay:
        if isinstance(self.recorder, Direct):
            return section.tape
        tape = type(section.tape)()
        for _ in range(times):
            tape += section.tape
        everything = _every(self.plan)
        kept = [tensor.clone() for tensor in everything]
        replay = self.recorder.record(tape)
        for tensor, old in zip(everything, kept, strict=True):
            tensor.copy_(old)
        return replay

    def _finish(self, work: Presentations, number: int) -> None:
        plan = self.plan
        for slot, record in enumerate(plan.records):
            rows = record[:, :-1].permute(0, 1, 3, 2)
            work.records[slot][:, number] = rows.cpu().numpy()
        if plan.output is not None and work.output is not None:
            work.output[:, number] = plan.output.cpu().numpy().swapaxes(1, 2)
        for name, steps in plan.stopped.items():
            work.stopped[name][:, number] = steps[..., 0].cpu().numpy()


class _Late:
    """Looks at a flag on the device one call late, so that the device never waits for the host."""

    def __init__(self, flag: Tensor):
        self.flag = flag
        self.gpu = flag.device.type == "cuda"
        if self.gpu:
            self.seen = [torch.ones((1, 1, 1), dtype=torch.bool).pin_memory() for _ in range(2)]
            self.events = [torch.cuda.Event() for _ in range(2)]
        self.count = 0

    def done(self) -> bool:
        """Whether the flag was false, at the last call on the CPU, at the one before on a GPU."""
        if not self.gpu:
            return not bool(self.flag)
        now, before = self.count % 2, (self.count + 1) % 2
        self.seen[now].copy_(self.flag, non_blocking=True)
        self.events[now].record()
        self.count += 1
        if self.count == 1:
            return False
        self.events[before].synchronize()
        return not bool(self.seen[before])


def _every(plan: Plan) -> list[Tensor]:
    """Every tensor that a tape may change and a later one may read."""
    found = [*plan.tensors.values(), *plan.records, *plan.stopped.values()]
    found += [plan.active, plan.running, plan.health]
    unique = {(t.data_ptr(), tuple(t.shape)): t for t in found}
    return list(unique.values())


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array, order="C", copy=True))


def find_device(name: str | None) -> torch.device:
    """The device of a name; None is the CPU.

    Raises:
        ValueError: No such device, or no GPU that torch sees.
    """
    try:
        device = torch.device(name or "cpu")
    except RuntimeError as error:
        raise ValueError(f"device {name!r}: expected 'cpu' or 'cuda'") from error
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device {name!r}: expected 'cpu' or 'cuda'")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {name!r}: torch {torch.__version__} sees no GPU")
    return device
