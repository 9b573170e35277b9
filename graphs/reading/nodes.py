"""Nodes: what a file is read into: mappings, sequences and scalars that know their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ..diagnostics import Place
from .positions import Offsets


@dataclass(frozen=True)
class ScalarNode:
    """A value: its text, what YAML 1.2 takes it for (a quoted one is always text), its place.

    of_member: It is a key of a variant or an heir that means one member of a family, which is known
    by its index only once parameters have values (see `binding.members`).
    """

    text: str
    value: str | int | float | bool | None
    place: Place
    quoted: bool = False
    offsets: Offsets | None = field(default=None, compare=False, repr=False)
    of_member: bool = False

    def place_at(self, offset: int) -> Place:
        """The position in the file of the character `text[offset]`."""
        return self.place if self.offsets is None else self.offsets.place(offset)


@dataclass(frozen=True)
class MappingNode:
    """Entries in file order; no key stands twice."""

    entries: tuple[tuple[ScalarNode, Node], ...]
    place: Place

    def get(self, key: str) -> Node | None:
        """The value of a key, None if there is none."""
        return next((node for name, node in self.entries if name.text == key), None)

    def scalar(self, key: str) -> ScalarNode | None:
        """The value of a key where it is a scalar."""
        node = self.get(key)
        return node if isinstance(node, ScalarNode) else None

    def key(self, key: str) -> ScalarNode | None:
        """The key itself, as it stands in the file."""
        return next((name for name, _ in self.entries if name.text == key), None)

    def keys(self) -> tuple[str, ...]:
        """The texts of the keys, in file order."""
        return tuple(name.text for name, _ in self.entries)


@dataclass(frozen=True)
class SequenceNode:
    """Items in file order."""

    items: tuple[Node, ...]
    place: Place


Node: TypeAlias = "ScalarNode | MappingNode | SequenceNode"


def nodes(node: Node) -> Iterator[Node]:
    """A node and everything below it, in file order; keys are not among them."""
    yield node
    below = node.items if isinstance(node, SequenceNode) else ()
    if isinstance(node, MappingNode):
        below = tuple(value for _, value in node.entries)
    for child in below:
        yield from nodes(child)


def scalars(node: Node) -> Iterator[ScalarNode]:
    """Every key and every value below a node."""
    for one in nodes(node):
        if isinstance(one, ScalarNode):
            yield one
        elif isinstance(one, MappingNode):
            yield from (key for key, _ in one.entries)


def is_null(node: Node) -> bool:
    """Whether a value is null or empty: `x: null`, `x:`."""
    return isinstance(node, ScalarNode) and not node.quoted and node.value is None


def texts(node: Node | None) -> tuple[ScalarNode, ...]:
    """The scalars of a text or a list of texts, none of None."""
    if isinstance(node, ScalarNode):
        return () if is_null(node) else (node,)
    if isinstance(node, SequenceNode):
        return tuple(item for item in node.items if isinstance(item, ScalarNode))
    return ()
