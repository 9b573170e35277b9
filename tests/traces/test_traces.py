"""Traces against the plain arrays they were made of."""

import csv

import numpy as np
import pytest
import xarray

from apical.traces.traces import Traces

PHASES = ["forward", "infer", "infer", "infer"]


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    unit = rng.normal(size=(2, 3, 4, 5))
    unit[:, :, 0] = np.nan
    return {"layer[1].v_A": unit, "F": rng.normal(size=(2, 3, 4))}


@pytest.fixture
def traces(arrays):
    return Traces(
        arrays,
        phase=PHASES,
        phase_step=[0, 0, 1, 2],
        time=[0.0, 0.0, 0.1, 0.2],
        time_unit="ms",
        manifest={"seed": 3, "texts": {"a.yaml": "name: a\n"}},
    )


def test_axes_have_the_agreed_names(traces):
    assert traces["layer[1].v_A"].dims == ("replica", "sample", "step", "layer[1].unit")
    assert traces["F"].dims == ("replica", "sample", "step")
    assert {"phase", "phase_step", "time"} <= set(traces.dataset.coords)
    assert traces.dataset["time"].attrs["units"] == "ms"


def test_a_phase_is_selected_by_name(traces, arrays):
    chosen = traces["layer[1].v_A"].sel(phase="infer")
    np.testing.assert_array_equal(chosen.values, arrays["layer[1].v_A"][:, :, 1:])
    np.testing.assert_array_equal(chosen["phase_step"].values, [0, 1, 2])
    assert chosen.mean("sample").dims == ("replica", "step", "layer[1].unit")
    assert traces.dataset.sel(phase=["forward", "infer"]).sizes["step"] == 4


def test_a_phase_of_one_row_keeps_its_axis(traces, arrays):
    chosen = traces["F"].sel(phase="forward")
    assert chosen.dims == ("replica", "sample", "step")
    np.testing.assert_array_equal(chosen.values, arrays["F"][:, :, :1])


def test_an_unknown_phase_lists_the_phases(traces, refused):
    with refused(KeyError):
        traces["F"].sel(phase="nudge")


def test_an_unrecorded_variable_lists_the_recorded(traces, refused):
    with refused(KeyError):
        traces["G"]


@pytest.mark.parametrize("ending", [".nc", ".npz"])
def test_files_give_back_what_was_written(traces, arrays, tmp_path, ending):
    path = tmp_path / f"run{ending}"
    traces.save(path)
    again = Traces.open(path)
    assert set(again) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
        assert again.dims(name) == traces.dims(name)
    assert again.phase.tolist() == PHASES
    np.testing.assert_array_equal(again.time, traces.time)
    assert (again.time_unit, again.manifest) == (traces.time_unit, traces.manifest)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_plain_xarray_opens_the_file(traces, arrays, tmp_path):
    traces.to_netcdf(tmp_path / "run.nc")
    with xarray.open_dataset(tmp_path / "run.nc") as dataset:
        np.testing.assert_array_equal(dataset["F"].values, arrays["F"])
        infer = dataset["F"].where(dataset["phase"] == "infer", drop=True)
        np.testing.assert_array_equal(infer.values, arrays["F"][:, :, 1:])


@pytest.mark.parametrize("unit", ["seconds", "milliseconds", "ms", "s", None])
def test_time_stays_a_number(arrays, tmp_path, unit):
    traces = Traces(
        arrays, phase=PHASES, phase_step=range(4), time=[0.0, 0.1, 0.2, 0.3], time_unit=unit
    )
    traces.to_netcdf(tmp_path / "run.nc")
    with xarray.open_dataset(tmp_path / "run.nc") as dataset:
        np.testing.assert_array_equal(dataset["time"].values, [0.0, 0.1, 0.2, 0.3])


def test_time_may_differ_between_samples(arrays, tmp_path):
    time = np.arange(12.0).reshape(3, 4)
    traces = Traces(arrays, phase=PHASES, phase_step=range(4), time=time)
    assert traces.dataset["time"].dims == ("sample", "step")
    traces.to_netcdf(tmp_path / "run.nc")
    np.testing.assert_array_equal(Traces.open(tmp_path / "run.nc").time, time)


def test_the_table_has_a_line_per_recorded_value(traces, arrays, tmp_path):
    traces.to_csv(tmp_path / "run.csv")
    with open(tmp_path / "run.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 3 * 3 * 5 + 2 * 3 * 4
    for row in rows:
        place = tuple(int(row[k]) for k in ("replica", "sample", "step"))
        array = arrays[row["variable"]][place]
        expected = array[int(row["unit"])] if row["unit"] else array
        assert float(row["value"]) == expected
        assert row["phase"] == PHASES[place[2]]


def test_a_failed_write_leaves_the_old_file(traces, tmp_path, monkeypatch):
    path = tmp_path / "run.nc"
    path.write_bytes(b"old")

    def half(self, store, **_):
        raise OSError("disk full")

    monkeypatch.setattr(xarray.Dataset, "dump_to_store", half)
    with pytest.raises(OSError, match="disk full"):
        traces.to_netcdf(path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["run.nc"]


def test_other_endings_are_refused(traces, tmp_path, refused):
    with refused(ValueError):
        traces.save(tmp_path / "run.txt")
    with refused(ValueError):
        Traces.open(tmp_path / "run.csv")


@pytest.mark.parametrize(
    "change",
    [
        {"arrays": {"F": np.zeros((1, 3, 5))}},
        {"arrays": {"time": np.zeros((1, 3, 4))}},
        {"time": [0.0]},
        {"phase_step": [0]},
    ],
    ids=["shape", "name", "time", "phase_step"],
)
def test_shapes_that_do_not_fit_are_refused(change, refused):
    good = {
        "arrays": {"F": np.zeros((1, 3, 4))},
        "phase": PHASES,
        "phase_step": [0, 0, 1, 2],
        "time": np.zeros(4),
    }
    with refused(ValueError):
        Traces(**{**good, **change})
