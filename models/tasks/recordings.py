"""Recorded sources for blind separation: pieces of music and photographs, from packages.

    X = A S + noise,  A (m, n) at random

Samples are presented in random order: neighbours in a recording are alike, and a circuit with a
memory of twenty samples would follow them instead of the mixing. `extras` of a task has, in the
order of the recording, `sources` (n, N) and `mixtures` (m, N), also `mixing` (m, n) and
`start_weights` (n, m).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from .sources import mixed, noisy, start_weights
from .task import Task
from .wavelet import coefficients

PIECES = ("manolo_camp-morning_coffee", "macroform-cold_day", "reno_project-system")
FETCH = """\
mkdir -p ~/.cache/apical/music && cd ~/.cache/apical/music
apt-get download asterisk-moh-opsound-wav     # Debian and Ubuntu; apt-get update before it
dpkg-deb -x asterisk-moh-opsound-wav_*.deb .
mv usr/share/asterisk/moh/*.wav ."""
START = 5  # seconds into each piece


def music(
    folder: str | os.PathLike[str] | None = None,
    seconds: int = 48,
    snr: float = 30.0,
    seed: int = 0,
) -> Task:
    """The task "music": three pieces in five mixtures, presented as wavelet coefficients.

    The stream mixture (sample, 5) holds coefficients (Daubechies 4, three levels), scaled so that
    those of the sources lie in the l1 ball; `sources` and `mixtures` of `extras` are sounds of
    8,000 samples a second. Without `folder`: the first of $APICAL_DATA/music,
    ~/.cache/apical/music, /usr/share/asterisk/moh that has the files. Raises FileNotFoundError
    with the commands that fetch them.
    """
    sounds = np.stack([_piece(path, seconds) for path in _locate(folder)])
    sounds /= np.std(sounds, axis=1, keepdims=True)
    sounds /= np.abs(coefficients(sounds)).sum(axis=0).max()
    rng = np.random.RandomState(seed)
    mixing = rng.standard_normal((5, 3))
    mixtures = noisy(mixing @ sounds, snr, rng)
    about = "blind separation of three pieces of music from five mixtures (asterisk-moh-opsound)"
    start = start_weights(3, 5, seed)
    stream = coefficients(mixtures)
    return _task("music", about, stream, rng, sounds, mixing, mixtures, start, rate=8000)


def photographs(snr: float = 40.0, seed: int = 0) -> Task:
    """The task "photographs": three grey pictures of 427 x 512 pixels in three mixtures.

    china and flower (scikit-learn) and Grace Hopper (matplotlib), each from 0 to 1, an orthogonal
    mixing; `shape` of `extras` is that of a picture. Raises ModuleNotFoundError without these
    packages.
    """
    pictures = np.stack([_grey(picture).ravel() for picture in _pictures()])
    pictures -= pictures.min(axis=1, keepdims=True)
    pictures /= pictures.max(axis=1, keepdims=True)
    rng = np.random.RandomState(seed)
    mixing = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    mixtures = noisy(mixing @ pictures, snr, rng)
    about = "blind separation of three photographs (scikit-learn, matplotlib) from three mixtures"
    start = np.eye(3) + 10 * (start_weights(3, 3, seed) - np.eye(3))
    return _task(
        "photographs", about, mixtures, rng, pictures, mixing, mixtures, start, shape=(427, 512)
    )


def _task(
    name: str,
    about: str,
    stream: np.ndarray,
    rng: np.random.RandomState,
    sources: np.ndarray,
    mixing: np.ndarray,
    mixtures: np.ndarray,
    start: np.ndarray,
    **extras: Any,
) -> Task:
    shown = stream[:, rng.permutation(stream.shape[1])]
    extras |= {"mixing": mixing, "mixtures": mixtures, "start_weights": start}
    return mixed(name, about, shown, mixtures, sources, **extras)


def _piece(path: Path, seconds: int) -> np.ndarray:
    """`seconds` of a sound, rounded to the multiple of 8 samples that three levels need."""
    from scipy.io import wavfile

    rate, sound = wavfile.read(path)
    part = sound[START * rate : (START + seconds) * rate // 8 * 8].astype(np.float64)
    if sound.ndim != 1 or len(part) < seconds * rate // 8 * 8:
        raise ValueError(f"{path}: expected one channel and {START + seconds} seconds")
    return part


def _locate(folder: str | os.PathLike[str] | None) -> list[Path]:
    """The files of the pieces, all in one folder."""
    places = [Path(folder).expanduser()] if folder is not None else []
    if folder is None:
        own = os.environ.get("APICAL_DATA")
        places += [Path(own) / "music"] if own else []
        places += [Path("~/.cache/apical/music").expanduser(), Path("/usr/share/asterisk/moh")]
    for place in places:
        paths = [place / f"{name}.wav" for name in PIECES]
        if all(path.is_file() for path in paths):
            return paths
    looked = "\n".join(f"  {place}" for place in places)
    commands = "\n".join(f"  {line}" for line in FETCH.splitlines())
    raise FileNotFoundError(
        f"the task music needs the files {', '.join(f'{name}.wav' for name in PIECES)}.\n"
        f"Looked in:\n{looked}\nThese commands fetch them:\n{commands}\n"
        f"or give a folder: apical.tasks.music(folder=...), or set APICAL_DATA to the folder that "
        f"holds a folder music."
    )


def _pictures() -> list[np.ndarray]:
    """(row, column, colour) each."""
    try:
        from matplotlib.cbook import get_sample_data
        from matplotlib.image import imread
        from sklearn.datasets import load_sample_image
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the task photographs needs scikit-learn and matplotlib; install them with: "
            "pip install 'apical[demo]'",
            name=error.name,
        ) from error
    hopper = str(get_sample_data("grace_hopper.jpg", asfileobj=False))
    every = [load_sample_image("china.jpg"), load_sample_image("flower.jpg"), imread(hopper)]
    return [np.asarray(picture, dtype=np.float64) for picture in every]


def _grey(picture: np.ndarray) -> np.ndarray:
    """Luma (ITU-R BT.601) of the upper left 427 x 512 pixels."""
    return picture[:427, :512] @ np.array([0.299, 0.587, 0.114])
