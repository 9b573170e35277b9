"""Reading a checkpoint: nothing is taken that does not fit, and nothing drawn to be overwritten."""

from __future__ import annotations

import os

import numpy as np

from ....graphs.buffer import TIME, filtered, variable
from ....graphs.circuit import Circuit
from ....graphs.lowering.phases.timing import reads_time
from ....traces.safetensors_file import FORMER, Checkpoint, CheckpointError, read
from ... import aligned_memory
from ...connections import connected, laid
from ...presentation import Arrays
from ...registry import find
from ..core import Core
from ..draw_counters import Counters, former_counters
from ..initial_values import start
from ..replica_parameters import ReplicaParameters
from ..settings import Settings
from ..simulator_state import SimulatorState
from .arrays import check_arrays
from .facts import (
    checked_facts,
    circuit_of,
    entry,
    parameters_of,
    position_of,
    small_sum,
    without_starts,
)


def resume(
    path: str | os.PathLike[str],
    engine: str | None = None,
    device: str | None = None,
    threads: int | None = None,
) -> Core:
    """The core of a simulator that goes on from a file that `save` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: Something in the file is not as the circuit in it needs it.
    """
    if engine is not None:
        find(engine).check(device, None)
    file, starts = without_starts(read(path))
    facts = checked_facts(file)
    circuit = circuit_of(file, starts)
    with entry(file, "facts"):
        settings = Settings.of(
            circuit,
            engine or facts["engine"],
            facts["seed"],
            facts["dtype"],
            facts["replicas"],
            device,
            facts.get("compensate", True),
            threads,
        )
    parameters = parameters_of(file, settings)
    given = _parameter_arrays(file, settings, parameters) | _connections(settings, parameters)
    made = SimulatorState(given, *facts["counters"])
    if file.format == FORMER:
        compensated = start(settings, parameters)[1]  # it follows from the weights that are drawn
    else:
        compensated = tuple(small_sum(file, circuit, one) for one in facts["compensated"])
        made.unfinished = position_of(file, circuit)
        made.counters = _counters(file, settings.replicas)
    core = Core(settings, parameters, made, compensated)
    core.notes |= facts.get("notes", {})
    check_arrays(file, core)
    if file.intact is False:
        raise CheckpointError(
            f"{file.path}: what is in the file is not what was written (its digest differs); "
            f"it was changed or damaged: go on from another checkpoint"
        )
    made.arrays |= {name: aligned_memory.copied(a, a.dtype) for name, a in file.arrays.items()}
    if file.format == FORMER:
        _bring_up_to_date(file, core)
    return core


def _parameter_arrays(
    file: Checkpoint, settings: Settings, parameters: ReplicaParameters
) -> Arrays:
    with entry(file, "given"):
        arrays = parameters.arrays(settings.dtype)
    for held, name in parameters.names.items():
        array = arrays[held]
        if not np.isfinite(array).all():
            file.refuse("given", f"parameter {name!r} becomes {array[~np.isfinite(array)][0]}")
    return arrays


def _connections(settings: Settings, parameters: ReplicaParameters) -> Arrays:
    """Which connections there are follows from the circuit and its seeds."""
    pairs = zip(settings.seeds, parameters.tables(), strict=True)
    exist = [connected(settings.circuit, seed, values) for seed, values in pairs]
    return laid(settings.circuit, exist, settings.dtype)


def _counters(file: Checkpoint, replicas: int) -> Counters:
    said = file.facts["draws"]
    with entry(file, "draws"):
        found = Counters.of(said, replicas)
    if found.facts() != said:
        file.refuse("draws", f"expected {found.facts()}, got {said}")
    return found


def _bring_up_to_date(file: Checkpoint, core: Core) -> None:
    """What the first checkpoints did not say: what draws count, and the clock."""
    at, circuit, replicas = core.state, core.settings.circuit, core.settings.replicas
    at.counters = former_counters(file.arrays, _states(circuit), replicas)
    now = at.arrays.pop(TIME, None)
    if now is not None and reads_time(circuit):
        at.arrays[TIME] = np.array(np.broadcast_to(now, (replicas, 1, 1)))


def _states(circuit: Circuit) -> list[str]:
    """The names of the states of populations and filters."""
    names = [variable(p.name, v).name for p in circuit.populations.values() for v in p.states]
    with_filter = [s.name for s in circuit.synapses.values() if s.filter is not None]
    return names + [filtered(name, v).name for name in with_filter for v in ("s", "p")]
