"""`apical run --save --resume`: a training that is killed ends as one that is not, bit for bit."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

import apical
from apical.cli import app

pytest.importorskip("sklearn")
RUN = ["run", "pc", "--set", "sizes=[64,12,10]", "--batch", "20", "--engine", "numpy"]
LONG = [*RUN, "--epochs", "3", "--save", "run.safetensors", "--every", "3"]


def call(*arguments):
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The weights of a training that nothing stops."""
    path = tmp_path_factory.mktemp("whole") / "whole.safetensors"
    assert call(*RUN, "--epochs", "3", "--save", str(path)).exit_code == 0
    return apical.Simulator.resume(path).weights


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
@pytest.mark.parametrize("by", ["SIGTERM", "SIGKILL"])
def test_a_job_that_is_killed_goes_on(whole, tmp_path, monkeypatch, by):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "run.safetensors"
    job = subprocess.Popen([sys.executable, "-m", "apical", *LONG], stderr=subprocess.PIPE)
    while not place.exists() and job.poll() is None:
        time.sleep(0.01)
    job.send_signal(getattr(signal, by))
    _, told = job.communicate(timeout=60)
    assert job.returncode == (130 if by == "SIGTERM" else -signal.SIGKILL), told
    assert apical.Simulator.resume(place).epoch < 3
    done = call(*LONG, "--resume")
    assert done.exit_code == 0, done.output
    found = apical.Simulator.resume(place)
    assert (found.epoch, found.unfinished) == (3, None)
    for name, array in whole.items():
        np.testing.assert_array_equal(found.weights[name], array)


def test_one_command_begins_and_goes_on_with_more_epochs(whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for epochs in ("1", "3", "3"):
        done = call(*RUN, "--epochs", epochs, "--save", "x.safetensors", "--resume")
        assert done.exit_code == 0, done.output
    assert "test accuracy: " in done.output
    found = apical.Simulator.resume("x.safetensors").weights
    for name, array in whole.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    path = tmp_path_factory.mktemp("started") / "run.safetensors"
    assert call(*RUN, "--epochs", "2", "--save", str(path)).exit_code == 0
    return path


MISTAKES = [
    ([], "is there: --resume goes on from it"),
    (["--resume", "--seed", "3"], "with seed 0, this one has 3"),
    (["--resume", "--batch", "50"], "with batch 20, this one has 50"),
    (["--resume", "--set", "eta=0.3"], "is of another circuit"),
    (["--resume", "--epochs", "1"], "has learnt 2 epochs, expected at most 1"),
    (
        ["--resume", "--record", "W[1] every 9 presentations", "--out", "x.nc"],
        "recorded between presentations (W[1] every 9 presentations) is not in a checkpoint",
    ),
]


@pytest.mark.parametrize(("more", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_what_would_not_go_on_is_refused(started, tmp_path, monkeypatch, more, said):
    monkeypatch.chdir(tmp_path)
    before = started.read_bytes()
    done = call(*RUN, "--epochs", "3", "--save", str(started), *more)
    assert done.exit_code == 2 and said in done.stderr, done.output
    assert started.read_bytes() == before


@pytest.mark.parametrize("more", [["--resume"], ["--every", "3"]])
def test_a_place_is_needed(more):
    done = call(*RUN, *more)
    assert done.exit_code == 2 and f"{more[0]} needs --save FILE" in done.stderr


def test_other_checkpoints_are_refused(tmp_path):
    circuit = apical.load("pc", sizes=[64, 12, 10])
    apical.Simulator(circuit, engine="numpy").save(tmp_path / "x.safetensors")
    done = call(*RUN, "--save", str(tmp_path / "x.safetensors"), "--resume")
    assert done.exit_code == 2 and "was not written by `apical run --save`" in done.stderr


def test_notes_of_a_simulator_are_kept(tmp_path):
    sim = apical.Simulator(apical.load("pc", sizes=[4, 3, 2]), engine="numpy")
    sim.notes["why"] = {"rates": [0.1, 0.2]}
    sim.save(tmp_path / "x.safetensors")
    assert apical.Simulator.resume(tmp_path / "x.safetensors").notes == sim.notes
