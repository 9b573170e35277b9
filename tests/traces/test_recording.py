"""Lines of `record=` on a circuit made by hand."""

import pytest

from apical import CircuitError, load_text
from apical.graphs.circuit import (
    Circuit,
    Equation,
    ParameterValue,
    Phase,
    Population,
    Protocol,
    Record,
    Snapshot,
    Source,
    Synapse,
    Update,
)
from apical.graphs.expressions.tree import Number, Variable
from apical.traces.recording import RecordingError, is_due, recordings

ZERO = Number(0.0)


def layer(k: int) -> Population:
    return Population(
        name=f"layer[{k}]",
        base="layer",
        index=k,
        size=3,
        cell="c",
        compartments=("soma",),
        equations=(Equation("x", ZERO, "state"), Equation("v_A", ZERO, "algebraic")),
        after_step=(Update("a", ":=", ZERO),),
        slow={"mu": ZERO},
        states=("x", "a"),
    )


@pytest.fixture
def circuit():
    populations = {p.name: p for p in (layer(1), layer(2), layer(3))}
    synapse = Synapse(
        "W[1]", "W", 1, ("layer[1]", "x"), ("layer[2]", "soma", None), "dense", (3, 3), ZERO
    )
    return Circuit(
        name="hand",
        title="",
        cite="",
        time_unit=None,
        parameters={"L": ParameterValue("L", Number(3.0), 3.0, True)},
        streams={},
        populations=populations,
        synapses={"W[1]": synapse},
        energies={"F": ZERO},
        predicts={},
        record=(Record("F"),),
        protocols={"train": Protocol("train", (Phase("free"), Phase("nudged")))},
        source=Source("hand.yaml", {"hand.yaml": "name: hand\n"}),
    )


def v(k, name="v_A", phase=None):
    return Variable(f"layer[{k}]", name, phase)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("layer[1].v_A", [Record(v(1))]),
        ("F", [Record("F")]),
        ("layer[L-1].x", [Record(v(2, "x"))]),
        ("layer[1].a", [Record(v(1, "a"))]),
        ("layer[1].mu", [Record(v(1, "mu"))]),
        ("layer[2].x@free", [Record(v(2, "x", "free"))]),
        ("layer[1..L].v_A", [Record(v(1)), Record(v(2)), Record(v(3))]),
        ("layer[k].v_A for k = 2..L", [Record(v(2)), Record(v(3))]),
        ("layer[k-1].v_A for k = 3..2", [Record(v(2)), Record(v(1))]),
        ("layer[1].v_A in nudged every 5", [Record(v(1), "nudged", 5)]),
        ("layer[1].v_A every 2 norm", [Record(v(1), None, 2, "norm")]),
        ("layer[1].v_A mean", [Record(v(1), None, 1, "mean")]),
        ("layer.x", [Record(v(1, "x")), Record(v(2, "x")), Record(v(3, "x"))]),
        ("F every 2 steps", [Record("F", None, 2)]),
        ("W", [Snapshot("W[1]")]),
        ("W[k] for k = 1..1 every L presentations norm", [Snapshot("W[1]", "", 3, "norm")]),
        ("layer[2].mu every 1 presentation", [Snapshot("layer[2]", "mu")]),
    ],
)
def test_a_line_is_a_value(circuit, line, expected):
    assert recordings([line], circuit) == tuple(expected)


@pytest.mark.parametrize(
    "line",
    [
        "layer[1].v_a",
        "layer[4].v_A",
        "G",
        "W[2]",
        "W.m",
        "W every 5",
        "W[1] in free every 5 presentations",
        "layer[1].x every 5 presentations",
        "F every 2 presentations",
        "layer[1]",
        "layer[1].x in nudge",
        "layer[1].x every 0",
        "layer[k].x",
        "F mean",
        "layer[1",
        "",
    ],
)
def test_a_wrong_line_says_what_there_is(circuit, line, refused):
    with refused(RecordingError) as caught:
        recordings([line], circuit)
    assert str(caught.value).startswith(f"record {line!r}: ")


TEXT = """
apical: 1
name: two_ways
parameters: {L: 3, eta: 0.1}
cells:
  c:
    soma: [dx/dt = -x + input, v_A = 2*x]
    slow: {mu: 0}
    rules: mu += x
populations:
  layer[k=0..L]: {cell: c, size: 2}
synapses:
  W[k=1..L]: {from: "layer[k-1].x", to: "layer[k].soma", rule: w += eta * post.x * pre}
energy: {F: "sum(layer[1].x^2)"}
protocols:
  train:
    free: {steps: 2, dt: 0.1, clamp: "layer[0].x = 1"}
    nudged: {steps: 4, dt: 0.1, learn: "W, layer.mu"}
record:
  - LINE
"""


@pytest.mark.parametrize(
    "line",
    [
        "layer.x",
        "layer[1..L].v_A in nudged every L-1",
        "layer[k-1].x@free for k = L..1 mean",
        "W every 2 presentations norm",
        "W[k] for k = 1..2",
        "layer[L].mu every 3 presentations",
        "F every 2",
    ],
)
def test_a_line_means_the_same_in_a_file_and_in_python(line):
    circuit = load_text(TEXT.replace("LINE", line))
    assert circuit.record == recordings([line], circuit) != ()


@pytest.mark.parametrize(
    "line",
    [
        "layr.x",
        "layer.y",
        "layer[7].x",
        "layer[3..1].x",
        "layer.x in nudge",
        "layer.x@fre",
        "layer.x every 0",
        "layer",
        "F norm",
        "F every 2 presentations",
        "W[4]",
        "W.m",
        "W in free every 2 presentations",
        "layer[1].x every 2 presentations",
    ],
)
def test_a_wrong_line_is_refused_in_a_file_as_in_python(line, snapshot):
    circuit = load_text(TEXT.replace("LINE", "F"))
    with pytest.raises(RecordingError) as in_python:
        recordings([line], circuit)
    with pytest.raises(CircuitError) as in_a_file:
        load_text(TEXT.replace("LINE", line))
    (one,) = in_a_file.value.diagnostics
    assert one.place.line == TEXT.splitlines().index("  - LINE") + 1
    assert one.message.rpartition(" '")[0] in str(in_python.value)
    assert str(in_a_file.value) == snapshot


def test_none_is_what_the_file_says_and_lines_count_once(circuit):
    assert recordings(None, circuit) == circuit.record
    assert recordings(["F", Record("F"), "F"], circuit) == (Record("F"),)
    assert recordings("F", circuit) == (Record("F"),)


def test_names_in_the_traces():
    assert Record(v(1)).name == "layer[1].v_A"
    assert Record(v(1, "x", "free"), None, 1, "norm").name == "norm(layer[1].x@free)"
    assert Record("F").name == "F"


def test_which_rows_are_due():
    record = Record("F", "nudged", 5)
    assert [s for s in range(12) if is_due(record, "nudged", s)] == [0, 5, 10]
    assert not is_due(record, "free", 0)


def test_the_manifest_says_enough_to_run_again(circuit):
    import json
    from dataclasses import replace

    import numpy as np

    from apical.traces.manifest import circuit_hash, manifest

    told = manifest(circuit, engine="numpy", seed=3, protocol="train", epochs=np.int64(2))
    assert json.loads(json.dumps(told)) == told
    assert told["texts"] == {"hand.yaml": "name: hand\n"} and told["epochs"] == 2
    assert told["seed"] == 3 and told["versions"]["numpy"] == np.__version__
    moved = replace(circuit, source=replace(circuit.source, path="b", texts={"b": "name: hand\n"}))
    other = replace(circuit, source=replace(circuit.source, overrides={"L": 2}))
    assert circuit_hash(moved) == circuit_hash(circuit) != circuit_hash(other)
