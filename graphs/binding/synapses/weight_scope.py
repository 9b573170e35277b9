"""What `init` and `weight` may name: synapses, constants of both ends, initialisers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ....compartments.initialisers import INITIALISERS
from ....compartments.place import PLACES
from ...expressions.tree import Call, Expr, Number, Parameter, Reference, WeightOf
from ...reading.nodes import ScalarNode
from ...reading.problems import Skip
from ..declared import Link
from ..names import NOTHING, Names, Scope
from ..per_unit import place_of
from ..scopes import sided
from .weight_arrays import array_of, file_named


class WeightScope(Scope):
    """`init` and `weight`: other synapses, parameters of both ends, and initialisers."""

    counters = False

    def __init__(
        self,
        names: Names,
        scalar: ScalarNode,
        link: Link,
        live: bool,
        bias: bool = False,
    ):
        super().__init__(names, scalar, link.bound)
        self.source, self.target, self.live = link.source, link.target, live
        self.bias = bias
        self.counts = (self.source.size, self.target.size)
        if link.windows is not None:
            self.counts = link.windows.fans
        self.where = "`weight`" if live else "`init`"
        calls: dict[str, tuple[int, int]] = {"transpose": (1, 1), "copy": (1, 1)}
        calls["product"] = (2, 2)
        for name, initialiser in () if live else INITIALISERS.items():
            calls[name] = (len(initialiser.arguments), len(initialiser.arguments))
        self.calls = calls

    def own_names(self) -> Iterable[str]:
        """Synapses and initialisers."""
        words = () if self.live else INITIALISERS
        return (*self.names.synapse_families, *words, "n_pre", "n_post")

    def own(self, node: Reference) -> Expr | None:
        """A synapse, an initialiser, a unit count, a parameter of an end."""
        if self.names.parameters.has(node.name):
            return None
        if node.name in ("pre", "post") and len(node.attributes) == 1:
            member = self.source if node.name == "pre" else self.target
            name = node.attributes[0]
            if name in member.own and not node.phase:
                found = sided(member.own[name], node.name, self)
                bare = isinstance(found, Parameter)
                return replace(found, span=node.span) if bare else found
            place = place_of(node, name, member, self, node.name)
            if place is not None and not node.phase:
                return place
            start = (node.span[0] if node.span else 0) + len(node.name) + 1
            self.names.problems.unknown(
                self.scalar.place_at(start),
                f"{self.where} is made once, of constants; '{member.name}' has no parameter",
                name,
                [*member.own, *PLACES],
            )
            return NOTHING
        if node.name in self.names.synapse_families and not node.attributes and not node.phase:
            try:
                found = self.names.synapse_members(node, self)
                if not found and node.name in self.names.broken:
                    self.names.problems.echo()
            except Skip:
                return NOTHING
            if node.index is None and None not in self.names.synapse_families[node.name]:
                self.fail(node, f"'{node.name}' is a family of synapses; say which: {node.name}[k]")
                return NOTHING
            return WeightOf(found[0].name, span=node.span)
        if node.index is None and not node.attributes:
            if node.name in ("n_pre", "n_post"):
                count = self.counts[node.name == "n_post"]
                return Number(float(count), span=node.span)
            if node.name in INITIALISERS and not self.live:
                needed = INITIALISERS[node.name].arguments
                if needed:
                    self.fail(node, f"'{node.name}' needs {', '.join(needed)} in brackets")
                    return NOTHING
                return Call(node.name, (), span=node.span)
        return file_named(node, self)

    def call(self, node: Call) -> Expr | None:
        """An array of a file or from Python."""
        return array_of(node, self, self.live)

    def built_in(self, node: Reference) -> Expr | None:
        """Where a unit stands, of which there are two."""
        if node.name not in PLACES:
            return None
        self.fail(
            node,
            f"a connection joins two units: say whose '{node.name}' it is",
            expected=f"`pre.{node.name}` or `post.{node.name}`",
        )
        return NOTHING
