"""Consequences: what is told of names when keys and kinds of values are wrong as well.

A misspelt key in one synapse hides no misspelt name in another, so reading goes on; what may only
follow from the misspelt key is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..diagnostics import Diagnostic, Place
from .nodes import MappingNode, Node, ScalarNode, scalars
from .problems import base_name

# Sections of which one entry can be wrong while the rest of the file keeps its meaning.
SECTIONS = ("populations", "synapses", "protocols", "energy", "predicts")


@dataclass
class WrongEntries:
    """The entries that are wrong: the lines they stand on, and their names."""

    lines: set[tuple[str, int]] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def causes(self, diagnostic: Diagnostic) -> bool:
        """Whether a diagnostic may only follow from what is wrong in these entries."""
        if _line(diagnostic.place) in self.lines:
            return True
        words = set(re.findall(r"\w+", diagnostic.line_text))
        return bool(words & self.names)


def wrong_entries(root: MappingNode, errors: Iterable[Diagnostic]) -> WrongEntries | None:
    """The entries that errors stand in; None if one stands where the whole file depends on it."""
    wrong, left = WrongEntries(), {_line(error.place) for error in errors}
    for key, entry in _entries(root):
        lines = {_line(scalar.place) for scalar in (key, *scalars(entry))}
        if lines & left:
            wrong.lines |= lines
            wrong.names.add(base_name(key))
            left -= lines
    return None if left else wrong


def _entries(root: MappingNode) -> Iterator[tuple[ScalarNode, Node]]:
    for section, node in root.entries:
        if not isinstance(node, MappingNode):
            continue
        if section.text == "variants":
            for _, variant in node.entries:
                if isinstance(variant, MappingNode):
                    yield from _entries(variant)
        elif section.text == "protocols":
            for key, protocol in node.entries:
                yield from (
                    protocol.entries if isinstance(protocol, MappingNode) else [(key, protocol)]
                )
        elif section.text in SECTIONS:
            yield from node.entries


def _line(place: Place) -> tuple[str, int]:
    return place.path, place.line
