"""Paths that lead to no file, and files that expand to too much: told before anything is read."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from apical.graphs.diagnostics import CircuitError
from apical.graphs.load import load, load_text
from apical.graphs.reading.expansion_budget import VARIABLE
from apical.traces import Traces

HEAD = "apical: 1\nname: x\n"
CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000, 1_500_000_000))
import apical
try:
    apical.load(sys.argv[1])
except apical.CircuitError as error:
    print(error)
"""


def told(path):
    """What a process of its own says that must end soon, in little memory."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[0]


@pytest.fixture
def odd(tmp_path):
    """A path that is no file: by its name."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("a system without pipes")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "large.yaml").write_text("#" * 5_000_000)
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    return tmp_path


@pytest.mark.parametrize("name", ["pipe.yaml", "zero.yaml", "folder.yaml", "large.yaml"])
def test_what_is_no_file_is_not_read(odd, name, snapshot):
    assert told(odd / name).replace(str(odd), "<folder>") == snapshot(name="itself")
    heir = odd / "heir.yaml"
    heir.write_text(f"apical: 1\nname: heir\nextends: {name}\n")
    line = told(heir)
    assert line.startswith(f"{heir}:3:10: '{name}'")
    assert line.replace(str(odd), "<folder>") == snapshot(name="heir")


def test_traces_are_read_from_files_alone(odd):
    for name in ("pipe", "zero"):
        os.rename(odd / f"{name}.yaml", odd / f"{name}.nc")
        with pytest.raises(OSError, match=r"is a (pipe|device), not a file"):
            Traces.open(odd / f"{name}.nc")


def test_the_files_together_are_no_larger_than_one_may_be(tmp_path, refused):
    filler = "# " + "x" * 98 + "\n"
    for number in range(4):
        text = HEAD.replace("x", f"n{number}") + filler * 600
        text += f"extends: {number + 1}.yaml\n" if number < 3 else ""
        (tmp_path / f"{number}.yaml").write_text(text)
    with refused(CircuitError):
        load(tmp_path / "0.yaml")
    assert load(tmp_path / "2.yaml").name == "n2"


LARGE = HEAD + "parameters:\n  a[k=1..9999]: k\n"


def test_a_file_that_expands_to_too_much_says_how_to_go_on(monkeypatch, refused, snapshot):
    assert len(load_text(LARGE).parameters) == 9_999
    monkeypatch.setenv(VARIABLE, "100000")
    with pytest.raises(CircuitError) as caught:
        load_text(LARGE, "net.yaml")
    (one,) = caught.value.diagnostics
    assert one.place.line == 4 and one.expected and f"{VARIABLE}=1000000" in one.expected
    assert str(one) == snapshot(name="limit")
    monkeypatch.setenv(VARIABLE, "many")
    with refused(ValueError):
        load_text(LARGE)


def test_weights_made_of_each_other_often_are_no_circle(refused):
    """W_i = W_(i-1) + W_(i-1): 2^60 paths to the first of them."""
    text = HEAD + "cells:\n  n:\n    soma: dv/dt = -v + input\npopulations:\n  p:\n"
    text += "    cell: n\n    size: 1\nsynapses:\n"
    for i in range(60):
        init = f"W{i - 1} + W{i - 1}" if i else "1"
        text += f"  W{i}:\n    from: p.v\n    to: p.soma\n    init: {init}\n"
    assert len(load_text(text).synapses) == 60
    with refused(CircuitError):
        load_text(text.replace("init: 1\n", "init: W2\n"))
