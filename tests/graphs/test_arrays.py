"""Arrays from files and from Python: what weights start from, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import networkx
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from apical import CircuitError, Simulator, load, load_text
from apical.graphs.load import rebuild
from apical.graphs.reading.array_files import ARRAY_FILES
from apical.graphs.reports.dale import sign_text
from apical.traces.manifest import manifest

TEXT = """\
apical: 1
name: started
parameters:
  N: 4
cells:
  neuron:
    soma:
      - du/dt = input - u + 0.1*xi
populations:
  x:
    cell: neuron
    size: N
  y:
    cell: neuron
    size: 3
synapses:
  W:
    from: x.u
    to: y.soma
    init: {init}
    rule: w += 0.1 * post.u * pre
  V[k=1..2]:
    from: y.u
    to: x.soma
    init: k
    bias: {bias}
protocols:
  train:
    settle:
      begin: x.u := index
      steps: 5
      dt: 0.1
      learn: W
"""
W = np.round(np.random.default_rng(5).normal(size=(3, 4)), 3)


@pytest.fixture
def folder(tmp_path):
    """The same array in every kind of file."""
    np.savez(tmp_path / "W.npz", W=W, other=W.T)
    np.save(tmp_path / "W.npy", W.astype(np.float32))
    np.savez(tmp_path / "one.npz", W)
    np.savetxt(tmp_path / "W.csv", W, delimiter=",", header="a comment")
    scipy.io.mmwrite(tmp_path / "W.mtx", scipy.sparse.coo_array(W))
    scipy.io.mmwrite(tmp_path / "dense.mtx", W)
    scipy.sparse.save_npz(tmp_path / "sparse.npz", scipy.sparse.csc_array(W))
    (tmp_path / "below").mkdir()
    np.save(tmp_path / "below" / "T.npy", W.T.copy())
    return tmp_path


def started(folder, init, bias="false", **options):
    (folder / "net.yaml").write_text(TEXT.format(init=init, bias=bias), "utf-8")
    return load(folder / "net.yaml", **options)


def told(folder, init, **options):
    with pytest.raises(CircuitError) as caught:
        started(folder, init, **options)
    (one,) = caught.value.diagnostics
    return one


@pytest.mark.parametrize(
    "init",
    [
        'file("W.npz", "W")',
        'file("W.npy")',
        'file("one.npz")',
        'file("W.csv")',
        'file("W.mtx")',
        'file("dense.mtx")',
        'file("sparse.npz")',
        'transpose(file("below/T.npy"))',
        '-0.5*transpose(file("W.npz", "other")) + 1.5*file("W.csv")',
        '\'file("W.npz", "W")\'',
        'product(file("W.npz", "W"), product(file("below/T.npy"), file("W.npy")))',
    ],
)
def test_weights_start_from_the_array_of_a_file(folder, init):
    circuit = started(folder, init)
    expected = W @ W.T @ W if "product" in init else W
    found = Simulator(circuit, engine="numpy").weights["W"]
    np.testing.assert_allclose(found, expected, rtol=1e-6 if "npy" in init else 1e-15)
    again = load_text(circuit.to_yaml(), str(folder / "net.yaml"))
    assert again.synapses == circuit.synapses


@pytest.mark.parametrize("order", ["0123", "3021"])
def test_the_edges_of_a_graph_join_pre_to_post(folder, order):
    array = np.array([[0, 2.0, 0, 0], [0, 0, 0, 0.5], [-1, 0, 0, 0], [0, 0, 0, 3]])
    graph = networkx.DiGraph()
    graph.add_nodes_from(order)
    for post, pre in np.argwhere(array):
        graph.add_edge(str(pre), str(post), weight=array[post, pre], delay=7.0)
    networkx.write_graphml(graph, folder / "G.graphml")
    text = TEXT.format(init="1", bias="false").replace("to: y.soma", "to: x.soma")
    (folder / "net.yaml").write_text(text.replace("init: 1", 'init: file("G.graphml")'), "utf-8")
    circuits = [load(folder / "net.yaml"), load_text(text, arrays={"W": graph})]
    for circuit in circuits:
        np.testing.assert_array_equal(Simulator(circuit, engine="numpy").weights["W"], array)
    text = text.replace("init: 1", 'init: file("G.graphml", "delay")')
    (folder / "net.yaml").write_text(text, "utf-8")
    found = Simulator(load(folder / "net.yaml"), engine="numpy").weights["W"]
    np.testing.assert_array_equal(found, 7 * (array != 0))


@pytest.mark.parametrize("kind", [np.array, scipy.sparse.csr_array, scipy.sparse.coo_matrix, list])
def test_an_array_from_python_stands_for_an_init_or_where_the_file_says(folder, kind):
    given = {"W": kind(W), "V[2]": np.ones((4, 3))}
    circuit = started(folder, "0", arrays=given)
    sim = Simulator(circuit, engine="numpy")
    np.testing.assert_array_equal(sim.weights["W"], W)
    np.testing.assert_array_equal(sim.weights["V[1]"], np.full((4, 3), 1))
    np.testing.assert_array_equal(sim.weights["V[2]"], np.full((4, 3), 1))
    assert load_text(circuit.to_yaml(), arrays=given).synapses == circuit.synapses
    named = started(folder, 'array("A") + array("W")', arrays={"A": W, "W": kind(W)})
    np.testing.assert_array_equal(Simulator(named, engine="numpy").weights["W"], 2 * W)


def test_an_array_is_as_it_was_when_the_circuit_was_loaded():
    array = W.copy()
    circuit = load_text(TEXT.format(init="1", bias="false"), arrays={"W": array})
    array[:] = 0
    np.testing.assert_array_equal(Simulator(circuit, engine="numpy").weights["W"], W)
    assert sign_text(circuit, circuit.synapses["V[1]"]) == "positive"


def test_the_last_column_of_a_biased_array_is_the_bias(folder):
    np.save(folder / "B.npy", np.arange(16.0).reshape(4, 4))
    text = TEXT.format(init="0", bias="true").replace("init: k", 'init: k*file("B.npy")')
    (folder / "net.yaml").write_text(text, "utf-8")
    sim = Simulator(load(folder / "net.yaml"), engine="numpy")
    np.testing.assert_array_equal(sim.weights["V[2]"], 2 * np.arange(16.0).reshape(4, 4))


@pytest.mark.messages
@pytest.mark.parametrize(
    "init",
    [
        'file("W.npz")',
        'file("W.npz", "V")',
        'file("W.npz", "other")',
        'file("W.npy", "W")',
        'file("W.mat")',
        'file("no.npy")',
        'file("../W.npy")',
        'file("/elsewhere/W.npy")',
        'file("link.npy")',
        'file("nan.npy")',
        'file("complex.npy")',
        'file("objects.npy")',
        'file("no numbers.csv")',
        'file("damaged.npz", "W")',
        'file("edges.graphml", "delay")',
        'file("below")',
        'array("W")',
    ],
)
def test_what_cannot_be_taken_is_told_at_its_place(folder, init, snapshot, monkeypatch):
    np.save(folder / "nan.npy", np.where(W > 0, W, np.nan))
    np.save(folder / "complex.npy", W * 1j)
    np.save(folder / "objects.npy", np.array([{}, 1]), allow_pickle=True)
    (folder / "no numbers.csv").write_text("a,b\nc,d\n")
    (folder / "damaged.npz").write_bytes((folder / "W.npz").read_bytes()[:100])
    networkx.write_graphml(networkx.path_graph(3), folder / "edges.graphml")
    (folder / "link.npy").symlink_to("/dev/null")
    monkeypatch.chdir(folder)
    with pytest.raises(CircuitError) as caught:
        load_text(TEXT.format(init=init, bias="false"), "net.yaml")
    (one,) = caught.value.diagnostics
    assert (one.place.line, one.place.column) == (20, 11)
    assert str(caught.value) == snapshot


@pytest.mark.messages
@pytest.mark.parametrize(
    ("arrays", "bias"),
    [
        ({"U": W}, "false"),
        ({"V": W}, "false"),
        ({"W": W[:2]}, "false"),
        ({"W": [[1], [1, 2]]}, "false"),
        ({"V[1]": W.T}, "true"),
    ],
)
def test_what_python_gives_is_told_too(arrays, bias, snapshot):
    with pytest.raises(CircuitError) as caught:
        load_text(TEXT.format(init="1", bias=bias), "net.yaml", arrays=arrays)
    assert str(caught.value) == snapshot


def test_every_kind_of_file_is_in_the_manual():
    manual = (Path(__file__).parents[2] / "docs" / "language.md").read_text("utf-8")
    assert all(f"`{kind}`" in manual for kind in ARRAY_FILES)


def test_what_is_too_large_is_not_read(folder, monkeypatch):
    np.savez_compressed(folder / "zeros.npz", W=np.zeros((3, 4000)))  # small, until it is read
    monkeypatch.setattr("apical.graphs.reading.array_files.LARGEST", 1000)
    assert "96128 bytes (at most 1000)" in told(folder, 'file("zeros.npz", "W")').message


def test_a_manifest_keeps_hashes_and_a_circuit_is_built_of_the_same_numbers_alone(folder):
    circuit = started(folder, 'file("W.npz", "W")', arrays={"V[1]": np.ones((4, 3))})
    facts = json.loads(json.dumps(manifest(circuit, engine="numpy")))
    key = f'{folder / "net.yaml"}: file("W.npz", "W")'
    assert set(facts["arrays"]) == {key, 'array("V[1]")'}
    other = started(folder, 'file("W.npz", "W")', arrays={"V[1]": np.zeros((4, 3))})
    assert manifest(other, engine="numpy")["hash"] != facts["hash"]
    arrays = {name: array.values for name, array in circuit.arrays.items()}
    np.savez(folder / "W.npz", W=W + 1)
    assert rebuild(facts, arrays) == circuit
    facts["arrays"].pop('array("V[1]")')
    with pytest.raises(CircuitError, match="is not what it was when this ran"):
        rebuild(facts)


def test_a_checkpoint_holds_what_its_circuit_starts_from(folder):
    circuit = started(folder, 'file("W.npz", "W")', arrays={"V[1]": scipy.sparse.eye(4, 3)})
    sim = Simulator(circuit, engine="numpy", seed=3)
    sim.run("train", learn=True, samples=3)
    sim.save(folder / "sim.safetensors")
    sim.run("train", learn=True, samples=3)
    (folder / "W.npz").unlink()
    resumed = Simulator.resume(folder / "sim.safetensors")
    resumed.run("train", learn=True, samples=3)
    np.testing.assert_array_equal(resumed.weights["W"], sim.weights["W"])
    np.testing.assert_array_equal(Simulator(resumed.circuit, engine="numpy").weights["W"], W)
