"""What generated code is told of where arrays lie: it reads and writes there without asking."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from apical.engines.numba.addresses import Given

F8 = np.dtype("float64")


def given(dtype=F8):
    nothing = {"streams": (), "signals": (), "records": (), "output": None, "changes": None}
    return Given(dtype=dtype, buffer=dict.__getitem__, **nothing)


def test_a_row_is_where_the_array_lies():
    array = np.arange(6.0).reshape(2, 3)
    address, rows, columns = given().row(array[1:], 1, 3)
    assert (rows, columns) == (1, 3)
    assert list((ctypes.c_double * 3).from_address(address)) == [3, 4, 5]


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (np.zeros((2, 3)).T, (3, 2)),
        (np.zeros((4, 3))[::2], (2, 3)),
        (np.zeros((2, 3), dtype="float32"), (2, 3)),
        (np.zeros((2, 3)), (2, 4)),
    ],
    ids=["transposed", "every other row", "another type", "too small"],
)
def test_what_code_would_take_for_something_else_is_refused(array, shape):
    with pytest.raises(ValueError, match=r"expected \d \* \d numbers of float64 in one piece"):
        given().row(array, *shape)
