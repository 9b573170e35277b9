"""The commands: what they print and their exit codes."""

import json

import pytest
from typer.testing import CliRunner

import apical
from apical.cli import app

GOOD = """
apical: 1
name: leak
title: A leaky cell
parameters:
  tau: 2
cells:
  leaky:
    soma: tau * dv/dt = -v
populations:
  one:
    cell: leaky
    size: 3
protocols:
  train:
    decay:
      steps: 4
      dt: 0.1
"""


@pytest.fixture
def good(tmp_path):
    (tmp_path / "leak.yaml").write_text(GOOD)
    return str(tmp_path / "leak.yaml")


@pytest.fixture
def bad(tmp_path):
    (tmp_path / "bad.yaml").write_text(GOOD.replace("= -v", "= -u").replace("dt: 0.1", "dt: h"))
    return str(tmp_path / "bad.yaml")


def call(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def test_version():
    assert call("--version").output.strip() == apical.__version__


def test_list_names_every_bundled_circuit(root):
    names = sorted(p.stem for p in (root / "yaml_models").glob("*.yaml"))
    assert [line.split()[0] for line in call("list").output.splitlines()] == names
    rows = json.loads(call("list", "--json").output)
    assert [row["name"] for row in rows] == names and all(row["title"] for row in rows)


def test_check_of_good_and_bad(good, bad):
    assert call("check", good).exit_code == 0
    done = call("check", good, bad)
    assert done.exit_code == 1
    assert "leak.yaml: fine" in done.output
    assert "bad.yaml:9:" in done.output and "bad.yaml:18:" in done.output
    report = json.loads(call("check", good, bad, "--json").output)
    assert [entry["ok"] for entry in report] == [True, False]
    assert report[1]["diagnostics"][0]["place"]["line"] == 9


def test_show(good, bad):
    done = call("show", good)
    assert done.exit_code == 0 and "A leaky cell" in done.output
    facts = json.loads(call("show", good, "--json").output)
    assert facts["populations"] == {"one": 3} and facts["protocols"] == {"train": ["decay"]}
    assert call("show", bad).exit_code == 1


def test_overrides_reach_the_circuit(good):
    assert call("show", good, "--set", "tau=3").exit_code == 0
    assert call("show", good, "--set", "tauu=3").exit_code in (1, 2)
    for text in ("tau", "tau=", "1=2", "tau=[1", "=3"):
        done = call("show", good, "--set", text)
        assert done.exit_code == 2 and "--set" in done.output


def test_usage_is_2(good):
    assert call("show", "no_such_circuit").exit_code in (1, 2)
    assert call("run", good, "--task", "digit").exit_code == 2
    assert call("run", good, "--engine", "numbat").exit_code == 2
    assert call("run", good, "--out", "run.txt").exit_code == 2
    assert call("run", good, "--record", "F").exit_code == 2
    assert call("run", good, "--bogus").exit_code == 2
    assert call("run", good, "--task", "digits", "--data", ".").exit_code == 2


def test_a_missing_data_set_prints_the_command_that_fetches_it(good, tmp_path):
    done = call("run", good, "--task", "fashion", "--data", str(tmp_path))
    assert done.exit_code == 2 and "apt-get download dataset-fashion-mnist" in done.output


def test_sizes_that_do_not_fit_print_the_ones_that_do():
    done = call("run", "pc", "--task", "digits")
    assert done.exit_code == 2 and "--set 'sizes=[64,256,256,10]'" in done.output


@pytest.mark.parametrize("ending", ["nc", "csv", "npz"])
def test_run_trains_and_writes_traces(tmp_path, ending):
    out = tmp_path / f"run.{ending}"
    done = call(
        "run", "pc", "--set", "sizes=[64,16,10]", "--set", "eta=0.2", "--engine", "numpy",
        "--epochs", "1", "--record", "F", "--trace-samples", "3", "--out", str(out), "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    told = json.loads(done.output.splitlines()[-1])
    assert told["accuracy"] > 0.5 and out.is_file()


def test_a_divergence_is_3(tmp_path):
    done = call(
        "run", "pc", "--set", "sizes=[64,16,10]", "--set", "h=1e6", "--set", "T=400",
        "--variant", "linear", "--engine", "numpy",
    )  # fmt: skip
    assert done.exit_code == 3, done.output
    assert "layer[" in done.output
