"""The numba engine: one generated module per Program, run in chunks of many presentations."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...graphs.buffer import CLOCK
from ...graphs.program import PERSISTENT, Program
from .. import kernel_cache, philox
from ..compiling import ready
from ..host import HostMemory
from ..memory import zeros
from ..presentation import Arrays, Failure, Presentations, row_map
from .addresses import Given, table
from .layout import COUNTERS, Layout, layout
from .printer import Module, module

CHANGES = "changes"  # in the memory of a call: scratch for what a rule adds to a matrix


class NumbaExecutable(HostMemory):
    """A Program compiled by numba; replicas run one after another."""

    def __init__(self, program: Program, dtype: np.dtype):
        super().__init__(program, dtype)
        rows = [row_map(program, slot) for slot in range(len(program.slots))]
        self.rows = np.array(rows, dtype=np.int64).reshape(len(rows), program.rows)
        self.layouts: dict[bool, Layout] = {}
        self.printed: dict[bool, Module] = {}
        self.modules: dict[bool, Any] = {}
        self.spaces: dict[tuple[int, int], Arrays] = {}

    def source(self, single: bool) -> Module:
        """The generated module, for one sample at a time or for many."""
        if single not in self.printed:
            self.printed[single] = module(self.layout_of(single))
        return self.printed[single]

    def layout_of(self, single: bool) -> Layout:
        """Where buffers stand, for one sample at a time or for many."""
        if single not in self.layouts:
            self.layouts[single] = layout(self.program, self.dtype.itemsize * 8, single)
        return self.layouts[single]

    def _module(self, single: bool) -> Any:
        if single not in self.modules:
            self.modules[single] = kernel_cache.load(self.source(single).text)
        return self.modules[single]

    def run(self, memory: Arrays, work: Presentations, start: int, stop: int) -> Failure | None:
        """Presents batches `start` to `stop`."""
        single = work.batch == 1
        run = self._module(single).run
        for replica in range(len(work.seeds)):
            call = _Call(self, memory, work, replica)
            failed = call.present(run, start, stop)
            if failed is not None:
                return failed
        return None

    def space(self, replica: int, batch: int) -> Arrays:
        """The unit variables and other arrays that live from call to call."""
        key = (replica, batch)
        if key not in self.spaces:
            self.spaces[key] = self._allocate(batch)
        return self.spaces[key]

    def _allocate(self, batch: int) -> Arrays:
        layout = self.layout_of(batch == 1)
        arrays: Arrays = {}
        for name in layout.arrays:
            buffer = self.program.buffers[name]
            kind = buffer.shape[0]
            if buffer.kind in PERSISTENT or buffer.kind == "parameter":
                continue
            if kind == "unit":
                array = zeros(layout.units(name) * batch, self.dtype)
                if name in layout.extended:
                    array[-batch:] = 1
            elif kind == "sample":
                array = zeros(batch, self.dtype)
            else:
                array = zeros(tuple(int(n) for n in buffer.shape[1:]), self.dtype)
            arrays[name] = array
        if batch > 1 and layout.changes:
            most = max(rows * columns for rows, columns in layout.changes.values())
            arrays[CHANGES] = zeros(most, self.dtype)
        return arrays


class _Call:
    """The arguments of one call of `run`, for one replica."""

    def __init__(self, parent: NumbaExecutable, memory: Arrays, work: Presentations, replica: int):
        self.parent, self.memory, self.work = parent, memory, work
        self.program, self.replica = parent.program, replica
        self.layout, self.module = parent.layout_of(work.batch == 1), parent.source(work.batch == 1)
        self.space = parent.space(replica, work.batch)
        scalars = self.layout.scalars
        self.scalars = np.zeros(len(scalars))
        self.starts = np.full(len(scalars), np.nan)
        for place, name in enumerate(scalars):
            if name in memory:
                number = memory[name][replica if len(memory[name]) > 1 else 0].item()
                self.scalars[place] = number
                if self.program.buffers[name].kind == "parameter":
                    self.starts[place] = number

    def _array(self, name: str) -> np.ndarray:
        if name in self.space:
            return self.space[name]
        array = self.memory[name][self.replica]
        return array[0] if self.program.buffers[name].shape[0] == "row" else array

    def _given(self, names: list[str]) -> list[np.ndarray]:
        dtype = self.parent.dtype
        given = [self.work.streams[self.program.buffers[n].owner] for n in names]
        return [np.ascontiguousarray(array, dtype) for array in given]

    def _addresses(
        self,
        streams: list[np.ndarray],
        signals: list[np.ndarray],
        output: np.ndarray | None,
    ) -> np.ndarray:
        """Where all arrays lie; they live as long as the call."""
        given = Given(
            dtype=self.parent.dtype,
            buffer=self._array,
            streams=streams,
            signals=signals,
            records=[record[self.replica] for record in self.work.records],
            output=output,
            changes=self.space.get(CHANGES),
        )
        return table(self.layout, self.module.views, given, self.work.batch)

    def present(self, run: Any, start: int, stop: int) -> Failure | None:
        work, program, replica = self.work, self.program, self.replica
        layout, module, dtype = self.layout, self.module, self.parent.dtype
        keys = [philox.key_of(work.seeds[replica], name) for name in layout.draws]
        output = work.output[replica] if work.output is not None else None
        stops = [work.stopped[p.name][replica] for p in program.phases if p.name in work.stopped]
        stopped = np.stack(stops) if stops else np.zeros((0, 1, 1), dtype=np.int64)
        streams, signals = self._given(layout.streams), self._given(layout.signals)
        first = (
            self._counters(),
            work.batch,
            self.scalars,
            self.starts,
            np.array(keys, dtype=np.uint64).reshape(-1, 2),
            np.array([phase.steps for phase in program.phases], dtype=np.int64),
            module.sizes,
            module.turns,
            np.zeros(0, dtype=dtype),
            module.numbers,
            self._addresses(streams, signals, output),
            self.parent.rows,
            np.ones(work.batch, dtype=np.bool_),
            _writable(work.order[replica]),
            stopped,
        )
        ready(run, program.name, start, stop, True, *first)
        if work.carry:
            self._begin(start)
            code = run(start, stop, False, *first)
        elif work.initial:
            code = -1
            for number in range(start, stop):
                self._begin(number)
                code = run(number, number + 1, False, *first)
                if code >= 0:
                    break
        else:
            code = run(start, stop, True, *first)
        for name, steps in zip(work.stopped, stopped, strict=False):
            work.stopped[name][replica] = steps
        self._finish()
        if code < 0:
            return None
        number, phase = divmod(int(code), len(program.phases))
        return Failure(replica, number, program.phases[phase].name)

    def _counters(self) -> np.ndarray:
        """The counters of the first presentation, and how far they move in each."""
        first, second = (self.work.counters(number) for number in (0, 1))
        rows = [[first[n] for n in COUNTERS], [second[n] - first[n] for n in COUNTERS]]
        return np.array(rows, dtype=np.float64)

    def _begin(self, number: int) -> None:
        """States and clock at the start of a presentation that does not start at 0."""
        work, batch = self.work, self.work.batch
        starts = work.starts(number, self.replica)
        for name in self.program.traces if not work.carry else ():
            self.memory[name][self.replica] = 0.0
        for name in self.program.reset:
            if name not in self.space:
                continue
            n = self.program.buffers[name].size
            values = np.zeros((batch, n))
            if work.carry and name in self.memory and self.memory[name].shape[1] == batch:
                values = self.memory[name][self.replica]
            values = starts.get(name, values)
            self.space[name][: n * batch] = values.T.ravel()
        for name in (n for n in CLOCK if n in self.program.buffers):
            if not (work.carry and name in self.memory):
                self.scalars[self.layout.place[name]] = 0.0

    def _finish(self) -> None:
        """States and scalars back into the shared memory."""
        replicas, batch = len(self.work.seeds), self.work.batch
        for name, buffer in self.program.buffers.items():
            if buffer.kind == "state" and name in self.space:
                array = self.memory.get(name)
                shape = (replicas, batch, buffer.size)
                if array is None or array.shape != shape:
                    array = self.memory[name] = np.zeros(shape, dtype=self.parent.dtype)
                array[self.replica] = self.space[name][: buffer.size * batch].reshape(-1, batch).T
            elif buffer.kind == "optimizer" and buffer.shape[0] == "scalar":
                self.memory[name][self.replica] = self.scalars[self.layout.place[name]]
        for name in (n for n in CLOCK if n in self.program.buffers):
            if name not in self.memory:
                self.memory[name] = np.zeros((replicas, 1, 1))
            self.memory[name][self.replica] = self.scalars[self.layout.place[name]]


def _writable(array: np.ndarray) -> np.ndarray:
    """Numba compiles anew for arrays that cannot be written."""
    array = np.ascontiguousarray(array)
    return array if array.flags.writeable else array.copy()
