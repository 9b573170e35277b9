"""Traces against the plain arrays they were made of."""

import csv
import importlib.util
import json

import h5py
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
    chosen = traces.phase("infer")
    np.testing.assert_array_equal(chosen["layer[1].v_A"].values, arrays["layer[1].v_A"][:, :, 1:])
    np.testing.assert_array_equal(chosen["F"]["phase_step"].values, [0, 1, 2])
    np.testing.assert_array_equal(chosen.time, [0.0, 0.1, 0.2])
    assert chosen["layer[1].v_A"].mean("sample").dims == ("replica", "step", "layer[1].unit")
    assert len(traces.phase("infer", "forward").phases) == 4


def test_a_phase_of_one_row_keeps_its_axis(traces, arrays):
    chosen = traces.phase("forward")["F"]
    assert chosen.dims == ("replica", "sample", "step")
    np.testing.assert_array_equal(chosen.values, arrays["F"][:, :, :1])


def test_an_unknown_phase_lists_the_phases(traces, refused):
    with refused(KeyError):
        traces.phase("infr")


def test_xarray_can_reindex_stack_and_interpolate(traces, arrays):
    dataset = traces.dataset
    back = dataset.reindex(step=[3, 1])
    np.testing.assert_array_equal(back["F"].values, arrays["F"][:, :, [3, 1]])
    assert list(back["phase"].values) == ["infer", "infer"]
    stacked = dataset["F"].stack(row=("sample", "step"))
    np.testing.assert_array_equal(stacked.values, arrays["F"].reshape(2, 12))
    between = dataset["F"].interp(step=[1.5])
    np.testing.assert_allclose(between.values[..., 0], arrays["F"][:, :, 1:3].mean(axis=2))


def test_units_are_selected_in_the_name_and_by_xarray(traces, arrays):
    values = arrays["layer[1].v_A"]
    some = traces["layer[1].v_A[1..3]"]
    np.testing.assert_array_equal(some.values, values[..., 1:4])
    np.testing.assert_array_equal(some["layer[1].unit"], [1, 2, 3])
    np.testing.assert_array_equal(traces["layer[1].v_A[4]"].values, values[..., 4:])
    by_label = traces["layer[1].v_A"].sel({"layer[1].unit": [0, 3]})
    np.testing.assert_array_equal(by_label.values, values[..., [0, 3]])


@pytest.mark.parametrize("name", ["layer[1].v_A[5]", "layer[1].v_A[3..2]", "F[0]", "G[0]"])
def test_units_that_there_are_not_are_told(traces, name, refused):
    with refused(KeyError):
        traces[name]


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
    assert again.phases.tolist() == PHASES
    np.testing.assert_array_equal(again.time, traces.time)
    assert (again.time_unit, again.manifest) == (traces.time_unit, traces.manifest)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_plain_xarray_opens_the_file(traces, arrays, tmp_path):
    traces.to_netcdf(tmp_path / "run.nc")
    with xarray.open_dataset(tmp_path / "run.nc") as dataset:
        np.testing.assert_array_equal(dataset["F"].values, arrays["F"])
        infer = dataset["F"].where(dataset["phase"] == "infer", drop=True)
        np.testing.assert_array_equal(infer.values, arrays["F"][:, :, 1:])


def test_the_file_follows_the_cf_conventions_and_is_compressed(tmp_path):
    """Read by h5py; compliance-checker (cf:1.11) finds names with brackets, and nothing else."""
    arrays = {"y.r": np.full((1, 2, 300, 20), np.nan), "F": np.zeros((1, 2, 300))}
    arrays["y.r"][:, :, ::10] = np.random.default_rng(0).normal(size=(1, 2, 30, 20))
    facts = {"circuit": "c", "protocol": "p", "created": "2026-01-01", "versions": {"apical": "1"}}
    long = Traces(
        arrays,
        phase=["a"] * 300,
        phase_step=range(300),
        time=np.arange(300) * 0.1,
        time_unit="milliseconds",
        manifest=facts,
    )
    long.to_netcdf(tmp_path / "run.nc")
    long.to_netcdf(tmp_path / "plain.nc", compression=0)
    with h5py.File(tmp_path / "run.nc") as file, h5py.File(tmp_path / "plain.nc") as plain:
        assert file.attrs["Conventions"] == b"CF-1.11" or file.attrs["Conventions"] == "CF-1.11"
        assert {"title", "source", "history"} <= set(file.attrs)
        assert file["time"].attrs["units"] in (b"ms", "ms")
        for name in ("y.r", "time", "sample", "replica", "phase", "y.unit"):
            assert file[name].attrs["long_name"], name
        assert (file["y.r"].compression, file["y.r"].shuffle) == ("gzip", True)
        assert plain["y.r"].compression is None
        np.testing.assert_array_equal(file["y.r"][:], arrays["y.r"])
        assert file["y.r"].id.get_storage_size() < 0.5 * plain["y.r"].id.get_storage_size()


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


@pytest.mark.parametrize("by", ["pyarrow", "pandas"])
def test_the_table_has_a_line_per_recorded_value(traces, arrays, tmp_path, by, monkeypatch):
    if by == "pandas":
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    else:
        pytest.importorskip("pyarrow")
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


def test_parquet_holds_the_same_table_with_types_and_manifest(traces, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    pandas = pytest.importorskip("pandas")
    learnt = Traces(
        traces.arrays,
        phase=PHASES,
        phase_step=traces.phase_step,
        time=traces.time,
        manifest=traces.manifest,
        learnt={"W": np.arange(12.0).reshape(2, 1, 3, 2), "y.mu": np.ones((2, 1, 3))},
        presentation=[7],
    )
    for ending in ("parquet", "csv"):
        learnt.save(tmp_path / f"run.{ending}")
    table = parquet.read_table(tmp_path / "run.parquet")
    assert json.loads(table.schema.metadata[b"apical"]) == traces.manifest
    assert str(table.schema.field("value").type) == "double"
    assert str(table.schema.field("step").type) == "int64"
    frame, text = table.to_pandas(), pandas.read_csv(tmp_path / "run.csv")
    assert list(frame) == list(text) and len(frame) == len(text)
    for name in frame:
        same = (frame[name] == text[name]) | (frame[name].isna() & text[name].isna())
        assert same.all(), name
    assert frame[frame.variable == "W"].value.tolist() == list(range(12))


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
