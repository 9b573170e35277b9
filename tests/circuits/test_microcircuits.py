"""Dendritic microcircuits against fixed-step arrays (a, b), closed forms (c1) and orders (c2)."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical

CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def named(g):
    """The constants of a file by name."""
    return {str(k): float(v) for k, v in zip(g["param_names"], g["param_values"], strict=True)}


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_urbanczik_senn(heir, golden, rows, whole, method):
    g = golden("microcircuits/a_urbanczik_rate")
    p = named(g)
    constants = {k: v for k, v in p.items() if not k.startswith("t_")}
    duration = 1000 if whole else 150
    text = f"""
        protocols:
          train:
            run:
              method: {method}
        """
    sim = heir(
        "urbanczik_senn",
        text,
        weights={"W": g["w0"][None]},
        **constants,
        harm=g["harm"].tolist(),
        phase=g["phase"].tolist(),
        duration=duration,
        h=float(g[f"{method}_dt"]),
    )
    start = g["y0"]
    traces = sim.run(
        "train",
        learn=True,
        record=["y.U", "y.V"],
        initial={"W.s": start[None, :8], "W.p": start[None, 8:16], "y.U": start[None, 16:17]},
    )
    stored = g[f"{method}_Y"][: duration // 10 + 1]
    assert_allclose(rows(traces, "y.U", "run")[0, ::100, 0], stored[:, 16], **CLOSE)
    dendrite = (stored[:, 25:33] * stored[:, 8:16]).sum(1)
    assert_allclose(rows(traces, "y.V", "run")[0, ::100, 0], dendrite, **CLOSE)
    assert_allclose(np.reshape(sim.weights["W"], -1), stored[-1, 25:33], **CLOSE)


def sacramento_weights(g):
    return {
        "W[1]": g["W10"],
        "W[2]": g["W21"],
        "feedback[1]": g["W12"],
        "W_IP[1]": g["WIP0"],
        "W_PI[1]": g["WPI0"],
    }


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_sacramento(heir, golden, rows, whole, method):
    g = golden("microcircuits/b_sacramento")
    text = f"""
        protocols:
          train:
            run:
              method: {method}
        """
    duration = 500 if whole else 100
    sim = heir(
        "sacramento",
        text,
        weights=sacramento_weights(g),
        **named(g),
        period=g["period"].tolist(),
        psi=g["psi"].tolist(),
        duration=duration,
        h=float(g[f"{method}_dt"]),
    )
    record = ["layer[1].u", "sst[1].u", "layer[2].u"]
    traces = sim.run("train", target=np.zeros((1, 2)), learn=True, record=record)
    stored = g[f"{method}_Y"][: duration // 5 + 1]
    found = np.concatenate([rows(traces, name, "run")[0, ::50] for name in record], axis=1)
    assert_allclose(found, stored[:, :8], **CLOSE)
    assert_allclose(np.ravel(sim.weights["W_IP[1]"]), stored[-1, 24:32], **CLOSE)
    assert_allclose(np.ravel(sim.weights["W_PI[1]"]), stored[-1, 32:40], **CLOSE)


@pytest.mark.parametrize("taught", [False, True])
def test_sacramento_rests_where_it_predicts_itself(build, golden, rows, taught):
    """With W_PI = -feedback and the stated W_IP the apical potential vanishes until taught."""
    g = golden("microcircuits/b_sacramento")
    weights = sacramento_weights(g)
    weights |= {"W_IP[1]": g["b2_WIP"], "W_PI[1]": -g["W12"]}
    sim = build(
        "sacramento",
        weights=weights,
        **named(g),
        period=[1e18, 1e18, 1e18],  # a constant input
        psi=np.arcsin(g["b2_r0"]).tolist(),
        teach=1 if taught else 0,
        duration=60,
        h=0.2,
    )
    names = {"layer[1].u": "u1", "sst[1].u": "uI", "layer[2].u": "u2", "layer[1].v_A": "vA"}
    traces = sim.run("train", target=g["b2_utgt"][None], learn=False, record=list(names))
    for name, key in names.items():
        expected = g[f"b2_{key}{'_tgt' if taught else ''}"]
        assert_allclose(rows(traces, name, "run")[0, -1], expected, rtol=1e-10, atol=1e-10)


def test_self_predicting_start(engine):
    sim = apical.Simulator(
        apical.load("sacramento", variants=["self_predicting"]), engine=engine, seed=0
    )
    w = sim.weights
    assert_allclose(w["W_PI[1]"], -w["feedback[1]"])
    factor = 1 / 1.1 * 1.1 / 1  # g_B/(g_lk + g_B) * (g_lk + g_D)/g_D
    assert_allclose(w["W_IP[1]"], factor * w["W[2]"])


CABLE = """
apical: 1
name: cable
title: Three compartments, coupled both ways, constant conductances
parameters:
  C: 1
  gL: 1
  EL: 0
  gE: 0
  gI: 0
  EE: 0
  EI: -75
  Iext: 0
  C_b: 1
  gL_b: 1
  EL_b: 0
  gE_b: 0
  gI_b: 0
  Iext_b: 0
  C_a: 1
  gL_a: 1
  EL_a: 0
  gE_a: 0
  gI_a: 0
  Iext_a: 0
  g_sb: 60
  g_sa: 25
  duration: 10
  h: 0.1
cells:
  cable:
    soma: C * du/dt = -gL*(u - EL) + g_sb*(v - u) + g_sa*(a - u) + gE*(EE - u) + gI*(EI - u) + Iext
    basal: C_b * dv/dt = -gL_b*(v - EL_b) + g_sb*(u - v) + gE_b*(EE - v) + gI_b*(EI - v) + Iext_b
    apical: C_a * da/dt = -gL_a*(a - EL_a) + g_sa*(u - a) + gE_a*(EE - a) + gI_a*(EI - a) + Iext_a
populations:
  cell:
    cell: cable
    size: 1
protocols:
  train:
    run:
      for: duration
      dt: h
      method: METHOD
"""
STORED = {"euler": "euler", "heun": "heun", "rk4": "rk4", "exponential_euler": "expeuler"}


@pytest.mark.parametrize("method", STORED)
def test_three_compartments_orders(engine, golden, rows, tmp_path, method):
    """The error of every method at every step size is the stored one."""
    g = golden("microcircuits/c_threecomp")
    path = tmp_path / "cable.yaml"
    path.write_text(CABLE.replace("METHOD", method))
    constants = {
        f"{key}{part}": float(g[f"c2_{key}"][i])
        for i, part in enumerate(["", "_b", "_a"])
        for key in ("C", "gL", "EL", "gE", "gI", "Iext")
    }
    constants |= {key: float(g[f"c2_{key}"]) for key in ("g_sb", "g_sa", "EE", "EI")}
    names = ["cell.u", "cell.v", "cell.a"]
    start = {name: g["c2_y0"][i].reshape(1, 1) for i, name in enumerate(names)}
    for dt, error in zip(g["conv_dt"], g[f"conv_err_{STORED[method]}"], strict=True):
        circuit = apical.load(path, **constants, duration=float(g["conv_T"]), h=float(dt))
        sim = apical.Simulator(circuit, engine=engine, seed=0, dtype="float64")
        traces = sim.run("train", learn=False, record=names, initial=start)
        end = np.array([rows(traces, name, "run")[0, -1, 0] for name in names])
        assert_allclose(np.abs(end - g["conv_ref"]).max(), error, rtol=1e-6, atol=1e-13)


def test_three_compartments_path(engine, golden, rows, tmp_path):
    """Runge-Kutta follows the matrix exponential of the cable."""
    g = golden("microcircuits/c_threecomp")
    path = tmp_path / "cable.yaml"
    path.write_text(CABLE.replace("METHOD", "rk4"))
    constants = {
        f"{key}{part}": float(g[f"c2_{key}"][i])
        for i, part in enumerate(["", "_b", "_a"])
        for key in ("C", "gL", "EL", "gE", "gI", "Iext")
    }
    names = ["cell.u", "cell.v", "cell.a"]
    start = {name: g["c2_y0"][i].reshape(1, 1) for i, name in enumerate(names)}
    circuit = apical.load(path, **constants, duration=float(g["c2_t"][-1]), h=0.05)
    sim = apical.Simulator(circuit, engine=engine, seed=0, dtype="float64")
    traces = sim.run("train", learn=False, record=names, initial=start)
    found = np.concatenate([rows(traces, name, "run")[0, ::5] for name in names], axis=1)
    assert_allclose(found, g["c2_Y"], rtol=0, atol=2e-7)


def test_nudged_neuron_is_exact(build, golden, rows):
    """Exponential Euler gives the closed form of the cell, whatever the step."""
    g = golden("microcircuits/c_threecomp")
    names = ("g_lk", "g_B", "g_A", "g_som", "E_exc", "E_inh", "v_B", "v_A", "u_tgt")
    constants = {k: float(v) for k, v in zip(names, g["c1_params"], strict=True)}
    every = g["c1_t"][1] - g["c1_t"][0]
    for stride in (1, 8):
        sim = build(
            "neuron",
            **constants,
            u0=float(g["c1_u0"]),
            duration=float(g["c1_t"][-1]),
            h=float(every * stride),
        )
        path = rows(sim.run("train", learn=False, record=["neuron.u"]), "neuron.u", "run")[0, :, 0]
        assert_allclose(path, g["c1_u"][::stride], rtol=1e-12, atol=1e-14)
