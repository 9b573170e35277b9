"""Where a unit stands: `index`, `row`, `column`, `channel`, against numbers written by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import apical
from apical.graphs.diagnostics import CircuitError
from apical.graphs.reports.latex import latex
from apical.graphs.reports.show import show
from apical.graphs.reports.yaml_text import comparable
from apical.traces.traces import Traces

TEXT = """
apical: 1
name: places
parameters: {J: 2, gain: 0.5}
cells:
  neuron:
    basal: v = input
    soma: [du/dt = 10*index + row - u, r = index, p = 100*column + 10*row + k]
    after_step: a += index
  map:
    basal: v = input
    soma: [du/dt = v, x = 100*channel + 10*row + column]
populations:
  y: {cell: neuron, shape: [2, 3], parameters: {k: gain*index^2}}
  z: {cell: map, size: 12, shape: [2, 3, 2]}
synapses:
  W:
    from: y.r
    to: z.basal
    init: J*cos(2*pi*(post.index - pre.index)/n_post) + 0.1*pre.k
  V: {from: z.x, to: y.basal, weight: J*sin(2*pi*(post.index - pre.index)/n_pre)}
  O: {from: y.r, to: y.basal, connect: one_to_one, weight: pre.column - post.row}
  H: {from: y.r, to: y.basal, connect: all_but_self, weight: 1 + post.row*pre.column}
protocols:
  train:
    go: {begin: y.u := index/4, steps: 2, dt: 0.25}
"""
ENGINES = ["numpy", "torch", pytest.param("numba", marks=pytest.mark.slow)]


def run(engine, dtype):
    if engine == "torch":
        pytest.importorskip("torch")
    sim = apical.Simulator(apical.load_text(TEXT), engine=engine, dtype=dtype)
    return sim, sim.run("train", samples=2, record=["y.u", "y.p", "y.a", "y.v", "z.x"])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("engine", ENGINES)
def test_every_unit_knows_where_it_stands(engine, dtype):
    sim, traces = run(engine, dtype)
    close = {"rtol": 1e-12 if dtype == "float64" else 1e-5}
    i, row, column = np.arange(6), np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 0, 1, 2])
    k = np.array([0, 0.5, 2, 4.5, 8, 12.5])
    found = {name: array[0, 1] for name, array in traces.arrays.items()}
    assert_allclose(found["y.p"][0], 100 * column + 10 * row + k, **close)
    assert_allclose(found["y.u"][0], i / 4, **close)
    assert_allclose(found["y.u"][1], i / 4 + 0.25 * (10 * i + row - i / 4), **close)
    assert_array_equal(found["y.a"][2], 2 * i)
    x = [0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121]
    assert_array_equal(found["z.x"][0], x)
    ring = 2 * np.cos(2 * np.pi * (np.arange(12)[:, None] - i) / 12)
    assert_allclose(sim.weights["W"], ring + 0.1 * k, rtol=1e-12 if dtype == "float64" else 1e-6)
    back = 2 * np.sin(2 * np.pi * (i[:, None] - np.arange(12)) / 12) @ x
    others = (1 + np.outer(row, column)) * ~np.eye(6, dtype=bool) @ i
    assert_allclose(found["y.v"][0], back + (column - row) * i + others, **close)


def test_a_shape_is_its_size():
    """Both may be said; one is enough."""
    circuit = apical.load_text(TEXT)
    assert [(p.size, p.shape) for p in circuit.populations.values()] == [
        (6, (2, 3)),
        (12, (2, 3, 2)),
    ]
    shorter = apical.load_text(TEXT.replace("size: 12, ", ""))
    assert comparable(shorter) == comparable(circuit)


def test_a_circuit_with_places_is_printed_and_read_back():
    circuit = apical.load_text(TEXT)
    assert comparable(apical.load_text(circuit.to_yaml())) == comparable(circuit)
    assert "shape: [2, 3, 2]" in circuit.to_yaml() and "k: gain * index^2" in circuit.to_yaml()
    shown = show(circuit)
    assert "y (neuron): 2 x 3 = 6 units" in shown and "du/dt = 10 · index + row - u" in shown
    assert "init   J · cos(2 · π · (post.index - pre.index) / 12) + 0.1 · pre.k" in shown
    assert r"\mathrm{index}_{\mathrm{post}} - \mathrm{index}_{\mathrm{pre}}" in latex(circuit)
    assert [finding.name for finding in circuit.audit().findings] == ["W", "V", "O", "H"]


def test_traces_have_coordinates_of_populations_with_a_shape(tmp_path):
    _, traces = run("numpy", "float64")
    for ending in ("nc", "npz"):
        traces.save(tmp_path / f"run.{ending}")
        again = Traces.open(tmp_path / f"run.{ending}")
        found = again["z.x"]
        assert found["z.channel"].values.tolist() == [0] * 6 + [1] * 6
        assert found["z.row"].values.tolist() == [0, 0, 1, 1, 2, 2] * 2
        assert found["z.column"].values.tolist() == [0, 1] * 6
        assert "y.channel" not in again.dataset.coords


def test_a_parameter_of_every_unit_follows_what_it_is_made_of():
    sim = apical.Simulator(apical.load_text(TEXT), replicas=2, parameters={"gain": [1, 2]})
    assert sim.parameters["y.k"].tolist() == [[0, 1, 4, 9, 16, 25], [0, 2, 8, 18, 32, 50]]
    assert list(sim.parameters) == ["J", "gain", "y.k"]
    traces = sim.run("train", samples=1, record=["y.p"])
    assert_array_equal(traces.arrays["y.p"][1, 0, 0] % 10, [0, 2, 8, 8, 2, 0])
    sim.parameters["gain"] = 3
    assert sim.parameters["y.k"][0].tolist() == [0, 3, 12, 27, 48, 75]
    given = {"y.k": [9, 8, 7, 6, 5, 4]}
    assert apical.Simulator(apical.load_text(TEXT), parameters=given).parameters["y.k"][2] == 7


@pytest.mark.parametrize(
    ("section", "text", "value"),
    [
        ("parameters: {J: 2, gain: 0.5}", "parameters: {J: 2, gain: 0.5, index: 7}", 7),
        ("soma: [du/dt", "soma: [index = 7, du/dt", 7),
    ],
)
def test_a_declared_name_wins(section, text, value):
    made = TEXT.replace(section, text).replace("post.index", "post.row*3 + post.column")
    made = made.replace("pre.index", "pre.row").replace("k: gain*index^2", "k: gain")
    sim = apical.Simulator(apical.load_text(made))
    assert set(sim.run("train", samples=1, record=["y.r"]).arrays["y.r"].ravel()) == {value}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("shape: [2, 3]", "shape: [6]"),
        ("shape: [2, 3]", "shape: [2.5, 3]"),
        ("shape: [2, 3]", "size: 5, shape: [2, 3]"),
        ("shape: [2, 3]", "size: 6"),
        ("weight: pre.column - post.row", "weight: pre.channel"),
        ("weight: pre.column - post.row", "weight: index"),
        ("weight: pre.column - post.row", "init: 1, rule: w += post.index * pre"),
        ("weight: pre.column - post.row", "init: 1, current: w * pre * row"),
        ("weight: 1 + post.row*pre.column", "weight: post.row * transpose(H2)"),
        ("steps: 2", "steps: index"),
        ("0.1*pre.k", "0.1*pre.k\n    bias: true"),
        ("gain*index^2", "1/index"),
        ("go: {", "go: {set: gain = 3, "),
        ("shape: [2, 3], ", ""),
    ],
)
def test_what_has_no_place_is_refused(old, new, snapshot):
    made = TEXT.replace(old, new)
    if "H2" in new:
        made = made.replace("synapses:", "synapses:\n  H2: {from: y.r, to: y.basal, init: 0.1}")
    with pytest.raises(CircuitError) as caught:
        apical.load_text(made, "places.yaml")
    assert str(caught.value) == snapshot


def test_where_a_unit_stands_cannot_be_given(snapshot):
    with pytest.raises(ValueError) as caught:
        apical.Simulator(apical.load_text(TEXT), parameters={"y.index": [0] * 6})
    assert str(caught.value) == snapshot
