"""The engines agree on every bundled circuit, variant and method; replicas equal single runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.testing import assert_allclose

import apical
from apical.graphs.load import bundled

from .small import cases, label, parameters, random_streams, small

PRINTED = Path(__file__).with_name("printed.py")
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def states(circuit):
    """Every state, and the energies: algebraic variables follow from them."""
    found = [f"{p.name}.{v}" for p in circuit.populations.values() for v in p.states]
    return [*circuit.energies, *found]


def plastic(circuit):
    return [name for name, synapse in circuit.synapses.items() if synapse.weight is None]


def slow(circuit):
    return [f"{p.name}.{v}" for p in circuit.populations.values() for v in p.slow]


def main(circuit):
    """The protocol in which most happens."""
    return "predict" if circuit.name == "hopfield" else "train"


def compare(circuit, runs, **options):
    """Both engines through (protocol, batch) after (protocol, batch): traces, weights, slow ones.

    One simulator for each engine, so that a protocol is compiled once.
    """
    sims = {
        engine: apical.Simulator(circuit, engine=engine, dtype="float64", **{"seed": 1} | options)
        for engine in ("numpy", "numba")
    }
    for name in plastic(circuit):
        assert_allclose(sims["numba"].weights[name], sims["numpy"].weights[name], **CLOSE)
    names = states(circuit)
    samples = 3 if circuit.streams else 1
    for protocol, batch in runs:
        learn = protocol == "train"
        found = {}
        for engine, sim in sims.items():
            traces = sim.run(
                protocol,
                learn=learn,
                batch=batch if circuit.streams else None,
                record=names,
                **random_streams(circuit, samples),
            )
            found[engine] = traces.dataset
        for name in names:
            expected = found["numpy"][name].values
            assert_allclose(found["numba"][name].values, expected, **CLOSE, err_msg=name)
        for name in plastic(circuit):
            expected = sims["numpy"].weights[name]
            assert_allclose(sims["numba"].weights[name], expected, **CLOSE, err_msg=name)
        for name in slow(circuit):
            assert_allclose(sims["numba"].slow[name], sims["numpy"].slow[name], **CLOSE)


@pytest.mark.parametrize("name", bundled())
def test_circuits_compiled(name):
    circuit = small(name)
    compare(circuit, [(main(circuit), None)])


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        ("corinfomax", ("sparse",)),
        ("corinfomax_sst", ("leak_free",)),
        ("ep", ("symmetric",)),
        ("hopfield", ("manhattan",)),
        ("pc", ("precision",)),
        ("pem", ("sparse",)),
        ("seqil", ("mq",)),
    ],
    ids=label,
)
def test_variants_compiled(case):
    circuit = small(*case)
    compare(circuit, [(main(circuit), 1)])


@pytest.mark.slow
def test_every_variant_and_protocol_as_printed():
    """The text that would be compiled, run by Python: see printed.py."""
    done = subprocess.run([sys.executable, PRINTED], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [f"{label(case)} agrees" for case in cases()]


def with_method(path, base, method):
    """A file that extends `base` and runs every phase that has steps by `method`."""
    circuit = small(base)
    text = {}
    for protocol in circuit.protocols.values():
        named = circuit.protocols["train"].phases if protocol.name != "train" else ()
        for phase in protocol.phases:
            if phase in named:  # `predict` names phases of `train`
                continue
            if phase.steps is not None or phase.duration is not None:
                text.setdefault(protocol.name, {})[phase.name] = {"method": method}
    head = {"apical": 1, "name": path.stem, "extends": base, "protocols": text}
    path.write_text(yaml.safe_dump(head, sort_keys=False))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("method", ["heun", "rk4", "exponential_euler"])
@pytest.mark.parametrize(
    "name", ["pc", "corinfomax", "hopfield", "pem", "sacramento", "seqil", "urbanczik_senn", "ep"]
)
def test_methods(tmp_path, name, method):
    if method == "heun" and name not in ("pc", "hopfield", "sacramento"):
        pytest.skip("a tableau like that of rk4, which every circuit is run by")
    path = with_method(tmp_path / "heir.yaml", name, method)
    circuit = apical.load(path, **parameters(name))
    compare(circuit, [("predict" if name == "hopfield" else "train", None)])


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize(
    ("name", "variants"),
    [
        ("pc", []),
        pytest.param("corinfomax", ["random_sign"], marks=pytest.mark.slow),
        pytest.param("seqil", ["mq"], marks=pytest.mark.slow),
        ("pem", []),
        ("sacramento", []),
    ],
)
def test_replicas_equal_single_runs(engine, name, variants):
    circuit = small(name, variants)
    streams = random_streams(circuit, 4)
    options = {"learn": True, "batch": 2, "record": states(circuit)}
    many = apical.Simulator(circuit, engine=engine, seed=0, replicas=4, dtype="float64")
    together = many.run("train", **options, **streams)
    for i in range(4):
        one = apical.Simulator(circuit, engine=engine, seed=i, dtype="float64")
        alone = one.run("train", **options, **streams)
        for key in states(circuit):
            expected = alone.dataset[key].values[0]
            assert_allclose(together.dataset[key].values[i], expected, **CLOSE, err_msg=key)
        for key in plastic(circuit):
            assert_allclose(many.weights[key][i], one.weights[key], **CLOSE, err_msg=key)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_random_sign_is_one_of_the_two(engine):
    """A drawn sign gives the run with beta or the one with -beta, and both are drawn."""
    signs = set()
    for seed in range(8):
        ends = []
        for variants, beta in ((["random_sign"], 1), ([], 1), ([], -1)):
            circuit = small("corinfomax", variants, beta=beta)
            sim = apical.Simulator(circuit, engine=engine, seed=seed, dtype="float64")
            sim.run("train", learn=True, record=[], **random_streams(circuit, 2))
            ends.append(np.array(sim.weights["W[2]"]))
        drawn, plus, minus = ends
        assert np.abs(plus - minus).max() > 1e-6
        matches = [np.allclose(drawn, other, rtol=0, atol=1e-12) for other in (plus, minus)]
        assert sum(matches) == 1
        signs.add(matches[0])
    assert signs == {True, False}
