"""Laws that every valid circuit keeps, on circuits that Hypothesis draws."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

import apical
from apical.graphs.load import load_text
from apical.graphs.reports.yaml_text import comparable, print_circuit

from .circuits import Draft, drafts

# Shrinking a circuit takes minutes; the text of the one that fails is short enough to read.
SLOW = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
FEW = settings(SLOW, max_examples=3)


def images(draft: Draft, count: int = 3):
    return np.random.default_rng(0).uniform(-1, 1, (count, draft.size))


def result(text: str, draft: Draft, learn: bool = True, engine: str = "numpy", batch=None):
    """Weights and states, by name, after the same samples."""
    circuit = load_text(text)
    sim = apical.Simulator(circuit, engine=engine, seed=1)
    record = [f"{n}.x" for n in circuit.populations if n != "inp"] + ["F"]
    traces = sim.run("train", image=images(draft), learn=learn, record=record, batch=batch)
    weights = {f"weight {name}": array for name, array in sim.weights.items()}
    return {name: traces.arrays[name] for name in record} | weights


def assert_same(one, other, tolerance=1e-10):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(
            other[name], one[name], rtol=tolerance, atol=tolerance, err_msg=name
        )


@SLOW
@given(drafts())
def test_a_printed_circuit_is_the_same_circuit(draft):
    circuit = load_text(draft.text())
    again = load_text(print_circuit(circuit))
    assert comparable(again) == comparable(circuit)
    assert_same(result(draft.text(), draft), result(print_circuit(circuit), draft))


@SLOW
@given(drafts(), st.integers(0, 1000))
def test_the_order_of_declarations_changes_nothing(draft, seed):
    def shuffled(names):
        names = list(names)
        random.Random(seed).shuffle(names)
        return names

    assert_same(result(draft.text(), draft), result(draft.text(shuffled), draft))


@SLOW
@given(drafts(), st.data())
def test_a_synapse_of_weight_zero_is_no_synapse(draft, data):
    before = result(draft.text(), draft)
    names = list(draft.sizes)
    source, target = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(names[1:]))
    nothing = data.draw(st.sampled_from(["init: 0", "weight: 0"]))
    draft.sections["synapses"]["zero"] = ["", f"from: {source}.x", f"to: {target}.basal", nothing]
    after = result(draft.text(), draft)
    if "weight zero" in after:
        assert not np.any(after.pop("weight zero"))
    assert_same(before, after)


@SLOW
@given(drafts())
def test_a_batch_is_as_many_single_runs(draft):
    text = draft.text()
    assert_same(
        result(text, draft, learn=False, batch=3), result(text, draft, learn=False, batch=1)
    )


@pytest.mark.slow
@FEW
@given(drafts())
def test_two_engines_agree(draft):
    text = draft.text()
    assert_same(result(text, draft), result(text, draft, engine="numba"), 1e-9)


def test_engines_agree_where_a_bias_is_one_synapses_own():
    """One source of two synapses, of which one has a bias; and one end of another's rule."""
    draft = Draft(2, {"inp": 2, "p0": 3})
    rule = "rule: w += 0.1 * post.x * pre"
    ends = ["from: p0.x", "to: p0.basal", "init: normal(0, 0.3)", rule]
    draft.sections = {
        "data": {"image": ["2"]},
        "cells": {
            "sensory": ["", "soma: x = image"],
            "cp": ["", "basal: u = input", "soma: dx/dt = tanh(u) - x + 1"],
        },
        "populations": {
            "inp": ["", "cell: sensory", "size: 2"],
            "p0": ["", "cell: cp", "size: 3"],
        },
        "synapses": {"A": ["", *ends, "bias: true"], "B": ["", *ends]},
        "energy": {"F": ["sum(p0.x^2) / 2"]},
        "protocols": {"train": ["", "run:", "  steps: 3", "  dt: 0.1", "  learn: A, B"]},
    }
    for batch in (1, 3):
        numpy = result(draft.text(), draft, batch=batch)
        assert_same(numpy, result(draft.text(), draft, engine="numba", batch=batch))
