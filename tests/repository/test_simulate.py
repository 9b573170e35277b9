"""The command `simulate`, and `sweep` over a protocol: any circuit on numbers, draws and files."""

import csv
import json
import shlex

import numpy as np
import pytest
from numpy.testing import assert_allclose
from typer.testing import CliRunner

import apical
from apical.cli import app
from apical.graphs.load import bundled

CELL = """
apical: 1
name: cell
title: Two leaky cells that are driven
parameters:
  tau: 2
  steps: 40
data:
  drive: 2
cells:
  leaky:
    soma: tau * dv/dt = drive - v
populations:
  cell:
    cell: leaky
    size: 2
protocols:
  settle:
    decay:
      begin: cell.v := 1
      steps: steps
      dt: 0.1
      method: exponential_euler
  hold:
    decay:
      steps: 1
      dt: 0.1
"""
DRIVE = np.array([[0.5, -1.0], [2.0, 0.25], [0.0, 3.0]])


@pytest.fixture
def cell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cell.yaml").write_text(CELL)
    return "cell.yaml"


def call(*arguments):
    return CliRunner().invoke(app, [*arguments, "--engine", "numpy"])


def exact(drive, tau=2.0, time=4.0):
    """tau dv/dt = drive - v from 1."""
    return drive + (1 - drive) * np.exp(-time / tau)


def ends(*arguments):
    done = call("simulate", *arguments, "--protocol", "settle", "--json")
    assert done.exit_code == 0, done.output
    return np.array(json.loads(done.stdout)["last"]["cell.v"])[0]


def test_numbers_lists_and_files_say_the_same(cell, tmp_path):
    np.save("drive.npy", DRIVE)
    np.savez("all.npz", drive=DRIVE, other=DRIVE[:, :1])
    np.savetxt("drive.csv", DRIVE, delimiter=",")
    (tmp_path / "headed.csv").write_text("left,right\n" + (tmp_path / "drive.csv").read_text())
    for given in ("drive=drive.npy", "all.npz", "drive=all.npz:drive", "drive=all.npz",
                  "drive=drive.csv", "drive=headed.csv"):  # fmt: skip
        assert_allclose(ends(cell, "--stream", given), exact(DRIVE), rtol=1e-12)
    assert_allclose(ends(cell, "--stream", "drive=[0.5,-1]"), exact(DRIVE[:1]), rtol=1e-12)
    twice = ends(cell, "--stream", "drive=2", "--samples", "2")
    assert_allclose(twice, exact(np.full((2, 2), 2.0)), rtol=1e-12)
    first = ends(cell, "--stream", "drive=drive.npy", "--samples", "2")
    assert_allclose(first, exact(DRIVE[:2]), rtol=1e-12)


def test_a_signal_from_numbers_and_files(cell, tmp_path):
    """Rows of one sample, or of several; a number stands for all rows."""
    text = CELL.replace("drive: 2", "drive:\n    size: 2\n    every: 1")
    (tmp_path / "signal.yaml").write_text(text)
    rows = np.repeat(DRIVE[None, 0], 4, axis=0)
    np.save("rows.npy", rows)
    np.save("two.npy", np.stack([rows, 2 * rows]))
    np.savetxt("rows.csv", rows, delimiter=",")
    for given in ("drive=[0.5,-1]", "drive=rows.npy", "drive=rows.csv"):
        assert_allclose(ends("signal.yaml", "--stream", given), exact(DRIVE[:1]), rtol=1e-12)
    two = exact(np.stack([DRIVE[0], 2 * DRIVE[0]]))
    assert_allclose(ends("signal.yaml", "--stream", "drive=two.npy"), two, rtol=1e-12)
    drawn = ends("signal.yaml", "--stream", "drive=uniform(2,3)", "--samples", "9")
    assert np.all(drawn > exact(2)) and np.all(drawn < exact(3))
    missing = call("simulate", "signal.yaml", "--protocol", "settle")
    assert "reads the stream 'drive', 4 rows of 2 numbers per sample" in missing.output


def test_draws_follow_the_seed(cell):
    def drawn(*more):
        return ends(cell, "--stream", "drive=uniform(2,3)", "--samples", "50", *more)

    drive = (drawn() - np.exp(-2)) / (1 - np.exp(-2))
    assert 2 <= drive.min() < 2.1 and 2.9 < drive.max() <= 3
    assert np.array_equal(drawn(), drawn())
    assert not np.array_equal(drawn(), drawn("--seed", "1"))


def test_carry_goes_on(cell):
    np.save("same.npy", np.tile(DRIVE[:1], (3, 1)))
    found = ends(cell, "--stream", "drive=same.npy", "--carry", "--set", "steps=7")
    text = CELL.replace("      begin: cell.v := 1\n", "")
    with open("free.yaml", "w") as file:
        file.write(text)
    carried = ends("free.yaml", "--stream", "drive=same.npy", "--carry", "--set", "steps=7")
    once = DRIVE[0] * (1 - np.exp(-0.35 * np.arange(1, 4)))[:, None]
    assert_allclose(carried, once, rtol=1e-12)
    assert_allclose(found, np.tile(exact(DRIVE[0], time=0.7), (3, 1)), rtol=1e-12)


def test_traces_and_pictures(cell):
    pytest.importorskip("matplotlib")
    more = ["--record", "cell.v every 10", "--out", "cell.nc", "--plot", "cell.png"]
    done = call("simulate", cell, "--protocol", "settle", "--stream", "drive=0.5", *more)
    assert done.exit_code == 0, done.output
    traces = apical.Traces.open("cell.nc")
    times = np.arange(0, 41, 10) * 0.1
    assert_allclose(traces.arrays["cell.v"][0, 0, :, 0], exact(0.5, time=times), rtol=1e-12)
    with open("cell.png", "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"
    assert "traces: cell.nc" in done.stdout and "picture: cell.png" in done.stdout


def test_a_picture_of_traces_in_a_file(cell):
    pytest.importorskip("matplotlib")
    call("simulate", cell, "--protocol", "settle", "--stream", "drive=0.5", "--out", "cell.nc")
    done = CliRunner().invoke(app, ["plot", "cell.nc", "-o", "cell.svg", "--name", "cell.v"])
    assert (done.exit_code, done.stdout) == (0, "picture: cell.svg\n")
    with open("cell.svg") as file:
        assert "<svg" in file.read()
    wrong = ["plot", "cell.nc", "-o", "wrong.svg", "--name"]
    told = [CliRunner().invoke(app, [*wrong, *more]) for more in (["x"], ["cell.v", "--sample=3"])]
    assert [done.exit_code for done in told] == [2, 2]
    assert "'x' was not recorded; there are: cell.v" in told[0].stderr
    assert "sample=3: the traces hold 1 sample(s), from 0" in told[1].stderr


MISTAKES = [
    (["--protocol", "settel"], "--protocol settel: expected one of settle, hold"),
    ([], "--protocol: the circuit has several, expected one of settle, hold"),
    (["--protocol", "hold"], "reads the stream 'drive', 2 numbers per sample: give --stream"),
    (["--protocol", "hold", "--stream", "drvie=1"], "no stream 'drvie'; the circuit reads drive"),
    (["--protocol", "hold", "--stream", "drive"], "--stream drive: expected NAME=0.5, NAME=[1,0"),
    (["--protocol", "hold", "--stream", "drive=[1,2,3]"], "expected 2 numbers or one for all, got"),
    (["--protocol", "hold", "--stream", "drive=poisson(1,2)"], "expected one of uniform, normal"),
    (["--protocol", "hold", "--stream", "drive=uniform(3,2)"], "expected uniform(low,high)"),
    (["--protocol", "hold", "--stream", "drive=no.npy"], "no.npy"),
    (["--protocol", "hold", "--stream", "drive=text.csv"], "text.csv, line 3: expected a number"),
    (["--protocol", "hold", "--stream", "drive=1", "--stream", "drive=2"], "is given twice"),
    (["--protocol", "hold", "--stream", "drive=1", "--plot", "x.txt"], "--plot x.txt: expected a"),
    (["--protocol", "hold", "--stream", "drive=1", "--out", "x.txt"], "--out x.txt: expected a"),
    (["--protocol", "hold", "--stream", "pickled.npz"], "holds no arrays of numbers"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=[s for _, s in MISTAKES])
def test_mistakes_are_told(cell, tmp_path, arguments, said):
    (tmp_path / "text.csv").write_text("left,right\n1,2\n3,four\n")
    np.savez("pickled.npz", drive=np.array([{"a": 1}], dtype=object))
    done = call("simulate", cell, *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (tmp_path / "x.txt").exists()


def test_a_sweep_over_a_protocol(cell):
    pytest.importorskip("matplotlib")
    arguments = [
        "--set",
        "tau=linspace(1,3,5)",
        "--protocol",
        "settle",
        "--stream",
        "drive=[0.5,2]",
    ]
    files = ["--out", "t.csv", "--plot", "t.svg"]
    done = call("sweep", cell, *arguments, "--reduce", "last", "--reduce", "max", *files)
    assert done.exit_code == 0, done.output
    with open("t.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["tau"]) for row in rows] == [1, 1.5, 2, 2.5, 3]
    for row in rows:
        expected = exact(np.array([0.5, 2.0]), tau=float(row["tau"]))
        found = [float(row[f"cell.v last[{unit}]"]) for unit in range(2)]
        assert_allclose(found, expected, rtol=1e-12)
        assert float(row["cell.v max[0]"]) == 1 and float(row["cell.v max[1]"]) == found[1]
    assert len(done.stdout.splitlines()) == 7
    with open("t.svg") as file:
        assert "<svg" in file.read()
    assert "--reduce least: expected one of last" in call("sweep", cell, *arguments, "--reduce",
                                                          "least").stderr  # fmt: skip


def test_a_sweep_over_sizes_and_samples():
    grid = {"M": [4, 8], "beta": [1, 2]}
    sweep = apical.Sweep("hopfield", {**grid, "T": [5]}, engine="numpy")
    query = np.random.default_rng(0).normal(size=(3, 16))
    rows = sweep.rows(sweep.run("predict", query=query, record=["E"]), "last", "mean")
    assert [(r["M"], r["beta"], r["sample"]) for r in rows] == [
        (m, b, s) for m in grid["M"] for b in grid["beta"] for s in range(3)
    ]
    for row in rows:
        circuit = apical.load("hopfield", M=row["M"], beta=row["beta"], T=5)
        one = apical.Simulator(circuit, engine="numpy").run("predict", query=query, record=["E"])
        energy = one.arrays["E"][0, row["sample"]]
        assert_allclose([row["E last"], row["E mean"]], [energy[-1], energy.mean()], rtol=1e-12)


@pytest.mark.parametrize("name", bundled())
def test_every_bundled_circuit_runs_by_the_commands_that_show_prints(name):
    lines = call_show(name).partition("to run it\n")[2].splitlines()
    trained = [line for line in lines if line.split()[1] == "run"]
    assert trained == ([f"  apical run {name}"] if apical.load(name).task else [])
    assert len(lines) > len(trained)
    for line in lines[len(trained) :]:
        done = call(*shlex.split(line)[1:])
        assert done.exit_code == 0, done.output
        assert "ends" in done.stdout


def test_what_a_record_alone_reads_is_asked_for():
    """The loss of e-prop reads the target, which nothing else does where nothing learns."""
    words = ["simulate", "eprop", "--set", "T=3", "--engine", "numpy", "--record", "loss"]
    words += ["--stream", "stimulus=0.5"]
    missing = call(*words)
    assert missing.exit_code == 2 and "reads the stream 'target'" in missing.output
    assert call(*words, "--stream", "target=0").exit_code == 0


def call_show(name):
    return CliRunner().invoke(app, ["show", name]).output
