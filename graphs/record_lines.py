"""Lines of `record`: which names and moments they may ask for, in a file and in Python alike.

    WHAT [for k = a..b] [in PHASE] [every n [steps | presentations]] [mean | norm]

WHAT is a variable of a population, an energy, weights or a trace of a synapse; weights, traces and
slow variables are taken between presentations, too; of a family one member, a range `[a..b]` or,
without an index, all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from .circuit import Held, Record, Snapshot, Synapse
from .expressions.syntax import Loop, RecordEntry
from .expressions.tree import Expr, Range, Variable
from .wording import listed, member_list

_EVERY_STEPS = re.compile(r"(\bevery\s+\S.*?)(\s+steps?)?(\s+(?:mean|norm))?\s*$")

Indices = dict[str, int]
Families = Mapping[str, Mapping[int | None, str]]  # base name -> index -> member


class RecordLineError(ValueError):
    """A line that asks for what there is not, or when it is not taken.

    expected, suggestion: what there is; the line put right. unknown: a name that is none of
    `known`; the message then goes up to it. at: where in the line. owner: what was looked up or in.
    """

    def __init__(
        self,
        message: str,
        expected: str | None = None,
        suggestion: str | None = None,
        *,
        unknown: str | None = None,
        known: Collection[str] = (),
        at: int = 0,
        owner: str | None = None,
    ):
        super().__init__(message)
        self.message, self.expected, self.suggestion = message, expected, suggestion
        self.unknown, self.known, self.at, self.owner = unknown, known, at, owner


@dataclass(frozen=True)
class Recordable:
    """What lines may name.

    variables: Of each population, name -> kind. synapses: By name, those without mistakes.
    whole: The whole number of an index, under bound indices. repeat: What `for` binds, in order.
    """

    populations: Families
    variables: Mapping[str, Mapping[str, str]]
    connections: Families
    synapses: Mapping[str, Synapse]
    energies: Collection[str]
    phases: Collection[str]
    whole: Callable[[Expr, Indices], int]
    repeat: Callable[[Loop | None], list[Indices]]


def recorded(line: str, entry: RecordEntry, known: Recordable) -> Iterator[Record | Snapshot]:
    """What a line records, member by member.

    Raises:
        RecordLineError: It names what there is not, or asks for a moment that is none of its.
    """
    node = entry.reference
    for phase, before in ((entry.phase, "in "), (node.phase, "@")):
        if phase is not None and phase not in known.phases:
            at = line.rfind(before + phase) + len(before)
            raise RecordLineError("there is no phase", unknown=phase, known=known.phases, at=at)
    every = 1 if entry.every is None else known.whole(entry.every, {})
    if every < 1:
        raise RecordLineError(f"`every` is a whole number from 1, not {every}")
    if node.name in known.connections:
        for name in _members(entry, known.connections[node.name], known):
            if name not in known.synapses:
                raise RecordLineError(f"the synapse '{name}' has mistakes of its own", owner=name)
            yield _of_synapse(line, entry, known.synapses[name], every)
    elif node.attributes:
        yield from _of_populations(line, entry, every, known)
    else:
        yield _of_energy(line, entry, every, known)


def _members(entry: RecordEntry, members: Mapping[int | None, str], known: Recordable) -> list[str]:
    """The members that a line means: one, some, or all where it says no index."""
    node = entry.reference
    repeated = known.repeat(entry.loop)
    if node.index is None:
        return [name for _ in repeated for name in members.values()]
    if None in members:
        raise RecordLineError(
            f"'{node.name}' is no family, it has no index", None, node.name, owner=node.name
        )
    indices: list[int] = []
    for bound in repeated:
        if isinstance(node.index, Range):
            start, stop = (known.whole(e, bound) for e in (node.index.start, node.index.stop))
            indices += range(start, stop + 1)
        else:
            indices.append(known.whole(node.index, bound))
    if not indices:
        raise RecordLineError(f"no member of '{node.name}' is meant", member_list(members))
    for index in indices:
        if index not in members:
            missing = f"there is no {node.name}[{index}]"
            raise RecordLineError(missing, member_list(members), owner=node.name)
    return [members[index] for index in indices]


def _of_populations(
    line: str, entry: RecordEntry, every: int, known: Recordable
) -> Iterator[Record | Snapshot]:
    node = entry.reference
    if node.name not in known.populations:
        raise RecordLineError(
            "there is no population", unknown=node.name, known=known.populations, owner=node.name
        )
    variable, *more = node.attributes
    for name in _members(entry, known.populations[node.name], known):
        variables = known.variables[name]
        if more or variable not in variables:
            word = ".".join(node.attributes)
            message = f"the population '{name}' has no variable"
            at = max(line.find("." + word) + 1, 0)
            raise RecordLineError(message, unknown=word, known=variables, at=at, owner=name)
        if entry.counted == "presentation":
            yield _of_slow(line, entry, name, every, variables[variable])
        else:
            what = Variable(name, variable, node.phase)
            yield Record(what, entry.phase, every, entry.reduce)


def _of_energy(line: str, entry: RecordEntry, every: int, known: Recordable) -> Record:
    name = entry.reference.name
    if name in known.populations:
        first = next(iter(known.populations[name].values()), name)
        variable = next(iter(known.variables.get(first, ())), "x")
        raise RecordLineError(
            f"'{name}' is a population; which variable of it?", f"{first}.{variable}"
        )
    if name not in known.energies or entry.reference.index is not None:
        names = [*known.energies, *known.connections, *(f"{one}.x" for one in known.populations)]
        raise RecordLineError(
            "there is no variable, energy or synapse", unknown=name, known=names, owner=name
        )
    if entry.reduce:
        raise RecordLineError(
            f"'{name}' is an energy and has no units to take the {entry.reduce} of",
            suggestion=re.sub(rf"\s+{entry.reduce}\s*$", "", line),
        )
    if entry.counted == "presentation":
        raise RecordLineError(
            f"'{name}' is an energy: it is computed anew at each step",
            "`every n steps`; only what is learnt is taken `every n presentations`",
            re.sub(r"\s+presentations?\b", "", line),
        )
    return Record(name, entry.phase, every)


def _of_synapse(line: str, entry: RecordEntry, synapse: Synapse, every: int) -> Record | Snapshot:
    """The weights of a synapse, or one of its traces, as a line asks for them.

    Steps are meant where it names a phase or counts steps, else moments between presentations.

    Raises:
        RecordLineError: It asks for what the synapse does not hold, or when it is not taken.
    """
    name, parts = synapse.name, entry.reference.attributes
    traces = [equation.variable for equation in synapse.trace]
    if len(parts) > 1 or parts and parts[0] not in traces:
        message = f"the synapse '{name}' has no trace '{'.'.join(parts)}'"
        known = f", or {listed(f'{name}.{trace}' for trace in traces)}" if traces else ""
        raise RecordLineError(message, f"its weights, '{name}'{known}")
    if not parts and synapse.weight is not None:
        raise RecordLineError(
            f"the weights of '{name}' are computed (`weight`), not held",
            "what they are computed from: a synapse that learns, or a variable",
        )
    asked = entry.counted or ("step" if entry.phase is not None else None)
    if asked is None and entry.every is not None and entry.reference.phase is None:
        raise RecordLineError(
            f"`every {every}` of what is learnt counts steps or presentations: say which",
            f"`every {every} steps`, within presentations, or `every {every} presentations`",
            _EVERY_STEPS.sub(r"\1 presentations\3", line),
        )
    if asked == "step" and synapse.windows is not None:
        raise RecordLineError(
            f"the weights of '{name}' are those of windows, which are taken between presentations",
            "`every n presentations`; without it, after each",
            f"{name} every {every} presentations",
        )
    if asked == "step" and entry.reference.phase is None:
        return Record(Held(name, "".join(parts)), entry.phase, every, entry.reduce)
    _check_between(line, entry, "`every n presentations` is")
    return Snapshot(name, "".join(parts), every, entry.reduce)


def _of_slow(line: str, entry: RecordEntry, population: str, every: int, kind: str) -> Snapshot:
    """A slow variable `every n presentations`.

    Raises:
        RecordLineError: The variable is none, or the line asks for a phase.
    """
    variable = entry.reference.attributes[0]
    if kind != "slow":
        raise RecordLineError(
            f"'{population}.{variable}' is no slow variable: it starts anew in each presentation",
            "`every n steps`; only what is learnt is taken `every n presentations`",
            re.sub(r"\s+presentations?\b", "", line),
        )
    _check_between(line, entry, "`every n presentations` is")
    return Snapshot(population, variable, every, entry.reduce)


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
    raise RecordLineError(
        f"{what} recorded between presentations, not {asked}",
        "`every n presentations`; without it, after each",
        corrected,
    )
