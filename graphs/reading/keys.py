"""The schema: which keys a file may have, what stands under each, and what is not built yet.

Looked through before anything is merged, variants included, so that a misspelt key is found whether
or not its variant was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .nodes import MappingNode, Node, ScalarNode, SequenceNode
from .problems import Problems, listed, nearest


@dataclass(frozen=True)
class Keys:
    """The keys of one kind of entry: what is built, and what the language has but not yet here."""

    what: str
    known: dict[str, str]  # key -> "text" | "texts" (text or list) | "list" | "mapping"
    later: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


TOP = Keys(
    "a circuit",
    {
        "apical": "text",
        "name": "text",
        "title": "text",
        "cite": "text",
        "time_unit": "text",
        "extends": "text",
        "parameters": "mapping",
        "functions": "mapping",
        "data": "mapping",
        "cells": "mapping",
        "populations": "mapping",
        "synapses": "mapping",
        "energy": "mapping",
        "predicts": "mapping",
        "record": "texts",
        "protocols": "mapping",
        "variants": "mapping",
    },
    required=("apical", "name"),
)
POPULATION = Keys(
    "a population",
    {"cell": "text", "size": "text", "parameters": "mapping"},
    later=("shape",),
    required=("cell", "size"),
)
SYNAPSE = Keys(
    "a synapse",
    {
        "from": "text",
        "to": "text",
        "connect": "text",
        "init": "text",
        "weight": "text",
        "bias": "text",
        "current": "text",
        "filter": "list",
        "trace": "texts",
        "rule": "texts",
        "batch": "text",
        "optimizer": "text",
        "check": "text",
    },
    later=("delay", "bounds", "sign", "shape"),
    required=("from", "to"),
)
PHASE = Keys(
    "a phase",
    {
        "from": "text",
        "release": "texts",
        "clamp": "texts",
        "set": "texts",
        "begin": "texts",
        "steps": "text",
        "for": "text",
        "dt": "text",
        "method": "text",
        "order": "text",
        "until": "text",
        "learn_each_step": "text",
        "plasticity": "text",
        "learn": "text",
    },
)
CELL_WORDS = {
    "is": "text",
    "after_step": "texts",
    "domain": "mapping",
    "slow": "mapping",
    "rules": "texts",
}
METHODS = ("euler", "heun", "rk4", "exponential_euler")
METHODS_LATER = ("rk45", "midpoint", "implicit_euler", "adams_bashforth")


def is_null(node: Node) -> bool:
    """Whether a value is null or empty: `x: null`, `x:`."""
    return isinstance(node, ScalarNode) and not node.quoted and node.value is None


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
    lacking = [name for name in keys.required if entry.get(name) is None]
    for name in lacking:
        place = key.place if key is not None else entry.place
        problems.add(place, f"{keys.what} needs the key '{name}'", suggestion=f"{name}: ...")
    return not lacking


def _section(root: MappingNode, keys: Keys, problems: Problems, partial: bool) -> None:
    _keys(root, keys, problems, partial)
    walk: dict[str, Callable[[MappingNode], None]] = {
        "cells": lambda entry: _cell(entry, problems, partial),
        "populations": lambda entry: _population(entry, problems, partial),
        "synapses": lambda entry: _keys(entry, SYNAPSE, problems, partial),
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
        kind = keys.known.get(key.text)
        if key.text in keys.later:
            problems.add(
                key.place,
                f"'{key.text}' of {keys.what} is a word of the language that is not built yet",
                expected=listed(keys.known, 20),
            )
        elif kind is None:
            near = nearest(key.text, keys.known)
            problems.add(
                key.place,
                f"unknown key '{key.text}' in {keys.what}",
                expected=listed(keys.known, 20),
                got=key.text,
                suggestion=problems.corrected(key.place, key.text, near) if near else None,
            )
        elif is_null(node):
            _null(key, problems, partial)
        else:
            _kind(key, node, kind, problems)


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
        if kind in ("text", "texts"):
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
    words = {
        "text": "one number, word or statement",
        "texts": "a text or a list of texts",
        "list": "a list, `[t1, t2]`",
        "mapping": "keys and values below it, indented",
    }
    place = node.place if not isinstance(node, MappingNode) else key.place
    problems.add(place, f"wrong kind of value for '{key.text}'", expected=words[kind], got=got)
    return False


def _cell(entry: MappingNode, problems: Problems, partial: bool) -> None:
    heir = entry.get("is") is not None
    for key, node in entry.entries:
        if is_null(node):
            _null(key, problems, partial or heir)
        else:
            _kind(key, node, CELL_WORDS.get(key.text, "texts"), problems)


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
        elif _kind(key, phase, "mapping", problems) and isinstance(phase, MappingNode):
            _keys(phase, PHASE, problems, partial)


def texts(node: Node | None) -> tuple[ScalarNode, ...]:
    """The scalars of a text or a list of texts, none of None."""
    if isinstance(node, ScalarNode):
        return () if is_null(node) else (node,)
    if isinstance(node, SequenceNode):
        return tuple(item for item in node.items if isinstance(item, ScalarNode))
    return ()
