"""The bundle: the circuits that come with the package, each with what it is and is for."""

from __future__ import annotations

from dataclasses import dataclass

from ..load import bundled, bundled_text
from ..reading.nodes import MappingNode, ScalarNode
from ..reading.reader import read


@dataclass(frozen=True)
class BundledCircuit:
    """A circuit that comes with the package; `apical.load(name)` loads it.

    streams: what it reads; predicts: which of them it predicts; variants: names for `load`.
    """

    name: str
    title: str
    cite: str
    streams: tuple[str, ...]
    predicts: tuple[str, ...]
    variants: tuple[str, ...]

    @property
    def purpose(self) -> str:
        """What it is for: what it predicts, and from which streams."""
        given = ", ".join(name for name in self.streams if name not in self.predicts)
        if self.predicts:
            return f"predicts {', '.join(self.predicts)} from {given}"
        return f"is simulated with {given}" if given else "is simulated by itself"


class Bundle(dict[str, BundledCircuit]):
    """Name -> circuit; printed, a line for each."""

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{n:<{width}}  {c.title}; {c.purpose}" for n, c in self.items())


def circuits() -> Bundle:
    """The circuits that come with the package: name -> title, purpose, streams, variants."""
    return Bundle((name, _described(name)) for name in bundled())


def _described(name: str) -> BundledCircuit:
    root = read(bundled_text(name), f"{name}.yaml")
    return BundledCircuit(
        name,
        title=_words(root, "title"),
        cite=_words(root, "cite"),
        streams=_keys(root, "data"),
        predicts=_keys(root, "predicts"),
        variants=_keys(root, "variants"),
    )


def _words(root: MappingNode, key: str) -> str:
    node = root.get(key)
    return node.text if isinstance(node, ScalarNode) else ""


def _keys(root: MappingNode, key: str) -> tuple[str, ...]:
    node = root.get(key)
    return node.keys() if isinstance(node, MappingNode) else ()
