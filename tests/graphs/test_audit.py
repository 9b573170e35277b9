"""The audit of every shipped circuit against a table written by hand from the papers."""

from __future__ import annotations

import json

import pytest

import apical
from apical.graphs.load import bundled

# Per circuit (name, variants): synapse family or slow variable -> verdict. Written by hand:
# - pc, seqil, ep, hopfield send signals back through the transpose of the forward weights;
# - seqil's output error is a softmax over the population, mq's step a mean over all weights;
# - in corinfomax B, SST O and PEM's C the rule wants a dendritic or somatic variable of the
#   presynaptic cell that the axon does not carry (z, q, ybar, while r, r, ybar/D are sent).
MICROCIRCUIT = (
    "drive recurrent down thalamus_pv pyr_pv pyr_sst above_vip pv_pyr pv_pv sst_pyr sst_pv sst_vip "
    "vip_sst"
).split()
TABLE = {
    ("bsm",): {  # M: y is clip(u/(m D)), D y is sent; D measures its own conductance by copies
        "W": "local",
        "M": "two-cell",
        "power_W": "tied",
        "power_M": "tied",
        "y.m": "local",
        "y.D": "local",
    },
    ("nsm",): {"W": "local", "M": "local", "y.D": "local"},
    ("corinfomax", "exact_inverse"): {"W": "local", "F": "local", "B": "population"},
    ("corinfomax_sst", "leak_free"): {
        "W": "local",
        "F": "local",
        "D": "local",
        "O": "two-cell",
        "inhibit": "fixed",
        "listen": "fixed",
    },
    ("pem", "full_gradient"): {
        "W": "local",
        "C": "two-cell",
        "square": "tied",
        "y.mu": "local",
        "y.var": "local",
    },
    ("corinfomax",): {"W": "local", "F": "local", "B": "two-cell"},
    ("corinfomax_sst",): {
        "W": "local",
        "F": "local",
        "D": "local",
        "O": "two-cell",
        "inhibit": "fixed",
        "listen": "fixed",
    },
    ("convolutional_pc",): {
        "K1": "local",
        "K2": "local",
        "W": "local",
        "P": "fixed",
        "P_back": "fixed",
        "W_back": "transport",
        "K2_back": "transport",
    },
    ("corinfomax", "sparse"): {
        "W": "local",
        "F": "local",
        "B": "two-cell",
        "count": "fixed",
        "inhibit": "fixed",
    },
    ("dtp",): {"W": "local", "V": "local", "noisy": "tied", "down": "tied", "back": "tied"},
    ("ep",): {"W": "local", "back": "transport", "layer.bias": "local"},
    ("ep", "symmetric"): {"W": "local", "back": "transport", "layer.bias": "local"},
    ("hopfield",): {"store": "local", "recall": "transport"},
    ("neuron",): {"W_B": "fixed", "W_A": "fixed"},
    ("neuron", "learning"): {"W_B": "local", "W_A": "fixed"},
    ("oja",): {"W": "local"},
    ("oja", "subspace"): {"W": "two-cell", "feedback": "transport"},
    ("pc",): {"W": "local", "feedback": "transport"},
    ("pc", "precision"): {"W": "local", "feedback": "transport", "Pi": "fixed"},
    ("pem",): {"W": "local", "C": "two-cell", "y.mu": "local", "y.var": "local"},
    ("pem", "unnormalised"): {"W": "local", "C": "local", "y.mu": "local", "y.var": "local"},
    ("pem", "correlation"): {"W": "local", "B": "two-cell", "y.mu": "local", "y.var": "local"},
    ("canonical_microcircuit",): dict.fromkeys(MICROCIRCUIT, "fixed"),
    ("chaos",): {"E": "fixed", "I": "fixed"},
    ("eprop",): {
        "W_in": "local",
        "W_rec": "local",
        "W_out": "local",
        "feedback": "transport",
    },
    ("hodgkin_huxley",): {},
    ("lif_stdp",): {"W": "two-cell", "inhibition": "fixed"},
    ("ring_attractor",): {"W": "fixed"},
    ("sacramento",): {
        "W": "fixed",
        "feedback": "fixed",
        "W_IP": "local",
        "W_PI": "local",
        "nudge": "fixed",
    },
    ("seqil", "mq"): {"W": "population", "feedback": "transport"},
    ("synaptic_depression",): {"S": "fixed"},
    ("urbanczik_senn",): {"W": "local"},
    ("whittington_bogacz",): {
        "W": "local",
        "feedback": "transport",
        "excite": "fixed",
        "inhibit": "fixed",
    },
    ("wilson_cowan",): dict.fromkeys(("EE", "EI", "IE", "II"), "fixed"),
}  # fmt: skip
# Families whose members differ: the output is a softmax over its population.
READ = {"W[1]": "local", "W[2]": "local", "W[3]": "population"}
MEMBERS = {
    ("backprop",): {**READ, "B[2]": "transport"},
    ("backprop", "feedback_alignment"): {**READ, "B[2]": "fixed"},
    ("backprop", "kolen_pollack"): {**READ, "B[2]": "local", "B[3]": "local"},
    ("backprop", "weight_mirror"): {**READ, "B[2]": "two-cell", "B[3]": "two-cell"},
    ("seqil",): {**READ, "feedback[2]": "transport"},
}

MEMORY = {("corinfomax", "W[1]"): ("free",), ("corinfomax", "F[1]"): ("free",),
          ("corinfomax_sst", "W[2]"): ("free",), ("ep", "W[1]"): ("free",),
          ("ep", "layer[1].bias"): ("free",), ("corinfomax", "B[1]"): (),
          ("pem", "W"): (), ("pc", "W[1]"): ()}  # fmt: skip


def base(name):
    """`W[1]` -> `W`, `layer[1].bias` -> `layer.bias`."""
    head, _, tail = name.partition("[")
    return head + tail.partition("]")[2]


@pytest.mark.parametrize("which", TABLE, ids="+".join)
def test_verdicts(which):
    name, *variants = which
    report = apical.load(name, variants=variants).audit()
    found = {}
    for member, verdict in report.verdicts.items():
        assert found.setdefault(base(member), verdict) == verdict, member
    assert found == TABLE[which]


@pytest.mark.parametrize("which", MEMBERS, ids="+".join)
def test_members_that_differ(which):
    verdicts = apical.load(which[0], variants=which[1:]).audit().verdicts
    assert {name: verdicts[name] for name in MEMBERS[which]} == MEMBERS[which]


def test_every_bundled_circuit_is_in_the_table():
    assert {which[0] for which in (*TABLE, *MEMBERS)} == set(bundled())


@pytest.mark.parametrize("which", MEMORY, ids=".".join)
def test_phase_memory(which):
    circuit, name = which
    assert apical.load(circuit).audit()[name].memory == MEMORY[which]


def test_paths_prove_the_verdict():
    sst = apical.load("corinfomax_sst").audit()
    assert sst["O[1]"].path[1] == (
        "pre.q stands in the apical of the presynaptic cell; the synapse transmits r"
    )
    assert sst["listen[1]"].sends == "layer[1].q (apical, dendrite)"
    assert apical.load("pc").audit()["feedback[2]"].path == (
        "feedback[2] = transpose(W[2]) at all times",
        "weight of W[2]",
    )
    output = apical.load("seqil").audit()["W[3]"]
    assert output.path[1] == "post.e = softmax(layer[3].p) in e: population of layer[3]"


def test_what_is_read():
    rule = apical.load("corinfomax").audit()["W[2]"]
    reads = {r.what: r for r in rule.reads}
    assert reads["nudge"].kind == "broadcast"
    assert reads["eta_W[2]"].kind == "constant"
    assert (reads["pre.r"].kind, reads["pre.r"].part) == ("pre", "soma")
    assert reads["post.e_B@free"].phase == "free"
    assert rule.shared == "mean over the samples"
    assert apical.load("urbanczik_senn").audit()["W"].sends == "x.x (axon, axon)"


def test_signals_through_transported_weights():
    assert "feedback[2]" in apical.load("pc").audit()["W[1]"].through
    assert apical.load("corinfomax").audit()["W[1]"].through == ()


def test_dale():
    signs = {d.population: d for d in apical.load("corinfomax_sst").audit().dale}
    assert signs["sst[1]"].verdict == "obeys"  # SST cells inhibit
    assert signs["sst[1]"].signs == {"inhibit[1]": "-"}
    assert signs["layer[1]"].verdict == "may change"  # nothing bounds a learnt weight
    sparse = {d.population: d for d in apical.load("corinfomax", variants="sparse").audit().dale}
    assert sparse["multiplier[1]"].verdict == "obeys"


TIED = """
apical: 1
name: tied
title: A copy, a third cell's mean and a population norm
data:
  a: 3
cells:
  source:
    soma: x = a
  sink:
    soma:
      - dy/dt = input - y
      - size = norm(y)
populations:
  p:
    cell: source
    size: 3
  q:
    cell: sink
    size: 3
  o:
    cell: sink
    size: 3
synapses:
  A:
    from: p.x
    to: q.soma
    init: eye
    rule: w += post.y*pre.x/post.size
  B:
    from: p.x
    to: o.soma
    weight: copy(A)
protocols:
  train:
    go:
      steps: 2
      dt: 0.1
      learn: A
"""


def test_a_copy_and_a_norm():
    report = apical.load_text(TIED).audit()
    assert report.verdicts == {"A": "population", "B": "tied"}
    assert report.verdict == "tied"
    assert report["A"].path[1] == "post.size = norm(q.y) in size: population of q"
    assert report["B"].weight_of == ("A",)


def test_json_and_levels(refused):
    report = apical.load("corinfomax_sst").audit()
    read = json.loads(report.to_json())
    assert read["verdict"] == "two-cell"
    assert [f["name"] for f in read["findings"]][:3] == ["W[1]", "W[2]", "F[1]"]
    assert {f.name for f in report.fails("local")} == {"O[1]", "O[2]"}
    assert report.fails("two-cell") == ()
    with refused(ValueError):
        report.fails("locale")


def test_command():
    from typer.testing import CliRunner

    from apical.cli import app

    run = CliRunner().invoke
    assert run(app, ["audit", "urbanczik_senn", "--require", "local"]).exit_code == 0
    refused = run(app, ["audit", "pc", "--require", "local"])
    assert refused.exit_code == 1
    assert "feedback[1] is transport, not local" in refused.output
    assert run(app, ["audit", "pc", "--require", "two-cell"]).exit_code == 1
    assert run(app, ["audit", "corinfomax", "--require", "two-cell"]).exit_code == 0
    assert json.loads(run(app, ["audit", "pc", "--json"]).output)["circuit"] == "pc"
