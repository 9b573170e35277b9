"""What `apical show` and `print(circuit)` say, against facts read off the files by hand."""

import subprocess
import sys

import networkx
import pytest

import apical
from apical.graphs.load import bundled
from apical.graphs.reports.show import show


@pytest.mark.parametrize("name", bundled())
def test_every_circuit_shows_and_prints(name):
    circuit = apical.load(name)
    shown, printed = show(circuit), str(circuit)
    for population in circuit.populations.values():
        assert population.base in shown and population.base in printed
    for protocol in circuit.protocols.values():
        assert f"protocol {protocol.name}" in shown
    assert "()" not in shown and "Load(" not in shown
    assert circuit._repr_html_().startswith("<b>")


@pytest.mark.parametrize(("name", "variant"), [("pc", "zil"), ("seqil", "mq"), ("pem", "sparse")])
def test_a_variant_is_named_and_shown(name, variant):
    shown = show(apical.load(name, variants=variant))
    assert f"variants: {variant}" in shown
    assert shown.replace(f"variants: {variant}", "") != show(apical.load(name))


def test_equations_read_as_in_the_paper():
    lines = [line.strip() for line in show(apical.load("pc")).split("\n")]
    for line in (
        "layer[k], k = 1..2 (value): 256, 256 units",
        "basal   u = W[k] layer[k-1].x",
        "apical  b = W[k+1]ᵀ layer[k+1].d",
        "soma    τ dx/dt = -e + b",
        "rule   w += η · post.d · pre.x",
        "begin     layer[k].x := tanh(u)   for k = 1..3",
        "2. infer: T = 20 steps of h = 0.1, euler",
        "at end    W[1..3] learn together",
    ):
        assert line in lines, line


def test_the_order_of_a_step_in_words():
    shown = show(apical.load("corinfomax"))
    assert "layers move one after another, each seeing the one before: layer[1], layer[2]" in shown
    assert "all move at once" in show(apical.load("pc"))


def test_a_plastic_synapse_without_a_stated_init_is_listed():
    text = """
apical: 1
name: two
cells:
  source:
    soma: r = image
  sink:
    soma: v = input
data:
  image: 2
populations:
  a:
    cell: source
    size: 2
  b:
    cell: sink
    size: 3
synapses:
  W:
    from: a.r
    to: b.soma
    rule: w += pre * post.v
protocols:
  train:
    once:
      learn: W
"""
    shown = show(apical.load_text(text))
    assert "plastic, without a stated `init`: W" in shown
    assert "init   xavier_uniform (not stated)" in shown
    stated = show(apical.load_text(text.replace("    rule:", "    init: 0\n    rule:")))
    assert "not stated" not in stated and "without a stated" not in stated


def test_counts():
    printed = str(apical.load("pc", sizes=[4, 3, 2]))
    assert "units: 9" in printed
    assert "weights: 18, of them 18 plastic" in printed  # 3 x 4 + 2 x 3
    assert "144 bytes stored" in printed


def test_products_of_each_phase():
    """forward: W[1] x[0] and W[2] x[1]. infer: u[1] stays; each step W[2] x[1] and W[2]^T d[2],
    and once more W[2] x[1], which the rules read."""
    shown = show(apical.load("pc", sizes=[4, 3, 2]))
    assert "products  2 on entry, 0 on leaving" in shown
    assert "products  0 on entry, 2 per step, 1 on leaving" in shown


def test_graph():
    circuit = apical.load("pc", sizes=[4, 3, 2])
    first = circuit.graph
    assert isinstance(first, networkx.MultiDiGraph) and circuit.graph is first  # made once
    assert "layer[1].soma" in circuit.graph


def test_loading_and_printing_do_not_need_networkx():
    code = "import sys, apical; str(apical.load('pc')); assert 'networkx' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
