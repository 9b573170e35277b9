"""The torch engine: static tensors, straight-line tapes, CUDA graphs where there is a GPU.

On a GPU each stretch of a presentation is captured once and replayed; loops that stop by
themselves are captured in blocks of masked steps, and the host looks at whether samples still run
once a block, one block late. On the CPU the same tapes run call by call (`capture=None`), or
through a stand-in that checks what a capture would demand (`capture="rehearse"`).

A circuit of a few units that learns sample after sample is not for this engine: a long run of that
kind is told to ask for numba (see `torch_cost`). It is not sent there by itself: the engine that
was asked for is the one that runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ...graphs.buffer import Buffer
from ...graphs.program import Program
from ...graphs.wording import bytes_text
from .. import host_memory, shared_batches
from ..executable import Executable, Restore
from ..presentation import Arrays, Failure, Presentations
from . import kernels as torch_kernels
from .graph_capture import Direct, Graphs, Recorder, Rehearsal
from .layout import SHARED, TensorLayout
from .plan import Plan
from .replay import RecordedPlan, as_tensor
from .small_work import warn_of_small_work
from .tape_writer import Mode

BLOCK = 16  # steps between two looks of the host
DTYPES = {"float64": torch.float64, "float32": torch.float32}
ACTIVITY = DTYPES | {"bfloat16": torch.bfloat16}


class TorchExecutable(Executable):
    """A Program on torch.

    Args:
        program: The Program.
        dtype: float64 or float32, of weights, states and activity; scalars are float64.
        device: "cpu" (default) or "cuda".
        capture: None (call by call), "rehearse", or "graph"; default: "graph" on a GPU.
        block: Steps between two looks at whether samples still run.
        fused: Whether a Block is one Triton kernel; default: on a GPU, where Triton is installed.
        activity: dtype of activity and of its products with weights: "bfloat16", or as `dtype`.
        compact: Whether the last samples of a batch that stop by themselves go on in a smaller one.

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
        compact: bool = True,
        activity: str | None = None,
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
        self.compact = compact
        self.narrow = ACTIVITY[activity or str(self.numpy_dtype)]
        self.team = shared_batches.current()
        if self.team.size > 1 and program.single_sample is not None:
            raise ValueError(f"parallel(): {program.single_sample}")
        self.shared: dict[str, Tensor] = {}
        self.runs: dict[tuple[int, bool], RecordedPlan] = {}
        self.tables: dict[str, Tensor] = {}
        self._streams: dict[str, tuple[Any, Tensor]] = {}
        self._signals: dict[str, Any] = {}  # what the tables were made of
        self._dirty: RecordedPlan | None = None

    @classmethod
    def make(
        cls, program: Program, dtype: np.dtype, device: str | None, activity: str | None
    ) -> Self:
        """A Program made ready, captured where there is a GPU."""
        if activity is None:
            return cls(program, dtype, device)
        return cls(program, dtype, device, activity=activity)

    @classmethod
    def check_device(cls, device: str | None) -> None:
        """Whether torch has the device.

        Raises:
            ValueError: No such device, or no GPU that torch sees.
        """
        find_device(device)

    @classmethod
    def devices_here(cls) -> list[str]:
        """The GPUs that torch sees."""
        found = []
        for number in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(number)
            found.append(f"cuda:{number}: {facts.name}, {bytes_text(facts.total_memory)}")
        return found

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
                held.copy_(as_tensor(array))
                if self.device.type == "cpu" and buffer.kind != "parameter":
                    memory[name] = held.numpy()

    def _first(self, array: np.ndarray, kind: str) -> Tensor:
        plain = array.flags.c_contiguous and array.flags.writeable
        if self.device.type == "cpu" and plain and kind != "parameter":
            return torch.from_numpy(array)  # the same memory: nothing is ever copied
        return as_tensor(array).to(self.device, copy=True)

    def settle(self, memory: Arrays) -> None:
        """Writes what presentations changed on the device back to `memory`."""
        run = self._dirty
        if run is None:
            return
        for name, buffer in self.program.buffers.items():
            if buffer.kind in SHARED and buffer.kind != "parameter":
                held = self.shared[name]
                if self.device.type != "cpu":
                    memory[name][...] = held.cpu().numpy()
            elif buffer.kind == "state":
                memory[name] = run.layout.tensors[name].cpu().numpy().copy()
        for name in run.layout.clock:
            memory[name] = run.layout.tensors[name].cpu().numpy().copy()
        self._dirty = None

    def keep(self, memory: Arrays) -> Restore:
        """Copies all that a presentation changes and a later one reads; calling it restores it."""
        run = self._dirty
        if run is None:
            on_host = host_memory.keep(self.program, memory)
        else:
            snapshot = run.snapshot()

        def restore(memory: Arrays) -> None:
            if run is None:
                on_host(memory)
            else:
                run.restore(snapshot)
            self._dirty = run

        return restore

    def sound(self, memory: Arrays) -> bool:
        """Whether all that was learnt is finite."""
        held = (self.shared[name] for name in self.program.learnt)
        looked = [torch.isfinite(tensor).all() for tensor in held]
        return not looked or bool(torch.stack(looked).all())

    @property
    def alone(self) -> bool:
        """Whether no other process shares the batches."""
        return self.team.size == 1

    def _stream_tensors(self, streams: Mapping[str, Any], fresh: bool) -> dict[str, Tensor]:
        """The streams on the device, moved once per call of `fit`, `run` or `predict`."""
        needed = {b.owner: b for b in self.program.buffers.values() if b.kind == "stream"}
        for name, buffer in needed.items():
            source = streams[name]
            if fresh or name not in self._streams or self._streams[name][0] is not source:
                tensor = source if isinstance(source, Tensor) else as_tensor(source)
                self._streams[name] = (source, tensor.to(self.device, self._dtype_of(buffer)))
        return {name: self._streams[name][1] for name in needed}

    def _lay_signals(self, streams: Mapping[str, Any], fresh: bool) -> None:
        """Puts the signals in their tables; what was captured with another table is forgotten."""
        for name, buffer in self.program.buffers.items():
            if buffer.kind != "signal":
                continue
            source, old = streams[buffer.owner], self.tables.get(name)
            if not fresh and self._signals.get(name) is source:
                continue
            table = self._table(source, self._dtype_of(buffer))
            self._signals[name] = source
            if self.capture is not None and old is not None and old.shape == table.shape:
                old.copy_(table)
                continue
            self.tables[name] = table
            for run in self.runs.values():
                run.replays.clear()

    def _dtype_of(self, stream: Buffer) -> torch.dtype:
        """Activity is narrow; a stream of size 1 is a number of each sample."""
        return self.narrow if stream.shape[0] == "unit" else self.dtype

    def _table(self, source: Any, dtype: torch.dtype) -> Tensor:
        """A signal on the device; on a CPU where it is, unless a capture holds on to it."""
        still = self.capture is not None
        if isinstance(source, Tensor):
            return source.to(self.device, dtype, copy=still).contiguous()
        if still or not source.flags.writeable:
            return as_tensor(source).to(self.device, dtype)
        return torch.from_numpy(source).to(self.device, dtype)

    # --- running -------------------------------------------------------------------------------

    def _run(self, work: Presentations, careful: bool) -> RecordedPlan:
        return self._sized(work.seeds, careful, work.batch)

    def _sized(self, seeds: tuple[int, ...], careful: bool, batch: int) -> RecordedPlan:
        key = (batch, careful)
        if key not in self.runs:
            self.runs[key] = self._new_run(seeds, batch, careful)
        return self.runs[key]

    def _new_run(self, seeds: tuple[int, ...], batch: int, careful: bool) -> RecordedPlan:
        capture = self.capture is not None and not careful
        block = 1 if careful else self.block
        mode = Mode(predicated=capture, block=block, unroll=capture, fused=self.fused)
        spare = 4 * block + 4  # warming up runs past the end
        layout = TensorLayout(
            self.program,
            self.shared,
            seeds,
            batch,
            self.dtype,
            self.narrow,
            self.device,
            spare,
            self.team,
            self.tables,
        )
        recorder: Recorder = Direct()
        if capture:
            recorder = Graphs(self.device) if self.capture == "graph" else Rehearsal()
        sized = partial(self._sized, seeds, careful) if self.compact else None
        return RecordedPlan(Plan(layout, mode), recorder, careful, sized)

    def run(self, memory: Arrays, work: Presentations, start: int, stop: int) -> Failure | None:
        """Presents batches `start` to `stop`; `settle` brings `memory` up to date."""
        with torch.no_grad():
            if start == 0 or self._dirty is None:
                self.settle(memory)
                self._upload(memory)
            careful = self.capture is None
            run = self._run(work, careful)
            streams = self._stream_tensors(work.streams, start == 0)
            self._lay_signals(work.streams, start == 0)
            order = as_tensor(work.order[:, start:stop])
            order = order.to(self.device)
            if self._dirty is not run:
                run.resume(memory, work)
            self._dirty = run
            if start == 0:
                warn_of_small_work(run.plan, work.count)
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
