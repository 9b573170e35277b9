"""Metrics against hand-made cases and against the authors' stored matching."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apical.models import metrics
from apical.models.tasks.sources import project_l1_ball, project_simplex

STORED = Path(__file__).parents[1] / "golden" / "corinfomax_pem" / "bss_metrics_helpers.npz"


def test_accuracy_counts_the_largest_unit_and_keeps_replicas() -> None:
    target = np.eye(3)[[0, 1, 2, 0]]
    prediction = np.array([[0.9, 0, 0], [0, -1, -2], [0.1, 0.2, 0.3], [0, 1, 0]], dtype=float)
    assert metrics.accuracy(prediction, target) == 0.5
    both = np.stack([prediction, target])
    np.testing.assert_array_equal(metrics.accuracy(both, target), [0.5, 1.0])


def test_squared_error_is_a_sum_over_units_and_a_mean_over_samples() -> None:
    assert metrics.squared_error(np.array([[1.0, 2], [0, 0]]), np.array([[0, 0], [0, 3]])) == 7
    assert {"accuracy", "squared_error", "sinr", "mean_snr", "bits"} == set(metrics.METRICS)


def test_matching_against_the_stored_arrays() -> None:
    stored = np.load(STORED)
    found = metrics.match(stored["S"], stored["Y"])
    np.testing.assert_array_equal(found.rows, stored["perm"])
    signed = found.signs[:, None] * stored["Y"][found.rows]
    np.testing.assert_allclose(signed, stored["Y_signed_perm"], rtol=1e-13)
    np.testing.assert_allclose(found.gains[:, None], stored["ls_gain"], rtol=1e-12)
    np.testing.assert_allclose(found.estimate, stored["Y_final"], rtol=1e-12)
    assert metrics.sinr(stored["S"], found.estimate) == pytest.approx(
        float(stored["SINR_of_final"]),
        rel=1e-9,  # theirs adds a small number below
    )
    np.testing.assert_allclose(
        metrics.snr(stored["S"], found.estimate), stored["SNR_of_final"], rtol=1e-9
    )
    assert metrics.mean_snr(stored["S"], found.estimate) == pytest.approx(
        np.mean(stored["SNR_of_final"]), rel=1e-9
    )


def test_projections_against_the_stored_arrays() -> None:
    stored = np.load(STORED)
    np.testing.assert_allclose(
        project_l1_ball(stored["proj_in"]), stored["proj_l1ball_cols"], rtol=1e-12, atol=1e-14
    )
    np.testing.assert_allclose(
        project_simplex(stored["proj_in"]), stored["proj_simplex_cols"], rtol=1e-12, atol=1e-14
    )
