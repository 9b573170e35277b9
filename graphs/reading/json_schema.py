"""JSON Schema (draft 7) of the file format, made of the definitions that the loader checks with.

An editor's YAML server completes keys and shows their meaning with it. It knows keys and kinds of
values; what names mean, and whether an equation can be read, only `check` can tell.
"""

from __future__ import annotations

import json
from typing import Any

from ...compartments.connectivity import CONNECTIVITY, DEFAULT
from ...compartments.properties import PROPERTIES
from ...compartments.roles import ROLES
from .keys import CELL_WORDS, METHODS, PHASE, POPULATION, SYNAPSE, TOP, Keys

DIALECT = "http://json-schema.org/draft-07/schema#"

MEANING = {
    "a circuit": {
        "apical": "Format of the language: 1.",
        "name": "Name of the circuit; of a bundled one, the name of its file.",
        "title": "One line that says what the circuit is.",
        "cite": "The paper whose equations stand here.",
        "time_unit": "Unit of t, dt and time constants, such as ms.",
        "extends": "A bundled name or a path: this file is laid over that one.",
        "parameters": "Constants: `tau: 2`, a list `sizes: [4, 3]`, a family `eta[k=1..L]: 0.1`.",
        "functions": "Functions: `f: tanh`, `phi(u): 1 / (1 + exp(-u))`. f' is the derivative.",
        "data": "Streams, what a presentation shows, and how many values each has: `image: 64`.",
        "cells": "Kinds of neurons: compartments and the equations in them.",
        "populations": "Cells in number: `layer[k=1..L]` with `cell` and `size`.",
        "synapses": "From a variable of one population to a compartment of another.",
        "energy": "Named sums over units that can be recorded: `F: sum(layer[1..L].e^2) / 2`.",
        "predicts": "Which variable says what the circuit thinks a stream is: `label: out.r`.",
        "record": "What to record: `layer[1].u in settle every 5`.",
        "protocols": "What happens during one presentation, phase after phase.",
        "variants": "Named partial files that are laid over this one.",
    },
    "a population": {
        "cell": "The kind of neuron, of `cells` or of the library.",
        "size": "How many units.",
        "parameters": "Constants of this population, also one value per unit: `period: [9, 11]`.",
    },
    "a synapse": {
        "from": "`population.variable`: what is sent.",
        "to": "`population.compartment`, or `population.compartment.port`.",
        "connect": f"Which units are joined; {DEFAULT} where nothing is said.",
        "init": "The weight at the start: `xavier_uniform`, `normal(0, 0.1)`, a number, `-W[k+1]`.",
        "weight": "What the weight is at every moment: a number, `transpose(W[k])`, `copy(A)`.",
        "bias": "true: one more presynaptic unit that always sends 1.",
        "current": "The current of one synapse, summed over pre; `w * pre` where nothing is said.",
        "filter": "Two low-pass filters, rise and fall: `[t1, t2]`.",
        "trace": "A synaptic trace: `tau * dm/dt = -m + post.x * pre`.",
        "rule": "How the weight changes: `w += eta * post.e * pre.x`, or `dw/dt = eta * m`.",
        "batch": "Whether the changes of a batch are averaged (mean) or summed (sum).",
        "optimizer": "What a change passes: `sgd(lr)`, `momentum(lr, mu)`, `adam(lr, ...)`.",
        "check": "What the weights should stay; a warning after the epoch that ends it.",
    },
    "a phase": {
        "from": "States as at the end of this earlier phase.",
        "release": "Variables that are clamped no longer.",
        "clamp": "`layer[0].x = image`: holds until released, or to the end of the presentation.",
        "set": "`beta = 0`: a parameter from here on.",
        "begin": "`layer[k].u := 0 for k = 1..L`: assignments when the phase begins.",
        "steps": "How many steps of `dt`.",
        "for": "How long, in the unit of time: round(for / dt) steps.",
        "dt": "Length of a step.",
        "method": "How equations are integrated; euler where nothing is said.",
        "order": "`simultaneous`, `k = 1..L`, or names with commas: who moves when.",
        "until": "Stop earlier, each sample by itself: `residual < tol`.",
        "learn_each_step": "`W[k] when step == L-k`: rules that act after each step.",
        "plasticity": "off: no `dw/dt`, no traces.",
        "learn": "Rules that act at the end: `W; y.mu; y.var, C`.",
    },
    "a cell": {
        "is": "A cell of the file or of the library that this one inherits from.",
        "after_step": "Updates at the end of a turn: `y := clip(y, 0, 1)`.",
        "domain": "`y: [0, 1]`: a state is clipped after each step.",
        "slow": "Variables that the batch shares and `rules` change: `mu: 0`.",
        "rules": "Updates of slow variables: `mu += rate*(y - mu)`.",
    },
}
COMPARTMENT = "A compartment: `x = E`, `tau * dx/dt = E`, or a list of them; `input` arrives here."

WORDS = {
    ("a circuit", "apical"): {"const": 1, "default": 1},
    ("a synapse", "connect"): {"enum": list(CONNECTIVITY)},
    ("a synapse", "batch"): {"enum": ["mean", "sum"]},
    ("a synapse", "bias"): {"type": "boolean"},
    ("a synapse", "check"): {"enum": list(PROPERTIES)},
    ("a phase", "method"): {"enum": list(METHODS)},
    ("a phase", "plasticity"): {"enum": ["on", "off"]},
}

# No `anyOf` where a list of types says the same, and `items` apart: editors complete `key: ` then.
_TEXT: dict[str, Any] = {"type": ["string", "number"]}
_LIST: dict[str, Any] = {"type": "array", "items": _TEXT}
_KINDS: dict[str, dict[str, Any]] = {
    "text": _TEXT,
    "texts": {"type": [*_TEXT["type"], "array"], "allOf": [{"items": _TEXT}]},
    "list": _LIST,
    "mapping": {"type": "object"},
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
            "file": {**_file(partial=False), "required": list(TOP.required)},
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
    for name in ("functions", "data", "energy", "predicts"):
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
            name: _or_null(
                {"description": MEANING[keys.what][name], **_kind(keys.what, name, kind)}, partial
            )
            for name, kind in keys.known.items()
        },
        "required": [] if partial else list(keys.required),
        "additionalProperties": False,
    }


def _kind(what: str, name: str, kind: str) -> dict[str, Any]:
    return WORDS.get((what, name), _KINDS[kind])


def _population(partial: bool) -> dict[str, Any]:
    schema = _entry(POPULATION, partial)
    found = schema["properties"]
    found["parameters"] = _named(found["parameters"], _KINDS["texts"], partial)
    return schema


def _cell(partial: bool) -> dict[str, Any]:
    """Any key that is no word of its own is a compartment; heirs may remove with null."""
    meaning = MEANING["a cell"]
    words = {
        name: _or_null({"description": meaning[name], **_KINDS[kind]}, True)
        for name, kind in CELL_WORDS.items()
    }
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
