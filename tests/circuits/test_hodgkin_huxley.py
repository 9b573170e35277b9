"""The squid axon: stored arrays of another simulator and of solve_ivp, and a voltage clamp."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical

GATES = {
    "m": (lambda v: 0.1 * (v + 40) / (1 - np.exp(-(v + 40) / 10)),
          lambda v: 4 * np.exp(-(v + 65) / 18)),
    "h": (lambda v: 0.07 * np.exp(-(v + 65) / 20), lambda v: 1 / (1 + np.exp(-(v + 35) / 10))),
    "n": (lambda v: 0.01 * (v + 55) / (1 - np.exp(-(v + 55) / 10)),
          lambda v: 0.125 * np.exp(-(v + 65) / 80)),
}  # fmt: skip


def injected(g, engine, **parameters):
    circuit = apical.load("hodgkin_huxley", **parameters)
    sim = apical.Simulator(circuit, engine=engine, dtype="float64")
    traces = sim.run("train", current=g["I_rows"][None, :200, None])
    return np.stack([traces.arrays[f"axon.{x}"][0, 0, :, 0] for x in "Vmhn"], axis=1)


@pytest.mark.parametrize("engine", ["numpy", pytest.param("numba", marks=pytest.mark.slow)])
def test_it_is_what_another_simulator_computes(golden, engine):
    """Exponential Euler of Brian2 and of a numpy loop, whose quotients lose some digits."""
    g = golden("time/06_hodgkin_huxley")
    found = injected(g, engine, duration=100 if engine == "numba" else 10)
    expected = g["expeuler_Vmhn_dt05"][: len(found)]
    assert_allclose(found[:, 0], expected[:, 0], rtol=0, atol=1e-10)
    assert_allclose(found[:, 1:], expected[:, 1:], rtol=0, atol=1e-12)


@pytest.mark.slow
def test_spikes_come_when_solve_ivp_says(golden):
    """First order: half the step, half the distance; extrapolated, seven times to 0.02 ms."""
    g = golden("time/06_hodgkin_huxley")
    times = {}
    for dt in (0.02, 0.01):
        v = injected(g, "numba", resolution=dt)[:, 0]
        k = np.flatnonzero((v[:-1] <= 0) & (v[1:] > 0))
        times[dt] = dt * (k - v[k] / (v[k + 1] - v[k]))
    expected = g["ref_spike_ms"]
    assert len(expected) == 7
    off = {dt: found - expected for dt, found in times.items()}
    assert_allclose(off[0.02] / off[0.01], 2, rtol=0.1)
    assert_allclose(2 * times[0.01] - times[0.02], expected, rtol=0, atol=0.02)


@pytest.mark.parametrize("level", [-80.0, -40.0, 20.0])
def test_clamped_gates_go_to_their_steady_states(level):
    circuit = apical.load("hodgkin_huxley", level=level, resolution=0.5, duration=200)
    traces = apical.Simulator(circuit, engine="numpy").run("voltage_clamp")
    for gate, (alpha, beta) in GATES.items():
        v = level + 1e-9  # alpha_m is 0/0 at -40
        settled = alpha(v) / (alpha(v) + beta(v))
        assert_allclose(traces.arrays[f"axon.{gate}"][0, 0, -1, 0], settled, rtol=1e-5)
