"""Snapshots: copies of what is learnt, taken between the presentations of a call."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...graphs.buffer import connections
from ...graphs.circuit import Circuit, Record, Snapshot
from ...graphs.lowering.trace_means import apart
from ...graphs.wording import bytes_text
from ...traces.recording import RecordingError, between_presentations
from ...traces.recording_budget import BudgetError
from ..presentation import Arrays
from .array_views import kernel_of


class Snapshots:
    """What some lines of `record` take of a simulator's arrays.

    The first is taken before the first presentation of the call, others when the number of
    presentations that were learnt is a multiple of their line's `every`.

    Raises:
        RecordingError: A trace that each sample has for itself, or a name that is recorded step
            by step as well.
    """

    def __init__(self, circuit: Circuit, records: Sequence[Record | Snapshot]):
        self.circuit, self.wanted = circuit, between_presentations(records)
        self._taken: list[tuple[int, Arrays]] = []
        for one in self.wanted:
            if one.part and one.owner in circuit.synapses and one.owner in apart(circuit):
                raise RecordingError(
                    f"record: each sample of a batch has a trace {one.held!r} of its own; after a "
                    f"run `sim.state[{one.held!r}]` holds those of its last presentation"
                )

    def __bool__(self) -> bool:
        """Whether anything is wanted."""
        return bool(self.wanted)

    @property
    def presentations(self) -> list[int]:
        """After how many presentations each row was taken."""
        return [presentation for presentation, _ in self._taken]

    def room(self, presentation: int) -> int | None:
        """Presentations until the next is due; None: as many as there are."""
        return min((one.every - presentation % one.every for one in self.wanted), default=None)

    def due(self, presentation: int) -> bool:
        """Whether one is due and was not taken."""
        if self._taken and self._taken[-1][0] == presentation:
            return False
        return any(presentation % one.every == 0 for one in self.wanted)

    def take(self, presentation: int, arrays: Arrays) -> None:
        """Copies what is due."""
        if not self.wanted:
            return
        first = not self._taken
        row: Arrays = {}
        for one in self.wanted:
            if first or presentation % one.every == 0:
                row |= self._values(one, arrays)
        self._taken.append((presentation, row))

    def joined(self) -> Arrays:
        """(replica, row, post, pre), (replica, row, unit) or (replica, row); NaN if not taken.

        Of a convolution (replica, row, out, in, rows, columns).
        """
        rows = [row for _, row in self._taken]
        found: Arrays = {}
        for name in dict.fromkeys(name for row in rows for name in row):
            like = next(row[name] for row in rows if name in row)
            whole = np.full((len(like), len(rows), *like.shape[1:]), np.nan, like.dtype)
            for number, row in enumerate(rows):
                if name in row:
                    whole[:, number] = row[name]
            found[name] = whole
        return found

    def check_budget(self, arrays: Arrays, presentations: int, budget: int) -> None:
        """Whether the rows of so many presentations fit into a budget of bytes.

        Raises:
            BudgetError: They do not.
        """
        if not self.wanted:
            return
        rows = 2 + presentations // min(one.every for one in self.wanted)
        sizes = {one: 1 if one.reduce else arrays[one.held][0].size for one in self.wanted}
        of_one = {one: arrays[one.held].itemsize * len(arrays[one.held]) for one in self.wanted}
        needed = rows * sum(sizes[one] * of_one[one] for one in self.wanted)
        if needed <= budget:
            return
        largest = max(sizes, key=lambda one: sizes[one])
        every = largest.every * max(2, -(-needed // max(budget, 1)))
        raise BudgetError(
            f"these snapshots need {bytes_text(needed)}, the budget is {bytes_text(budget)}: "
            f"{len(sizes)} record(s) with {sum(sizes.values())} number(s) in all x up to {rows} "
            f"rows x {len(arrays[largest.held])} replica(s). The largest is {largest.held} "
            f"({sizes[largest]} numbers). Record less: '{largest.held} every {every} "
            f"presentations', '{largest.held} norm', or fewer of them; or raise the budget"
        )

    def _values(self, one: Snapshot, arrays: Arrays) -> Arrays:
        """What is taken, by name: of a convolution its kernel, and its bias beside it."""
        synapse = None if one.part or one.reduce else self.circuit.synapses.get(one.owner)
        if synapse is not None and synapse.kernel is not None:
            return kernel_of(synapse, arrays[one.held].copy())
        return {one.name: self._value(one, arrays)}

    def _value(self, one: Snapshot, arrays: Arrays) -> np.ndarray:
        """A copy, or its mean over connections or its norm, sqrt(sum w^2), for each replica."""
        array = arrays[one.held]
        if one.reduce is None:
            return array[:, 0].copy() if self._is_row(one) else array.copy()
        numbers = array.reshape(len(array), -1).astype(np.float64)
        if one.reduce == "norm":
            reduced = np.sqrt((numbers**2).sum(axis=1))
        else:
            reduced = numbers.sum(axis=1) / self._connections(one, numbers.shape[1], arrays)
        return reduced.astype(array.dtype)

    def _is_row(self, one: Snapshot) -> bool:
        synapse = self.circuit.synapses.get(one.owner)
        return synapse is None or synapse.connection.elementwise

    def _connections(self, one: Snapshot, units: int, arrays: Arrays) -> np.ndarray | int:
        """How many connections there are, in each replica; of a slow variable, `units`."""
        if self._is_row(one):
            return units
        synapse = self.circuit.synapses[one.owner]
        if synapse.connection.some:
            exist = arrays[connections(synapse.name).name]
            return np.maximum(exist.sum(axis=(1, 2), dtype=np.int64), 1)
        return synapse.shape[0] * synapse.connection.connections(synapse.shape[-1])
