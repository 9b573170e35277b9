"""The JSON Schema of the file format, and every shipped file against it."""

from __future__ import annotations

import json

import jsonschema
import pytest
from typer.testing import CliRunner

from apical.cli import app
from apical.graphs.reading.json_schema import json_schema, text
from apical.graphs.reading.keys import PHASE, POPULATION, SYNAPSE, TOP
from apical.graphs.reading.nodes import MappingNode, ScalarNode, SequenceNode
from apical.graphs.reading.reader import read

FOLDERS = ("yaml_models", "compartments", "benchmarks/circuits")


def plain(node):
    """What an editor's YAML server takes a node for."""
    if isinstance(node, MappingNode):
        return {key.text: plain(value) for key, value in node.entries}
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.items]
    assert isinstance(node, ScalarNode)
    return node.text if node.quoted else node.value


@pytest.fixture(scope="module")
def validator():
    jsonschema.Draft7Validator.check_schema(json_schema())
    return jsonschema.Draft7Validator(json_schema())


@pytest.fixture(scope="module")
def shipped(root):
    return [path for folder in FOLDERS for path in sorted((root / folder).glob("*.yaml"))]


def test_every_shipped_file_is_valid(validator, shipped):
    assert len(shipped) >= 11
    for path in shipped:
        wrong = [e.message for e in validator.iter_errors(plain(read(path.read_text("utf-8"), "")))]
        assert not wrong, f"{path.name}: {wrong}"


def test_every_shipped_file_says_where_its_schema_is(root, shipped):
    for path in shipped:
        line = next(s for s in path.read_text("utf-8").splitlines() if "yaml-language-server" in s)
        place = line.removeprefix("# yaml-language-server: $schema=")
        assert (path.parent / place).resolve() == root / "graphs" / "circuit.schema.json"


def test_the_schema_that_ships_is_the_one_that_is_generated(root):
    shipped = (root / "graphs" / "circuit.schema.json").read_text("utf-8")
    assert shipped == text(), "apical schema > graphs/circuit.schema.json"
    assert CliRunner().invoke(app, ["schema"]).output == shipped


def test_every_key_has_a_description():
    definition = json_schema()["definitions"]["file"]["properties"]
    protocol = definition["protocols"]["additionalProperties"]
    for keys, found in (
        (TOP, definition),
        (POPULATION, definition["populations"]["additionalProperties"]["properties"]),
        (SYNAPSE, definition["synapses"]["additionalProperties"]["properties"]),
        (PHASE, protocol["additionalProperties"]["properties"]),
    ):
        assert set(found) == set(keys.known)
        assert all(len(entry["description"]) > 10 for entry in found.values())


GOOD = """
apical: 1
name: leak
cells: {leaky: {soma: dv/dt = -v}}
populations: {one: {cell: leaky, size: 3}}
protocols: {train: {decay: {steps: 4, dt: 0.1}}}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("size: 3", "sise: 3"),
        ("size: 3", "size: [3]"),
        ("size: 3", "size: true"),
        ("cell: leaky, ", ""),
        ("dt: 0.1", "dt: {a: 1}"),
        ("dt: 0.1", "method: rk5"),
        ("dt: 0.1", "dt: null"),
        ("apical: 1", "apical: 2"),
        ("name: leak", "name: leak\nmodel: x"),
        ("populations", "synapses: {W: {from: a.x, to: b.y, bias: maybe}}\npopulations"),
    ],
)
def test_what_is_wrong_is_refused(validator, old, new):
    assert validator.is_valid(plain(read(GOOD, "")))
    assert not validator.is_valid(plain(read(GOOD.replace(old, new), "")))


def test_null_removes_only_in_a_partial_file(validator):
    heir = "apical: 1\nextends: pc\nprotocols:\n  generate: null\n"
    assert validator.is_valid(json.loads(json.dumps(plain(read(heir, "")))))
    assert not validator.is_valid(plain(read(heir.replace("extends", "title"), "")))
    variant = GOOD + "variants: {still: {protocols: {train: {decay: null}}}}\n"
    assert validator.is_valid(plain(read(variant, "")))
