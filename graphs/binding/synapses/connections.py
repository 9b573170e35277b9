"""Connections: what `connect` says, where a seed or a condition decides which there are."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ....compartments.connectivity import CONDITION, CONNECTIVITY, Connectivity
from ....compartments.distributions import DISTRIBUTIONS
from ....compartments.functions import FUNCTIONS, kind_of
from ....compartments.initialisers import INITIALISERS
from ...expressions.constants import NotConstantError
from ...expressions.parser import parse_expression
from ...expressions.tree import Array, Call, Expr, Parameter, Reference, walk
from ...reading.keys import SYNAPSE
from ...reading.nodes import MappingNode, ScalarNode
from ...reading.problems import Skip
from ...reading.schema import chosen
from ..declared import Link
from ..names import Names
from ..resolve import resolve
from .weight_arrays import array_of
from .weight_scope import WeightScope
from .weight_shapes import shape_text

WHOLE = ("product", *(name for name, row in INITIALISERS.items() if row.square))
MOST_PAIRS = 10**9


class ConnectionScope(WeightScope):
    """A condition, or a number: unit counts, parameters, places and draws; no weights."""

    def __init__(self, names: Names, scalar: ScalarNode, link: Link):
        super().__init__(names, scalar, link, live=True)
        self.where = "`connect`"
        self.calls = {n: row.arity for n, row in DISTRIBUTIONS.items() if row.arguments}

    def own_names(self) -> Iterable[str]:
        """Unit counts."""
        return "n_pre", "n_post"

    def own(self, node: Reference) -> Expr | None:
        """A unit count, or what an end has."""
        return None if node.name in self.names.synapse_families else super().own(node)

    def call(self, node: Call) -> Expr | None:
        """An array of a file or from Python, (post, pre)."""
        return array_of(node, self, live=False)


def kind_of_connection(entry: MappingNode, names: Names) -> str:
    """The word of `connect`, whatever stands behind it."""
    node, key = entry.scalar("connect"), SYNAPSE.known["connect"]
    word = re.match(r"\w*", node.text)[0] if node is not None else ""  # type: ignore[index]
    if word in key.openings:
        return word if word in CONNECTIVITY else CONDITION
    if node is not None and word not in (node.text, *key.words, *key.later):
        among = ", ".join(key.shown)
        names.problems.unknown(node.place, f"there is no {key.noun}", word, key.words, among)
        raise Skip
    before = names.problems.count
    found = chosen(entry, key, names.problems)
    if found is None or names.problems.count > before:
        raise Skip
    return found


def given_of(link: Link, init: Expr | None, names: Names) -> Expr | None:
    """What stands behind the word of `connect`: a condition, or a number."""
    node, kind = link.entry.scalar("connect"), CONNECTIVITY[link.connect]
    if node is None or not kind.some:
        return None
    written = _behind(node, kind, names)
    before = names.problems.count
    expr = resolve(written, ConnectionScope(names, node, link))
    if names.problems.count > before:
        raise Skip
    names.parameters.mark_structural(expr)
    _check_weights(link, kind, init, names)
    _check_size(link, node, names)
    if kind.find is None:
        _check_condition(expr, node, link, names)
    else:
        _check_number(expr, node, kind, link, names)
    return expr


def _check_size(link: Link, node: ScalarNode, names: Names) -> None:
    """All pairs of units have a place in memory, whether they are joined or not."""
    if link.source.size * link.target.size > MOST_PAIRS:
        names.problems.fail(
            node.place,
            f"'{link.name}' has {link.source.size} x {link.target.size} pairs of units, at most "
            f"{MOST_PAIRS:,}: its weights are stored dense, with a mask",
            expected="smaller populations; compressed rows (`storage`) are not implemented",
        )


def _behind(node: ScalarNode, kind: Connectivity, names: Names) -> Expr:
    """The expression behind a word, as it stands in the text."""
    word = len(kind.name)
    if kind.find is None and not node.text.startswith(kind.name):
        return names.problems.parsed(node, parse_expression)  # an array alone
    if kind.find is None:
        if not node.text[word:].strip():
            names.problems.fail(
                node.place,
                f"`connect: {kind.name}` needs a condition, which holds where units are joined",
                expected=f"`{kind.written(kind.example)}`, "
                f"`{kind.written('pre.index < post.index')}`",
            )
        return names.problems.parsed(node, lambda text: parse_expression(" " * word + text[word:]))
    found = names.problems.parsed(node, parse_expression)
    if not isinstance(found, Call) or len(found.arguments) != 1:
        names.problems.fail(
            node.place,
            f"`connect: {kind.name}` needs {kind.given} in brackets, and nothing else",
            expected=f"`{kind.form}`: {kind.text}",
            suggestion=f"connect: {kind.written(kind.example)}",
        )
    return found.arguments[0]


def _check_condition(expr: Expr, node: ScalarNode, link: Link, names: Names) -> None:
    """A condition is asked for each pair of units, by itself."""
    for part in walk(expr):
        if isinstance(part, Array) and tuple(part.values.shape) != link.shape:
            names.problems.fail(
                node.place,
                f"the array that says where '{link.name}' has connections has the shape "
                f"{shape_text(tuple(part.values.shape))}",
                expected=f"{shape_text(link.shape)}, from {link.source.size} to "
                f"{link.target.size} units",
            )
        if isinstance(part, Call) and part.function in FUNCTIONS:
            if kind_of(part.function, len(part.arguments)) != "elementwise":
                place = node.place_at(part.span[0] if part.span else 0)
                names.problems.fail(
                    place,
                    f"a condition looks at one pair of units, and `{part.function}` at all units",
                    expected="a parameter that holds it: `mean_x: ...`",
                )


def _check_number(
    expr: Expr, node: ScalarNode, kind: Connectivity, link: Link, names: Names
) -> None:
    """A number that is the same for all pairs of units, known when the file is loaded."""
    for part in walk(expr):
        if (isinstance(part, Parameter) and part.side) or isinstance(part, Array):
            names.problems.fail(
                node.place_at(part.span[0] if part.span else 0),
                f"`{kind.given}` of `{kind.form}` is one number for all units",
                expected="a condition of both units, `connect: when uniform(0, 1) < post.p`",
            )
        if isinstance(part, Call) and part.function in (*DISTRIBUTIONS, *INITIALISERS):
            names.problems.fail(
                node.place_at(part.span[0] if part.span else 0),
                f"`{kind.given}` of `{kind.form}` is one number, and not drawn",
                expected=f"`{kind.written(kind.example)}`",
            )
    try:
        number = names.number(expr)
    except NotConstantError as error:
        at = error.node.span[0] if error.node.span else 0
        names.problems.fail(node.place_at(min(at, len(node.text))), error.message)
    wrong = None if kind.fits is None else kind.fits(number, link.source.size)
    if wrong is not None:
        names.problems.fail(
            node.place,
            f"`connect: {kind.form}` of '{link.name}': {wrong}",
            suggestion=f"connect: {kind.written(kind.example)}",
        )


def _check_weights(link: Link, kind: Connectivity, init: Expr | None, names: Names) -> None:
    """What has no meaning where not all connections are there."""
    key = link.entry.key("weight")
    shared = [w for w in link.weights if link.entry.get("weight") is not None]
    if key is not None and shared:
        names.problems.fail(
            key.place,
            f"the weight of '{link.name}' is made of that of '{shared[0].synapse}', whose "
            "connections it has: `connect` cannot say others",
            expected="the synapse without `connect`, or an `init` in the place of `weight`",
        )
    node = link.entry.scalar("init")
    for part in walk(init) if init is not None else ():
        if node is not None and isinstance(part, Call) and part.function in WHOLE:
            names.problems.fail(
                node.place,
                f"`{part.function}` fills a whole array of weights, and '{link.name}' has some of "
                f"its connections (`connect: {kind.form}`)",
                expected="normal(m, s), xavier_uniform or another initialiser, or `connect: dense`",
            )
