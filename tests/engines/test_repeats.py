"""Code that repeats itself is printed once, and does what the repeated code did."""

from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.testing import assert_allclose

import apical
from apical.engines.numba.holes import Hole, Holes, View
from apical.engines.numba.layout import layout
from apical.engines.numba.printer import module
from apical.engines.numba.repeats import Tables, loop, repeats
from apical.engines.numba.split import parts
from apical.graphs.expressions.tree import Binary, Load
from apical.graphs.instructions import Block, Map

KINDS = ("scalar", "size", "number", "float", "integer", "array")
FIRST = 5  # row of P of the first array


def hole(kind, value):
    if kind == "array":
        return Hole(kind, View(f"b{value}", 3, flat=True))
    return Hole(kind, float(value) / 7 if kind in ("number", "float") else value)


def stands_for(found, tables):
    if found.kind == "array":
        return "array", tables.row(found.value)
    return np.float32(found.value) if found.kind == "number" else found.value


def run(lines, holes, tables):
    """What code says that still has holes where they never differ."""

    def named(text):
        for number, found in enumerate(holes.all):
            if found.kind == "array":
                name = f"('array', {tables.row(found.value)})"
            elif found.kind == "scalar":
                name = f"S[{found.value}]"
            else:
                rounded = f"np.float32({found.value!r})"
                name = rounded if found.kind == "number" else repr(found.value)
            text = text.replace(f"«{number}»", name)
        return text

    said = []
    names = {
        "say": said.append,
        "np": np,
        "S": list(range(100)),
        "T": tables.turns,
        "Y": list(tables.numbers),
        "X": None,
        "P": None,
        "v": SimpleNamespace(vector=lambda like, table, row: ("array", row)),
    }
    exec("\n".join(map(named, lines)), names)
    return said


SHAPES = st.lists(st.lists(st.sampled_from(KINDS), max_size=3), min_size=1, max_size=3)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(SHAPES, st.lists(st.integers(0, 2), min_size=1, max_size=5), st.integers(1, 6), st.data())
def test_a_loop_says_what_its_turns_said(shapes, order, turns, data):
    """Pieces of up to three shapes, in an order that repeats, with anything in their holes."""
    holes = Holes()
    pieces, expected = [], []
    for shape in [shapes[k % len(shapes)] for k in order * turns]:
        drawn = [hole(kind, data.draw(st.integers(0, 3))) for kind in shape]
        expected += drawn
        pieces.append(holes.piece([*(f"say({holes.of(h)})" for h in drawn), "pass", "pass"]))
    tables, lines = Tables(FIRST), []
    covered = 0
    for repeat in repeats(pieces):
        assert repeat.start == covered
        covered += repeat.length * repeat.turns
        own = pieces[repeat.start : covered]
        lines += own[0].open if repeat.turns == 1 else loop(own, repeat.length, holes, tables, 32)
    assert covered == len(pieces)
    assert run(lines, holes, tables) == [stands_for(found, tables) for found in expected]


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), min_size=1))
def test_parts_of_a_block_give_the_same_in_any_order(rows):
    names = "abcdef"
    maps = tuple(Map(names[t], Binary("-", Load(names[i]), Load(names[j]))) for t, i, j in rows)

    def after(maps):
        values = {name: 3**k for k, name in enumerate(names)}
        for m in maps:
            values[m.target] = values[m.value.left.buffer] - values[m.value.right.buffer]
        return values

    found = parts(Block(("unit", 3), maps))
    random.Random(1).shuffle(found)
    assert after(m for part in found for m in part.maps) == after(maps)
    assert sum(len(part.maps) for part in found) == len(maps)


def printed(layers, single, **given):
    circuit = apical.load("pc", sizes=[10] * (layers + 1), **given)
    return module(layout(apical.lower(circuit, "train"), 64, single))


@pytest.mark.parametrize("single", [True, False])
def test_a_module_hardly_grows_with_the_layers(single):
    """16 times as many layers; fusion, which looks back 60 instructions, makes a few more kinds."""
    few, many = (printed(layers, single).text.splitlines() for layers in (10, 160))
    assert len(many) < 1.4 * len(few) < 320


@pytest.mark.parametrize("sizes", [[11] * 9, [9, 4, 4, 4, 4, 4, 4, 3]])
def test_layers_in_a_loop_are_as_on_numpy(sizes):
    circuit = apical.load("pc", sizes=sizes, T=4)
    rng = np.random.default_rng(0)
    streams = {name: rng.uniform(size=(4, size)) for name, size in circuit.streams.items()}
    record = [f"layer[{k}].x" for k in range(len(sizes))]
    found = {}
    for engine in ("numpy", "numba"):
        sim = apical.Simulator(circuit, engine=engine, dtype="float64", seed=0)
        traces = sim.run("train", **streams, batch=2, learn=True, record=record)
        found[engine] = {**traces.arrays, **sim.weights}
    assert len(found["numpy"]) > 2 * len(sizes) - 2
    for name, expected in found["numpy"].items():
        assert_allclose(found["numba"][name], expected, rtol=1e-10, atol=1e-12, err_msg=name)
