"""Compiling is said where it takes long, and done once where several begin."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time

import pytest

from apical.engines import compiling


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Slow:
    """What numba makes of a function, as far as is asked: it compiles for so many seconds."""

    py_func = staticmethod(lambda x: x)

    def __init__(self, seconds):
        self.seconds, self.overloads = seconds, {}

    def compile(self, types):
        time.sleep(self.seconds)
        self.overloads[types] = True


@pytest.mark.parametrize(
    ("stream", "seconds", "said"),
    [
        (Terminal, 0.3, "compiling pc.train; kept for later runs\n"),
        (Terminal, 0, ""),
        (io.StringIO, 0.3, ""),
    ],
    ids=["long", "short", "no terminal"],
)
def test_a_line_is_said_on_a_terminal_where_it_takes_long(monkeypatch, stream, seconds, said):
    monkeypatch.setattr(compiling, "PATIENCE", 0.1)
    monkeypatch.setattr(sys, "stderr", stream())
    function = Slow(seconds)
    compiling.ready(function, "pc.train", 1.0)
    assert len(function.overloads) == 1
    compiling.ready(function, "pc.train", 2.0)  # of the same type: nothing to do
    assert len(function.overloads) == 1
    assert sys.stderr.getvalue() == said


BOTH = """
import apical
sim = apical.Simulator(apical.load("neuron"), engine="numba", seed=0)
sim.run("train", learn=False, record=[])
"""


@pytest.mark.skipif(compiling.fcntl is None, reason="this system has no locks of files")
def test_one_of_two_processes_compiles(tmp_path):
    """numba says each file that it writes: one for the module of the circuit."""
    environment = {**os.environ, "APICAL_CACHE_DIR": str(tmp_path), "NUMBA_DEBUG_CACHE": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", BOTH]
    both = [subprocess.Popen(command, env=environment, **pipes) for _ in range(2)]
    told = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    lines = [line for out, _ in told for line in out.splitlines() if "apical_kernel" in line]
    assert sum("data saved" in line for line in lines) == 1
    assert sum("data loaded" in line for line in lines) == 1
