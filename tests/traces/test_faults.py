"""Disks that become full and names that are formulas: files whole or none, and no process dies."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import xarray

from apical.traces import Traces

CHILD = """
import gc, os, resource, sys
import numpy as np
from apical.traces import Traces
path = sys.argv[1]
traces = Traces({"a.x": np.random.rand(1, 40, 50, 100)}, phase=["p"] * 50, phase_step=range(50),
                time=np.arange(50.0))
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    traces.save(path)
except OSError as error:
    print("refused:", error.strerror)
gc.collect()
print("alive", os.listdir(os.path.dirname(path)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of the size of a file")
@pytest.mark.parametrize("ending", ["nc", "npz", "csv"])
def test_a_file_that_cannot_be_written_whole_is_not_there(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    path.write_text("what stood there")
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("refused:") and "File too large" in lines[0]
    assert lines[1] == f"alive ['t.{ending}']"
    assert path.read_text() == "what stood there"


def few(phase="p"):
    return Traces(
        {"a.x": np.arange(4.0).reshape(1, 1, 2, 2)}, phase=[phase] * 2, phase_step=[0, 1],
        time=[0.0, 0.5], time_unit="ms", manifest={"a": [1]},
    )  # fmt: skip


def test_xarray_opens_what_was_written(tmp_path):
    few().to_netcdf(tmp_path / "t.nc")
    with xarray.open_dataset(tmp_path / "t.nc", engine="h5netcdf") as found:
        assert found["a.x"].values.tolist() == [[[[0, 1], [2, 3]]]]
        assert found["phase"].values.tolist() == ["p", "p"]
        assert found["time"].values.tolist() == [0, 0.5] and found["time"].attrs["units"] == "ms"
        assert found.attrs["manifest"] == '{"a": [1]}'
    assert os.listdir(tmp_path) == ["t.nc"]


@pytest.mark.parametrize("phase", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1"])
def test_a_spreadsheet_takes_no_name_for_a_formula(tmp_path, phase):
    few(phase).to_csv(tmp_path / "t.csv")
    import pandas

    column = pandas.read_csv(tmp_path / "t.csv")["phase"]
    assert set(column) == {"'" + phase}
    few().to_csv(tmp_path / "t.csv")
    assert set(pandas.read_csv(tmp_path / "t.csv")["phase"]) == {"p"}
