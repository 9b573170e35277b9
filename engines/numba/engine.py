"""The numba engine: one generated module per Program, run in chunks of many presentations."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  what numba multiplies with: loaded, it can be held

from ...graphs.buffer import CLOCK
from ...graphs.program import PERSISTENT, Program
from .. import kernel_cache, philox
from ..aligned_memory import zeros
from ..compiling import ready
from ..host_memory import HostMemory
from ..presentation import Arrays, Failure, Presentations, row_map
from ..threads import in_parts, side_by_side
from .addresses import Given, table
from .layout import COUNTERS, ModuleLayout, layout
from .printer import Module, module

WORTH_A_THREAD = 0.005  # seconds: to start threads takes a tenth of it
CHANGES = "changes"  # in the memory of a call: scratch for what a rule adds to a matrix


class NumbaExecutable(HostMemory):
    """A Program compiled by numba.

    Replicas, and presentations that do not depend on each other, run side by side in threads; what
    each computes is the same for any number of them.
    """

    def __init__(self, program: Program, dtype: np.dtype):
        super().__init__(program, dtype)
        rows = [row_map(program, slot) for slot in range(len(program.slots))]
        self.rows = np.array(rows, dtype=np.int64).reshape(len(rows), program.rows)
        self.layouts: dict[bool, ModuleLayout] = {}
        self.printed: dict[bool, Module] = {}
        self.modules: dict[bool, Any] = {}
        self.spaces: dict[tuple[int, int, int], Arrays] = {}

    def source(self, single: bool) -> Module:
        """The generated module, for one sample at a time or for many."""
        if single not in self.printed:
            self.printed[single] = module(self.layout_of(single))
        return self.printed[single]

    def layout_of(self, single: bool) -> ModuleLayout:
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
        compiled = self._module(work.batch == 1).run
        self._make_room(memory, work)
        replicas = len(work.seeds)
        parts = in_parts(start, stop, self._parts(work, stop - start))
        calls = [
            _Arguments(self, memory, work, replica, part, parts[part])
            for replica, part in product(range(replicas), range(len(parts)))
        ]
        first = calls[0]
        ready(compiled, self.program.name, start, stop, True, *first.arguments)
        failures = side_by_side([partial(call.present, compiled) for call in calls], work.threads)
        for call in calls[len(parts) - 1 :: len(parts)]:
            call.keep_states()
        found = [failure for failure in failures if failure is not None]
        return min(found, key=lambda failure: failure.presentation, default=None)

    def _parts(self, work: Presentations, count: int) -> int:
        """In how many parts presentations run: more than one where none reads what another left."""
        alone = work.carry or self.program.learnt or self.program.traces
        if alone or work.seconds * count < WORTH_A_THREAD:
            return 1
        return work.threads // len(work.seeds)

    def _make_room(self, memory: Arrays, work: Presentations) -> None:
        """Arrays for the states of all replicas, in memory."""
        replicas, buffers = len(work.seeds), self.program.buffers
        for name, buffer in buffers.items():
            shape = (replicas, work.batch, buffer.size)
            if buffer.kind == "state" and (name not in memory or memory[name].shape != shape):
                memory[name] = np.zeros(shape, dtype=self.dtype)
        for name in CLOCK:
            if name in buffers and name not in memory:
                memory[name] = np.zeros((replicas, 1, 1))

    def space(self, replica: int, part: int, batch: int) -> Arrays:
        """The unit variables and other arrays that live from call to call."""
        key = (replica, part, batch)
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


class _Arguments:
    """Presentations `start` to `stop` of one replica; `part` says whose scratch arrays they use."""

    def __init__(
        self,
        parent: NumbaExecutable,
        memory: Arrays,
        work: Presentations,
        replica: int,
        part: int,
        span: tuple[int, int],
    ):
        self.parent, self.memory, self.work = parent, memory, work
        self.program, self.replica, self.span = parent.program, replica, span
        self.layout, self.module = parent.layout_of(work.batch == 1), parent.source(work.batch == 1)
        self.space = parent.space(replica, part, work.batch)
        scalars = self.layout.scalars
        self.scalars = np.zeros(len(scalars))
        self.starts = np.full(len(scalars), np.nan)
        for place, name in enumerate(scalars):
            if name in memory:
                number = memory[name][replica if len(memory[name]) > 1 else 0].item()
                self.scalars[place] = number
                if self.program.buffers[name].kind == "parameter":
                    self.starts[place] = number
        phases = [phase.name for phase in self.program.phases if phase.name in work.stopped]
        stops = [work.stopped[name][replica] for name in phases]
        self.stopped = np.stack(stops) if stops else np.zeros((0, 1, 1), dtype=np.int64)
        self.arguments = self._arguments()

    def _array(self, name: str) -> np.ndarray:
        if name in self.space:
            return self.space[name]
        array = self.memory[name][self.replica]
        return array[0] if self.program.buffers[name].shape[0] == "row" else array

    def _given(self, names: list[str]) -> list[np.ndarray]:
        dtype = self.parent.dtype
        given = [self.work.streams[self.program.buffers[n].owner] for n in names]
        return [np.ascontiguousarray(array, dtype) for array in given]

    def _addresses(self) -> np.ndarray:
        """Where all arrays lie; they live as long as the call."""
        work = self.work
        self.given = Given(
            dtype=self.parent.dtype,
            buffer=self._array,
            streams=self._given(self.layout.streams),
            signals=self._given(self.layout.signals),
            records=[record[self.replica] for record in work.records],
            output=None if work.output is None else work.output[self.replica],
            changes=self.space.get(CHANGES),
        )
        return table(self.layout, self.module.views, self.given, work.batch)

    def _arguments(self) -> tuple[Any, ...]:
        """What `run` takes after which presentations it presents."""
        work, program, module, dtype = self.work, self.program, self.module, self.parent.dtype
        keys = [philox.key_of(work.seeds[self.replica], name) for name in self.layout.draws]
        return (
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
            self._addresses(),
            self.parent.rows,
            np.ones(work.batch, dtype=np.bool_),
            _writable(work.order[self.replica]),
            self.stopped,
        )

    def present(self, run: Any) -> Failure | None:
        """Presents them; what was found not to be finite."""
        start, stop = self.span
        code = self._presented(run, start, stop)
        for name, steps in zip(self.work.stopped, self.stopped, strict=False):
            self.work.stopped[name][self.replica, start:stop] = steps[start:stop]
        if code < 0:
            return None
        number, phase = divmod(int(code), len(self.program.phases))
        return Failure(self.replica, number, self.program.phases[phase].name)

    def _presented(self, run: Any, start: int, stop: int) -> int:
        """What `run` says: -1, or the presentation and phase that broke, as one number."""
        if self.work.carry:
            self._begin(start)
            return run(start, stop, False, *self.arguments)
        if not self.work.initial:
            return run(start, stop, True, *self.arguments)
        for number in range(start, stop):
            self._begin(number)
            code = run(number, number + 1, False, *self.arguments)
            if code >= 0:
                return code
        return -1

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

    def keep_states(self) -> None:
        """States and scalars of the last presentation, into the shared memory."""
        batch, buffers = self.work.batch, self.program.buffers
        for name, buffer in buffers.items():
            if buffer.kind == "state" and name in self.space:
                values = self.space[name][: buffer.size * batch].reshape(-1, batch).T
                self.memory[name][self.replica] = values
            elif buffer.kind == "optimizer" and buffer.shape[0] == "scalar":
                self.memory[name][self.replica] = self.scalars[self.layout.place[name]]
        for name in (n for n in CLOCK if n in buffers):
            self.memory[name][self.replica] = self.scalars[self.layout.place[name]]


def _writable(array: np.ndarray) -> np.ndarray:
    """Numba compiles anew for arrays that cannot be written."""
    array = np.ascontiguousarray(array)
    return array if array.flags.writeable else array.copy()
