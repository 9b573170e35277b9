"""A circuit lowers to the same Program in every process, so that compiled code is found again."""

from __future__ import annotations

import os
import subprocess
import sys

SCRIPT = """
import apical
from apical.graphs.load import bundled
from apical.graphs.lower import lower

for name in bundled():
    circuit = apical.load(name)
    for protocol in circuit.protocols:
        for learn in (True, False):
            program = lower(circuit, protocol, learn=learn, record=circuit.record)
            print(program, list(program.buffers))
"""


def test_the_seed_of_hashes_changes_nothing() -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env=os.environ | {"PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
        )
        for seed in ("1", "2")
    ]
    first, second = (process.communicate(timeout=120)[0] for process in processes)
    assert len(first) > 10_000
    assert first == second
