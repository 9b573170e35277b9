"""A fixed small set of `stress_checkpoints.py`; that file is the command for more."""

from __future__ import annotations

import importlib.util
import signal
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location(
    "stress_checkpoints", Path(__file__).with_name("stress_checkpoints.py")
)
assert _SPEC is not None and _SPEC.loader is not None
stress = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(stress)


def test_no_mutated_checkpoint_is_taken_that_differs(tmp_path):
    said: list[str] = []
    found = stress.mutate(5 * len(stress.MUTATIONS), 10_000, tmp_path, said.append)
    assert not found["wrong"], said
    assert found["refused"] > 40


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "how", "count"),
    [("numba", signal.SIGKILL, 2), ("numba", signal.SIGINT, 2), ("numpy", signal.SIGINT, 1)],
)
def test_a_killed_training_ends_bit_by_bit(engine, how, count, tmp_path):
    said: list[str] = []
    found = stress.kill(count, how, 10_000, tmp_path, (engine,), said.append)
    assert not found["wrong"] and found["bit-identical"], said
