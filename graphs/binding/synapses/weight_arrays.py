"""Arrays in `init`: of a file, `file("W.npz", "a")`, or from Python, `array("W")`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from ...expressions.parser import parse_expression
from ...expressions.tree import Call, Expr, Quoted, Reference, walk
from ...reading.array_files import ARRAY_FILES, ArrayError
from ...reading.nodes import ScalarNode
from ..declared import Link
from ..names import NOTHING, Names, Scope

WORDS = {"file": (1, 2), "array": (1, 1)}


def array_of(node: Call, scope: Scope, live: bool) -> Expr | None:
    """What `file` and `array` mean, in `init` or (`live`) `weight`; None of another call."""
    if node.function not in WORDS or node.primed or scope.names.functions.has(node.function):
        return None
    few, most = WORDS[node.function]
    texts = [a.value for a in node.arguments if isinstance(a, Quoted)]
    if len(texts) < len(node.arguments) or not few <= len(texts) <= most:
        written = [_written(a, scope) for a in node.arguments[:most]]
        scope.fail(
            node,
            f"`{node.function}` takes texts in quotation marks",
            expected='`file("W.npy")`, `file("W.npz", "name")`'
            if node.function == "file"
            else '`array("W")`, for `apical.load(..., arrays={"W": W})`',
            suggestion=_corrected(node, f"{node.function}({', '.join(written)})", scope)
            if written
            else None,
        )
        return NOTHING
    if live:
        scope.fail(
            node,
            "`weight` is what the weight is at every moment; an array says how it starts",
            expected="`init`: without a `rule` it stays as it is",
            suggestion=f"init: {scope.scalar.text}",
        )
        return NOTHING
    arrays = scope.names.arrays
    try:
        if node.function == "array":
            found = arrays.of_python(texts[0])
        else:
            found = arrays.of_file(scope.scalar.place.path, *texts)
    except ArrayError as error:
        scope.fail(node, error.message, expected=error.expected)
        return NOTHING
    return replace(found, span=node.span)


def file_named(node: Reference, scope: Scope) -> Expr | None:
    """`W.npy`, a file without `file`, written down; None of another name."""
    last = f".{node.attributes[-1].lower()}" if node.attributes else ""
    if last not in ARRAY_FILES:
        return None
    scope.fail(
        node,
        f"this is a file, which `{scope.where.strip('`')}` takes by `file`",
        expected='`file("W.npy")`, `file("W.npz", "name")`',
        suggestion=_corrected(node, f"file({_written(node, scope)})", scope),
    )
    return NOTHING


def _written(node: Expr, scope: Scope) -> str:
    """A node as it stands in the text, in quotation marks."""
    start, stop = node.span or (0, 0)
    said = scope.scalar.text[start:stop]
    return said if isinstance(node, Quoted) else f'"{PurePosixPath(said.replace(" ", ""))}"'


def _corrected(node: Expr, right: str, scope: Scope) -> str:
    (start, stop), text = node.span or (0, 0), scope.scalar.text
    return f"{scope.where.strip('`')}: {text[:start]}{right}{text[stop:]}"


def start_text(link: Link, names: Names) -> ScalarNode | None:
    """`init` as it stands, or `array("W")` where Python gives an array for the synapse W."""
    node = link.entry.scalar("init")
    if link.name not in names.arrays.given or (node is not None and _names(node, link.name)):
        return node
    names.arrays.used.add(link.name)
    if (key := link.entry.key("weight")) is not None:
        names.problems.fail(
            key.place,
            f"'{link.name}' has a `weight`, which says what the weight is at every moment; the "
            f"array of `arrays` has no effect",
        )
    said = f'array("{link.name}")'
    return replace(node or link.key, text=said, value=said, offsets=None)


def _names(node: ScalarNode, name: str) -> bool:
    """Whether a text says itself where the array goes."""
    try:
        tree = parse_expression(node.text)
    except ValueError:
        return False
    return Call("array", (Quoted(name),)) in walk(tree)
