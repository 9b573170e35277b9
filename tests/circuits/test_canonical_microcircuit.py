"""The column: against a loop, its axial currents, and who lets feedback start a plateau."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical

SMALL = {"N": 4, "inputs": 3}


def logistic(x):
    return 1 / (1 + np.exp(-x))


def rate(v):
    return logistic((v + 50) / 3)


def loop(w, thalamic, feedback, steps, every):
    """V, V_d of the pyramidal cells before each Euler step of 0.1 ms; weights by name."""
    v = {name: np.full(n, -70.0) for name, n in (("s", 4), ("d", 4), ("pv", 1), ("sst", 1))}
    v["vip"] = np.full(1, -70.0)
    rows, dt = [], 0.1
    for step in range(steps + 1):
        rows.append([v["s"], v["d"]])
        th, above = thalamic[step // every % len(thalamic)], feedback[step // every % len(feedback)]
        r = {name: rate(v[name]) for name in ("s", "pv", "sst", "vip")}
        e_s = w["drive"] @ th + (w["recurrent"] * (1 - np.eye(4))) @ r["s"]
        opened = w["down"] @ above + 20 * logistic((v["d"] + 40) / 5)
        axial = 5 * (v["d"] - v["s"])
        change = {
            "s": (10 * (-70 - v["s"]) - e_s * v["s"] + (w["pv_pyr"] @ r["pv"]) * (-75 - v["s"])
                  + axial) / 200,
            "d": (5 * (-70 - v["d"]) - opened * v["d"]
                  + (w["sst_pyr"] @ r["sst"]) * (-75 - v["d"]) - axial) / 100,
        }  # fmt: skip
        e = {
            "pv": w["thalamus_pv"] @ th + w["pyr_pv"] @ r["s"],
            "sst": w["pyr_sst"] @ r["s"] + 4,
            "vip": w["above_vip"] @ above,
        }
        i = {
            "pv": w["sst_pv"] @ r["sst"],  # a single PV cell has no other to inhibit
            "sst": w["vip_sst"] @ r["vip"],
            "vip": w["sst_vip"] @ r["sst"],
        }
        for name in e:
            u = v[name]
            change[name] = (10 * (-70 - u) - e[name] * u + i[name] * (-75 - u)) / 100
        v = {name: u + dt * change[name] for name, u in v.items()}
    return np.array(rows)


def test_it_is_the_loop_that_the_equations_say():
    rng = np.random.default_rng(0)
    thalamic, feedback = rng.uniform(size=(2, 20, 3)), rng.uniform(size=(2, 20, 1))
    circuit = apical.load("canonical_microcircuit", duration=20, **SMALL)
    sim = apical.Simulator(circuit, engine="numpy", seed=0)
    traces = sim.run("train", thalamic=thalamic, feedback=feedback)
    w = {name: np.asarray(array) for name, array in sim.weights.items()}
    for sample in range(2):
        expected = loop(w, thalamic[sample], feedback[sample], 200, 10)
        for number, name in enumerate(("pyr.V", "pyr.V_d")):
            found = traces.arrays[name][0, sample]
            assert_allclose(found, expected[:, number], rtol=1e-11, err_msg=name)


def test_what_leaves_the_dendrite_enters_the_soma(tmp_path):
    """Closed membranes: the charge stays, the difference falls by dt g_c (1/C_s + 1/C_d) a step."""
    path = tmp_path / "closed.yaml"
    path.write_text(
        "apical: 1\nname: closed\nextends: canonical_microcircuit\n"
        "synapses: {drive: {init: 0}, recurrent: {init: 0}, down: {init: 0}, pv_pyr: {init: 0},"
        " sst_pyr: {init: 0}}\n"
        "protocols: {train: {listen: {begin: ['pyr.V := -70', 'pyr.V_d := -20 - index']}}}\n"
    )
    circuit = apical.load(path, g_L=0, g_Ld=0, g_p=0, tonic=0, duration=10, **SMALL)
    sim = apical.Simulator(circuit, engine="numpy")
    traces = sim.run("train", thalamic=np.ones((1, 10, 3)), feedback=np.ones((1, 10, 1)))
    v, v_d = (traces.arrays[name][0, 0] for name in ("pyr.V", "pyr.V_d"))
    charge = 200 * v + 100 * v_d
    assert_allclose(charge, np.broadcast_to(charge[0], charge.shape), rtol=1e-12)
    left = (1 - 0.1 * 5 * (1 / 200 + 1 / 100)) ** np.arange(101)
    assert_allclose(v_d - v, left[:, None] * (50 - np.arange(4)), rtol=1e-10)


@pytest.mark.parametrize(("variants", "up"), [((), True), (("without_vip",), False)])
def test_feedback_starts_a_plateau_only_where_vip_cells_silence_sst_cells(variants, up):
    circuit = apical.load("canonical_microcircuit", variants=variants, duration=150, h=0.5)
    sim = apical.Simulator(circuit, engine="numpy", seed=0)
    feedback = np.zeros((1, 150, 1))
    feedback[:, 30:100] = 1
    traces = sim.run("train", thalamic=np.zeros((1, 150, 10)), feedback=feedback)
    p, sst = (traces.arrays[name][0, 0].mean(axis=1) for name in ("pyr.p", "sst.r"))
    assert p[60] < 0.01 < 0.4 < sst[60]  # before the feedback
    if up:
        assert p[200] > 0.95 and sst[200] < 0.01
        assert p[-1] > 0.5  # some dendrites stay up without it
    else:
        assert p.max() < 0.1 and sst[200] > 0.4
