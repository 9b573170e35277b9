"""Synaptic depression: against a loop, and the steady state of the paper."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import apical

pytest.importorskip("torch")
N, U, TAU_REC, TAU_IN, TAU_MEM, A, H = 12, 0.5, 800.0, 3.0, 40.0, 10.0, 0.1
RECORD = ["terminal.spike", "terminal.x", "neuron.V"]


def loop(steps, late):
    """(spike, x, V) after each step; what is released arrives `late` steps on."""
    rate = 5 * (np.arange(N) + 1) / 1000
    phase, x, u, spike, current, V = np.zeros(N), np.ones(N), *np.zeros((4, N))
    on_its_way, rows = [np.zeros(N)] * (late + 1), [(spike, x, V)]
    for _ in range(steps):
        arriving = A * on_its_way[0]
        V = V - (V - current) * -np.expm1(-H / TAU_MEM)  # reads the current from before
        current = current * np.exp(-H / TAU_IN) + arriving
        phase, x = phase + H * rate, 1 - (1 - x) * np.exp(-H / TAU_REC)
        spike = (phase >= 1) * 1.0
        phase, u = np.where(spike, 0, phase), np.where(spike, U * x, u)
        x = np.where(spike, x - u, x)
        on_its_way = [*on_its_way[1:], spike * u]
        rows.append((spike, x, V))
    return [np.array(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("engine", ["numpy", "numba", "torch"])
def test_it_is_the_loop_that_the_equations_say(engine):
    circuit = apical.load("synaptic_depression", duration=500)
    arrays = apical.Simulator(circuit, engine=engine).run(record=RECORD).arrays
    spike, x, V = loop(5000, 15)
    assert_array_equal(arrays["terminal.spike"][0, 0], spike)
    assert spike.sum() > 180
    assert_allclose(arrays["terminal.x"][0, 0], x, rtol=1e-12)
    assert_allclose(arrays["neuron.V"][0, 0], V, rtol=1e-10, atol=1e-12)


def test_what_a_spike_finds_settles_where_the_paper_says():
    """x = (1 - e) / (1 - (1 - U) e), e = exp(-T / tau_rec)."""
    circuit = apical.load("synaptic_depression", duration=6000)
    traces = apical.Simulator(circuit, engine="numba").run(record=RECORD)
    x, table = traces.arrays["terminal.x"][0, 0], traces.events("terminal.spike")
    for unit in range(N):
        times = table.time[table.unit == unit].to_numpy()
        (period,) = set(np.round(np.diff(times), 6))
        assert abs(period - 200 / (unit + 1)) < 2 * H
        found = x[round(times[-1] / H), unit] / (1 - U)  # before its release
        e = np.exp(-period / TAU_REC)
        assert_allclose(found, (1 - e) / (1 - (1 - U) * e), rtol=1e-4 if unit < 2 else 1e-7)
