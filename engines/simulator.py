"""Simulator: weights and state of a circuit on one engine, and the stream of presentations."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..graphs.circuit import Circuit, Record
from ..graphs.expression import Load, Number, walk
from ..graphs.lower import lower
from ..graphs.precision import SmallSum
from ..graphs.program import Program
from ..traces.budget import DEFAULT_BUDGET, check_budget
from ..traces.manifest import manifest
from ..traces.recording import recordings
from ..traces.traces import Traces
from . import philox
from .arithmetic import value
from .engine import compile_program
from .presentation import Arrays, Executable, Failure, Presentations, allocate
from .progress import progress
from .properties import warn_of_lost_properties
from .starts import (
    initial_slow,
    initial_weights,
    parameter_values,
    sums_kept,
    warn_of_precision,
)
from .views import ArrayView

CHUNK_SECONDS = 0.1


class Divergence(ArithmeticError):
    """A state is no longer finite. `traces` holds what was recorded before.

    `variable`, `unit`, `sample` (position in the stream), `phase` and `time` say where and when.
    """

    def __init__(self, variable: str, unit: int, sample: int, phase: str, time: float | None):
        self.variable, self.unit, self.sample, self.phase = variable, unit, sample, phase
        self.time = time
        self.traces: Traces | None = None
        when = f"at time {time:g}" if time is not None else "at its end"
        super().__init__(
            f"{variable} of unit {unit} is not finite for sample {sample}, in phase {phase!r} "
            f"{when}; a smaller step (dt) or a smaller rate may help"
        )


@dataclass
class History:
    """What `fit` saw: one entry per epoch, with the validation scores where asked for."""

    epochs: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False

    def __getitem__(self, name: str) -> list[Any]:
        """The values of one score, epoch by epoch."""
        return [entry[name] for entry in self.epochs]

    def __len__(self) -> int:
        return len(self.epochs)


class Simulator:
    """A circuit with weights, on one engine.

    Args:
        circuit: The circuit.
        engine: "numba", "numpy" or "torch".
        seed: Seed of the counter-based random numbers; replica r uses seed + r.
        dtype: "float64" or "float32", of activity and weights; by default "float32" on a GPU.
        replicas: The same circuit with other seeds, run side by side.
        parameters: Parameter values by name; a list of `replicas` numbers gives each its own.
        device: "cpu" or "cuda", for the torch engine.
        compensate: Whether sums that `dtype` is too narrow for keep what rounding takes from them;
            `compensated` says which do, and why.

    Raises:
        ValueError: An unknown engine, dtype or parameter.
    """

    def __init__(
        self,
        circuit: Circuit,
        engine: str = "numba",
        seed: int = 0,
        dtype: str | None = None,
        replicas: int = 1,
        parameters: Mapping[str, Any] | None = None,
        device: str | None = None,
        compensate: bool = True,
    ):
        self.circuit, self.engine, self.seed, self.replicas = circuit, engine, seed, replicas
        self.device = device
        self.dtype = np.dtype(dtype or ("float32" if device and device != "cpu" else "float64"))
        if self.dtype not in (np.dtype("float64"), np.dtype("float32")):
            raise ValueError(f"dtype {dtype!r}: expected 'float64' or 'float32'")
        if replicas < 1:
            raise ValueError(f"replicas: expected at least 1, got {replicas}")
        self.seeds = tuple(seed + r for r in range(replicas))
        self.presentation = self.sample = self.epoch = 0
        self._failing: set[str] = set()  # synapses whose `check` failed when last looked at
        self._samples = 0  # of each replica, in what was presented last
        self.stopped: dict[str, np.ndarray] = {}
        self._memory: Arrays = {}
        self._given: list[dict[str, Any]] = [{} for _ in range(replicas)]
        self._executables: dict[tuple[Any, ...], Executable] = {}
        compile_program(None, engine, self.dtype, device)
        for name, given in (parameters or {}).items():
            self._give(name, given)
        self._refresh()
        self.compensated: tuple[SmallSum, ...] = ()
        self._start(compensate)
        self.weights = ArrayView("weight", self._weights, self._check_weight)
        self.slow = ArrayView("slow variable", lambda: self._kind("slow", squeeze=True))
        self.state = ArrayView("state", self._states)
        self.parameters = ParameterView(self)

    # --- starting ------------------------------------------------------------------------------

    def _start(self, compensate: bool = True) -> None:
        """Draws the weights and starts the slow variables of every replica."""
        for name in list(self._memory):
            if not name.startswith("$"):
                del self._memory[name]
        weights, slows = [], []
        for seed, given in zip(self.seeds, self._given, strict=True):
            values = parameter_values(self.circuit, given)
            weights.append(initial_weights(self.circuit, values, seed))
            slows.append(initial_slow(self.circuit, values))
        warn_of_precision(self.circuit, weights[0], self._given[0], str(self.dtype))
        if compensate:
            starts = weights[0] | slows[0]
            self.compensated = sums_kept(self.circuit, starts, self._given[0], str(self.dtype))
        for name in weights[0]:
            stacked = np.stack([w[name] for w in weights]).astype(self.dtype)
            self._memory[name] = stacked[:, None, :] if stacked.ndim == 2 else stacked
        for name in slows[0]:
            self._memory[name] = np.stack([s[name] for s in slows]).astype(self.dtype)[:, None, :]
        for synapse in self.circuit.synapses.values():
            for trace in synapse.trace:
                shape = self._memory[synapse.name].shape
                self._memory[f"{synapse.name}.{trace.variable}"] = np.zeros(shape, self.dtype)

    def _give(self, name: str, given: Any) -> None:
        members = [m for m in self.circuit.parameters if m == name or m.partition("[")[0] == name]
        if not members:
            known = ", ".join(self.circuit.parameters)
            raise ValueError(f"no parameter {name!r}; there are: {known}")
        for member in members:
            entry = self.circuit.parameters[member]
            if entry.structural:
                raise ValueError(
                    f"parameter {member!r} is structural (it reaches sizes, steps or indices): "
                    f"give it to apical.load(..., {name}=...)"
                )
            length = len(entry.value) if isinstance(entry.value, tuple) else 0
            for replica in range(self.replicas):
                self._given[replica][member] = _one(member, given, length, replica, self.replicas)

    def _refresh(self) -> None:
        """Puts the parameters of every replica into memory."""
        tables = [parameter_values(self.circuit, given) for given in self._given]
        for name, entry in self.circuit.parameters.items():
            rows = np.stack([np.asarray(t[name], dtype=np.float64).reshape(1, -1) for t in tables])
            single = not isinstance(entry.value, tuple)
            self._memory[f"${name}"] = rows.astype(np.float64 if single else self.dtype)

    # --- views ---------------------------------------------------------------------------------

    def _weights(self) -> Arrays:
        return {
            name: self._memory[name][:, 0] if s.connect == "one_to_one" else self._memory[name]
            for name, s in self.circuit.synapses.items()
            if s.weight is None
        }

    def _check_weight(self, name: str, new: np.ndarray) -> None:
        synapse = self.circuit.synapses[name]
        if synapse.connect == "all_but_self":
            diagonal = np.diagonal(new, axis1=-2, axis2=-1)
            if np.any(diagonal):
                raise ValueError(f"weight {name!r} connects all but self: its diagonal must be 0")

    def _kind(self, kind: str, squeeze: bool = False) -> Arrays:
        names = [f"{p.name}.{v}" for p in self.circuit.populations.values() for v in p.slow]
        return {n: self._memory[n][:, 0] if squeeze else self._memory[n] for n in names}

    def _states(self) -> Arrays:
        names = [f"{p.name}.{v}" for p in self.circuit.populations.values() for v in p.states]
        for synapse in self.circuit.synapses.values():
            names += [f"{synapse.name}.{v}" for v in ("s", "p") if synapse.filter is not None]
            names += [f"{synapse.name}.{trace.variable}" for trace in synapse.trace]
        found = {n: self._memory[n] for n in names if n in self._memory}
        return found | self._kind("slow", squeeze=True)

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
        key = (protocol, learn, record, output)
        if key not in self._executables:
            if protocol not in self.circuit.protocols:
                known = ", ".join(self.circuit.protocols)
                raise ValueError(
                    f"{self.circuit.name} has no protocol {protocol!r}; it has: {known}"
                )
            names = frozenset(one.name for one in self.compensated)
            program = lower(
                self.circuit,
                protocol,
                learn=learn,
                record=record,
                output=output,
                compensate=names,
            )
            self._executables[key] = compile_program(program, self.engine, self.dtype, self.device)
            self._start_optimizers(program)
        return self._executables[key]

    def _start_optimizers(self, program: Program) -> None:
        for name, start in program.starts.items():
            if name in self._memory:
                continue
            shape = program.buffers[name].shape
            size = {"scalar": (1, 1), "row": (1, *shape[1:]), "matrix": shape[1:]}[str(shape[0])]
            number = value(start, lambda node: self._memory[node.buffer])
            dtype = np.float64 if shape[0] == "scalar" else self.dtype
            full = np.broadcast_to(number, (self.replicas, *map(int, size)))
            self._memory[name] = np.array(full, dtype=dtype)

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
    ) -> History:
        """Presents the samples `epochs` times, with plasticity.

        A stream is (sample, unit), or (replica, sample, unit) where each replica has its own. A
        smaller last batch is presented too. Ctrl-C stops cleanly: what was learnt stays, and the
        history says `interrupted`.
        """
        history = History()
        executable = self._executable(protocol, True, (), None)
        streams, places = self._streams(executable.program, samples)
        with progress(epochs * -(-places.shape[1] // batch), "fit") as bar:
            for _ in range(epochs):
                order = self._shuffled(places) if shuffle else places
                began = time.perf_counter()
                try:
                    for part in _parts(order, batch):
                        work = self._work(part, streams)
                        self._present(executable, work, learning=True, bar=bar)
                except KeyboardInterrupt:
                    history.interrupted = True
                    return history
                self.epoch += 1
                self._look_at_weights(f"after epoch {self.epoch}")
                entry: dict[str, Any] = {
                    "epoch": self.epoch,
                    "seconds": time.perf_counter() - began,
                }
                if validate is not None:
                    entry |= self.evaluate(validate)
                    bar.say(
                        ", ".join(
                            f"{k} {np.round(v, 4)}" for k, v in entry.items() if k != "seconds"
                        )
                    )
                history.epochs.append(entry)
                if on_epoch is not None:
                    on_epoch(self, entry)
        return history

    def predict(
        self, samples: Mapping[str, Any], protocol: str = "predict", batch: int = 200
    ) -> dict[str, np.ndarray]:
        """What the circuit thinks each stream of `predicts` is: (sample, unit) by stream name."""
        found = {}
        for name in self.circuit.predicts:
            executable = self._executable(protocol, False, (), name)
            streams, places = self._streams(executable.program, samples)
            pieces = []
            for part in _parts(places, batch):
                work = self._work(part, streams)
                self._present(executable, work, learning=False)
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
        predictions = self.predict(samples, protocol, batch)
        score = getattr(samples, "score", None)
        if score is not None:
            return score(predictions)
        known = {n: p for n, p in predictions.items() if n in samples}
        return {
            "squared_error" if len(known) == 1 else f"squared_error of {n}": np.mean(
                np.sum((p - np.asarray(samples[n])) ** 2, axis=-1), axis=-1
            )
            for n, p in known.items()
        }

    def run(
        self,
        protocol: str = "train",
        *,
        learn: bool = False,
        record: Iterable[str | Record] | None = None,
        batch: int | None = None,
        initial: Mapping[str, Any] | None = None,
        carry: bool = False,
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
            carry: States and time go on from where the last presentation left them.
            samples: Number of samples where the circuit reads no stream (default 1).
            budget: Bytes that the recording may take.
            facts: What else the manifest says, such as the command that made the run.
            streams: The streams of the file's `data`, by name.

        Raises:
            Divergence: A state is not finite; its `traces` hold what was recorded.
            BudgetError: The recording would be larger than the budget.
        """
        records = recordings(record, self.circuit)
        executable = self._executable(protocol, learn, records, None)
        program = executable.program
        arrays, places = self._streams(program, streams, samples or 1)
        total = places.shape[1]
        starts = self._initial(program, initial or {}, total)
        if places[-1, :1].any():  # streams laid end to end
            starts = {name: np.tile(array, (1, self.replicas, 1)) for name, array in starts.items()}
        units = {s.name: int(s.shape[1]) if s.shape[0] == "unit" else 1 for s in program.slots}
        if units:
            check_budget(
                units,
                rows=program.rows,
                samples=total,
                replicas=self.replicas,
                itemsize=self.dtype.itemsize,
                budget=budget,
            )
        done: list[Presentations] = []
        said = manifest(
            self.circuit,
            engine=self.engine,
            seed=self.seed,
            dtype=str(self.dtype),
            replicas=self.replicas,
            protocol=protocol,
            learn=learn,
            batch=batch,
            **(facts or {}),
        )
        try:
            with progress(-(-total // (batch or total)), "run") as bar:
                for part in _parts(places, batch or total):
                    work = self._work(part, arrays, starts, carry)
                    done.append(work)
                    self._present(executable, work, learning=learn, bar=bar)
        except KeyboardInterrupt:
            pass
        except Divergence as error:
            error.traces = self._traces(program, done, said)
            raise
        if learn:
            self._look_at_weights(f"after presentation {self.presentation}")
        self._keep_stops(done)
        return self._traces(program, done, said)

    def _look_at_weights(self, when: str) -> None:
        """Warns of synapses whose `check` fails (see `engines.properties`)."""
        weights = self._weights()
        self._failing = warn_of_lost_properties(self.circuit, weights, when, self._failing)

    def _keep_stops(self, done: list[Presentations]) -> None:
        """`stopped[phase]`: steps after which each sample met the stop rule, -1 at the limit."""
        names = done[0].stopped if done else {}
        self.stopped = {
            n: np.concatenate([w.stopped[n].reshape(self.replicas, -1) for w in done], axis=1)
            for n in names
        }

    # --- pieces of a run -----------------------------------------------------------------------

    def _streams(
        self, program: Program, given: Mapping[str, Any], samples: int = 1
    ) -> tuple[Arrays, np.ndarray]:
        """The streams a program reads, and where in them a replica's samples are.

        Streams (replica, sample, unit) are laid end to end. Returns streams name -> (sample, unit)
        and places (replica, sample); `samples` counts where there is no stream.
        """
        needed = [n[1:] for n, b in program.buffers.items() if b.kind == "stream"]
        unknown = sorted(set(given) - set(self.circuit.streams))
        if unknown:
            known = ", ".join(self.circuit.streams) or "none"
            raise ValueError(f"no stream {unknown[0]!r} in {self.circuit.name}; there are: {known}")
        missing = [n for n in needed if n not in given]
        if missing:
            raise ValueError(f"{program.name} reads the stream {missing[0]!r}, which was not given")
        arrays: Arrays = {}
        for name in given:
            tensor = self.engine == "torch" and hasattr(given[name], "untyped_storage")
            array = given[name] if tensor else np.asarray(given[name], dtype=self.dtype)
            size = self.circuit.streams[name]
            if array.ndim == 1 and size == array.shape[0]:
                array = array[None]
            own = array.ndim == 3 and array.shape[0] == self.replicas
            if not (own or array.ndim == 2) or array.shape[-1] != size:
                raise ValueError(
                    f"stream {name!r}: expected (sample, unit) with {size} units, "
                    f"got {array.shape}; the sizes of a circuit are set as in "
                    f"apical.load({self.circuit.name!r}, sizes=[...])"
                )
            arrays[name] = array if tensor else np.ascontiguousarray(array)
        lengths = {n: a.shape[-2] for n, a in arrays.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"streams differ in their number of samples: {lengths}")
        self._samples = total = next(iter(lengths.values()), samples)
        places = np.broadcast_to(np.arange(total), (self.replicas, total))
        if any(a.ndim == 3 for a in arrays.values()):
            shared = np.tile(np.arange(total), self.replicas)
            places = places + total * np.arange(self.replicas)[:, None]
            for name, array in arrays.items():
                own = array.ndim == 3
                arrays[name] = array.reshape(-1, array.shape[-1]) if own else array[shared]
        return arrays, places

    def _initial(self, program: Program, given: Mapping[str, Any], total: int) -> Arrays:
        found: Arrays = {}
        for name, start in given.items():
            buffer = program.buffers.get(name)
            if buffer is None or buffer.kind != "state":
                known = ", ".join(program.reset)
                raise ValueError(f"initial: no state {name!r}; there are: {known}")
            array = np.asarray(start, dtype=self.dtype)
            array = array[None] if array.ndim == 1 else array
            array = array[None] if array.ndim == 2 else array
            if array.shape[1:] != (total, buffer.size):
                raise ValueError(
                    f"initial {name!r}: expected (sample, unit) = {(total, buffer.size)}, "
                    f"got {array.shape[1:]}"
                )
            found[name] = array
        return found

    def _shuffled(self, places: np.ndarray) -> np.ndarray:
        total = places.shape[1]
        new = [philox.permutation(s, "shuffle", self.epoch, total) for s in self.seeds]
        return np.take_along_axis(places, np.stack(new), axis=1)

    def _work(
        self, order: np.ndarray, streams: Arrays, initial: Arrays | None = None, carry: bool = False
    ) -> Presentations:
        return Presentations(
            order=np.ascontiguousarray(order),
            streams=streams,
            seeds=self.seeds,
            presentation=self.presentation,
            sample=self.sample,
            epoch=self.epoch,
            initial=initial or {},
            carry=carry,
        )

    def _present(
        self, executable: Executable, work: Presentations, learning: bool, bar: Any = None
    ) -> None:
        """Runs all presentations of `work`, in chunks of about a tenth of a second."""
        program = executable.program
        size = program.buffers[program.output].size if program.output else 0
        allocate(program, work, self.dtype, size)
        at, chunk = 0, 1
        try:
            while at < work.count:
                stop = min(work.count, at + chunk)
                began = time.perf_counter()
                failure = executable.run(self._memory, work, at, stop)
                spent = time.perf_counter() - began
                if failure is not None:
                    at = failure.presentation
                    raise self._divergence(executable, work, failure)
                if bar is not None:
                    bar.advance(stop - at)
                chunk = max(1, min(chunk * 8, int((stop - at) * CHUNK_SECONDS / max(spent, 1e-9))))
                at = stop
        finally:
            executable.settle(self._memory)
            if learning:
                self.presentation += at
                self.sample += at * work.batch

    def _divergence(
        self, executable: Executable, work: Presentations, failure: Failure
    ) -> Divergence:
        program = executable.program
        memory, failure = self._retraced(program, work, failure)
        for name in program.finite:
            bad = ~np.isfinite(memory[name][failure.replica])
            if bad.any():
                sample, unit = (int(i) for i in np.argwhere(bad)[0])
                place = int(work.order[failure.replica, failure.presentation, sample])
                position = place % self._samples
                return Divergence(name, unit, position, failure.phase, self._when(program, failure))
        return Divergence("a state", 0, 0, failure.phase, None)

    def _retraced(
        self, program: Program, work: Presentations, failure: Failure
    ) -> tuple[Arrays, Failure]:
        """The failed presentation once more, step by step, to find the first number that broke."""
        if failure.step is not None or work.carry:
            return self._memory, failure
        from .numpy_engine import NumpyExecutable

        streams = {name: _on_host(values) for name, values in work.streams.items()}
        again = replace(work, streams=streams, records=[], output=None, stopped={})
        size = program.buffers[program.output].size if program.output else 0
        allocate(program, again, self.dtype, size)
        memory = {name: array.copy() for name, array in self._memory.items()}
        at = failure.presentation
        walker = NumpyExecutable(program, self.dtype, check_steps=True)
        found = walker.run(memory, again, at, at + 1)
        return (self._memory, failure) if found is None else (memory, found)

    def _when(self, program: Program, failure: Failure) -> float | None:
        phases = [p.name for p in program.phases]
        times = self._times(program)
        index = phases.index(failure.phase)
        phase = program.phases[index]
        step = phase.steps if failure.step is None else failure.step
        return float(times[phase.first_row + step])

    def _times(self, program: Program) -> np.ndarray:
        """Time at each row of the traces, for the first replica."""
        times = np.zeros(program.rows)
        now = 0.0
        for phase in program.phases:
            times[phase.first_row] = now
            dt = phase.dt or Number(1.0)
            varying = any(isinstance(n, Load) and n.buffer == "#step" for n in walk(dt))
            steps = np.arange(phase.steps if varying else min(phase.steps, 1))
            lengths = [
                float(np.ravel(value(dt, lambda n, s=s: self._scalar(n, int(s))))[0]) for s in steps
            ]
            if varying:
                elapsed = np.cumsum(lengths)
            else:
                elapsed = np.arange(1, phase.steps + 1) * (lengths[0] if lengths else 0.0)
            rows = slice(phase.first_row + 1, phase.first_row + 1 + phase.steps)
            times[rows] = now + elapsed
            now = float(times[phase.first_row + phase.steps])
        return times

    def _scalar(self, node: Load, step: int) -> Any:
        if node.buffer == "#step":
            return float(step)
        if node.buffer in self._memory:
            return self._memory[node.buffer][0]
        return {"#presentation": self.presentation, "#epoch": self.epoch}.get(node.buffer, 0.0)

    def _traces(self, program: Program, done: Sequence[Presentations], facts: Any) -> Traces:
        rows = sorted({row for slot in program.slots for row in slot.rows}) or list(
            range(program.rows)
        )
        position = {row: i for i, row in enumerate(rows)}
        arrays = {}
        for number, slot in enumerate(program.slots):
            pieces = [w.records[number] for w in done]
            joined = np.concatenate([_by_sample(p) for p in pieces], axis=1)
            if len(slot.rows) != len(rows):
                wide = np.full(
                    (*joined.shape[:2], len(rows), joined.shape[3]), np.nan, joined.dtype
                )
                wide[:, :, [position[r] for r in slot.rows]] = joined
                joined = wide
            arrays[slot.name] = joined if slot.shape[0] == "unit" else joined[..., 0]
        names = [(p.name, s) for p in program.phases for s in range(p.steps + 1)]
        return Traces(
            arrays,
            phase=[names[r][0] for r in rows],
            phase_step=[names[r][1] for r in rows],
            time=self._times(program)[rows],
            time_unit=self.circuit.time_unit,
            replica=list(range(self.replicas)),
            manifest=facts,
        )

    # --- checkpoints ---------------------------------------------------------------------------

    def save(self, path: Any) -> None:
        """Writes weights, state, counters and the circuit to a .safetensors file."""
        from ..traces.checkpoint import save

        source = self.circuit.source
        facts = {
            "circuit": {
                "path": source.path,
                "texts": dict(source.texts),
                "variants": list(source.variants),
                "overrides": dict(source.overrides),
            },
            "engine": self.engine,
            "seed": self.seed,
            "dtype": str(self.dtype),
            "replicas": self.replicas,
            "given": self._given,
            "counters": [self.presentation, self.sample, self.epoch],
        }
        save(path, {k: v for k, v in self._memory.items() if not k.startswith("$")}, facts)

    @classmethod
    def resume(cls, path: Any, engine: str | None = None) -> Simulator:
        """A simulator that goes on from a file that `save` wrote."""
        from ..graphs.load import rebuild
        from ..traces.checkpoint import read

        arrays, facts = read(path)
        circuit = rebuild(facts["circuit"])
        made = cls(
            circuit, engine or facts["engine"], facts["seed"], facts["dtype"], facts["replicas"]
        )
        made._given = facts["given"]
        made._refresh()
        made._memory |= {name: np.array(array) for name, array in arrays.items()}
        made.presentation, made.sample, made.epoch = facts["counters"]
        return made


class ParameterView(ArrayView):
    """Parameters by member name; writing one updates those that derive from it."""

    def __init__(self, simulator: Simulator):
        super().__init__("parameter", self._now)
        self._simulator = simulator

    def _now(self) -> Arrays:
        memory = self._simulator._memory
        return {n[1:]: a[:, 0] for n, a in memory.items() if n.startswith("$")}

    def __getitem__(self, name: str) -> Any:
        array = self._find(name)
        plain = array[:, 0] if array.shape[1] == 1 else array
        return plain[0] if len(plain) == 1 else plain

    def __setitem__(self, name: str, new: Any) -> None:
        self._simulator._give(name, new)
        self._simulator._refresh()


def _one(name: str, given: Any, length: int, replica: int, replicas: int) -> Any:
    """What one replica gets of a given parameter value."""
    array = np.asarray(given, dtype=np.float64)
    if length:
        if array.shape == (length,):
            return tuple(array.tolist())
        if array.shape == (replicas, length):
            return tuple(array[replica].tolist())
    elif array.ndim == 0:
        return float(array)
    elif array.shape == (replicas,):
        return float(array[replica])
    expected = (
        f"a list of {length}" if length else f"a number, or one for each of {replicas} replicas"
    )
    raise ValueError(f"parameter {name!r}: expected {expected}, got shape {array.shape}")


def _parts(order: np.ndarray, batch: int) -> list[np.ndarray]:
    """(replica, sample) as whole batches (replica, presentation, batch), then what is left over."""
    replicas, total = order.shape
    whole = total // batch * batch
    parts = [order[:, :whole].reshape(replicas, -1, batch)] if whole else []
    if total > whole:
        parts.append(order[:, None, whole:])
    return parts


def _by_sample(record: np.ndarray) -> np.ndarray:
    """(replica, presentation, row, unit, batch) -> (replica, sample, row, unit)."""
    moved = record.transpose(0, 1, 4, 2, 3)
    return moved.reshape(moved.shape[0], -1, *moved.shape[3:])


def _on_host(values: Any) -> np.ndarray:
    """The same values as a numpy array, also where they were a tensor on a device."""
    return np.asarray(values.cpu() if hasattr(values, "cpu") else values)
