"""The ring attractor: against a loop, the bump of the paper, and the theory of its drift."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from scipy.optimize import brentq

import apical

N, TAU, J0, J2, I0 = 128, 10.0, -6.0, 7.0, 1.0
THETA = 2 * np.pi * np.arange(N) / N
WEIGHTS = (J0 + J2 * np.cos(THETA[:, None] - THETA)) / N


def run(angles, sigma, **settings):
    circuit = apical.load("ring_attractor")
    sim = apical.Simulator(circuit, parameters={"sigma": sigma}, **settings)
    return sim, sim.run("train", angle=np.reshape(angles, (-1, 1)))


def test_it_is_the_loop_that_the_equation_says():
    angles = np.array([0.3, 2.0])
    sim, traces = run(angles, 0.0)
    assert_allclose(sim.weights["W"], WEIGHTS, atol=1e-15)
    r, rows = np.zeros((2, N)), []
    for step in range(400 + 2000):
        if step in (0, 400):
            rows.append(r)
        cue = 0.5 * np.cos(THETA - angles[:, None]) if step < 400 else 0
        r = r + 0.5 * (-r + np.maximum(I0 + r @ WEIGHTS.T + cue, 0)) / TAU
        if (step + 1 if step < 400 else step - 399) % 20 == 0:
            rows.append(r)
    found = traces.arrays["ring.r"][0]
    taken = ~np.isnan(found[0, :, 0])
    assert_allclose(found[:, taken], np.swapaxes(rows, 0, 1), rtol=1e-10, atol=1e-12)


def bump():
    """(half width, height): what is active, and a of the paper."""
    half = brentq(lambda c: c - np.sin(2 * c) / 2 - 2 * np.pi / J2, 0.1, 3)
    mean = (np.sin(half) - half * np.cos(half)) / np.pi
    return half, -I0 / (np.cos(half) + J0 * mean)


def test_the_bump_that_is_remembered_is_that_of_the_paper():
    """It stands within half the distance of two units, in which the gaps of the ring catch it."""
    angles = np.array([0.5, 3.0, 5.5])
    _, traces = run(angles, 0.0)
    found = traces.arrays["ring.r"][0, :, -1]
    stands = np.angle(found @ np.exp(1j * THETA)) % (2 * np.pi)
    assert np.all(np.abs(stands - angles) < np.pi / N)
    half, height = bump()
    meant = height * np.maximum(np.cos(THETA - stands[:, None]) - np.cos(half), 0)
    assert_allclose(found, meant, atol=2e-3 * height)


def test_the_memory_drifts_as_far_as_theory_says():
    """200 memories for a second: the variance of the angle, to 4 deviations of its estimate."""
    sigma, angles = 0.05, np.full(200, np.pi)
    _, traces = run(angles, sigma, seed=1)
    x, y = (traces.arrays[name][0] for name in ("x", "y"))
    found = np.unwrap(np.angle(x + 1j * y)[:, ~np.isnan(x[0])], axis=1)
    kept = found[:, -50:] - found[:, -51:-50]  # 50 times 20 steps of half a millisecond
    half, height = bump()
    slope = np.where(np.cos(THETA) > np.cos(half), -height * np.sin(THETA), 0)
    heard = WEIGHTS @ slope
    rate = (sigma / TAU) ** 2 * (heard @ heard) / (heard @ slope) ** 2
    assert abs(kept[:, -1].mean()) < 4 * np.sqrt(rate * 500 / 200)
    assert_allclose(kept[:, -1].var(), rate * 500, rtol=4 * np.sqrt(2 / 200))
