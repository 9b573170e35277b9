"""The core of a simulator: what runs, trainings and checkpoints share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...graphs.lowering.precision import SmallSum
from ...graphs.markup import facts, heading
from ...graphs.program import Program
from ...traces.manifest import manifest
from ..presentation import Arrays, Presentations
from ..signal_lengths import rows_taken
from .array_views import weights_of
from .programs import Programs
from .replica_parameters import ReplicaParameters
from .settings import Settings
from .simulator_state import SimulatorState
from .stability_warnings import InferenceWatch
from .streams import Streams, given_streams
from .weight_warnings import WeightWatch


class Core:
    """What a simulator is made of.

    settings: what was asked for. parameters: the values of each replica. state: arrays and
    counters. compensated: sums that keep what rounding takes. programs: what its engine has made
    ready. watch: which weights are checked. inference: which phases are unstable. notes: what a
    user keeps with it, in the words of JSON.
    """

    def __init__(
        self,
        settings: Settings,
        parameters: ReplicaParameters,
        state: SimulatorState,
        compensated: tuple[SmallSum, ...],
    ):
        self.settings, self.parameters, self.state = settings, parameters, state
        self.compensated = compensated
        self.programs = Programs(settings, parameters, state, compensated)
        self.watch = WeightWatch(settings.circuit)
        self.inference = InferenceWatch()
        self.notes: dict[str, Any] = {}

    def __getstate__(self) -> tuple[Any, ...]:
        """All but what was compiled."""
        self.state.go_back()
        parts = (self.settings, self.parameters, self.state, self.compensated)
        return parts, self.watch.failing, dict(self.notes)

    def __setstate__(self, pickled: tuple[Any, ...]) -> None:
        """A core with arrays of its own."""
        (settings, parameters, state, compensated), failing, notes = pickled
        Core.__init__(self, settings, parameters.copied(), state.copied(), compensated)
        self.watch.failing, self.notes = set(failing), dict(notes)

    def weights(self) -> Arrays:
        """Weights by synapse."""
        return weights_of(self.settings.circuit, self.state.whole())

    def streams(
        self, program: Program, given: Mapping[str, Any], samples: int | None = None
    ) -> Streams:
        """The streams that a Program reads, checked."""
        own = self.settings
        tensors = own.row.takes_tensors
        memory = self.state.arrays
        return given_streams(
            own.circuit, program, given, own.replicas, own.dtype, tensors, samples, memory
        )

    def signal_rows(self, program: Program) -> dict[str, int]:
        """How many rows of each signal a Program reads."""
        arrays, replicas = self.state.arrays, self.settings.replicas
        taken = {a.stream: rows_taken(program, a, arrays, replicas) for a in program.signals}
        return {name: int(rows.max()) for name, rows in taken.items()}

    def facts(self, protocol: str, **more: Any) -> tuple[dict[str, Any], Arrays]:
        """The manifest of a call, and the parameters in which replicas differ."""
        own = self.settings
        values, differing = self.parameters.values()
        said = manifest(
            own.circuit,
            engine=own.engine,
            seed=own.seed,
            dtype=own.activity,
            replicas=own.replicas,
            protocol=protocol,
            parameters=values,
            packages=(own.row.package,),
            **more,
        )
        return said, differing

    def work(
        self,
        order: np.ndarray,
        streams: Streams,
        initial: Arrays | None = None,
        carry: bool = False,
    ) -> Presentations:
        """Presentations in an order (replica, presentation, batch), counted from here on."""
        return Presentations(
            order=np.ascontiguousarray(order),
            streams=streams.arrays,
            total=streams.total,
            output_rows=streams.output_rows,
            seeds=self.settings.seeds,
            presentation=self.state.presentation,
            sample=self.state.sample,
            epoch=self.state.epoch,
            initial=initial or {},
            carry=carry,
            threads=self.settings.threads,
        )


def html(core: Core) -> str:
    """What a simulator is and where it stands, for a notebook."""
    own, at = core.settings, core.state
    numbers = sum(array.size for array in core.weights().values())
    return heading(f"Simulator of {own.circuit.name}") + facts(
        {
            "engine": own.engine + (f" on {own.device}" if own.device else ""),
            "weights": f"{numbers:,} numbers, {own.dtype}",
            "seeds": ", ".join(map(str, own.seeds)),
            "learnt": f"{at.epoch} epochs, {at.presentation} presentations, {at.sample} samples",
        }
    )
