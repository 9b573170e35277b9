"""The network of a circuit, against what its paper draws."""

from __future__ import annotations

from apical.graphs.load import load
from apical.graphs.network import graph


def test_compartments_are_nodes():
    network = graph(load("corinfomax", sizes=[6, 4, 3]))
    assert network.number_of_nodes() == 1 + 2 * 5
    soma = network.nodes["layer[1].soma"]
    assert (soma["population"], soma["compartment"], soma["role"]) == ("layer[1]", "soma", "soma")
    assert soma["size"] == 4
    assert soma["variables"] == ("u", "r", "e_B", "e_F")
    assert network.nodes["layer[2].feedback"]["role"] == "feedback"


def test_synapses_are_edges():
    circuit = load("pc", sizes=[6, 4, 3])
    network = graph(circuit)
    synapses = {k: (a, b, d) for a, b, k, d in network.edges(keys=True, data=True)
                if d["kind"] != "coupling"}  # fmt: skip
    assert set(synapses) == set(circuit.synapses)
    source, target, data = synapses["W[1]"]
    assert (source, target) == ("layer[0].soma", "layer[1].basal")
    assert data["plastic"] and data["shape"] == (4, 6) and data["weight"] == "own"
    source, target, data = synapses["feedback[2]"]
    assert (source, target) == ("layer[2].error", "layer[1].apical")
    assert not data["plastic"] and data["weight"] == "live" and data["weight_of"] == ("W[2]",)


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
        ("layer[1].basal", "layer[1].soma", ("v_B",)),
        ("layer[1].apical", "layer[1].soma", ("v_A",)),
        ("layer[1].feedback", "layer[1].apical", ("v_F",)),
        ("layer[1].lateral", "layer[1].apical", ("z",)),
        ("layer[1].soma", "layer[1].apical", ("r",)),
        ("layer[1].feedback", "layer[1].soma", ("v_F",)),
    }
