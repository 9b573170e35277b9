"""JSON Schema (draft 7) of the file format, made of the definitions that the loader checks with.

An editor's YAML server completes keys and shows their meaning with it. It knows keys and kinds of
values; what names mean, and whether an equation can be read, only `check` can tell.
"""

from __future__ import annotations

import json
from typing import Any

from ...compartments.roles import ROLES
from .keys import CELL, EVENT, PHASE, POPULATION, SIGNAL, SYNAPSE, TOP, Key, Keys

DIALECT = "http://json-schema.org/draft-07/schema#"

COMPARTMENT = "A compartment: `x = E`, `tau * dx/dt = E`, or a list of them; `input` arrives here."

# No `anyOf` where a list of types says the same, and `items` apart: editors complete `key: ` then.
_TEXT: dict[str, Any] = {"type": ["string", "number"]}
_LIST: dict[str, Any] = {"type": "array", "items": _TEXT}
_KINDS: dict[str, dict[str, Any]] = {
    "text": _TEXT,
    "texts": {"type": [*_TEXT["type"], "array"], "allOf": [{"items": _TEXT}]},
    "list": _LIST,
    "mapping": {"type": "object"},
    "flag": {"type": "boolean"},
    "version": {"const": 1, "default": 1},
}


def json_schema() -> dict[str, Any]:
    """The schema of a circuit file, as a dictionary that JSON can say."""
    heir = _file(partial=True)
    variant = {**heir, "properties": {**heir["properties"]}}
    del variant["properties"]["variants"]
    return {
        "$schema": DIALECT,
        "title": "apical circuit",
        "description": "A circuit of multi-compartment neurons in the language of apical.",
        # A file that extends another is partial: null removes what the other one has.
        "if": {"type": "object", "required": ["extends"]},
        "then": {"$ref": "#/definitions/heir"},
        "else": {"$ref": "#/definitions/file"},
        "definitions": {
            "file": {**_file(partial=False), **_required(TOP, False)},
            "heir": {**heir, "required": ["apical"]},
            "variant": variant,
        },
    }


def text() -> str:
    """The schema as the text of a file."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def _file(partial: bool) -> dict[str, Any]:
    """A whole file, or one that is laid over another."""
    schema = _entry(TOP, partial)
    found = schema["properties"]
    found["cells"] = _named(found["cells"], _cell(partial), partial)
    found["populations"] = _named(found["populations"], _population(partial), partial)
    found["synapses"] = _named(found["synapses"], _entry(SYNAPSE, partial), partial)
    found["parameters"] = _named(found["parameters"], _KINDS["texts"], partial)
    found["data"] = _named(found["data"], _stream(partial), partial)
    for name in ("functions", "energy", "predicts"):
        found[name] = _named(found[name], _TEXT, partial)
    phase = _or_null(_entry(PHASE, partial), partial)
    protocol = {**_KINDS["texts"], "title": "protocol", "additionalProperties": phase}
    protocol["type"] = [*protocol["type"], "object"]
    found["protocols"] = _named(found["protocols"], protocol, partial)
    variant = {"anyOf": [{"$ref": "#/definitions/variant"}, {"type": "null"}]}
    found["variants"] = _named(found["variants"], variant, partial)
    return schema


def _entry(keys: Keys, partial: bool) -> dict[str, Any]:
    """An entry with these keys and no others; editors show its title beside them."""
    return {
        "title": keys.what.removeprefix("a "),
        "type": "object",
        "properties": {
            row.name: _or_null({"description": row.description, **_value(row)}, partial)
            for row in keys.rows
        },
        **_required(keys, partial),
        "additionalProperties": False,
    }


def _required(keys: Keys, partial: bool) -> dict[str, Any]:
    """The keys that an entry needs, and pairs of which it needs one."""
    needed = () if partial else keys.required
    either = [[{"required": [name]} for name in names] for names in needed if len(names) > 1]
    found: dict[str, Any] = {"required": [names[0] for names in needed if len(names) == 1]}
    return found | ({"allOf": [{"anyOf": names} for names in either]} if either else {})


def _value(row: Key) -> dict[str, Any]:
    if not row.words:
        return _KINDS[row.kind]
    if not row.forms:
        return {"enum": list(row.words)}
    pattern = rf"^({'|'.join(row.openings)})\b *\S"
    return {"anyOf": [{"enum": list(row.alone)}, {"type": "string", "pattern": pattern}]}


def _population(partial: bool) -> dict[str, Any]:
    schema = _entry(POPULATION, partial)
    found = schema["properties"]
    found["parameters"] = _named(found["parameters"], _KINDS["texts"], partial)
    return schema


def _stream(partial: bool) -> dict[str, Any]:
    """A size, or a signal with keys of its own."""
    signal = _entry(SIGNAL, partial)
    return {**signal, "type": [*_TEXT["type"], "object"]}


def _cell(partial: bool) -> dict[str, Any]:
    """Any key that is no word of its own is a compartment; heirs may remove with null."""
    words = _entry(CELL, True)["properties"]
    words["events"] = _named(words["events"], _entry(EVENT, partial), True)
    compartment = _or_null({"description": COMPARTMENT, **_KINDS["texts"]}, True)
    roles = {
        role.name: {**compartment, "description": f"{COMPARTMENT} Its role: {role.description}."}
        for role in ROLES.values()
    }
    return {
        "title": "cell",
        "type": "object",
        "properties": {**roles, **words},
        "additionalProperties": compartment,
    }


def _named(section: dict[str, Any], entry: dict[str, Any], partial: bool) -> dict[str, Any]:
    """A section whose keys are the user's own names."""
    return {
        "description": section["description"],
        "type": ["object", "null"] if partial else "object",
        "additionalProperties": _or_null(entry, partial),
    }


def _or_null(schema: dict[str, Any], partial: bool) -> dict[str, Any]:
    """In a partial file null removes an entry."""
    if not partial:
        return schema
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return {**schema, "type": [*kinds, "null"]}
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    meaning = {k: v for k, v in schema.items() if k == "description"}
    rest = {k: v for k, v in schema.items() if k != "description"}
    return {**meaning, "anyOf": [rest, {"type": "null"}]}
