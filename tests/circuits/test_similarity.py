"""The decorrelation-based networks that PEM is compared with: BSM and NSM."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from apical.models.separation import separated
from apical.models.tasks.sources import mix, whiten

CLOSE = {"rtol": 1e-9, "atol": 1e-11}


def test_bsm_one_sample_at_a_time(build):
    rng = np.random.default_rng(0)
    mixture, w = rng.normal(size=(4, 4)), 0.1 * rng.normal(size=(3, 4))
    m, d = 0.2 * np.eye(3) + 0.02, np.array([1.0, 1.2, 0.9])
    g2, mu, decay, h, steps = 0.98, 1e-2, 1e-3, 0.2, 30
    diagonal = np.diag(np.diag(m))
    sim = build(
        "bsm",
        [],
        {"W": w, "M": m - diagonal},
        {"y.m": np.diag(m).copy(), "y.D": d},
        n=3,
        m_x=4,
        g2=g2,
        mu=mu,
        decay=decay,
        h=h,
        T=steps,
        tol=0,
    )
    sim.run("train", mixture=mixture, learn=True, batch=1, record=[])
    for x in mixture:
        u, y, own = np.zeros(3), np.zeros(3), np.diag(m)
        for _ in range(steps):
            u = u + h * (-u + w @ x - (m - np.diag(own)) @ (d * y))
            y = np.clip(u / (own * d), -1, 1)
        w, m = g2 * w + (1 - g2) * np.outer(y, x), g2 * m + (1 - g2) * np.outer(y, y)
        d = (1 - decay) * d + mu * (np.sum(w**2, axis=1) - m**2 @ d)
    assert_allclose(sim.weights["W"], w, **CLOSE)
    assert_allclose(sim.weights["M"], m - np.diag(np.diag(m)), **CLOSE)
    assert_allclose(np.reshape(sim.slow["y.m"], -1), np.diag(m), **CLOSE)
    assert_allclose(np.reshape(sim.slow["y.D"], -1), d, **CLOSE)


def test_nsm_rests_where_coordinate_descent_does(build):
    rng = np.random.default_rng(1)
    mixture, w = rng.normal(size=(5, 4)), rng.normal(size=(3, 4))
    m = 0.3 * rng.uniform(size=(3, 3)) * (1 - np.eye(3))
    d = np.array([10.0, 20.0, 30.0])
    sim = build("nsm", [], {"W": w, "M": m}, {"y.D": d}, n=3, m_x=4, T=2000, tol=1e-14)
    sim.run("train", mixture=mixture, learn=True, batch=1, record=[])
    for x in mixture:
        y = np.zeros(3)
        for _ in range(400):
            for i in range(3):
                y[i] = max(w[i] @ x - m[i] @ y, 0)
        d = np.minimum(0.94 * d + y**2, 3000)
        w = w + y[:, None] * (x - w * y[:, None]) / d[:, None]
        m = m + y[:, None] * (y - m * y[:, None]) / d[:, None] * (1 - np.eye(3))
    assert_allclose(sim.weights["W"], w, **CLOSE)
    assert_allclose(sim.weights["M"], m, **CLOSE)
    assert_allclose(np.reshape(sim.slow["y.D"], -1), d, **CLOSE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "domain", "published"),
    [("bsm", "antisparse", 30.1), ("nsm", "nnantisparse", 30.09)],
)
def test_separates_as_published(name, domain, published):
    """Mean SNR (dB) on streams of the published length, three seeds; one alone may lose a source.

    The ten and thirty seeds of the papers are claims (`apical claims pem --slow`).
    """
    found = separated(domain, 0.0, 30.0, [1, 101, 201], name)
    assert np.median([score.mean_snr for score in found]) == pytest.approx(published, abs=2)


def test_whitening():
    x = mix("nnantisparse", samples=2000, seed=3).mixtures
    white = whiten(x, 5) @ x
    assert_allclose(np.cov(white, bias=True), np.eye(5), atol=1e-10)
