"""Simulator: weights and state of a circuit on one engine, and the stream of presentations."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy, deepcopy
from functools import partial
from typing import Any

import numpy as np

from ..graphs.circuit import Circuit, Record
from ..graphs.lower import lower
from ..graphs.precision import SmallSum
from ..graphs.program import Program
from ..traces.budget import DEFAULT_BUDGET
from ..traces.manifest import manifest
from ..traces.recording import recordings
from ..traces.traces import Traces
from . import memory
from .chunks import Chunks
from .counters import Aside, Counters
from .demands import Demands
from .divergence import Divergence
from .engine import compile_program
from .given import check_by_name, seeds_of, whole
from .history import History
from .interruption import Interrupted, interruption, reached
from .named import check_weight, slows_of, states_of, weights_of
from .parameters import Parameters, ParameterView
from .position import Position
from .presentation import Arrays, Executable, Presentations
from .progress import progress
from .properties import warn_of_lost_properties
from .scores import check_scored, scores
from .starts import draw_arrays, lay_out, optimizer_states, sums_kept, warn_of_precision
from .streams import Streams, check_batch, given_streams, in_batches, initial_states
from .tracing import check_recording, stops, traced
from .training import train
from .undo import Undo
from .views import ArrayView

DTYPES = {"float64": "float64", "float32": "float32", "bfloat16": "float32"}  # of weights


class Simulator:
    """A circuit with weights, on one engine.

    Args:
        circuit: The circuit.
        engine: "numba", "numpy" or "torch".
        seed: Seed of the counter-based random numbers; replica r uses seed + r, or, where several
            are given, the r-th.
        dtype: "float64" or "float32", of activity and weights; by default "float32" on a GPU.
            "bfloat16", for the torch engine: activity is narrower, weights and states are float32.
        replicas: The same circuit with other seeds, run side by side.
        parameters: Parameter values by name; a list of `replicas` numbers gives each its own.
        device: "cpu" or "cuda", for the torch engine.
        compensate: Whether sums that `dtype` is too narrow for keep what rounding takes from them;
            `compensated` says which do, and why.

    A simulator can be copied (`copy.deepcopy`) and pickled, to go to another process: the copy has
    arrays of its own, and compiles for itself.

    Raises:
        ValueError: An unknown engine, dtype or parameter, or a value of a wrong kind.
    """

    def __init__(
        self,
        circuit: Circuit,
        engine: str = "numba",
        seed: int | Iterable[int] = 0,
        dtype: str | None = None,
        replicas: int = 1,
        parameters: Mapping[str, Any] | None = None,
        device: str | None = None,
        compensate: bool = True,
    ):
        self._configure(circuit, engine, seed, dtype, replicas, device, compensate)
        parameters = {} if parameters is None else parameters
        check_by_name("parameters", parameters, "numbers by name, as {'eta': 0.1}")
        for name, given in parameters.items():
            self._parameters.give(name, given)
        self._memory |= self._parameters.arrays(self.dtype)
        self._start()
        self._open_views()

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
        self.activity, self.dtype = _dtypes(dtype, device)
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
        self._compile(None)
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

    # --- starting ------------------------------------------------------------------------------

    def _start(self) -> None:
        """Draws the weights and starts the slow variables of every replica."""
        self._check_numbers(None)
        drawn = draw_arrays(self.circuit, self.seeds, self._parameters.given)
        warn_of_precision(self.circuit, drawn[0], self._parameters.given[0], str(self.dtype))
        if self._compensate:
            given = self._parameters.given
            self.compensated = sums_kept(self.circuit, drawn, given, str(self.dtype))
        self._memory |= lay_out(self.circuit, drawn, self.dtype)

    # --- views ---------------------------------------------------------------------------------

    def _weights(self) -> Arrays:
        return weights_of(self.circuit, self._whole_memory())

    def _slows(self) -> Arrays:
        return slows_of(self.circuit, self._whole_memory())

    def _states(self) -> Arrays:
        return states_of(self.circuit, self._whole_memory())

    def _whole_memory(self) -> Arrays:
        self._go_back()
        return self._memory

    # --- programs ------------------------------------------------------------------------------

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
            made = self._compile(program)
            self._memory |= optimizer_states(program, self._memory, self.replicas, self.dtype)
            self._executables[key] = made  # last, so that Ctrl-C leaves all of it or nothing
        return self._executables[key]

    def _check_numbers(self, protocol: str | None, presentations: int = 1) -> None:
        """Raises ValueError where the parameters make a number what it cannot be."""
        counters = {"presentation": self.presentation + max(presentations - 1, 0)}
        counters |= {"sample": self.sample, "epoch": self.epoch}
        self._demands.check(self._parameters, protocol, counters)

    def _compile(self, program: Program | None) -> Any:
        narrow = self.activity if self.activity != str(self.dtype) else None
        return compile_program(program, self.engine, self.dtype, self.device, narrow)

    # --- running -------------------------------------------------------------------------------

    def fit(
        self,
        samples: Mapping[str, Any],
        epochs: int = 1,
        batch: int = 20,
        validate: Mapping[str, Any] | None = None,
        shuffle: bool = True,
        protocol: str = "train",
        on_epoch: Any = None,
        checkpoint: str | os.PathLike[str] | None = None,
        every: int | None = None,
        carry: bool = False,
    ) -> History:
        """Presents the samples `epochs` times, with plasticity.

        A stream is (sample, unit), or (replica, sample, unit) where each replica has its own. A
        smaller last batch is presented too.

        Ctrl-C stops cleanly: what was learnt stays, and the history says `interrupted`. Also after
        `save` and `resume`, the next call goes on in the epoch that is unfinished, which is the
        first of its `epochs`, with the batch that follows; `unfinished` says where that is.

        Args:
            samples: The streams, by name.
            epochs: How many.
            batch: Samples presented at once.
            validate: Samples to be scored after each epoch.
            shuffle: Whether each epoch has an order of its own, a function of seed and epoch.
            protocol: Name of the protocol.
            on_epoch: Called with the simulator and the history's entry after each epoch.
            checkpoint: A file that is written (see `save`) after each epoch and at Ctrl-C; it is
                whole at every moment, the old one or the new one.
            every: Whether it is written in between, too: whenever that many presentations are over.
            carry: Whether slot b of a batch goes on where slot b of the last one was (see `run`);
                batches then have one size.

        Raises:
            Divergence: A state or a weight is no longer finite.
            ValueError: Samples, or a number, that the circuit cannot be given, or others than
                those of the unfinished epoch; before anything is learnt, also what `validate`
                holds.
        """
        return train(
            self,
            samples,
            epochs=epochs,
            batch=batch,
            validate=validate,
            shuffle=shuffle,
            protocol=protocol,
            on_epoch=on_epoch,
            checkpoint=checkpoint,
            every=every,
            carry=carry,
        )

    def start_epoch_anew(self) -> None:
        """The next `fit` presents all samples, also where an epoch was left in the middle."""
        self.unfinished = None

    def _check_validation(self, samples: Mapping[str, Any]) -> None:
        check_by_name("validate", samples)
        check_scored(self.circuit, samples)
        for name in self.circuit.predicts:
            self._streams(self._executable("predict", False, (), name).program, samples)

    def predict(
        self, samples: Mapping[str, Any], protocol: str = "predict", batch: int = 200
    ) -> dict[str, np.ndarray]:
        """What the circuit thinks each stream of `predicts` is: (sample, unit) by stream name.

        Draws begin at sample 0, each time; states, and what `fit` and `run` count, stay.
        """
        batch = whole("batch", batch, 1)
        found = {}
        for name in self.circuit.predicts:
            executable = self._executable(protocol, False, (), name)
            streams = self._streams(executable.program, samples)
            pieces = []
            with self._aside(executable.program):
                for part in in_batches(streams.places, batch):
                    work = self._work(part, streams)
                    Chunks(self, executable, work, "run").present()
                    assert work.output is not None
                    swapped = work.output.transpose(0, 1, 3, 2)
                    pieces.append(swapped.reshape(self.replicas, -1, swapped.shape[-1]))
            joined = np.concatenate(pieces, axis=1)
            found[name] = joined[0] if self.replicas == 1 else joined
        return found

    def evaluate(
        self, samples: Mapping[str, Any], protocol: str = "predict", batch: int = 200
    ) -> dict[str, Any]:
        """The scores of the predictions: by the samples' own metrics, else the squared error."""
        check_by_name("samples", samples)
        check_scored(self.circuit, samples)
        return scores(samples, self.predict(samples, protocol, batch))

    def run(
        self,
        protocol: str = "train",
        *,
        learn: bool = False,
        record: Iterable[str | Record] | None = None,
        batch: int | None = None,
        initial: Mapping[str, Any] | None = None,
        carry: bool = False,
        first: int | None = None,
        samples: int | None = None,
        budget: int = DEFAULT_BUDGET,
        facts: Mapping[str, Any] | None = None,
        **streams: Any,
    ) -> Traces:
        """Runs a protocol on streams (sample, unit) and returns what was recorded.

        Args:
            protocol: Name of the protocol.
            learn: Whether rules act.
            record: What to record; None: what the file's `record` says.
            batch: Samples presented at once; None: all.
            initial: States that do not start at 0, name -> (sample, unit).
            carry: Slot b of a batch goes on where slot b of the last one was: states, filters,
                traces, time and draws.
            first: The number from which draws count the samples of this call; None: from where the
                last call of `run` ended. `first=0` repeats the draws of a new simulator.
            samples: Number of samples where the circuit reads no stream; None: 1.
            budget: Bytes that the recording may take.
            facts: What else the manifest says, such as the command that made the run.
            streams: The streams of the file's `data`, by name.

        Raises:
            Divergence: A state is not finite; its `traces` hold what was recorded.
            Interrupted: Ctrl-C, a KeyboardInterrupt; its `traces` hold what was recorded.
            BudgetError: The recording would be larger than the budget.
            ValueError: Streams, states or numbers that the circuit cannot be given.
        """
        batch = None if batch is None else whole("batch", batch, 1)
        samples = None if samples is None else whole("samples", samples, 1)
        budget = whole("budget", budget, 0)
        records = recordings(record, self.circuit)
        executable = self._executable(protocol, learn, records, None)
        program = executable.program
        given = self._streams(program, streams, samples)
        starts = initial_states(program, {} if initial is None else initial, given, self.dtype)
        check_recording(program, given.total, self.replicas, self.dtype, budget)
        values, own = self._parameters.values()
        said = manifest(
            self.circuit,
            engine=self.engine,
            seed=self.seed,
            dtype=self.activity,
            replicas=self.replicas,
            protocol=protocol,
            parameters=values,
            learn=learn,
            batch=batch,
            **(facts or {}),
        )
        batch = batch or given.total
        check_batch(program, given.total, batch)
        self.counters.check("run", given.total, batch, carry)
        self.counters.begin_at(first, carry)
        done: list[Presentations] = []
        try:
            with progress(-(-given.total // batch), "run") as bar:
                for part in in_batches(given.places, batch):
                    done.append(self._work(part, given, starts, carry))
                    Chunks(self, executable, done[-1], "run", learn, bar).present()
        except KeyboardInterrupt:
            message, said = interruption(done, given.total, batch, learn, said)
            stop = Interrupted(message)
            if parts := reached(done, len(program.slots)):
                stop.traces = traced(self.circuit, program, parts, said, own)
            raise stop from None
        except Divergence as error:
            if learn:
                self._look_at_weights("when it diverged")
            error.traces = traced(self.circuit, program, done, said, own)
            raise
        if learn:
            self._look_at_weights(f"after presentation {self.presentation}")
        self.stopped = stops(done)
        return traced(self.circuit, program, done, said, own)

    def _look_at_weights(self, when: str) -> None:
        """Warns of synapses whose `check` fails (see `engines.properties`)."""
        weights = self._weights()
        self._failing = warn_of_lost_properties(self.circuit, weights, when, self._failing)

    # --- pieces of a run -----------------------------------------------------------------------

    def _streams(
        self, program: Program, given: Mapping[str, Any], samples: int | None = None
    ) -> Streams:
        tensors = self.engine == "torch"
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

    # --- checkpoints ---------------------------------------------------------------------------

    def save(self, path: Any) -> None:
        """Writes weights, state, counters and the circuit to a .safetensors file.

        Raises:
            ValueError: A number is not finite.
        """
        from .checkpoint import save

        self._go_back()
        save(self, path)

    @classmethod
    def resume(cls, path: Any, engine: str | None = None, device: str | None = None) -> Simulator:
        """A simulator that goes on from a file that `save` wrote.

        Raises:
            FileNotFoundError: There is no such file.
            CheckpointError: Something in the file is not as the circuit in it needs it.
        """
        from .checkpoint import resume

        return resume(cls, path, engine, device)


def _dtypes(dtype: str | None, device: str | None) -> tuple[str, np.dtype]:
    """The dtype of activity, and that of weights and states."""
    given = dtype or ("float32" if device and device != "cpu" else "float64")
    try:
        activity = given if given == "bfloat16" else str(np.dtype(given))
    except TypeError:
        activity = str(given)
    if activity not in DTYPES:
        raise ValueError(f"dtype {activity!r}: expected one of {', '.join(map(repr, DTYPES))}")
    return activity, np.dtype(DTYPES[activity])
