"""Wilson and Cowan's two populations: against solve_ivp, and where they rest and oscillate."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp
from typer.testing import CliRunner

import apical
from apical.cli import app


def sigmoid(x, a, theta):
    return 1 / (1 + np.exp(-a * (x - theta))) - 1 / (1 + np.exp(a * theta))


def rates(t, y, drive):
    e, i = y
    return [
        (-e + (1 - e) * sigmoid(16 * e - 12 * i + drive, 1.3, 4)) / 8,
        (-i + (1 - i) * sigmoid(15 * e - 3 * i, 2, 3.7)) / 8,
    ]


def reference(drive, times):
    exact = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-14}
    return solve_ivp(rates, (0, times[-1]), [0.1, 0.05], args=(drive,), t_eval=times, **exact).y


def test_it_is_the_solution_of_the_equations():
    circuit = apical.load("wilson_cowan", h=0.02, duration=10)
    traces = apical.Simulator(circuit, engine="numpy").run("train", record=["E", "I"])
    steps = np.r_[np.arange(501), np.arange(500, 751)]
    found = np.array([traces.arrays[name][0, 0] for name in ("E", "I")])
    assert_allclose(found, reference(1.25, np.arange(751) * 0.02)[:, steps], rtol=0, atol=1e-9)


@pytest.mark.slow
def test_the_bifurcation_is_one_command():
    """It rests, swings or fires steadily, as solve_ivp says at the same moments."""
    words = ["sweep", "wilson_cowan", "--protocol", "train", "--set", "P=linspace(0,3,5)"]
    words += ["--set", "duration=80", "--reduce", "min", "--reduce", "max", "--json"]
    done = CliRunner().invoke(app, words)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert_allclose([row["P"] for row in rows], np.linspace(0, 3, 5))
    for row in rows:
        e, _ = reference(row["P"], np.r_[0, np.linspace(80, 120, 401)])[:, 1:]
        assert_allclose([row["E min"], row["E max"]], [e.min(), e.max()], atol=1e-6)
    swing = [row["E max"] - row["E min"] for row in rows]
    assert swing[2] > 0.1 > 0.02 > max(swing[0], swing[1], swing[4])  # P = 1.5
