"""Simulator: weights and state of a circuit on one engine, and the stream of presentations."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ...graphs.circuit import Circuit, Record
from ...traces.budget import DEFAULT_BUDGET
from ...traces.manifest import manifest
from ...traces.recording import recordings
from ...traces.traces import Traces
from ..divergence import Divergence
from ..presentation import Presentations
from ..registry import find
from . import checkpoint as checkpoints
from .chunks import Chunks
from .core import Core
from .given import check_by_name, whole
from .history import History
from .interruption import Interrupted, interruption, reached
from .progress import progress
from .scores import check_scored, scores
from .streams import check_batch, in_batches, initial_states
from .tracing import check_recording, stops, traced
from .training import train


class Simulator(Core):
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
            packages=(find(self.engine).package,),
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

    # --- checkpoints ---------------------------------------------------------------------------

    def save(self, path: Any) -> None:
        """Writes weights, state, counters and the circuit to a .safetensors file.

        Raises:
            ValueError: A number is not finite.
        """
        self._go_back()
        checkpoints.save(self, path)

    @classmethod
    def resume(cls, path: Any, engine: str | None = None, device: str | None = None) -> Simulator:
        """A simulator that goes on from a file that `save` wrote.

        Raises:
            FileNotFoundError: There is no such file.
            CheckpointError: Something in the file is not as the circuit in it needs it.
        """
        return checkpoints.resume(cls, path, engine, device)
