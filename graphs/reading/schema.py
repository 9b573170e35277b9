"""The schema: whether a file has only keys of the language, and the right kind of value under each.

Looked through before anything is merged, variants included, so that a misspelt key is found whether
or not its variant was asked for.
"""

from __future__ import annotations

from collections.abc import Callable

from ..wording import listed, nearest
from .keys import CELL, EVENT, PHASE, POPULATION, SIGNAL, SYNAPSE, TOP, Key, Keys
from .nodes import MappingNode, Node, ScalarNode, is_null
from .problems import Problems

ONE = frozenset({"text", "flag", "version"})  # kinds of one scalar
EXPECTED = {
    "texts": "a text or a list of texts",
    "list": "a list, `[t1, t2]`",
    "mapping": "keys and values below it, indented",
}


def check(root: MappingNode, problems: Problems) -> None:
    """Write down every key that is no key and every value of the wrong kind."""
    _section(root, TOP, problems, partial=root.get("extends") is not None)
    variants = root.get("variants")
    if isinstance(variants, MappingNode):
        for _, entry in variants.entries:
            if isinstance(entry, MappingNode):
                _section(entry, TOP, problems, partial=True)


def required(entry: MappingNode, keys: Keys, key: ScalarNode | None, problems: Problems) -> bool:
    """Whether an entry has all the keys it needs; those it lacks are written down."""
    lacking = [names for names in keys.required if all(entry.get(name) is None for name in names)]
    for name, *others in lacking:
        place = key.place if key is not None else entry.place
        either = "".join(f" or '{other}'" for other in others)
        problems.add(
            place, f"{keys.what} needs the key '{name}'{either}", suggestion=f"{name}: ..."
        )
    return not lacking


def _section(root: MappingNode, keys: Keys, problems: Problems, partial: bool) -> None:
    _keys(root, keys, problems, partial)
    walk: dict[str, Callable[[MappingNode], None]] = {
        "cells": lambda entry: _cell(entry, problems, partial),
        "populations": lambda entry: _population(entry, problems, partial),
        "synapses": lambda entry: _keys(entry, SYNAPSE, problems, partial),
        "data": lambda entry: _keys(entry, SIGNAL, problems, partial),
        "protocols": lambda entry: _protocol(entry, problems, partial),
    }
    for name, node in root.entries:
        if not isinstance(node, MappingNode) or name.text == "variants":
            continue
        for key, entry in node.entries:
            if is_null(entry):
                _null(key, problems, partial)
            elif name.text in walk:
                if isinstance(entry, MappingNode):
                    walk[name.text](entry)
                elif name.text == "data":
                    _kind(key, entry, "text", problems)
                elif name.text != "protocols":
                    _kind(key, entry, "mapping", problems)
                else:
                    _kind(key, entry, "texts", problems)
            elif name.text == "parameters":
                _kind(key, entry, "texts", problems)
            elif name.text in keys.known:
                _kind(key, entry, "text", problems)


def _keys(entry: MappingNode, keys: Keys, problems: Problems, partial: bool) -> None:
    for key, node in entry.entries:
        row = keys.known.get(key.text)
        if key.text in keys.later:
            problems.add(
                key.place,
                f"'{key.text}' of {keys.what} is reserved, not implemented",
                expected=listed(keys.known, 20),
            )
        elif row is None:
            near = nearest(key.text, keys.known)
            problems.add(
                key.place,
                f"unknown key '{key.text}' in {keys.what}",
                expected=keys.elsewhere.get(key.text) or listed(keys.known, 20),
                got=key.text,
                suggestion=problems.corrected(key.place, key.text, near) if near else None,
            )
        elif is_null(node):
            _null(key, problems, partial)
        else:
            _kind(key, node, row.kind, problems)


def _null(key: ScalarNode, problems: Problems, partial: bool) -> None:
    if not partial:
        problems.add(
            key.place,
            f"'{key.text}' has no value",
            expected="a value; `null` removes an entry only in a variant, an heir or `extends`",
        )


def _kind(key: ScalarNode, node: Node, kind: str, problems: Problems) -> bool:
    """Whether a value is of the kind that a key takes."""
    if isinstance(node, ScalarNode):
        if kind in ONE or kind == "texts":
            return True
        got = f"`{node.text}`"
    elif isinstance(node, MappingNode):
        if kind == "mapping":
            return True
        got = "a mapping"
    else:
        if kind in ("texts", "list"):
            for item in node.items:
                if not isinstance(item, ScalarNode):
                    problems.add(
                        item.place,
                        f"'{key.text}' takes a list of texts",
                        got="a mapping" if isinstance(item, MappingNode) else "a list in a list",
                    )
            return True
        got = "a list"
    place = node.place if not isinstance(node, MappingNode) else key.place
    problems.add(
        place,
        f"wrong kind of value for '{key.text}'",
        expected=EXPECTED.get(kind, "one number, word or statement"),
        got=got,
    )
    return False


def _cell(entry: MappingNode, problems: Problems, partial: bool) -> None:
    heir = entry.get("is") is not None
    for key, node in entry.entries:
        if is_null(node):
            _null(key, problems, partial or heir)
        else:
            row = CELL.known.get(key.text)
            right = _kind(key, node, row.kind if row else "texts", problems)
            if right and key.text == "events" and isinstance(node, MappingNode):
                _events(node, problems, partial or heir)


def _events(section: MappingNode, problems: Problems, partial: bool) -> None:
    for key, event in section.entries:
        if is_null(event):
            _null(key, problems, partial)
        elif _kind(key, event, "mapping", problems) and isinstance(event, MappingNode):
            _keys(event, EVENT, problems, partial)


def _population(entry: MappingNode, problems: Problems, partial: bool) -> None:
    _keys(entry, POPULATION, problems, partial)
    parameters = entry.get("parameters")
    if isinstance(parameters, MappingNode):
        for key, node in parameters.entries:
            if is_null(node):
                _null(key, problems, partial)
            else:
                _kind(key, node, "texts", problems)


def _protocol(entry: MappingNode, problems: Problems, partial: bool) -> None:
    for key, phase in entry.entries:
        if is_null(phase):
            _null(key, problems, partial)
        elif key.text in PHASE.elsewhere and isinstance(phase, ScalarNode):
            message = f"unknown key '{key.text}' in a protocol, which has phases"
            problems.add(key.place, message, expected=PHASE.elsewhere[key.text])
        elif _kind(key, phase, "mapping", problems) and isinstance(phase, MappingNode):
            _keys(phase, PHASE, problems, partial)


def chosen(entry: MappingNode, key: Key, problems: Problems) -> str | None:
    """The word under a key with a closed list of them, its default where there is none.

    Another word is written down, and the default taken.
    """
    node = entry.scalar(key.name)
    if node is None or is_null(node):
        return key.default
    if node.text in key.words:
        return node.text
    word = node.text.partition("(")[0].strip()
    if word in key.later:
        problems.add(
            node.place,
            f"`{key.name}: {word}` is reserved, not implemented",
            expected=", ".join(key.shown),
        )
    elif key.noun:
        what, among = f"there is no {key.noun}", ", ".join(key.shown) if key.forms else None
        problems.unknown(node.place, what, node.text, key.words, among)
    else:
        problems.add(node.place, f"`{key.name}` is {' or '.join(key.words)}", got=node.text)
    return key.default
