"""Blocks taken apart into what does not depend on each other.

Fusion joins elementwise equations over the same units, of whatever population, into one loop. Of a
family of 300 equal populations that would be one loop of 300 equations, each printed.
"""

from __future__ import annotations

from ...graphs.instructions import Block, Map


def parts(block: Block) -> list[Block]:
    """Blocks that together do what one does; none reads or writes what another one writes."""
    written = block.writes
    group: dict[str, int] = {}  # of what is written
    members: dict[int, list[str]] = {}
    for number, m in enumerate(block.maps):
        members[number] = []
        for name in (m.reads | m.writes) & written:
            earlier = members.pop(group[name]) if name in group else [name]
            if name in group and group[name] == number:
                members[number] = earlier
                continue
            members[number] += earlier
            group |= dict.fromkeys(earlier, number)
    found: dict[int, list[Map]] = {}
    for m in block.maps:
        found.setdefault(group[m.target], []).append(m)
    return [
        Block(block.shape, tuple(maps), block.local & set(members[number]))
        for number, maps in found.items()
    ]
