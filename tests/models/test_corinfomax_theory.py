"""Correlative information maximization on plain arrays and on the circuit."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical
from apical.engines.simulation.weight_warnings import WeightWarning
from apical.models import corinfomax as theory

LAM = 0.9


@pytest.mark.parametrize("seed", range(5))
def test_information_from_the_joint_determinant(seed):
    """Both forms equal log det of the two margins over that of the joint matrix."""
    rng = np.random.default_rng(seed)
    joint = (a := rng.normal(size=(7, 30))) @ a.T / 30
    rx, ry, rxy, eps = joint[:4, :4], joint[4:, 4:], joint[:4, 4:], 0.1
    determinants = [np.linalg.det(r + eps * np.eye(len(r))) for r in (rx, ry, joint)]
    expected = 0.5 * np.log(determinants[0] * determinants[1] / determinants[2])
    assert theory.information_forward(rx, ry, rxy, eps) == pytest.approx(expected, abs=1e-10)
    assert theory.information_backward(rx, ry, rxy, eps) == pytest.approx(expected, abs=1e-10)


def test_entropy_of_a_diagonal():
    expected = 0.5 * np.log(2.5 * 3.5) + np.log(2 * np.pi * np.e)
    assert theory.entropy(np.diag([2.0, 3.0]), 0.5) == pytest.approx(expected)


def test_weighted_correlation_is_a_sum_of_powers():
    x = np.random.default_rng(0).normal(size=(6, 3))
    powers = (1 - LAM) * LAM ** np.arange(5, -1, -1.0)
    expected = LAM**6 * np.eye(3) + np.einsum("t,ti,tj->ij", powers, x, x)
    assert_allclose(theory.weighted_correlation(x, LAM, np.eye(3)), expected, rtol=1e-13)


def test_margin_tells_when_definiteness_goes():
    rng = np.random.default_rng(1)
    for size in (0.5, 1.0, 2.0, 3.0, 4.0):
        b, r = np.eye(4), size * rng.normal(size=4)
        after = theory.inverse_update(b, r, LAM)
        lost = np.linalg.eigvalsh(after)[0] <= 0
        assert lost == (theory.definiteness_margin(b, r, LAM) <= 0)
        exact = theory.inverse_update(b, r, LAM, exact=True)
        assert np.linalg.eigvalsh(exact)[0] > 0


def relaxed(variants=(), record=(), learn=False, steps=400, samples=1, weights=None, **overrides):
    circuit = apical.load(
        "corinfomax",
        variants=["constant_step", *variants],
        sizes=[5, 4, 3],
        lam=LAM,
        T_free=steps,
        T_nudged=steps,
        **overrides,
    )
    sim = apical.Simulator(circuit, engine="numpy", seed=3)
    for name, array in (weights or {}).items():
        sim.weights[name] = array
    rng = np.random.default_rng(0)
    streams = {"image": rng.uniform(size=(samples, 5)), "label": np.eye(3)[np.arange(samples) % 3]}
    traces = sim.run("train", learn=learn, batch=1, record=list(record), **streams)
    return sim, traces.dataset, streams


def test_exact_inverse_stays_the_inverse():
    """B starts at I and follows the inverse of the weighted correlation of the nudged rates."""
    record = ["layer[1].r", "layer[2].r"]
    sim, data, _ = relaxed(
        ["identity_start", "exact_inverse"], record, learn=True, steps=5, samples=30
    )
    for k in (1, 2):
        rates = data[f"layer[{k}].r"].values[0][:, -1]
        r = theory.weighted_correlation(rates, LAM, np.eye(rates.shape[1]))
        assert_allclose(np.linalg.inv(r), sim.weights[f"B[{k}]"], rtol=1e-9, atol=1e-11)
        assert np.linalg.eigvalsh(sim.weights[f"B[{k}]"])[0] > 0


def test_loss_of_definiteness_is_reported():
    """A large B on active units: eq. 28 makes an eigenvalue negative, and a warning says so."""
    big = {f"B[{k}]": 40.0 * np.eye(n) for k, n in ((1, 4), (2, 3))}
    with pytest.warns(WeightWarning, match=r"^B\[1\] is not positive definite"):
        sim, _, _ = relaxed(learn=True, steps=1, weights=big, h0=0.5)
    assert np.linalg.eigvalsh(sim.weights["B[1]"])[0] < 0
    sim, _, _ = relaxed(["exact_inverse"], learn=True, steps=1, weights=big, h0=0.5)
    assert np.linalg.eigvalsh(sim.weights["B[1]"])[0] > 0


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_voltage_form_at_rest(shift):
    """Eq. 24 at equilibrium, also where rates are clipped (a strong feedback saturates them)."""
    names = [f"layer[1].{v}" for v in ("u", "r", "v_A", "e_B")]
    weights = {"F[1]": np.random.default_rng(2).normal(size=(4, 3)) + shift}
    _, data, _ = relaxed(record=names, steps=3000, weights=weights)
    u, r, v_a, error = (data[n].values[0, 0, -1] for n in names)
    if shift:
        assert np.any(u > 1 + 1e-3)
    assert_allclose(theory.voltage_error(u, r, v_a, 0.5, 0.15), error, atol=1e-10)


def test_every_turn_raises_the_objective_of_its_layer():
    names = ["layer[1].r", "layer[1].v_B", "layer[1].v_F"]
    sim, data, _ = relaxed(record=names, steps=60, h0=0.01)
    r, below, above = (data[n].values[0, 0] for n in names)
    nudged = np.flatnonzero(data["phase"].values == "free")
    b = (sim.weights["B[1]"] + sim.weights["B[1]"].T) / 2
    gam = (1 - LAM) / LAM
    w, f = sim.weights["W[1]"], sim.weights["F[1]"]
    assert w.shape == (4, 5) and f.shape == (4, 3)
    for step in nudged[1:]:
        # the turn at `step` saw the feedback of the row before; the image never moves
        before, after = (
            theory.layer_objective(r[i], below[step], above[step - 1], b, gam, 0.15)
            for i in (step - 1, step)
        )
        assert after >= before - 1e-12


def test_output_of_the_paper_does_not_shrink():
    """Free output at rest: W r for the paper, W r (1/eps)/(1/eps + 1) for the program."""
    names = ["layer[2].r", "layer[2].v_B"]
    quiet = {"B[2]": np.zeros((3, 3)), "W[2]": np.full((3, 4), 0.2), "W[1]": np.full((4, 5), 0.2)}
    for variants, factor in ((["paper_output"], 1.0), ([], (1 / 0.15) / (1 / 0.15 + 1))):
        _, data, _ = relaxed(variants, names, steps=3000, weights=quiet)
        free = np.flatnonzero(data["phase"].values == "free")[-1]
        r, w_r = (data[n].values[0, 0, free] for n in names)
        assert np.all((r > 0) & (r < 1))
        assert_allclose(r, factor * w_r, rtol=1e-9)
