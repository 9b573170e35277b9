"""The Programs of a simulator, made ready by its engine when they are first asked for."""

from __future__ import annotations

from typing import Any

from ...graphs.circuit import Record, Snapshot
from ...graphs.lower import lower
from ...graphs.lowering.precision import SmallSum
from ...graphs.program import Program
from ...traces.recording import in_presentations
from ..executable import Executable
from .initial_values import optimizer_states
from .replica_parameters import ReplicaParameters
from .requirement_checks import Demands
from .settings import Settings
from .simulator_state import SimulatorState

Key = tuple[str, bool, tuple[Record, ...], str | None]


class Programs:
    """Executables by protocol, whether rules act, records, and the stream that is predicted."""

    def __init__(
        self,
        settings: Settings,
        parameters: ReplicaParameters,
        state: SimulatorState,
        compensated: tuple[SmallSum, ...],
    ):
        self.settings, self.parameters, self.state = settings, parameters, state
        self.compensated = frozenset(one.name for one in compensated)
        self.demands = Demands(settings.circuit)
        self.made: dict[Key, Executable] = {}
        self.walked: dict[tuple[str, tuple[Record, ...]], Program] = {}

    def executable(
        self,
        protocol: str,
        learn: bool = False,
        record: tuple[Record | Snapshot, ...] = (),
        output: str | None = None,
    ) -> Executable:
        """A protocol, ready to run; its optimizers are in memory. Snapshots are no part of it.

        Raises:
            ValueError: No such protocol, or a parameter that makes a number what it cannot be.
        """
        circuit = self.settings.circuit
        if protocol not in list(circuit.protocols):
            known = ", ".join(circuit.protocols)
            raise ValueError(f"{circuit.name} has no protocol {protocol!r}; it has: {known}")
        self.check_numbers(protocol)
        steps = in_presentations(record)
        key = (protocol, learn, steps, output)
        if key not in self.made:
            program = lower(
                circuit,
                protocol,
                learn=learn,
                record=steps,
                output=output,
                compensate=self.compensated,
            )
            made, arrays = self.settings.compile(program), self.state.arrays
            replicas, dtype = self.settings.replicas, self.settings.dtype
            arrays |= optimizer_states(program, arrays, replicas, dtype)
            self.made[key] = made  # last, so that Ctrl-C leaves all of it or nothing
        return self.made[key]

    def plain(self, protocol: str, record: tuple[Record, ...]) -> Program:
        """A protocol without learning, for who walks it by himself."""
        key = (protocol, record)
        if key not in self.walked:
            self.walked[key] = lower(self.settings.circuit, protocol, learn=False, record=record)
        return self.walked[key]

    def check_numbers(self, protocol: str, presentations: int = 1) -> None:
        """Whether parameters make every number what it can be, until so many presentations later.

        Raises:
            ValueError: They do not.
        """
        at = self.state
        counters: dict[str, Any] = {"presentation": at.presentation + max(presentations - 1, 0)}
        counters |= {"sample": at.sample, "epoch": at.epoch}
        self.demands.check(self.parameters, protocol, counters)
