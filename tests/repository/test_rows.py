"""One row per thing: what stands in a table is known to the schema, the manual and every engine.

No code outside its table may ask for a row by name; it asks what the row says.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical
from apical.compartments.connectivity import CONNECTIVITY, weight_shape
from apical.compartments.functions import FUNCTIONS
from apical.compartments.initialisers import INITIALISERS
from apical.compartments.integrators import TABLEAUX
from apical.compartments.optimizers import OPTIMIZERS
from apical.engines.numba.text import NAMES
from apical.graphs.reading.json_schema import json_schema
from apical.graphs.reading.keys import ALL, PHASE, SYNAPSE

from ..interpreter import optimizers as interpreted_optimizers, stepping
from ..interpreter.interpreter import Interpreter

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("graphs", "engines", "traces", "models", "cli")
FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
LANGUAGE = (ROOT / "docs" / "language.md").read_text("utf-8")
ELSEWHERE = {  # words that mean something else as well
    "uniform", "normal",  # of Philox, which knows standard numbers by these names
    "sparse",  # a domain of sources
}  # fmt: skip
NAMES_OF_ROWS = {*CONNECTIVITY, *TABLEAUX, *OPTIMIZERS, *INITIALISERS} - ELSEWHERE


def compared_with(tree: ast.AST):
    """(text, line) of every text that a comparison, `in` or `case` of a file looks for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.MatchValue):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value, part.lineno


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_row_is_asked_for_by_name(path):
    found = [f"line {line}: {text!r}" for text, line in compared_with(ast.parse(path.read_text()))
             if text in NAMES_OF_ROWS]  # fmt: skip
    assert not found, found


def test_the_rule_sees_a_name():
    code = (
        "if kind == 'dense' or kind in ('rk4', 'x'):\n    pass\nmatch kind:\n    case 'adam': pass"
    )
    seen = {text for text, _ in compared_with(ast.parse(code))}
    assert seen & NAMES_OF_ROWS == {"dense", "rk4", "adam"}


# --- the schema and the manual -------------------------------------------------------------------


def cell(key: str) -> str:
    """The meaning of a key in the tables of the manual."""
    return re.search(rf"^\| `{key}` \| ([^|]*)\|", LANGUAGE, re.M)[1]


@pytest.mark.parametrize(
    ("keys", "key", "table"),
    [(SYNAPSE, "connect", CONNECTIVITY), (PHASE, "method", TABLEAUX)],
)
def test_a_closed_list_of_words_is_its_table(keys, key, table):
    assert keys.known[key].words == tuple(table)
    forms = [getattr(row, "form", name) for name, row in table.items()]
    assert re.findall(r"`([^`]+)`", cell(key)) == forms


def test_the_schema_has_the_words_of_every_key():
    definition = json_schema()["definitions"]["file"]["properties"]
    synapse = definition["synapses"]["additionalProperties"]["properties"]
    phase = definition["protocols"]["additionalProperties"]["additionalProperties"]["properties"]
    for keys, found in ((SYNAPSE, synapse), (PHASE, phase)):
        for row in keys.rows:
            told = found[row.name]
            if not row.forms:
                assert told.get("enum", []) == list(row.words), row.name
                continue
            alone, behind = told["anyOf"]
            assert alone["enum"] == list(row.alone), row.name
            for word in row.words:
                assert bool(re.search(behind["pattern"], f"{word}(1)")) == (word in row.openings)


def test_every_key_is_a_row_with_its_meaning():
    for keys in ALL:
        assert len(keys.known) == len(keys.rows)
        for row in keys.rows:
            assert len(row.meaning) > 10 and row.meaning.endswith((".", "`.")), row.name
            assert row.default is None or row.default in row.words, row.name
            assert not set(row.later) & set(row.words), row.name


def test_the_manual_has_every_optimizer_with_its_parameters():
    written = re.findall(r"`(\w+)\(([^)]*)\)`", cell("optimizer"))
    assert written == [(name, ", ".join(row.parameters)) for name, row in OPTIMIZERS.items()]


def test_the_manual_has_every_initialiser_and_every_function():
    init = cell("init")
    for name, row in INITIALISERS.items():
        arguments = f"({', '.join(row.arguments)})" if row.arguments else ""
        assert f"`{name}{arguments}`" in init, name
    listed = re.search(r"The table has `([^`]*)`", LANGUAGE)[1].replace("\n", " ").split()
    assert sorted(listed) == sorted(FUNCTIONS)


# --- tables that say the same in two places ------------------------------------------------------


@pytest.mark.parametrize("name", TABLEAUX)
def test_a_tableau_has_its_order(name):
    """Butcher's conditions up to order 4."""
    tableau = TABLEAUX[name]
    a = np.zeros((len(tableau.b),) * 2)
    for i, row in enumerate(tableau.a):
        a[i, : len(row)] = row
    b, c = np.array(tableau.b), np.array(tableau.c)
    assert np.all(np.triu(a) == 0)
    assert_allclose(a.sum(axis=1), c, atol=1e-15)
    conditions = {
        1: [(b.sum(), 1)],
        2: [(b @ c, 1 / 2)],
        3: [(b @ c**2, 1 / 3), (b @ a @ c, 1 / 6)],
        4: [(b @ c**3, 1 / 4), (b * c @ a @ c, 1 / 8), (b @ a @ c**2, 1 / 12),
            (b @ a @ a @ c, 1 / 24)],
    }  # fmt: skip
    held = [k for k, pairs in conditions.items() if np.allclose(*zip(*pairs, strict=True))]
    assert held == list(range(1, tableau.order + 1))


def test_the_interpreter_knows_every_row():
    assert set(interpreted_optimizers.OPTIMIZERS) == set(OPTIMIZERS)
    plain = {name for name, tableau in TABLEAUX.items() if not tableau.exponential}
    assert set(stepping.TABLEAUX) == plain


def test_an_engine_spells_every_function_that_has_no_definition():
    own = {n for n, f in FUNCTIONS.items() if f.kind == "elementwise" and not f.definition}
    assert own <= set(NAMES)


# --- every engine against the interpreter --------------------------------------------------------

CIRCUIT = """
apical: 1
name: rows
parameters: {{eta: 0.1}}
data: {{image: 4}}
cells:
  sensory: {{soma: r = image}}
  neuron:
    basal: v = input
    soma: [du/dt = v - u, "r = tanh(u)"]
populations:
  x: {{cell: sensory, shape: [2, 2]}}
  y: {{cell: neuron, shape: [2, 2]}}
  one: {{cell: neuron, size: 1}}
synapses:
  up: {{from: x.r, to: y.basal, init: 0.3*eye}}
{synapses}
protocols:
  train:
{phases}
"""
ENDS = {(4, 4): ("x", "y"), (1, 4): ("x", "one"), (4, 1): ("one", "y")}  # post, pre


def circuit():
    """Every kind of connection, initialiser, optimizer and method, in one circuit."""
    synapses, learnt = [], []
    for name, kind in CONNECTIVITY.items():
        sizes, (source, target) = next((s, e) for s, e in ENDS.items() if not kind.refuse(*s))
        assert weight_shape(name, *sizes) in (sizes, sizes[:1])
        ends = f"from: {source}.r, to: {target}.basal, connect: '{kind.written(kind.example)}'"
        if kind.windows == "pool":  # has no weights
            synapses.append(f"  {name}: {{{ends}}}")
            continue
        synapses.append(
            f"  {name}: {{{ends}, "
            f"init: 'normal(0, 0.2)', rule: w += eta * post.u * pre, {'bias: true, ' * kind.bias}}}"
        )
        learnt.append(name)
    for name, initialiser in INITIALISERS.items():
        given = ", ".join(f"0.{i + 2}" for i in range(len(initialiser.arguments)))
        start = f"{name}({given})" if given else name
        synapses.append(f"  from_{name}: {{from: x.r, to: y.basal, init: '{start}'}}")
    for name, rule in OPTIMIZERS.items():
        given = (rule.ranges[p].example for p, d in rule.parameters.items() if d is None)
        synapses.append(
            f"  by_{name}: {{from: x.r, to: y.basal, init: 0.1, rule: w += post.u * pre, "
            f"optimizer: '{name}({', '.join(map(str, given))})'}}"
        )
        learnt.append(f"by_{name}")
    phases = [f"    by_{name}: {{steps: 4, dt: 0.2, method: {name}}}" for name in TABLEAUX]
    phases.append(f"    end: {{learn: '{', '.join(learnt)}'}}")
    return apical.load_text(CIRCUIT.format(synapses="\n".join(synapses), phases="\n".join(phases)))


@pytest.mark.parametrize(
    "engine", ["numpy", "torch", pytest.param("numba", marks=pytest.mark.slow)]
)
def test_every_row_means_on_an_engine_what_it_means_to_the_interpreter(engine):
    if engine == "torch":
        pytest.importorskip("torch")
    made = circuit()
    image = np.random.default_rng(0).uniform(-1, 1, (3, 4))
    sim = apical.Simulator(made, engine=engine, seed=2)
    started = {name: np.array(array) for name, array in sim.weights.items()}
    assert not np.diag(started["all_but_self"]).any()
    interpreter = Interpreter(made, started, seed=2, exist=sim.connections)
    for _ in range(2):
        sim.run("train", image=image, learn=True, batch=3, record=[])
        interpreter.run("train", image=image, learn=True, batch=3)
    for name, array in sim.weights.items():
        expected = interpreter.weights[name].reshape(array.shape)
        assert_allclose(array, expected, rtol=1e-9, atol=1e-12, err_msg=name)
        assert name.startswith(("up", "from_")) or np.any(array != started[name]), name
