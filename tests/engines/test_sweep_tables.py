"""The rows of a sweep: the same wherever they are computed, in a file that is whole, kept."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas
import pytest
from typer.testing import CliRunner

import apical
from apical import Simulator, Sweep
from apical.cli import app

from .test_divergence import GROWTH

GRID = {"sizes": [[5, 4, 2], [5, 3, 2]], "T": [4], "eta": [0.01, 0.05]}


def streams(samples=6, size=5):
    rng = np.random.default_rng(0)
    return {"image": rng.uniform(size=(samples, size)), "label": rng.uniform(size=(samples, 2))}


def alone(values, seed):
    """The scores of a point by the words of `load` and `Simulator` only."""
    values = dict(values)
    eta = values.pop("eta")
    simulator = Simulator(apical.load("pc", **values), "numpy", seed, parameters={"eta": eta})
    simulator.fit(streams(), epochs=2, batch=2)
    return float(simulator.evaluate(streams())["squared_error"])


def scored(sweep, **where):
    return sweep.score(streams(), streams(), epochs=2, batch=2, **where)


def swept(grid=GRID, seeds=2):
    return Sweep("pc", grid, seeds=seeds, engine="numpy")


def test_rows_are_the_points_trained_alone():
    rows = scored(swept())
    assert [(r["sizes"], r["eta"], r["seed"]) for r in rows] == [
        (sizes, eta, seed) for sizes in GRID["sizes"] for eta in GRID["eta"] for seed in (0, 1)
    ]
    for row in rows:
        values = {name: row[name] for name in GRID}
        assert row["squared_error"] == pytest.approx(alone(values, row["seed"]), rel=1e-10)


def test_anything_that_submits_computes_the_same_rows():
    here = scored(swept())
    with ThreadPoolExecutor(2) as executor:
        assert scored(swept(), executor=executor) == here


@pytest.mark.slow
def test_processes_compute_the_same_rows():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        assert scored(swept(), executor=executor) == scored(swept())


@pytest.mark.slow
def test_a_dask_cluster_computes_the_same_rows():
    """Two workers, each a process."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as made,
        distributed.Client(made) as client,
    ):
        assert scored(swept(), executor=client.get_executor()) == scored(swept())


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_stands_in_the_table_is_not_computed_again(ending, tmp_path, monkeypatch):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    table = tmp_path / f"table.{ending}"
    whole = scored(swept())
    fits, fit = [], Simulator.fit

    def stopping(simulator, *arguments, **options):
        fits.append(simulator.circuit.parameters["sizes"].value)
        if len(fits) == 2:
            raise KeyboardInterrupt
        return fit(simulator, *arguments, **options)

    monkeypatch.setattr(Simulator, "fit", stopping)
    with pytest.raises(KeyboardInterrupt):
        scored(swept(), table=table)
    again = scored(swept(), table=table)
    assert len(fits) == 3 and fits[2] == fits[1]  # the first group stood there
    assert again == whole == scored(swept(), table=table)
    assert len(fits) == 3
    read = pandas.read_csv(table) if ending == "csv" else pandas.read_parquet(table)
    assert list(read.columns) == [
        *("sizes[0]", "sizes[1]", "sizes[2]", "T", "eta", "seed", "squared_error", "run")
    ]
    assert read["squared_error"].tolist() == [row["squared_error"] for row in whole]


def test_a_larger_grid_goes_on_from_a_smaller_one(tmp_path):
    table = tmp_path / "table.csv"
    scored(swept({**GRID, "sizes": [[5, 3, 2]]}), table=table)
    assert scored(swept(), table=table) == scored(swept())


def test_a_table_of_something_else_is_not_written_over(tmp_path, refused):
    table = tmp_path / "table.csv"
    scored(swept(), table=table)
    before = table.read_text()
    with refused(ValueError):
        swept().score(streams(), streams(), epochs=3, batch=2, table=table)
    assert table.read_text() == before
    table.write_text("a,b\n1,2\n")
    with refused(ValueError):
        scored(swept(), table=table)
    with refused(ValueError):
        scored(swept(), table=tmp_path / "table.xlsx")


def test_a_point_that_diverges_is_a_row_that_says_so(tmp_path):
    """Euler multiplies by 1 + rate in each of 200 steps."""
    path = tmp_path / "growth.yaml"
    path.write_text(GROWTH)
    sweep = Sweep(path, {"rate": [0.1, 400, 0.2]}, engine="numpy")
    assert len(sweep.simulators) == 1
    rows = sweep.measure(record=["net.x"], start=np.ones((1, 2)))
    assert [row["rate"] for row in rows] == [0.1, 400, 0.2]
    assert "net.x of unit 0 is not finite" in rows[1]["error"]
    for row in (rows[0], rows[2]):
        expected = (1 + row["rate"]) ** 200
        assert row["net.x last"] == pytest.approx([expected, expected], rel=1e-12)


def test_protocols_are_measured(tmp_path):
    """As `rows` of what `run` gave."""
    sweep = Sweep("neuron", {"g_lk": [0.1, 0.2], "duration": [4, 8]}, engine="numpy")
    options = {"record": ["neuron.u"], "samples": 2}
    expected = sweep.rows(sweep.run("train", **options), "last", "max")
    table = tmp_path / "table.csv"
    for _ in range(2):
        assert sweep.measure("train", ("last", "max"), table, **options) == expected
    assert len({row["neuron.u last"] for row in expected}) == 4


def test_the_command_says_what_failed(tmp_path):
    words = ["sweep", "neuron", "--protocol", "train", "--record", "neuron.u", "--engine", "numpy"]
    words += ["--set", "g_lk=0.1,-1e300", "--out", str(tmp_path / "u.csv")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 3, done.output
    first, second = done.output.splitlines()[:2]
    assert "neuron.u last" in first and "is not finite" in second
    read = pandas.read_csv(tmp_path / "u.csv")
    assert read["error"].isna().tolist() == [True, False]


@pytest.mark.slow
def test_the_command_computes_in_processes(tmp_path):
    words = ["sweep", "neuron", "--protocol", "train", "--record", "neuron.u", "--engine", "numpy"]
    words += ["--set", "duration=4,8", "--json"]
    here = CliRunner().invoke(app, [*words, "--workers", "1"])
    assert here.exit_code == 0
    assert CliRunner().invoke(app, [*words, "--workers", "2"]).output == here.output
