"""Supervised CorInfoMax: the official program's arrays, and the same circuit with SST cells."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical

CLOSE = {"rtol": 1e-12, "atol": 1e-12}
CASES = [
    "cim_dense_543_official",
    "cim_dense_543_strong_lateral_constant_eta",
    "cim_dense_543_three_phase_weight_decay_negbeta",
    "cim_sparse_543_active_multiplier",
]
SCHEDULE = {"constant": ["constant_step"], "divide_by_loop_index": ["divide_by_index"]}


def stored(g, key):
    """Stored activity (step, unit, sample) as (sample, step, unit)."""
    return g[key].transpose(2, 0, 1)


def weights_of(g, suffix, step=None):
    """The stored arrays under the circuit's names."""
    names = {"W[1]": "Wff0", "W[2]": "Wff1", "F[1]": "Wfb1", "B[1]": "B0", "B[2]": "B1"}
    return {
        name: g[f"{key}_{suffix}"] if step is None else g[f"{key}_{suffix}"][step]
        for name, key in names.items()
    }


@pytest.mark.parametrize("case", CASES)
def test_stored_run(build, golden, rows, case):
    g = golden(f"corinfomax_pem/{case}")
    p = json.loads(str(g["params_json"]))
    variants = list(SCHEDULE.get(p["rule"], []))
    overrides = {}
    if p["three_phase"]:
        variants.append("three_phases")
    if p["sparse_layers"]:
        variants.append("sparse")
        overrides["eta_q"] = p["eta_lambda"]
    sim = build(
        "corinfomax",
        variants,
        weights_of(g, "init"),
        sizes=p["arch"],
        eps=p["epsilon"],
        g=p["g_lk"],
        lam=p["lambda"],
        h0=p["eta_start"],
        T_free=p["T_free"],
        T_nudged=p["T_nudge"],
        eta_W=p["lr_ff"],
        eta_F=p["lr_fb"][1:],
        decay=p["epsilon"] if p["weight_decay"] else 0,
        beta=1,
        **overrides,
    )
    phases = {"free": "free", "nudged": "nudge"}
    if p["three_phase"]:
        phases["opposite"] = "third"
    record = [f"layer[{k}].{v}" for k in (1, 2) for v in "ur"]
    if p["sparse_layers"]:
        record += ["multiplier[1].a", "multiplier[2].a"]
    for step, beta in enumerate(g["beta_sequence"]):
        sim.parameters["beta"] = float(beta)
        traces = sim.run(
            "train", image=g["X"][step].T, label=g["Y"][step].T, learn=True, record=record
        )
        for name, array in weights_of(g, "after", step).items():
            assert_allclose(sim.weights[name], array, **CLOSE, err_msg=name)
        last = list(phases)[-1]
        assert_allclose(
            rows(traces, "layer[2].r", last)[:, -1], g["r_out_end_of_step"][step].T, **CLOSE
        )
        if step:
            continue
        for name in record:
            family, variable = name.split("].")
            for phase, key in phases.items():
                found = rows(traces, name, phase)[:, 1:]
                expected = f"{key}_{variable}{family[-1]}"
                if expected in g:
                    assert_allclose(found, stored(g, expected), **CLOSE, err_msg=expected)


def sst_weights(weights, eps, g, lam):
    """B as autapse D and lateral O: M = gam B/c + d I = D - O."""
    gam = (1 - lam) / lam
    result = {}
    for name, w in weights.items():
        if name[0] != "B":
            result[name] = w
            continue
        c, d = (1 / (2 * eps), eps * g) if name == "B[1]" else (1, g)
        m = gam * w / c + d * np.eye(len(w))
        result[f"D{name[1:]}"] = np.diag(m).copy()
        result[f"O{name[1:]}"] = np.diag(np.diag(m)) - m
    return result


@pytest.mark.slow
@pytest.mark.parametrize("lam", [0.99999, 0.9])
def test_autapses_and_sst_cells_are_the_same_circuit(build, golden, rows, lam):
    g = golden("corinfomax_pem/cim_dense_543_strong_lateral_constant_eta")
    constants = {"sizes": [5, 4, 3], "eps": 0.15, "g": 0.2, "lam": lam}
    matrix = build("corinfomax", weights=weights_of(g, "init"), **constants)
    split_start = sst_weights(weights_of(g, "init"), 0.15, 0.2, lam)
    split = build("corinfomax_sst", weights=split_start, **constants)
    record = ["layer[1].u", "layer[2].u"]
    for _ in range(2):
        runs = [
            sim.run("train", image=g["X"][0].T, label=g["Y"][0].T, learn=True, record=record)
            for sim in (matrix, split)
        ]
        for name in record:
            assert_allclose(rows(runs[1], name), rows(runs[0], name), **CLOSE)
    after = {name: matrix.weights[name] for name in ("W[1]", "W[2]", "F[1]", "B[1]", "B[2]")}
    for name, value in sst_weights(after, 0.15, 0.2, lam).items():
        found = np.array(split.weights[name])
        if name[0] == "O":
            np.fill_diagonal(found, 0)
        assert_allclose(found, value, **CLOSE, err_msg=name)


def test_autapse_matters(build, golden, rows):
    """Without its autapse a cell's equilibrium moves by what the closed form says.

    One hidden unit below one output, F = 0, rates inside (0, 1): the free hidden unit rests at
    u = (W r / eps) / (g + 2/eps - D/eps).
    """
    eps, g = 0.15, 0.5
    weights = {"W[1]": [[0.6]], "W[2]": [[0.5]], "F[1]": [[0.0]], "O[1]": [[0.0]], "O[2]": [[0.0]]}
    weights = {name: np.array(w) for name, w in weights.items()}
    found = []
    for autapse in (eps * g, 0.0):
        sim = build(
            "corinfomax_sst",
            weights=weights | {"D[1]": np.array([autapse]), "D[2]": np.array([g])},
            sizes=[1, 1, 1],
            eps=eps,
            g=g,
            T_free=400,
        )
        traces = sim.run("predict", image=np.array([[0.8]]), record=["layer[1].u"])
        end = rows(traces, "layer[1].u", "free")[0, -1, 0]
        assert_allclose(end, (0.48 / eps) / (g + 2 / eps - autapse / eps), rtol=1e-10)
        found.append(end)
    assert found[0] > found[1]


def settled(build, rows, variants, steps=1500, seed=5, weights=None, **overrides):
    """The rates of both layers at the end of a long free phase, one sample."""
    rng = np.random.default_rng(seed)
    start = {
        "W[1]": rng.normal(size=(4, 5)),
        "W[2]": rng.normal(size=(3, 4)),
        "F[1]": 0.3 * rng.normal(size=(4, 3)),
        **(weights or {}),
    }
    sim = build(
        "corinfomax",
        ["constant_step", *variants],
        start,
        sizes=[5, 4, 3],
        T_free=steps,
        **overrides,
    )
    record = ["layer[1].r", "layer[2].r"]
    traces = sim.run("predict", image=rng.uniform(size=(1, 5)), record=record)
    return [rows(traces, name, "free")[0, -1] for name in record]


@pytest.mark.parametrize(
    "domain",
    [["antisparse"], ["sparse"], ["sparse", "simplex"], ["signed_sparse"], ["mixed"]],
    ids="-".join,
)
def test_domains_with_sst_cells(golden, rows, domain):
    """In every domain D and O through SST cells do and learn what B does."""
    g = golden("corinfomax_pem/cim_dense_543_strong_lateral_constant_eta")
    constants = {"sizes": [5, 4, 3], "eps": 0.15, "g": 0.2, "lam": 0.9}
    more = {
        "antisparse": {},
        "mixed": {"signed": [1, 1, 0], "member": [1, 0, 1], "eta_q": 0.2},
    }.get(domain[0], {"eta_q": [0.2, 0.2]})
    ends = []
    for name, weights in (
        ("corinfomax", weights_of(g, "init")),
        ("corinfomax_sst", sst_weights(weights_of(g, "init"), 0.15, 0.2, 0.9)),
    ):
        sim = apical.Simulator(
            apical.load(name, variants=domain, **constants, **more), engine="numpy"
        )
        for key, array in weights.items():
            sim.weights[key] = array
        streams = {"image": 3 * g["X"][0].T, "label": g["Y"][0].T}
        traces = sim.run("train", learn=True, record=["layer[1].u", "layer[2].r"], **streams)
        ends.append((sim, [rows(traces, f"layer[{k}].{v}") for k, v in ((1, "u"), (2, "r"))]))
    (matrix, expected), (split, found) = ends
    for a, b in zip(found, expected, strict=True):
        assert_allclose(a, b, **CLOSE)
    after = {name: matrix.weights[name] for name in ("W[1]", "W[2]", "F[1]", "B[1]", "B[2]")}
    for name, value in sst_weights(after, 0.15, 0.2, 0.9).items():
        assert_allclose(split.weights[name], value, **CLOSE, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["numpy"], indirect=True)  # numba: test_parity
def test_domains_of_appendix_c(build, rows):
    """Each polytope is met at the end of a long phase; its constraint is active, not void."""
    fast = {"eta_q": [0.05, 0.05]}
    free = settled(build, rows, ["antisparse"])
    for r in free:
        assert np.all(np.abs(r) <= 1) and np.any(r < 0)
    excited = {"W[1]": np.ones((4, 5)), "W[2]": np.ones((3, 4))}
    for r in settled(build, rows, ["sparse"], weights=excited, **fast):
        assert np.all(r >= 0) and r.sum() == pytest.approx(1, abs=1e-3)
    for r in settled(build, rows, ["sparse", "simplex"], **fast):
        assert np.all(r >= 0) and abs(r.sum() - 1) < 1e-3
    signed = settled(build, rows, ["signed_sparse"], **fast)
    for r in signed:
        assert np.abs(r).sum() <= 1 + 1e-3
    assert np.any(signed[0] < 0) and np.abs(signed[0]).sum() == pytest.approx(1, abs=1e-3)
    weights = excited | {"W[2]": np.array([[1.0], [-0.9], [-1.0]]) * np.ones(4)}
    _, r = settled(
        build, rows, ["mixed"], weights=weights, signed=[1, 1, 0], member=[1, 1, 0], eta_q=0.05
    )
    assert r[1] < 0 and r[2] == 0 and np.all(np.abs(r) <= 1)
    assert np.abs(r[:2]).sum() == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["numpy"], indirect=True)  # numba: test_parity
def test_stored_without_its_leak(build, golden, rows):
    """`leak_free` is the same circuit: D without d."""
    g = golden("corinfomax_pem/cim_dense_543_strong_lateral_constant_eta")
    constants = {"sizes": [5, 4, 3], "eps": 0.15, "g": 0.2, "lam": 0.9}
    start = sst_weights(weights_of(g, "init"), 0.15, 0.2, 0.9)
    whole = build("corinfomax_sst", weights=start, **constants)
    leak = {"D[1]": 0.15 * 0.2, "D[2]": 0.2}
    free = {name: w - leak.get(name, 0) for name, w in start.items()}
    split = build("corinfomax_sst", ["leak_free"], free, **constants)
    for _ in range(2):
        for sim in (whole, split):
            sim.run("train", image=g["X"][0].T, label=g["Y"][0].T, learn=True, record=[])
    for name in start:
        found = split.weights[name] + leak.get(name, 0)
        assert_allclose(found, whole.weights[name], **CLOSE, err_msg=name)


def test_named_differences(build, golden, rows):
    """`simultaneous` and `keep_membrane` against a transcription of the equations."""
    g = golden("corinfomax_pem/cim_dense_543_strong_lateral_constant_eta")
    w = weights_of(g, "init")
    x, y = g["X"][0].T[0], g["Y"][0].T[0]
    eps, leak, lam, h, steps = 0.15, 0.2, 0.9, 0.05, 12
    gam = (1 - lam) / lam
    u = [np.zeros(4), np.zeros(3)]
    path = []
    for phase in range(2):
        for _ in range(steps):
            r = [np.clip(v, 0, 1) for v in u]
            hidden = eps * (2 * gam * w["B[1]"] @ r[0] + leak * r[0]) + w["F[1]"] @ r[1]
            output = gam * w["B[2]"] @ r[1] + leak * r[1] - phase * (r[1] - y)
            below = [w["W[1]"] @ x, w["W[2]"] @ r[0]]
            u = [
                u[0] + h * (-leak * u[0] + (below[0] - u[0] + hidden - u[0]) / eps),
                u[1] + h * (-leak * u[1] + (below[1] - u[1]) / eps + output - u[1]),
            ]
            path.append(np.concatenate(u))
    sim = build(
        "corinfomax",
        ["constant_step", "simultaneous", "keep_membrane"],
        w,
        sizes=[5, 4, 3],
        eps=eps,
        g=leak,
        lam=lam,
        h0=h,
        T_free=steps,
        T_nudged=steps,
    )
    traces = sim.run("train", image=x[None], label=y[None], record=["layer[1].u", "layer[2].u"])
    found = [
        np.concatenate([rows(traces, f"layer[{k}].u", p)[0, 1:] for k in (1, 2)], axis=1)
        for p in ("free", "nudged")
    ]
    assert_allclose(np.concatenate(found), path, **CLOSE)
