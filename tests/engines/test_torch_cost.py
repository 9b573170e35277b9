"""Long runs of a few units, sample after sample, are told to ask for numba."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import apical

pytest.importorskip("torch")

from apical.engines.torch import small_work as torch_cost  # noqa: E402
from apical.engines.torch.small_work import SmallWorkWarning  # noqa: E402
from apical.engines.torch.tape import Tape  # noqa: E402


def data(circuit, samples):
    rng = np.random.default_rng(0)
    return {name: rng.uniform(size=(samples, size)) for name, size in circuit.streams.items()}


def test_a_long_run_of_small_calls_is_told(monkeypatch):
    """2,000,000 samples of the five-unit circuit, of which none is run."""
    circuit = apical.load("pem")
    sim = apical.Simulator(circuit, engine="torch")
    sim.fit(data(circuit, 1), batch=1)
    (executable,) = sim._core.programs.made.values()
    (run,) = executable.runs.values()
    with pytest.warns(SmallWorkWarning) as caught:
        torch_cost.warn_of_small_work(run.plan, 2_000_000)
    (said,) = (str(w.message) for w in caught)
    made = 2_000_000 * torch_cost.calls(run.plan)
    assert said.startswith("pem.train: ") and f"{made:,}" in said
    assert f"{1.5e-6 * made:,.0f} s" in said and "engine='numba'" in said
    monkeypatch.setattr(torch_cost, "LONG", 1e-6)
    with pytest.warns(SmallWorkWarning, match="engine 'torch'"):
        sim.fit(data(circuit, 2), batch=1)


def test_what_is_large_or_short_is_not(monkeypatch):
    circuit = apical.load("pem")
    sim = apical.Simulator(circuit, engine="torch")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sim.fit(data(circuit, 1), batch=1)
        monkeypatch.setattr(torch_cost, "LONG", 1e-6)
        few = torch_cost.FEW
        sim.run("train", learn=False, record=[], **data(circuit, few))


def test_the_calls_are_counted(monkeypatch):
    """A circuit without a stop rule makes as many calls as were told."""
    circuit = apical.load("pc", sizes=[5, 4, 2])
    sim = apical.Simulator(circuit, engine="torch")
    made = []
    whole = Tape.__call__

    def count(tape):
        made.append(len(tape))
        whole(tape)

    sim.fit(data(circuit, 2), batch=2)
    monkeypatch.setattr(Tape, "__call__", count)
    sim.fit(data(circuit, 2), batch=2)
    (executable,) = sim._core.programs.made.values()
    (run,) = executable.runs.values()
    assert torch_cost.calls(run.plan) == sum(made)
