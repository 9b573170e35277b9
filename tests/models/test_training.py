"""The published constants as variants, and seeds as replicas."""

from __future__ import annotations

import numpy as np
import pytest

import apical
from apical.models.experiment import Experiment, spread

SMALL = [12, 7, 4]
COMMON = {"eps": 0.15, "lam": 0.99999, "T_free": 30, "T_nudged": 10, "beta": 1}
PUBLISHED = {  # table 1 of the paper; the constants stand in the official program's scripts
    "mnist": {"eta_W": [1.0, 0.7], "eta_F": [0.15], "g": 0.5, "h0": 0.05},
    "fashion": {"eta_W": [0.3, 0.22], "eta_F": [0.07], "g": 0.3, "h0": 0.07},
}
DECAY = {
    "mnist": {0: 1, 1: 0.95, 14: 0.95**14, 15: 0.9**15, 49: 0.9**49},
    "fashion": {0: 1, 19: 0.95**19, 20: 0.9**20, 24: 0.9**24, 25: 0.8**25, 49: 0.8**49},
}


def movement(variants, epoch, **parameters):
    """How far one batch moves each weight in an epoch."""
    circuit = apical.load("corinfomax", variants=variants, sizes=SMALL, **parameters)
    simulator = apical.Simulator(circuit, engine="numpy", seed=3)
    simulator.epoch = epoch
    before = {name: np.array(w) for name, w in simulator.weights.items()}
    random = np.random.default_rng(0)
    image, label = random.random((5, SMALL[0])), np.eye(SMALL[-1])[[0, 1, 2, 3, 0]]
    simulator.run("train", image=image, label=label, learn=True, record=[])
    return {name: w - before[name] for name, w in simulator.weights.items()}


@pytest.mark.parametrize("preset", PUBLISHED)
def test_variants_hold_the_published_constants(preset):
    step = ["constant_step"] if preset == "mnist" else []
    expected = movement(["random_sign", *step], 0, **COMMON, **PUBLISHED[preset])
    for epoch, decay in DECAY[preset].items():
        found = movement([preset], epoch)
        for name in ("W[1]", "W[2]", "F[1]"):
            assert np.abs(expected[name]).max() > 1e-4
            np.testing.assert_allclose(
                found[name], decay * expected[name], rtol=1e-9, atol=1e-15, err_msg=name
            )
        np.testing.assert_array_equal(found["B[1]"], expected["B[1]"])


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_each_seed_is_the_run_of_that_seed_alone(engine):
    pytest.importorskip("sklearn")
    circuit = apical.load("pc", variants=["adam"], sizes=[64, 12, 10], eta=0.01, T=8)
    settings = {
        "epochs": 1,
        "batch": 50,
        "engine": engine,
        "record": ("layer[1].x",),
        "trace_samples": 2,
    }
    seen = []
    both = Experiment(seed=4, seeds=2, **settings)
    outcome = both.perform(circuit, on_epoch=seen.append)
    together, traces = outcome.score, outcome.traces
    assert [list(entry["accuracy"]) for entry in seen] == [list(together["accuracy"])]
    for number, seed in enumerate((4, 5)):
        outcome = Experiment(seed=seed, **settings).perform(circuit)
        own = outcome.traces
        assert outcome.score["accuracy"] == together["accuracy"][number]
        np.testing.assert_allclose(
            traces.arrays["layer[1].x"][number], own.arrays["layer[1].x"][0], rtol=1e-9, atol=1e-12
        )
    a, b = traces.arrays["layer[1].x"]
    assert np.abs(a - b).max() > 1e-3


def test_spread_is_the_sample_standard_deviation():
    assert spread([0.8, 0.9, 0.7, 0.84]) == pytest.approx(
        {"mean": 0.81, "sd": np.std([0.8, 0.9, 0.7, 0.84], ddof=1), "median": 0.82}
    )


def test_half_an_experiment_is_none(monkeypatch):
    pytest.importorskip("sklearn")
    circuit = apical.load("pc", sizes=[64, 12, 10], T=2)

    def stop(entry):
        raise AssertionError("the first epoch never ends")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("apical.engines.simulation.chunks.Chunks.present", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Experiment(engine="numpy").perform(circuit, on_epoch=stop)
