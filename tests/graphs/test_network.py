"""The network of a circuit, against what its paper draws."""

from __future__ import annotations

import networkx
import numpy as np
import pytest

from apical.graphs.load import bundled, load
from apical.graphs.network import graph


def test_compartments_are_nodes():
    network = graph(load("corinfomax", sizes=[6, 4, 3]))
    assert network.number_of_nodes() == 1 + 2 * 5
    soma = network.nodes["layer[1].soma"]
    assert (soma["population"], soma["compartment"], soma["role"]) == ("layer[1]", "soma", "soma")
    assert soma["size"] == 4
    assert soma["variables"] == "u, r, e_B, e_F"
    assert network.nodes["layer[2].feedback"]["role"] == "feedback"


def test_synapses_are_edges():
    circuit = load("pc", sizes=[6, 4, 3])
    network = graph(circuit)
    synapses = {k: (a, b, d) for a, b, k, d in network.edges(keys=True, data=True)
                if d["kind"] != "coupling"}  # fmt: skip
    assert set(synapses) == set(circuit.synapses)
    source, target, data = synapses["W[1]"]
    assert (source, target) == ("layer[0].soma", "layer[1].basal")
    assert data["plastic"] and not data["live"]
    assert (data["rows"], data["columns"]) == (4, 6)
    source, target, data = synapses["feedback[2]"]
    assert (source, target) == ("layer[2].error", "layer[1].apical")
    assert not data["plastic"] and data["live"] and data["weight_of"] == "W[2]"
    assert data["weight_text"] == "transpose(W[2])"


def test_autapses_are_one_to_one_onto_the_same_population():
    network = graph(load("corinfomax_sst", sizes=[6, 4, 3]))
    autapses = {k for _, _, k, d in network.edges(keys=True, data=True) if d["kind"] == "autapse"}
    assert autapses == {"D[1]", "D[2]"}
    assert network.edges["layer[1].soma", "layer[1].apical", "D[1]"]["port"] == "autapse"


def test_couplings_join_compartments_of_a_cell():
    network = graph(load("corinfomax", sizes=[6, 4, 3]))
    couplings = {
        (a, b, d["variables"])
        for a, b, d in network.edges(data=True)
        if d["kind"] == "coupling" and a.startswith("layer[1]")
    }
    assert couplings == {
        ("layer[1].basal", "layer[1].soma", "v_B"),
        ("layer[1].apical", "layer[1].soma", "v_A"),
        ("layer[1].feedback", "layer[1].apical", "v_F"),
        ("layer[1].lateral", "layer[1].apical", "z"),
        ("layer[1].soma", "layer[1].apical", "r"),
        ("layer[1].feedback", "layer[1].soma", "v_F"),
    }


FORMATS = {
    "graphml": (networkx.write_graphml, networkx.read_graphml),
    "gexf": (networkx.write_gexf, networkx.read_gexf),
    "gml": (networkx.write_gml, networkx.read_gml),
}


@pytest.mark.parametrize("name", sorted(bundled()))
@pytest.mark.parametrize("ending", FORMATS)
def test_networkx_writes_and_reads_the_formats_of_graphs(name, ending, tmp_path):
    network = graph(load(name))
    write, read = FORMATS[ending]
    write(network, tmp_path / f"net.{ending}")
    again = read(tmp_path / f"net.{ending}")
    assert set(again.nodes) == set(network.nodes)
    for node, facts in network.nodes(data=True):
        assert facts.items() <= again.nodes[node].items()
    found = [data["synapse"] for *_, data in again.edges(data=True) if "synapse" in data]
    assert sorted(found) == sorted(load(name).synapses)


def test_the_adjacency_matrix_counts_synapses_and_couplings():
    network = graph(load("pc", sizes=[6, 4, 3]))
    nodes = list(network)
    matrix = networkx.to_numpy_array(network)
    for a, b in network.edges():
        assert matrix[nodes.index(a), nodes.index(b)] == network.number_of_edges(a, b)
    assert matrix.sum() == network.number_of_edges()
    assert matrix.dtype == np.float64
