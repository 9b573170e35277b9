"""The cache of machine code: refused where others could put something into it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from apical.engines.trusted_folders import open_to_others

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="a system without owners")

CHILD = """
import os, sys, warnings
warnings.simplefilter("always")
import numpy as np
import apical
circuit = apical.load("neuron")
streams = {name: np.ones((1, size)) for name, size in circuit.streams.items()}
print("run", apical.Simulator(circuit, engine="numba").run("train", **streams).arrays.keys())
"""


@pytest.mark.parametrize(
    ("mode", "why"), [(0o700, None), (0o755, None), (0o757, "all users can write to {}")]
)
def test_the_mode_of_a_folder(tmp_path, mode, why):
    folder = tmp_path / "kernels"
    folder.mkdir()
    folder.chmod(mode)
    for place in (folder, folder / "not" / "yet"):
        assert open_to_others(place) == (why and why.format(folder))


def test_a_folder_above_counts_unless_it_is_sticky(tmp_path):
    (tmp_path / "shared" / "kernels").mkdir(parents=True)
    (tmp_path / "shared").chmod(0o777)
    expected = f"all users can write to {tmp_path / 'shared'}"
    assert open_to_others(tmp_path / "shared" / "kernels") == expected
    (tmp_path / "shared").chmod(0o1777)  # as /tmp
    assert open_to_others(tmp_path / "shared" / "kernels") is None


def test_a_link_is_followed(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    assert open_to_others(tmp_path / "link") == f"all users can write to {tmp_path / 'open'}"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_the_owner_of_a_folder(tmp_path):
    folder = tmp_path / "kernels"
    folder.mkdir()
    os.chown(folder, 12345, -1)
    assert open_to_others(folder) == f"{folder} belongs to another user"
    os.chown(folder, 0, 12345)
    folder.chmod(0o770)
    assert open_to_others(folder) == f"its group can write to {folder}"


def test_a_simulator_does_without_such_a_cache(tmp_path):
    folder = tmp_path / "kernels"
    folder.mkdir()
    folder.chmod(0o777)
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        env={**os.environ, "APICAL_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("run") and not list(folder.iterdir())
    assert done.stderr.count(f"the cache folder {folder} is not used, for all users can write") == 1
