"""The core of a simulator: its memory, counters and programs, which runs and files share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy, deepcopy
from functools import partial
from typing import Any

import numpy as np

from ...graphs.circuit import Circuit, Record
from ...graphs.lower import lower
from ...graphs.lowering.precision import SmallSum
from ...graphs.program import Program
from ...traces.recording import recordings
from .. import memory
from ..executable import Executable
from ..presentation import Arrays, Presentations
from ..registry import find
from .counters import Aside, Counters
from .demands import Demands
from .given import check_by_name, seeds_of, whole
from .named import check_weight, slows_of, states_of, weights_of
from .parameters import Parameters, ParameterView
from .position import Position
from .properties import warn_of_lost_properties
from .scores import check_scored
from .starts import draw_arrays, lay_out, optimizer_states, sums_kept, warn_of_precision
from .streams import Streams, given_streams
from .undo import Undo
from .views import ArrayView

DTYPES = {"float64": "float64", "float32": "float32", "bfloat16": "float32"}  # of weights


class Core(ABC):
    """What runs, trainings and checkpoints of a circuit on one engine have in common."""

    @abstractmethod
    def save(self, path: Any) -> None:
        """Writes a checkpoint."""

    @abstractmethod
    def evaluate(
        self, samples: Mapping[str, Any], protocol: str = "predict", batch: int = 200
    ) -> dict[str, Any]:
        """The scores of the predictions."""

    def _configure(
        self,
        circuit: Circuit,
        engine: str,
        seed: Any,
        dtype: str | None,
        replicas: int,
        device: str | None,
        compensate: bool,
    ) -> None:
        """All but arrays."""
        if not isinstance(circuit, Circuit):
            raise ValueError(
                f"circuit: expected a Circuit, got {circuit!r}; "
                f"apical.load(...) gives one, of a file or by a bundled name"
            )
        self.circuit, self.engine, self.device = circuit, engine, device
        self.activity, self.dtype = _dtypes(dtype or find(engine).default_dtype(device))
        self.replicas = whole("replicas", replicas, 1)
        self.seed, self.seeds = seeds_of(seed, self.replicas)
        self.presentation = self.sample = self.epoch = 0
        self.unfinished: Position | None = None  # an epoch that has begun and is not over
        self.counters = Counters()  # what draws count
        self._failing: set[str] = set()  # synapses whose `check` failed when last looked at
        self.stopped: dict[str, np.ndarray] = {}
        self._memory: Arrays = {}
        self._undo: Undo | None = None
        self._parameters = Parameters(circuit, self.replicas)
        self._demands = Demands(circuit)
        self._executables: dict[tuple[Any, ...], Executable] = {}
        find(engine).check(device, self.activity)
        self.compensated: tuple[SmallSum, ...] = ()
        self._compensate = compensate

    def _open_views(self) -> None:
        """`weights`, `slow`, `state` and `parameters`, which read and write this memory."""
        self.weights = ArrayView("weight", self._weights, partial(check_weight, self.circuit))
        self.slow = ArrayView("slow variable", self._slows)
        self.state = ArrayView("state", self._states)
        self.parameters = ParameterView(self._parameters, self._memory, self.dtype)

    def __getstate__(self) -> dict[str, Any]:
        """All but the views, which belong to one memory, and what was compiled."""
        self._go_back()
        kept = {n: v for n, v in vars(self).items() if not isinstance(v, ArrayView)}
        return kept | {"_executables": {}, "_memory": dict(self._memory)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A simulator with arrays of its own."""
        vars(self).update(state)
        self._memory = {n: memory.copied(a, a.dtype) for n, a in self._memory.items()}
        self._failing, self.stopped = set(self._failing), dict(self.stopped)
        self._parameters, self.counters = copy(self._parameters), deepcopy(self.counters)
        self._open_views()

    def _start(self) -> None:
        """Draws the weights and starts the slow variables of every replica."""
        self._check_numbers(None)
        drawn = draw_arrays(self.circuit, self.seeds, self._parameters.given)
        warn_of_precision(self.circuit, drawn[0], self._parameters.given[0], str(self.dtype))
        if self._compensate:
            given = self._parameters.given
            self.compensated = sums_kept(self.circuit, drawn, given, str(self.dtype))
        self._memory |= lay_out(self.circuit, drawn, self.dtype)

    def _weights(self) -> Arrays:
        return weights_of(self.circuit, self._whole_memory())

    def _slows(self) -> Arrays:
        return slows_of(self.circuit, self._whole_memory())

    def _states(self) -> Arrays:
        return states_of(self.circuit, self._whole_memory())

    def _whole_memory(self) -> Arrays:
        self._go_back()
        return self._memory

    def program(
        self,
        protocol: str = "train",
        learn: bool = True,
        record: Iterable[str | Record] | None = (),
        output: str | None = None,
    ) -> Program:
        """The Program of a protocol; printable."""
        return self._executable(protocol, learn, recordings(record, self.circuit), output).program

    def _executable(
        self, protocol: str, learn: bool, record: tuple[Record, ...], output: str | None
    ) -> Executable:
        if protocol not in list(self.circuit.protocols):
            known = ", ".join(self.circuit.protocols)
            raise ValueError(f"{self.circuit.name} has no protocol {protocol!r}; it has: {known}")
        self._check_numbers(protocol)
        key = (protocol, learn, record, output)
        if key not in self._executables:
            names = frozenset(one.name for one in self.compensated)
            program = lower(
                self.circuit,
                protocol,
                learn=learn,
                record=record,
                output=output,
                compensate=names,
            )
            made = find(self.engine).make(program, self.dtype, self.device, self._narrow)
            self._memory |= optimizer_states(program, self._memory, self.replicas, self.dtype)
            self._executables[key] = made  # last, so that Ctrl-C leaves all of it or nothing
        return self._executables[key]

    def _check_numbers(self, protocol: str | None, presentations: int = 1) -> None:
        """Raises ValueError where the parameters make a number what it cannot be."""
        counters = {"presentation": self.presentation + max(presentations - 1, 0)}
        counters |= {"sample": self.sample, "epoch": self.epoch}
        self._demands.check(self._parameters, protocol, counters)

    @property
    def _narrow(self) -> str | None:
        """The dtype of activity, where it is narrower than that of weights."""
        return self.activity if self.activity != str(self.dtype) else None

    def _check_validation(self, samples: Mapping[str, Any]) -> None:
        check_by_name("validate", samples)
        check_scored(self.circuit, samples)
        for name in self.circuit.predicts:
            self._streams(self._executable("predict", False, (), name).program, samples)

    def _look_at_weights(self, when: str) -> None:
        """Warns of synapses whose `check` fails (see `engines.properties`)."""
        weights = self._weights()
        self._failing = warn_of_lost_properties(self.circuit, weights, when, self._failing)

    def _streams(
        self, program: Program, given: Mapping[str, Any], samples: int | None = None
    ) -> Streams:
        tensors = find(self.engine).takes_tensors
        return given_streams(
            self.circuit, program, given, self.replicas, self.dtype, tensors, samples
        )

    def _work(
        self,
        order: np.ndarray,
        streams: Streams,
        initial: Arrays | None = None,
        carry: bool = False,
    ) -> Presentations:
        return Presentations(
            order=np.ascontiguousarray(order),
            streams=streams.arrays,
            total=streams.total,
            seeds=self.seeds,
            presentation=self.presentation,
            sample=self.sample,
            epoch=self.epoch,
            initial=initial or {},
            carry=carry,
        )

    def _go_back(self) -> None:
        """Undoes a chunk that was begun and does not hold."""
        if self._undo is not None:
            self._undo(self._memory)
            self._undo = None

    @contextmanager
    def _aside(self, program: Program) -> Iterator[None]:
        """What is presented inside counts from 0, and leaves the batch that can go on as it is."""
        self._go_back()
        states = Aside(self._memory, program)
        counters, self.counters = self.counters, Counters()
        try:
            yield
        finally:
            self.counters = counters
            states.put_back()


def _dtypes(given: str) -> tuple[str, np.dtype]:
    """The dtype of activity, and that of weights and states."""
    try:
        activity = given if given == "bfloat16" else str(np.dtype(given))
    except TypeError:
        activity = str(given)
    if activity not in DTYPES:
        raise ValueError(f"dtype {activity!r}: expected one of {', '.join(map(repr, DTYPES))}")
    return activity, np.dtype(DTYPES[activity])
