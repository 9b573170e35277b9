"""Where arrays stand in memory."""

from __future__ import annotations

import numpy as np
import pytest

import apical
from apical.engines.aligned_memory import LINE, copied, zeros


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [1, (3, 5), (2, 7, 11)])
def test_zeros_start_at_a_cache_line(shape, dtype):
    kept = [zeros(shape, dtype) for _ in range(20)]
    for array in kept:
        assert array.ctypes.data % LINE == 0
        assert array.dtype == dtype
        assert array.flags.c_contiguous and array.flags.writeable
    np.testing.assert_array_equal(kept[0], np.zeros(shape))


def test_a_copy_shares_nothing():
    array = np.arange(6.0).reshape(2, 3).T
    copy = copied(array, "float32")
    np.testing.assert_array_equal(copy, array)
    copy[0, 0] = 9
    assert array[0, 0] == 0


def test_weights_start_at_a_cache_line_also_after_a_checkpoint(tmp_path):
    simulator = apical.Simulator(apical.load("pc"), seed=1)
    simulator.save(tmp_path / "net.npz")
    for one in (simulator, apical.Simulator.resume(tmp_path / "net.npz")):
        for array in one.weights.values():
            assert array.ctypes.data % LINE == 0
