"""A process that compiles a circuit and one that finds it in the cache compute the same bits."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import numpy as np
import apical

circuit = apical.load("corinfomax", sizes=[12, 9, 5])
simulator = apical.Simulator(circuit)
random = np.random.default_rng(1)
streams = {name: random.random((10, size)) for name, size in circuit.streams.items()}
simulator.run("train", learn=True, batch=5, record=[], **streams)
for executable in simulator._core.programs.made.values():
    print(sum(executable.modules[False].run.stats.cache_hits.values()), file=sys.stderr)
print([np.asarray(w).tobytes().hex() for w in simulator.weights.values()])
"""


@pytest.mark.slow
def test_compiled_and_cached_code_give_the_same_bits(tmp_path):
    environment = {**os.environ, "APICAL_CACHE_DIR": str(tmp_path)}
    environment.pop("NUMBA_CACHE_DIR", None)
    cold, warm = (
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=environment, capture_output=True, text=True, check=True,
        )
        for _ in range(2)
    )  # fmt: skip
    assert cold.stderr.split() == ["0"] and warm.stderr.split() == ["1"]
    assert cold.stdout == warm.stdout
