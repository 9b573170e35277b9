"""Simulator: weights and state of a circuit on one engine, and the stream of presentations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from functools import partial
from typing import Any

import numpy as np

from ...graphs.circuit import Circuit
from ...graphs.lowering.precision import SmallSum
from ...graphs.program import Program
from ...traces.recording import Line, recordings
from ...traces.recording_budget import DEFAULT_BUDGET
from ...traces.traces import Traces
from ..presentation import Arrays
from .argument_checks import check_by_name, whole
from .array_views import ArrayView, check_weight, connections_of, slows_of, states_of
from .checkpoints import reading, writing
from .core import Core, html
from .draw_counters import Counters
from .initial_values import start
from .prediction import predict, warn_of_copies
from .replica_parameters import ParameterView, ReplicaParameters
from .run import run
from .scores import check_scored, scores
from .settings import Settings
from .simulator_state import SimulatorState
from .streams import check_words, joined
from .training.epoch_position import Position
from .training.history import History
from .training.training import train


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
        threads: How many the numba engine may use, for replicas and, where nothing is learnt, for
            batches; default: the cores of the process. Results are the same for any number.

    Attributes:
        weights: Synapse -> array (post, pre), as its `connect` shapes it; with several replicas
            (replica, post, pre). Assigning checks the shape.
        connections: Synapse -> array, True where there is a connection, of those whose `connect`
            has something behind its word.
        slow: "population.variable" -> array (unit), the slow variables of the file's `slow`.
        state: "population.variable" -> array (sample, unit), of the last presentation.
        parameters: Name -> value; those that shape the program (sizes, steps) are read only.
        stopped: Phase -> array (replica, sample), of the last `run`: the steps until the phase's
            `until` was met, -1 where it was not.
        compensated: The sums that keep what rounding takes from them, each with the reason.
        unfinished: Where an epoch stands that `fit` began and did not end; else None.
        presentation, sample, epoch: How many have taught it, in `fit` and `run(learn=True)`.
        counters: What draws count (see `run`, `first`).
        notes: A dictionary of your own, in the words of JSON; checkpoints keep it.
        seeds: The seed of each replica.
        dtype: Of weights and states; `activity`: of rates and potentials, if narrower.
        circuit, engine, device, replicas, seed: As given.

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
        threads: int | None = None,
    ):
        settings = Settings.of(circuit, engine, seed, dtype, replicas, device, compensate, threads)
        given = ReplicaParameters(circuit, settings.seeds)
        parameters = {} if parameters is None else parameters
        check_by_name("parameters", parameters, "numbers by name, as {'eta': 0.1}")
        for name, values in parameters.items():
            given.give(name, values)
        arrays, compensated = start(settings, given)
        self._open(Core(settings, given, SimulatorState(arrays), compensated))

    def _open(self, core: Core) -> None:
        """The public face of a core."""
        own = core.settings
        self._core = core
        self.circuit, self.engine, self.device = own.circuit, own.engine, own.device
        self.activity, self.dtype = own.activity, own.dtype
        self.replicas, self.seed, self.seeds = own.replicas, own.seed, own.seeds
        self.stopped: dict[str, np.ndarray] = {}
        self.notes = core.notes
        check = partial(check_weight, own.circuit, core.state.arrays, core.parameters.tables)
        self.weights = ArrayView("weight", core.weights, check)
        self.slow = ArrayView("slow variable", self._slows)
        self.state = ArrayView("state", self._states)
        self.parameters = ParameterView(core.parameters, core.state.arrays, own.dtype)

    def _slows(self) -> Arrays:
        return slows_of(self.circuit, self._core.state.whole())

    def _states(self) -> Arrays:
        return states_of(self.circuit, self._core.state.whole())

    def __getstate__(self) -> dict[str, Any]:
        """All but the views, which belong to one memory, and what was compiled."""
        return {"core": copy(self._core), "stopped": dict(self.stopped)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A simulator with arrays of its own."""
        self._open(state["core"])
        self.stopped = state["stopped"]

    def _repr_html_(self) -> str:
        return html(self._core)

    # --- where it stands -----------------------------------------------------------------------

    @property
    def connections(self) -> dict[str, np.ndarray]:
        """Synapse -> (post, pre) of each replica: whether there is a connection, bias counted."""
        found = connections_of(self.circuit, self._core.state.arrays)
        return {name: array[0] if self.replicas == 1 else array for name, array in found.items()}

    @property
    def compensated(self) -> tuple[SmallSum, ...]:
        """The sums that keep what rounding takes from them, and why."""
        return self._core.compensated

    @property
    def presentation(self) -> int:
        """How many presentations have been learnt; a schedule counts them."""
        return self._core.state.presentation

    @presentation.setter
    def presentation(self, number: int) -> None:
        self._core.state.presentation = number

    @property
    def sample(self) -> int:
        """How many samples have been learnt."""
        return self._core.state.sample

    @sample.setter
    def sample(self, number: int) -> None:
        self._core.state.sample = number

    @property
    def epoch(self) -> int:
        """How many epochs are over."""
        return self._core.state.epoch

    @epoch.setter
    def epoch(self, number: int) -> None:
        self._core.state.epoch = number

    @property
    def unfinished(self) -> Position | None:
        """Where an epoch stands that has begun and is not over."""
        return self._core.state.unfinished

    @property
    def counters(self) -> Counters:
        """What draws count."""
        return self._core.state.counters

    def program(
        self,
        protocol: str = "train",
        learn: bool = True,
        record: Iterable[Line] | Line | None = (),
        output: str | None = None,
    ) -> Program:
        """The Program of a protocol; printable."""
        records = recordings(record, self.circuit)
        return self._core.programs.executable(protocol, learn, records, output).program

    def signal_rows(self, protocol: str = "train") -> dict[str, int]:
        """How many rows of each signal one presentation reads; of several replicas, the most.

        Raises:
            ValueError: No such protocol, or a row that lasts no whole number of steps.
        """
        return self._core.signal_rows(self.program(protocol))

    # --- running -------------------------------------------------------------------------------

    def fit(
        self,
        samples: Mapping[str, Any],
        epochs: int = 1,
        batch: int = 20,
        validate: Mapping[str, Any] | None = None,
        shuffle: bool = True,
        protocol: str = "train",
        on_epoch: Callable[[Simulator, dict[str, Any]], object] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        every: int | None = None,
        carry: bool = False,
        record: Iterable[Line] | Line | None = None,
        budget: int = DEFAULT_BUDGET,
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
            record: What the history's `traces` hold of what is learnt, such as "W[1] every 100
                presentations"; None: what the file's `record` says of it.
            budget: Bytes that the recording may take.

        Raises:
            Divergence: A state or a weight is no longer finite; its `traces` hold what `record`
                took until then.
            BudgetError: The recording would be larger than the budget.
            RecordingError: A line of `record` that is not of what is learnt.
            ValueError: Samples, or a number, that the circuit cannot be given, or others than
                those of the unfinished epoch; before anything is learnt, also what `validate`
                holds.
        """
        if on_epoch is not None and not callable(on_epoch):
            raise ValueError(
                f"on_epoch: expected a function of (simulator, entry), got {on_epoch!r}"
            )
        return train(
            self._core,
            samples,
            epochs=epochs,
            batch=batch,
            shuffle=shuffle,
            protocol=protocol,
            carry=carry,
            validate=validate,
            evaluate=self.evaluate,
            on_epoch=None if on_epoch is None else partial(on_epoch, self),
            checkpoint=checkpoint,
            every=every,
            save=self.save,
            record=record,
            budget=whole("budget", budget, 0),
        )

    def start_epoch_anew(self) -> None:
        """The next `fit` presents all samples, also where an epoch was left in the middle."""
        self._core.state.unfinished = None

    def predict(
        self, samples: Mapping[str, Any], protocol: str = "predict", batch: int = 200
    ) -> dict[str, np.ndarray]:
        """What the circuit thinks each stream of `predicts` is: (sample, unit) by stream name.

        Of a signal it is (sample, row, unit), each row as it is at its end.

        Draws begin at sample 0, each time; states, and what `fit` and `run` count, stay.

        Raises:
            Divergence: A state is not finite.
            ValueError: Samples, a batch or a protocol that the circuit cannot be given.
        """
        return predict(self._core, samples, protocol, whole("batch", batch, 1))

    def evaluate(
        self, samples: Mapping[str, Any], protocol: str = "predict", batch: int = 200
    ) -> dict[str, Any]:
        """The scores of the predictions: by the samples' own metrics, else the squared error.

        Raises:
            Divergence: A state is not finite.
            ValueError: Samples without what the circuit predicts, or that it cannot be given.
        """
        check_by_name("samples", samples)
        check_scored(self.circuit, samples)
        warn_of_copies(self._core, protocol)
        return scores(samples, self.predict(samples, protocol, batch), self.circuit.signals)

    def run(
        self,
        protocol: str = "train",
        *,
        learn: bool = False,
        record: Iterable[Line] | Line | None = None,
        batch: int | None = None,
        initial: Mapping[str, Any] | None = None,
        carry: bool = False,
        first: int | None = None,
        samples: int | None = None,
        budget: int = DEFAULT_BUDGET,
        facts: Mapping[str, Any] | None = None,
        streams: Mapping[str, Any] | None = None,
        **by_name: Any,
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
            streams: The streams of the file's `data`, by name; samples of a task with their `ids`.
            by_name: The same, as keywords, where their names are no arguments of `run`; a stream
                called `learn` or `first` is given in `streams`.

        Raises:
            Divergence: A state is not finite; its `traces` hold what was recorded.
            Interrupted: Ctrl-C, a KeyboardInterrupt; its `traces` hold what was recorded.
            BudgetError: The recording would be larger than the budget.
            RecordingError: A line of `record` that the circuit does not know.
            ValueError: Streams, states or numbers that the circuit cannot be given.
        """
        own: dict[str, Any] = {
            "protocol": protocol,
            "learn": learn,
            "record": record,
            "batch": batch,
            "initial": initial,
            "carry": carry,
            "first": first,
            "samples": samples,
            "budget": budget,
            "facts": facts,
        }
        check_words(self.circuit, own | {"streams": streams})
        ids = getattr(streams, "ids", None)
        traces, self.stopped = run(self._core, joined(streams, by_name), **own, ids=ids)
        return traces

    # --- checkpoints ---------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes weights, state, counters and the circuit to a .safetensors file.

        Raises:
            ValueError: A number is not finite.
        """
        writing.save(self._core, path)

    @classmethod
    def resume(
        cls,
        path: str | os.PathLike[str],
        engine: str | None = None,
        device: str | None = None,
        threads: int | None = None,
    ) -> Simulator:
        """A simulator that goes on from a file that `save` wrote.

        Raises:
            FileNotFoundError: There is no such file.
            CheckpointError: Something in the file is not as the circuit in it needs it.
        """
        made = cls.__new__(cls)
        made.__setstate__({"core": reading.resume(path, engine, device, threads), "stopped": {}})
        return made
