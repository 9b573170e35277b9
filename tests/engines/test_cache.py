"""The cache of generated modules: shared by processes, and never the reason why a run fails."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import warnings
import apical
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    sim = apical.Simulator(apical.load(sys.argv[1]), engine="numba", seed=0)
    traces = sim.run("train", record=["one.v"])
told = sum("cache" in str(w.message) for w in caught)
print(repr(float(traces.arrays["one.v"][0, 0, -1, 0])), told)
"""
CIRCUIT = """
apical: 1
name: leak
cells:
  leaky:
    soma: 2 * dv/dt = -v + NUMBER
populations:
  one:
    cell: leaky
    size: 3
protocols:
  train:
    decay:
      steps: 4
      dt: 0.1
"""
VALUES = {"1": 1 - 0.95**4, "2": 2 * (1 - 0.95**4)}


@pytest.fixture
def start(tmp_path):
    """`start(folder, "1")`: a process under way that compiles and runs a circuit."""

    def make(folder, number="1"):
        path = tmp_path / f"leak{number}.yaml"
        path.write_text(CIRCUIT.replace("NUMBER", number))
        environment = {**os.environ, "APICAL_CACHE_DIR": str(folder), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(path)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return make


def finished(process):
    """The number that a process found, and how many messages about the cache it gave."""
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    number, messages = out.split()
    return float(number), int(messages)


@pytest.mark.parametrize("turn", range(2))
def test_two_processes_that_compile_the_same_circuit_at_once(tmp_path, start, turn):
    folder = tmp_path / "cache"
    found = [finished(p) for p in [start(folder), start(folder)]]
    assert found == [(pytest.approx(VALUES["1"]), 0)] * 2
    assert not list(folder.rglob("*.tmp"))


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path, start):
    """A file stands where the folder should; to root, nothing else is read-only."""
    (tmp_path / "cache").write_text("no folder")
    assert finished(start(tmp_path / "cache")) == (pytest.approx(VALUES["1"]), 1)


def test_a_full_disk_is_told_once(start):
    if not os.path.exists("/dev/full"):
        pytest.skip("no device that is always full")
    assert finished(start("/dev/full")) == (pytest.approx(VALUES["1"]), 1)


def test_what_is_corrupt_is_built_again(tmp_path, start):
    folder = tmp_path / "cache"
    finished(start(folder))
    entries = [p for p in folder.rglob("*") if p.is_file()]
    assert {p.suffix for p in entries} >= {".py", ".nbi", ".nbc"}
    for path in entries:
        path.write_bytes(b"\x00 no module \xff" if path.suffix != ".py" else b"raise SystemExit(7)")
    assert finished(start(folder)) == (pytest.approx(VALUES["1"]), 0)
