"""Families: `name[k=a..b]` becomes its members, `S for k = a..b` its repetitions."""

from __future__ import annotations

from collections.abc import Mapping

from ..expressions.parser import Family, Loop, parse_family
from ..reading.expansion_budget import MEMBER, PART
from ..reading.keys import Keys
from ..reading.nodes import MappingNode, Node, ScalarNode
from ..reading.problems import Skip
from ..reading.schema import required
from .names import Names

Indices = dict[str, int]
Families = dict[str, dict[int | None, str]]  # name -> index -> name of the member
MOST = 10_000  # members of one family


def declared(
    names: Names, key: ScalarNode, entry: Node, form: Keys, what: str, table: Families
) -> tuple[Family, MappingNode, dict[int | None, Indices]]:
    """The family that a key declares, its entry, and the members that it adds.

    A key without an index is a family of one member, None. `what` is a word for messages, `table`
    the members of each family that are declared before it.

    Raises:
        Skip: The entry is none, or lacks a key of its `form`.
    """
    family = names.problems.parsed(key, parse_family)
    members = table.setdefault(family.name, {})
    if not isinstance(entry, MappingNode) or not required(entry, form, key, names.problems):
        raise Skip
    indexed = family.index is not None or family.member is not None
    every: dict[int | None, Indices] = {**expand(names, key, family)} if indexed else {None: {}}
    if members and (None in members) == indexed:
        names.problems.fail(
            key.place, f"the {what} '{family.name}' is declared with and without index"
        )
    names.problems.spend(PART * len(every), key.place)
    return family, entry, every


def expand(names: Names, key: ScalarNode, family: Family) -> dict[int, Indices]:
    """The members that a key with an index declares, each with the index it binds.

    `a..b` with b = a - 1 declares none, so that a file need not say how deep it is.
    """
    if family.member is not None:
        return {names.bound(family.member, key): {}}
    assert family.index is not None and family.start is not None and family.stop is not None
    start, stop = names.bound(family.start, key), names.bound(family.stop, key)
    if stop < start - 1:
        names.problems.fail(
            key.place,
            f"the family '{family.name}' counts upwards, not from {start} to {stop}",
            suggestion=f"{family.name}[{family.index}={stop}..{start}]:",
        )
    _few_enough(names, key, start, stop)
    names.problems.spend(MEMBER * (stop - start + 1), key.place)
    return {i: {family.index: i} for i in range(start, stop + 1)}


def repeat(
    names: Names,
    scalar: ScalarNode,
    loop: Loop | None,
    indices: Mapping[str, int] | None = None,
) -> list[Indices]:
    """The bound indices of each repetition of a statement, in order; downwards if b < a."""
    bound = dict(indices or {})
    if loop is None:
        return [bound]
    start, stop = names.bound(loop.start, scalar, bound), names.bound(loop.stop, scalar, bound)
    _few_enough(names, scalar, start, stop)
    names.problems.spend(MEMBER * (abs(stop - start) + 1), scalar.place)
    step = 1 if stop >= start else -1
    return [{**bound, loop.index: i} for i in range(start, stop + step, step)]


def _few_enough(names: Names, scalar: ScalarNode, start: int, stop: int) -> None:
    if abs(stop - start) >= MOST:
        names.problems.fail(scalar.place, f"more than {MOST} members: {start}..{stop}")
