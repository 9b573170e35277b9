"""Merging: variants, `extends` and heirs (`is`) are partial texts laid over a whole one.

Mappings merge by key; the equations of a cell by the variable on their left; all else is replaced
whole; null removes. A key of the upper text that names an entry exactly means that entry, a bare
name means all members of the family of that name, `layer[2]` one of them: which, is known once
parameters have values, so such an entry stays beside the family until then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from ..expressions.parser import ParseProblem, parse_statement
from ..expressions.tree import Reference
from ..wording import nearest
from .expansion_budget import LINE
from .keys import CELL
from .nodes import MappingNode, Node, ScalarNode, SequenceNode, is_null, texts
from .problems import Added, Problems

Entries = list[tuple[ScalarNode, Node]]


FAMILIES = ("parameters", "populations", "synapses")  # sections that declare them


def merge(
    lower: MappingNode,
    upper: MappingNode,
    problems: Problems,
    where: tuple[str, ...] = (),
    later: bool = False,
) -> MappingNode:
    """`lower` with `upper` laid over it; `where` is the path of keys from the top of the file.

    later: `lower` will itself be laid over something, so what is removed is removed then.
    """
    if len(where) == 2 and where[0] == "cells":
        return merge_cell(lower, upper, problems)
    entries = list(lower.entries)
    for key, node in upper.entries:
        matches = _matches(entries, key.text, by_name=where == ("functions",))
        if not matches and where[:1] and where[0] in FAMILIES and _of_member(entries, key, where):
            entries.append((replace(key, of_member=True), node))
        elif later and is_null(node) and not matches:
            entries.append((key, node))
        elif is_null(node):
            if not matches:
                _nothing(key, lower, problems)
            entries = [
                (k, node) if i in matches else (k, old)
                for i, (k, old) in enumerate(entries)
                if i not in matches or later or (k.of_member and "[" in key.text)
            ]
        elif not matches:
            entries.append((key, node if later else _without_nulls(node, problems)))
            _note(key, key.text, (k.text for k, _ in lower.entries), problems)
        for i in matches if not is_null(node) else ():
            old_key, old = entries[i]
            if old_key.of_member and is_null(old) and "[" not in key.text:
                continue  # removed, and the others are meant
            if (
                isinstance(old, MappingNode)
                and isinstance(node, MappingNode)
                and where != ("variants",)
            ):
                inside = (*where, old_key.text)
                node_now: Node = merge(old, node, problems, inside, later or old_key.of_member)
            else:
                node_now = node
            entries[i] = (key if where == ("functions",) else old_key, node_now)
    return MappingNode(tuple(entries), lower.place)


def merge_cell(lower: MappingNode, upper: MappingNode, problems: Problems) -> MappingNode:
    """A cell with another laid over it: an equation stands for the one of the same variable."""
    entries = list(lower.entries)
    for key, node in upper.entries:
        at = next((i for i, (k, _) in enumerate(entries) if k.text == key.text), None)
        if is_null(node):
            if at is None:
                _nothing(key, lower, problems)
            else:
                del entries[at]
        elif key.text in CELL.known:
            if at is None:
                entries.append((key, node))
            else:
                old = entries[at][1]
                both = isinstance(old, MappingNode) and isinstance(node, MappingNode)
                entries[at] = (key, merge(old, node, problems, ("", "", "")) if both else node)  # type: ignore[arg-type]
        else:
            _lay_equations(entries, key, node, problems)
    return MappingNode(tuple(entries), lower.place)


def left_variable(scalar: ScalarNode) -> str | None:
    """The variable on the left of a statement, None if it cannot be read."""
    return _left_variable(scalar.text)


@lru_cache(maxsize=10_000)
def _left_variable(text: str) -> str | None:
    try:
        target: Reference = parse_statement(text).target
    except ParseProblem:
        return None
    return target.name


def _lay_equations(entries: Entries, key: ScalarNode, node: Node, problems: Problems) -> None:
    """Equations of one compartment over a cell; one that stood in another compartment moves."""
    problems.spend(LINE * len(entries), key.place)
    before = [s for name, old in entries if name.text not in CELL.known for s in texts(old)]
    problems.spend(LINE * len(before), key.place)
    known = tuple(v for v in map(left_variable, before) if v is not None)
    new: dict[str | None, ScalarNode] = {}
    for i, scalar in enumerate(texts(node)):
        variable = left_variable(scalar) or f"?{i}"
        new[variable if variable not in new else f"?{i}"] = scalar  # a second one is found later
    placed: set[str | None] = set()
    for i, (name, old) in enumerate(entries):
        if name.text in CELL.known:
            continue
        kept: list[Node] = []
        for scalar in texts(old):
            variable = left_variable(scalar)
            if variable not in new:
                kept.append(scalar)
            elif name.text == key.text:
                kept.append(new[variable])
                placed.add(variable)
        entries[i] = (name, SequenceNode(tuple(kept), old.place))
    rest = tuple(s for variable, s in new.items() if variable not in placed)
    for variable, scalar in new.items():
        if variable is not None and variable not in known:
            _note(scalar, variable, known, problems)
    at = next((i for i, (k, _) in enumerate(entries) if k.text == key.text), None)
    if at is None:
        entries.append((key, SequenceNode(rest, node.place)))
    else:
        old = entries[at][1]
        entries[at] = (entries[at][0], SequenceNode((*texts(old), *rest), old.place))


def _matches(entries: Entries, text: str, by_name: bool) -> list[int]:
    """Indices of the entries that an upper key means."""
    exact = [i for i, (key, _) in enumerate(entries) if _squeezed(key.text) == _squeezed(text)]
    if exact:
        return exact
    if by_name:
        name = text.partition("(")[0].strip()
        return [i for i, (k, _) in enumerate(entries) if k.text.partition("(")[0].strip() == name]
    return [i for i, (key, _) in enumerate(entries) if key.text.partition("[")[0].strip() == text]


def _of_member(entries: Entries, key: ScalarNode, where: tuple[str, ...]) -> bool:
    """Whether a key that names no entry means one member of a family that is there."""
    name, bracket, index = key.text.partition("[")
    family = any(k.text.partition("[")[0].strip() == name.strip() for k, _ in entries)
    return len(where) == 1 and bool(bracket) and "=" not in index and family


def _note(scalar: ScalarNode, name: str, known: Iterable[str], problems: Problems) -> None:
    """Remember what was added: a misspelt name adds where it should have replaced."""
    plain = (one.partition("[")[0].partition("(")[0].strip() for one in known)
    name = name.partition("[")[0].partition("(")[0].strip()
    problems.added.append(Added(scalar, name, tuple(dict.fromkeys(plain))))


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _nothing(key: ScalarNode, lower: MappingNode, problems: Problems) -> None:
    near = nearest(key.text, lower.keys())
    problems.add(
        key.place,
        f"there is no '{key.text}' to remove",
        suggestion=problems.corrected(key.place, key.text, near) if near else None,
    )


def _without_nulls(node: Node, problems: Problems) -> Node:
    """A node that is new: there is nothing in it to remove."""
    if not isinstance(node, MappingNode):
        return node
    kept: Entries = []
    for key, value in node.entries:
        if is_null(value):
            problems.add(key.place, f"there is no '{key.text}' to remove")
        else:
            kept.append((key, _without_nulls(value, problems)))
    return MappingNode(tuple(kept), node.place)
