"""The arrays that a circuit needs of a checkpoint: their names, shapes and dtypes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from ....graphs.buffer import CLOCK, TIME, Buffer, trace, variable
from ....graphs.lower import lower
from ....graphs.program import Program
from ....graphs.wording import nearest
from ....traces.safetensors_file import FORMER, Checkpoint
from ...connections import held, outside
from ..core import Core

FLOAT64 = np.dtype(np.float64)


@dataclass(frozen=True)
class Wanted:
    """An array: its dtype, and its axes after the replica; None: any number of samples."""

    dtype: np.dtype
    axes: tuple[int | None, ...]

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape is one, the replicas left out."""
        if len(shape) != len(self.axes) + 1:
            return False
        pairs = zip(self.axes, shape[1:], strict=True)
        return all(n == m or (n is None and m > 0) for n, m in pairs)

    def __str__(self) -> str:
        axes = ", ".join("samples" if n is None else str(n) for n in self.axes)
        return f"{self.dtype} (replicas, {axes})"


def check_arrays(file: Checkpoint, core: Core) -> None:
    """Whether a file holds what a simulator needs, and nothing else.

    Raises:
        CheckpointError: An array that is missing, unknown, of another shape or dtype, or not
            finite.
    """
    always = _always(core)
    programs = _programs(core)
    sometimes = _sometimes(programs, core.settings.dtype)
    if file.format == FORMER:
        sometimes[TIME] = Wanted(FLOAT64, (1, 1))  # there also where nothing reads `t`
    for name in always:
        if name not in file.arrays:
            file.refuse(f"array {name!r}", f"missing; {core.settings.circuit.name} needs it")
    for name, array in file.arrays.items():
        wanted = always.get(name) or sometimes.get(name)
        if wanted is None:
            _refuse_unknown(file, name, [*always, *sometimes], core)
        if array.dtype != wanted.dtype or not wanted.fits(array.shape):
            got = f"{array.dtype} {array.shape}"
            file.refuse(f"array {name!r}", f"expected {wanted}, got {got}")
        if not np.isfinite(array).all():
            number = array[~np.isfinite(array)][0]
            file.refuse(f"array {name!r}", f"expected finite numbers, got {number}")
    _check_connections(file, core)
    _check_together(file, programs, core)


def _always(core: Core) -> dict[str, Wanted]:
    """Weights, slow variables and synaptic traces."""
    found: dict[str, Wanted] = {}
    for name, synapse in core.settings.circuit.synapses.items():
        axes = synapse.shape if len(synapse.shape) == 2 else (1, *synapse.shape)
        wanted = Wanted(core.settings.dtype, axes)
        if synapse.weight is None:
            found[name] = wanted
        found |= {trace(name, one.variable).name: wanted for one in synapse.trace}
    for population in core.settings.circuit.populations.values():
        wanted = Wanted(core.settings.dtype, (1, population.size))
        found |= {variable(population.name, name).name: wanted for name in population.slow}
    return found


def _programs(core: Core) -> list[Program]:
    names = frozenset(one.name for one in core.compensated)
    return [
        lower(core.settings.circuit, protocol, learn=True, compensate=names)
        for protocol in core.settings.circuit.protocols
    ]


def _sometimes(programs: list[Program], dtype: np.dtype) -> dict[str, Wanted]:
    """States, counters and what optimizers keep: there once something has run."""
    found: dict[str, Wanted] = {}
    for program in programs:
        for name, buffer in program.buffers.items():
            if buffer.kind in ("state", "optimizer") or name in CLOCK:
                found[name] = Wanted(FLOAT64 if _scalar(buffer) else dtype, _axes(buffer))
    return found


def _scalar(buffer: Buffer) -> bool:
    return buffer.shape[0] == "scalar"


def _axes(buffer: Buffer) -> tuple[int | None, ...]:
    sizes = tuple(int(n) for n in buffer.shape[1:])
    leads: Mapping[str, tuple[int | None, ...]] = {
        "scalar": (1, 1),
        "sample": (None, 1),
        "unit": (None, *sizes),
        "row": (1, *sizes),
    }
    return leads.get(str(buffer.shape[0]), sizes)


def _refuse_unknown(file: Checkpoint, name: str, known: list[str], core: Core) -> NoReturn:
    near = nearest(name, known)
    hint = f"; did you mean {near!r}?" if near else ""
    file.refuse(f"array {name!r}", f"{core.settings.circuit.name} has nothing of this name{hint}")


def _check_connections(file: Checkpoint, core: Core) -> None:
    circuit = core.settings.circuit
    for name, synapse in circuit.synapses.items():
        for replica in range(core.settings.replicas if synapse.weight is None else 0):
            exist = held(circuit, synapse, core.state.arrays, replica)
            wrong = None
            if exist is not None:
                wrong = outside(synapse, file.arrays[name][replica], exist)
            if wrong is not None:
                file.refuse(f"array {name!r}", wrong)


def _check_together(file: Checkpoint, programs: list[Program], core: Core) -> None:
    """What one presentation makes is there as a whole, and for as many samples."""
    have, states = set(file.arrays), []
    for program in programs:
        states.append({n for n, b in program.buffers.items() if b.kind == "state"})
    common = (
        set.intersection(*states) if states else set()
    )  # a protocol may have more, of the samples it was given
    some = have & common
    lacking = sorted(common - have) if some else []
    if lacking:
        file.refuse(f"array {lacking[0]!r}", f"missing, while {sorted(some)[0]!r} is there")
    batches = {file.arrays[name].shape[1] for name in some}
    if len(batches) > 1:
        file.refuse("states", f"are of different numbers of samples: {sorted(batches)}")
    going = core.state.counters.going
    if going is not None and batches and batches != {going.slots}:
        file.refuse("draws", f"{going.slots} slots go on, the states have {batches.pop()} samples")
    whole = [set(p.starts) for p in programs if p.starts and set(p.starts) <= have]
    begun = have & set().union(*(set(p.starts) for p in programs))
    for name in sorted(begun - set().union(*whole)):
        file.refuse(f"array {name!r}", "is there without the other states of its optimizers")
