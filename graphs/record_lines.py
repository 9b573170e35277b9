"""Snapshots: lines of `record` that are taken between presentations, and what they may say."""

from __future__ import annotations

import re
from collections.abc import Collection

from .circuit import Snapshot, Synapse
from .expressions.syntax import RecordEntry
from .wording import listed

_EVERY_STEPS = re.compile(r"(\bevery\s+\S.*?)(\s+steps?)?(\s+(?:mean|norm))?\s*$")


class SnapshotError(ValueError):
    """A line that asks for a moment at which its values are not taken.

    expected, suggestion: what there is; the line put right.
    """

    def __init__(self, message: str, expected: str | None = None, suggestion: str | None = None):
        super().__init__(message)
        self.message, self.expected, self.suggestion = message, expected, suggestion


def of_synapse(line: str, entry: RecordEntry, synapse: Synapse, every: int) -> Snapshot:
    """The weights of a synapse, or one of its traces, as a line asks for them.

    Raises:
        SnapshotError: It asks for a phase, for steps, or for what the synapse does not hold.
    """
    name, parts = synapse.name, entry.reference.attributes
    traces = [equation.variable for equation in synapse.trace]
    if len(parts) > 1 or parts and parts[0] not in traces:
        message = f"the synapse '{name}' has no trace '{'.'.join(parts)}'"
        known = f", or {listed(f'{name}.{trace}' for trace in traces)}" if traces else ""
        raise SnapshotError(message, f"its weights, '{name}'{known}")
    if not parts and synapse.weight is not None:
        raise SnapshotError(
            f"the weights of '{name}' are computed (`weight`), not held",
            "what they are computed from: a synapse that learns, or a variable",
        )
    _check_between(line, entry, "a trace of a synapse is" if parts else "weights are")
    return Snapshot(name, "".join(parts), every, entry.reduce)


def of_population(
    line: str, entry: RecordEntry, population: str, every: int, slow: Collection[str]
) -> Snapshot:
    """A slow variable `every n presentations`.

    Raises:
        SnapshotError: The variable is none, or the line asks for a phase.
    """
    variable = entry.reference.attributes[0]
    if variable not in slow:
        raise SnapshotError(
            f"'{population}.{variable}' is no slow variable: it starts anew in each presentation",
            "`every n steps`; only what is learnt is taken `every n presentations`",
            re.sub(r"\s+presentations?\b", "", line),
        )
    _check_between(line, entry, "`every n presentations` is")
    return Snapshot(population, variable, every, entry.reduce)


def check_steps(line: str, entry: RecordEntry, name: str) -> None:
    """An energy `every n steps`.

    Raises:
        SnapshotError: `every n presentations`.
    """
    if entry.counted == "presentation":
        raise SnapshotError(
            f"'{name}' is an energy: it is computed anew at each step",
            "`every n steps`; only what is learnt is taken `every n presentations`",
            re.sub(r"\s+presentations?\b", "", line),
        )


def _check_between(line: str, entry: RecordEntry, what: str) -> None:
    """Whether a line asks for the moments between presentations."""
    phase = entry.phase or entry.reference.phase
    steps = entry.every is not None and entry.counted != "presentation"
    if phase is None and not steps:
        return
    corrected = re.sub(r"\s+in\s+\w+|@\w+", "", line) if phase is not None else line
    if steps:
        corrected = _EVERY_STEPS.sub(r"\1 presentations\3", corrected)
    asked = f"in the phase {phase}" if phase is not None else "every so many steps"
    raise SnapshotError(
        f"{what} recorded between presentations, not {asked}",
        "`every n presentations`; without it, after each",
        corrected,
    )
