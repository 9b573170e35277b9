"""The cache of generated modules: shared by processes, and never the reason why a run fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

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

RACE = """
import json, multiprocessing, os, sys, time, warnings
from pathlib import Path
import apical

def compile_again(number, folder, turns, barrier, answers):
    for turn in range(turns):
        os.environ["APICAL_CACHE_DIR"] = str(Path(folder) / str(turn))
        for name in [n for n in sys.modules if n.startswith("apical_kernel_")]:
            del sys.modules[name]
        barrier.wait(120)
        time.sleep(number * 0.05 * turn)            # at once, then later and later
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            sim = apical.Simulator(circuit, engine="numba", seed=0)
            traces = sim.run("train", record=["one.v"])
        answers.put(float(traces.arrays["one.v"][0, 0, -1, 0]))

context = multiprocessing.get_context("fork")
barrier, answers = context.Barrier(2), context.Queue()
circuit, turns = apical.load(sys.argv[1]), int(sys.argv[3])
arguments = (sys.argv[2], turns, barrier, answers)
both = [context.Process(target=compile_again, args=(i, *arguments)) for i in range(2)]
for process in both:
    process.start()
for process in both:
    process.join()                                  # what is put is small: the pipe holds it
assert [process.exitcode for process in both] == [0, 0]
print(json.dumps([answers.get() for _ in range(2 * turns)]))
"""


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the two processes are forked")
@pytest.mark.parametrize("turns", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_two_processes_that_compile_the_same_circuit_at_once(tmp_path, turns):
    """Each turn has a new folder; a warning or an error in either process fails."""
    path, folder = tmp_path / "leak.yaml", tmp_path / "cache"
    path.write_text(CIRCUIT.replace("NUMBER", "1"))
    arguments = [sys.executable, "-c", RACE, str(path), str(folder), str(turns)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [pytest.approx(VALUES["1"])] * (2 * turns)
    for turn in range(turns):
        kinds = {entry.suffix for entry in (folder / str(turn)).rglob("*") if entry.is_file()}
        assert kinds == {".py", ".nbi", ".nbc"}


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


def test_nothing_is_written_beside_the_source():
    """pip would leave it behind, and with it a folder `apical` that can be imported."""
    from apical.engines.kernel_cache import cache_folder
    from apical.engines.numba import functions as numba_functions

    dispatchers = [v for v in vars(numba_functions).values() if hasattr(v, "py_func")]
    places = {Path(d._cache.cache_path) for d in dispatchers if d._cache.cache_path}
    assert len(dispatchers) > 20 and places
    assert all(cache_folder() in place.parents for place in places)
