"""The reader: text becomes a tree of mappings, sequences and scalars that know their places.

The only file that knows YAML.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from .diagnostics import Place


@dataclass(frozen=True)
class Scalar:
    """A value: its text, what YAML 1.2 takes it for (a quoted one is always text), its place."""

    text: str
    value: str | int | float | bool | None
    place: Place
    quoted: bool = False

    def place_at(self, offset: int) -> Place:
        """The position in the file of the character `text[offset]`."""
        return self.place


@dataclass(frozen=True)
class Mapping:
    """Entries in file order; no key stands twice."""

    entries: tuple[tuple[Scalar, Node], ...]
    place: Place

    def get(self, key: str) -> Node | None:
        """The value of a key, None if there is none."""
        return next((node for name, node in self.entries if name.text == key), None)

    def key(self, key: str) -> Scalar | None:
        """The key itself, as it stands in the file."""
        return next((name for name, _ in self.entries if name.text == key), None)

    def keys(self) -> tuple[str, ...]:
        """The texts of the keys, in file order."""
        return tuple(name.text for name, _ in self.entries)


@dataclass(frozen=True)
class Sequence:
    """Items in file order."""

    items: tuple[Node, ...]
    place: Place


Node: TypeAlias = "Scalar | Mapping | Sequence"


@dataclass(frozen=True)
class Document:
    """A file: its path, its text, and the mapping that it is."""

    path: str
    text: str
    root: Mapping


def line_text(text: str, line: int) -> str:
    """Line `line` (from 1) of a text, without its end; "" where there is none."""
    raise NotImplementedError


def read(text: str, path: str) -> Mapping:
    """The mapping that a circuit file is; raises `CircuitError` with all that is wrong."""
    raise NotImplementedError
