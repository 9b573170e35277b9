"""Runs what the numba engine prints by Python: `python tests/circuits/printed.py`.

Nothing is compiled, so that a variant costs a fraction of a second. Every protocol of every bundled
circuit, and each of their variants, is compared with the numpy engine.
"""

import os
import sys
from pathlib import Path

os.environ["NUMBA_DISABLE_JIT"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.circuits.small import cases, label, small  # noqa: E402
from tests.circuits.test_parity import compare, main  # noqa: E402
from tests.explored.explore import prepare  # noqa: E402

prepare(["numba-text"])
for case in cases():
    circuit = small(*case)
    runs = [(main(circuit), None if len(label(case)) % 2 else 1)]
    if not case[1]:
        runs = [*((protocol, None) for protocol in circuit.protocols), (main(circuit), 1)]
    compare(circuit, runs)
    print(label(case), "agrees", flush=True)
