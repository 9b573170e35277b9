"""Recorded sources: wavelets, what the tasks hold, and what a missing file says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import apical
from apical.models.separation import separated_recordings
from apical.models.tasks.recordings import PIECES, START
from apical.models.tasks.wavelet import coefficients, daubechies


def test_two_moments_have_a_closed_form():
    root = np.sqrt(3)
    expected = np.array([1 + root, 3 + root, 3 - root, 1 - root]) / (4 * np.sqrt(2))
    assert_allclose(daubechies(2), expected, rtol=1e-14)


@pytest.mark.parametrize("moments", [1, 2, 4, 6])
def test_filters_are_orthonormal_and_see_no_polynomial(moments):
    h = daubechies(moments)
    assert len(h) == 2 * moments and np.sum(h) == pytest.approx(np.sqrt(2))
    for shift in range(moments):
        overlap = np.sum(h[2 * shift :] * h[: len(h) - 2 * shift])
        assert overlap == pytest.approx(float(shift == 0), abs=1e-9)
    n = np.arange(len(h))
    high = h[::-1] * (-1.0) ** n
    for power in range(moments):
        assert np.sum(n**power * high) == pytest.approx(0, abs=1e-6)


def test_coefficients_are_an_orthogonal_map(refused):
    basis = coefficients(np.eye(32))
    assert_allclose(basis @ basis.T, np.eye(32), atol=1e-10)
    details = coefficients(np.ones((1, 32)))[:, 4:]
    assert_allclose(details, 0, atol=1e-10)
    with refused(ValueError):
        coefficients(np.ones((1, 12)))


@pytest.fixture
def pieces(tmp_path):
    """Three sounds of nine seconds in a folder."""
    from scipy.io import wavfile

    rng = np.random.default_rng(0)
    sounds = [rng.integers(-20000, 20000, 8000 * (START + 4)).astype(np.int16) for _ in PIECES]
    for name, sound in zip(PIECES, sounds, strict=True):
        wavfile.write(tmp_path / f"{name}.wav", 8000, sound)
    return tmp_path, sounds


def test_music_is_presented_as_coefficients(pieces):
    folder, sounds = pieces
    task = apical.tasks.music(folder, seconds=4, snr=20)
    sources, mixtures = task.extras["sources"], task.extras["mixtures"]
    assert task.train["mixture"].shape == (32000, 5) and sources.shape == (3, 32000)
    assert np.abs(coefficients(sources)).sum(axis=0).max() == pytest.approx(1)
    for source, sound in zip(sources, sounds, strict=True):
        part = sound[START * 8000 :]
        assert_allclose(source / np.std(source), part / np.std(part), rtol=1e-12)
    clean = task.extras["mixing"] @ sources
    noise = mixtures - clean
    ratio = 10 * np.log10(np.mean(clean**2, axis=1) / np.mean(noise**2, axis=1))
    assert_allclose(ratio, 20, atol=0.3)
    found = np.sort(task.train["mixture"], axis=0)
    assert_allclose(found, np.sort(coefficients(mixtures).T, axis=0), rtol=1e-12)


def test_music_from_the_environment(pieces, monkeypatch, refused):
    folder, _ = pieces
    (folder / "music").symlink_to(folder, target_is_directory=True)
    monkeypatch.setenv("APICAL_DATA", str(folder))
    assert len(apical.tasks.music(seconds=1).train) == 8000
    with refused(ValueError):
        apical.tasks.music(seconds=5)


def test_missing_music_prints_the_commands(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        apical.tasks.music(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "apt-get download asterisk-moh-opsound-wav" in str(caught.value)


def test_photographs():
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    task = apical.tasks.photographs()
    sources, mixing = task.extras["sources"], task.extras["mixing"]
    assert sources.shape == (3, np.prod(task.extras["shape"]))
    assert_allclose(sources.min(axis=1), 0)
    assert_allclose(sources.max(axis=1), 1)
    assert_allclose(mixing @ mixing.T, np.eye(3), atol=1e-14)
    clean = mixing @ sources
    noise = task.extras["mixtures"] - clean
    ratio = 10 * np.log10(np.mean(clean**2, axis=1) / np.mean(noise**2, axis=1))
    assert_allclose(ratio, 40, atol=0.1)
    assert task.train["mixture"].shape == (sources.shape[1], 3)


@pytest.mark.slow
def test_photographs_are_separated():
    """Above the worst of the published photographs, 19.5 dB; ten mixings are a claim."""
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    (found,) = separated_recordings("photographs", [0])
    assert found.sinr > 19.5
