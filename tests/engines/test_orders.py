"""Orders of convergence: a driven recurrent network with an autapse, smooth and clipped rates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

import apical

STORED = Path(__file__).resolve().parent.parent / "golden/microcircuits/g_clipped_orders.npz"
NETWORK = """
apical: 1
name: network
title: Six units, recurrent, driven by three sines
parameters:
  per: 1
  psi: 0
  off: 0
  g_l: 0.1
  g_A: 1
  g_B: 2
  duration: 40
  h: 0.1
functions:
  act(u): RATE
cells:
  source:
    axon: x = sin(2*pi*t/per + psi)
  unit:
    basal: v_B = input + off
    apical: v_A = input / 2
    soma:
      - du/dt = -g_l*u + g_A*(v_A - u) + g_B*(v_B - u)
      - r = act(u)
populations:
  drive:
    cell: source
    size: 3
  net:
    cell: unit
    size: 6
synapses:
  W:
    from: drive.x
    to: net.basal
    init: 0
  M:
    from: net.r
    to: net.apical
    init: 0
protocols:
  train:
    run:
      for: duration
      dt: h
      method: METHOD
"""
RATES = {"tanh": "tanh(u)", "clip": "clip(u, 0, 1)", "relu": "relu(u)"}
ORDER = {"euler": 1, "heun": 2, "rk4": 4}


@pytest.fixture(scope="module")
def stored():
    with np.load(STORED) as arrays:
        return dict(arrays)


def errors(engine, stored, path, rate, method, dts, reference):
    """The largest error at the final time, for every step size."""
    path.write_text(NETWORK.replace("RATE", RATES[rate]).replace("METHOD", method))
    g_l, g_a, g_b = map(float, stored["g"])
    found = []
    for dt in dts:
        circuit = apical.load(
            path,
            per=stored["per"].tolist(),
            psi=stored["psi"].tolist(),
            off=stored["off"].tolist(),
            g_l=g_l,
            g_A=g_a,
            g_B=g_b,
            h=float(dt),
        )
        sim = apical.Simulator(circuit, engine=engine, seed=0, dtype="float64")
        sim.weights["W"], sim.weights["M"] = stored["Wff"], stored["M"]
        end = sim.run("train", learn=False, record=["net.u"]).dataset["net.u"].values[0, 0, -1]
        found.append(np.abs(end - reference).max())
    return np.array(found)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("method", ORDER)
def test_smooth_rates(engine, stored, tmp_path, method):
    g_l, g_a, g_b = stored["g"]

    def slope(t, u):
        drive = stored["Wff"] @ np.sin(2 * np.pi * t / stored["per"] + stored["psi"])
        recurrent = 0.5 * stored["M"] @ np.tanh(u)
        return -g_l * u + g_a * (recurrent - u) + g_b * (drive + stored["off"] - u)

    oracle = solve_ivp(slope, (0, 40), np.zeros(6), method="DOP853", rtol=1e-12, atol=1e-13)
    dts = stored["dts"][1:4]
    found = errors(engine, stored, tmp_path / "net.yaml", "tanh", method, dts, oracle.y[:, -1])
    assert_allclose(found, stored[f"err_tanh_{method}"][1:4], rtol=1e-3)
    slopes = np.diff(np.log2(found)) / np.diff(np.log2(dts))
    assert_allclose(slopes.mean(), ORDER[method], atol=0.2)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("rate", ["clip", "relu"])
def test_clipped_rates(engine, stored, tmp_path, rate):
    """Runge-Kutta loses its order where the rate has kinks, down to about 2 on average."""
    count = len(stored["dts"]) if engine == "numba" else 4
    dts = stored["dts"][:count]
    reference = stored[f"Y_{rate}_end"]
    found = errors(engine, stored, tmp_path / "net.yaml", rate, "rk4", dts, reference)
    assert_allclose(found, stored[f"err_{rate}_rk4"][:count], rtol=1e-2)
    assert np.polyfit(np.log(dts), np.log(found), 1)[0] >= 1.8
