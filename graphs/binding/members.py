"""Members: what variants and heirs say of one member of a family, laid over it."""

from __future__ import annotations

from dataclasses import replace

from ..expressions.parser import Family, parse_family
from ..reading.keys import POPULATION, SYNAPSE
from ..reading.merge import Entries, merge
from ..reading.nodes import MappingNode, ScalarNode
from ..reading.problems import base_name
from ..wording import member_list
from .families import expand
from .names import Names

KEYS = {"populations": POPULATION, "synapses": SYNAPSE}


def settled(merged: MappingNode, names: Names) -> MappingNode:
    """The file in which every population and synapse is said once.

    A family of which one member differs becomes the members before it, this one, and those behind.
    """
    return replace(
        merged,
        entries=tuple(
            (key, _section(node, key.text, names))
            if key.text in KEYS and isinstance(node, MappingNode)
            else (key, node)
            for key, node in merged.entries
        ),
    )


def _section(section: MappingNode, name: str, names: Names) -> MappingNode:
    entries = [entry for entry in section.entries if not entry[0].of_member]
    for key, node in section.entries:
        if key.of_member:
            with names.problems.guard(names.broken, base_name(key)):
                _lay(entries, key, node if isinstance(node, MappingNode) else None, name, names)
    return replace(section, entries=tuple(entries))


def _lay(
    entries: Entries, key: ScalarNode, node: MappingNode | None, section: str, names: Names
) -> None:
    """Lay an entry over the member that it means; None removes it; another one is added."""
    family = names.problems.parsed(key, parse_family)
    (index,) = expand(names, key, family)
    known: list[int] = []
    for i, (other, old) in enumerate(entries):
        if base_name(other) != family.name:
            continue
        said = names.problems.parsed(other, parse_family)
        if said.index is None and said.member is None:
            continue
        members = list(expand(names, other, said))
        known += members
        if index not in members or not isinstance(old, MappingNode):
            continue
        before, own, behind = _parts(other, said, members, index)
        found: Entries = [(one, old) for one in before]
        if node is not None:
            found.append((own, merge(old, node, names.problems, (section, own.text))))
        entries[i : i + 1] = [*found, *((one, old) for one in behind)]
        return
    if node is None:
        names.problems.fail(
            key.place,
            f"there is no {family.name}[{index}] to remove",
            expected=member_list(known),
        )
    needed = KEYS[section].required
    if any(all(node.get(word) is None for word in words) for words in needed):
        names.problems.fail(
            key.place,
            f"there is no {family.name}[{index}] to change",
            expected=f"{member_list(known)}, or all that a new one needs",
        )
    entries.append((replace(key, of_member=False), node))


def _parts(
    key: ScalarNode, family: Family, members: list[int], index: int
) -> tuple[list[ScalarNode], ScalarNode, list[ScalarNode]]:
    """The keys of the members before one, of itself, and of those behind it."""
    if family.index is None:
        return [], key, []

    def span(first: int, last: int) -> ScalarNode:
        text = f"{family.name}[{family.index}={first}..{last}]"
        return replace(key, text=text, value=text, offsets=None)

    before = [span(members[0], index - 1)] if index > members[0] else []
    behind = [span(index + 1, members[-1])] if index < members[-1] else []
    return before, span(index, index), behind
