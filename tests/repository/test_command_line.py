"""The commands: what they print and their exit codes."""

import json
import os
import re
import subprocess
import sys

import numpy as np
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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--task", "digit"], "there is no task 'digit'; did you mean 'digits'?"),
        (["--task", "separation(domian=sparse)"], "no option 'domian'; did you mean 'domain'?"),
        (["--task", "separation(sparse)"], "is not of the form NAME or NAME(option=value, ...)"),
        (["--task", "separation(domain=dense)"], "expected one of antisparse, nnantisparse"),
        (["--task", "separation(snr=1, snr=2)"], "has the option 'snr' twice"),
        (["--task", "digits", "--data", "."], "the task digits reads no files"),
        (["--task", "separation(samples=20)"], "the task separation shows mixture, source, the"),
        (["--picture", "none/a.png"], "the folder 'none' does not exist"),
    ],
)
def test_a_task_that_cannot_be(options, said):
    done = call("run", "pc", "--engine", "numpy", *options)
    assert done.exit_code == 2 and said in done.output


def test_a_circuit_without_predictions_says_what_to_do_instead(good):
    done = call("run", good)
    assert done.exit_code == 2 and "leak has no `predicts`" in done.output
    assert f"run with: apical simulate {good}" in done.output
    assert "run with: apical simulate neuron --variant learning" in (
        call("run", "neuron", "--variant", "learning").output
    )


def test_a_missing_data_set_prints_the_command_that_fetches_it(good, tmp_path):
    done = call("run", "pc", "--task", "fashion", "--data", str(tmp_path))
    assert done.exit_code == 2 and "apt-get download dataset-fashion-mnist" in done.output


def test_sizes_follow_the_task_unless_they_are_set():
    words = ["run", "pc", "--engine", "numpy", "--epochs", "0", "--set", "T=1"]
    done = call(*words)
    assert done.exit_code == 0, done.output
    assert (
        "sizes: [784, 256, 256, 10] -> [64, 256, 256, 10], as the task digits has 64 values of "
        "image and 10 of label"
    ) in done.stderr
    assert "->" not in call(*words, "--set", "sizes=[64,8,10]").output
    done = call(*words, "--set", "sizes=[784,8,10]")
    assert done.exit_code == 2 and "--set 'sizes=[64,8,10]'" in done.output


@pytest.mark.parametrize(
    ("words", "least"),
    [
        (["pem", "--variant", "sparse", "--task", "separation(domain=sparse, samples=3000)"], 10),
        (["bsm", "--task", "separation(samples=2000, whitened=true)"], 5),
        (["pem", "--task", "separation(samples=1000)", "--seeds", "2"], 0),
    ],
)
def test_sources_are_separated_by_one_command(tmp_path, monkeypatch, words, least):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    done = call("run", *words)
    assert done.exit_code == 0, done.output
    found = [float(v) for v in re.findall(r"test (?:sinr|mean_snr)[: ]+(-?\d+\.\d+)", done.stdout)]
    assert len(found) >= 2 and min(found) > least, done.output
    stem = "pem-sparse" if "sparse" in words else words[0]
    assert (tmp_path / f"{stem}.png").stat().st_size > 10_000
    assert apical.Traces.open(tmp_path / f"{stem}.nc")["y.y"].sizes["sample"] == 10
    if "--seeds" not in words:
        assert "published" in done.stdout


def test_images_are_stored_and_retrieved_by_one_command(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    done = call("run", "hopfield", "--engine", "numpy", "--set", "T=400", "--set", "h=0.02")
    assert done.exit_code == 0, done.output
    assert "of 200 wrong bits 200 came back, of 1080 right ones 0 were lost" in done.stdout
    assert (tmp_path / "hopfield.png").is_file() and (tmp_path / "hopfield.nc").is_file()


def test_sweep_follows_the_task(tmp_path):
    words = ["sweep", "pc", "--set", "eta=0.1,0.2", "--set", "T=1", "--engine", "numpy", "--json"]
    rows = [json.loads(s) for s in call(*words, "--batch", "200").stdout.splitlines()]
    assert [row["eta"] for row in rows] == [0.1, 0.2]
    assert all(set(row) == {"eta", "T", "seed", "accuracy"} for row in rows)


@pytest.mark.parametrize("ending", ["nc", "csv", "npz"])
def test_run_trains_and_writes_traces(tmp_path, ending):
    pytest.importorskip("matplotlib")
    out, plot = tmp_path / f"run.{ending}", tmp_path / "run.png"
    done = call(
        "run", "pc", "--set", "sizes=[64,16,10]", "--set", "eta=0.2", "--engine", "numpy",
        "--epochs", "1", "--record", "F", "--trace-samples", "3", "--out", str(out), "--json",
        "--plot", str(plot),
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    told = json.loads(done.output.splitlines()[-1])
    assert told["accuracy"] > 0.5 and out.is_file()
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_traces_of_nothing_are_refused_before_the_training(tmp_path):
    done = call("run", "pc", "--engine", "numpy", "--out", str(tmp_path / "run.nc"))
    assert done.exit_code == 2
    assert "pc states no record, so the file would be empty" in done.stderr
    assert "--record 'layer[3].x'" in done.stderr and "epoch" not in done.stderr


def test_several_seeds_print_each_and_their_spread(tmp_path):
    out = tmp_path / "run.nc"
    words = [
        "run", "pc", "--set", "sizes=[64,8,10]", "--set", "T=5", "--engine", "numpy", "--batch",
        "100", "--seed", "2", "--seeds", "3", "--epochs", "2",
    ]  # fmt: skip
    done = call(*words, "--record", "F", "--trace-samples", "2", "--out", str(out), "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    scores = told["accuracy"]
    assert told["seeds"] == 3 and len(scores) == 3 and len(set(scores)) > 1
    assert told["accuracy_mean"] == pytest.approx(np.mean(scores))
    assert told["accuracy_sd"] == pytest.approx(np.std(scores, ddof=1))
    assert told["accuracy_median"] == pytest.approx(np.median(scores))
    told = [line.split(":")[0] for line in done.stderr.splitlines()]
    assert told == ["pc", "epoch 1", "epoch 2"]
    again = json.loads(call("rerun", str(out), "--json").stdout)
    assert again["same"] and again["accuracy"] == scores
    lines = call(*words, "--epochs", "0").stdout.splitlines()
    assert [line.split(":")[0] for line in lines[1:4]] == ["seed 2", "seed 3", "seed 4"]
    assert re.fullmatch(r"test accuracy: 0\.\d{4} \+- 0\.\d{4}, median 0\.\d{4}", lines[4])


def test_a_divergence_is_3(tmp_path):
    done = call(
        "run", "pc", "--set", "sizes=[64,16,10]", "--set", "h=1e6", "--set", "T=400",
        "--variant", "linear", "--engine", "numpy",
    )  # fmt: skip
    assert done.exit_code == 3, done.output
    assert "layer[" in done.output and "seed" not in done.output


def test_a_divergence_of_one_seed_names_it():
    done = call(
        "run", "pc", "--set", "sizes=[64,8,10]", "--set", "h=1e6", "--set", "T=400", "--variant",
        "linear", "--engine", "numpy", "--seed", "6", "--seeds", "2",
    )  # fmt: skip
    assert done.exit_code == 3 and ", with seed 6; a smaller step" in done.output, done.output


def test_new_writes_a_file_that_runs_and_never_overwrites(tmp_path):
    place = tmp_path / "my-net.yaml"
    assert call("new", str(place)).exit_code == 0
    assert call("check", str(place)).output.startswith(f"{place}: fine")
    assert apical.load(place).name == "my_net" and not apical.load(place).warnings
    done = call("run", str(place), "--engine", "numpy", "--epochs", "1", "--json")
    assert json.loads(done.output.splitlines()[-1])["accuracy"] > 0.4
    again = call("new", str(place))
    assert again.exit_code == 2 and "exists already" in again.output
    assert call("new", str(tmp_path / "net.txt")).exit_code == 2
    assert call("new", str(tmp_path / "none" / "net.yaml")).exit_code == 2


@pytest.mark.parametrize("ending", ["nc", "npz"])
def test_rerun_gives_the_same_bits(tmp_path, ending):
    out, again = tmp_path / f"run.{ending}", tmp_path / f"again.{ending}"
    place = tmp_path / "net.yaml"
    call("new", str(place))
    done = call(
        "run", str(place), "--engine", "numpy", "--epochs", "1", "--seed", "3", "--set",
        "eta=0.02", "--variant", "linear", "--record", "F", "--record", "high.x", "--out", str(out),
        "--json",
    )  # fmt: skip
    told = json.loads(done.output.splitlines()[-1])
    place.unlink()  # the manifest holds the text
    done = call("rerun", str(out), "--out", str(again), "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output.splitlines()[-1])
    assert found["same"] and found["accuracy"] == told["accuracy"]
    old, new = apical.Traces.open(out), apical.Traces.open(again)
    assert set(old) == {"F", "high.x"}
    assert all(old.arrays[n].tobytes() == new.arrays[n].tobytes() for n in old)


def test_rerun_refuses_what_it_cannot_repeat(tmp_path, good):
    out = tmp_path / "run.nc"
    apical.Simulator(apical.load(good), engine="numpy").run(record=["one.v"]).save(out)
    done = call("rerun", str(out))
    assert done.exit_code == 2 and "Simulator.run" in done.output
    assert call("rerun", str(tmp_path / "none.nc")).exit_code == 2
    (tmp_path / "text.nc").write_text("no traces")
    assert call("rerun", str(tmp_path / "text.nc")).exit_code == 2


def test_run_on_torch(tmp_path):
    """The same accuracy as numpy, within the samples that rounding may tip; run again, the same."""
    pytest.importorskip("torch")
    out = tmp_path / "run.npz"
    settings = ["run", "pc", "--set", "sizes=[64,8,10]", "--set", "T=5", "--dtype", "float64"]
    settings += ["--epochs", "1"]
    traces = ["--record", "F", "--out", str(out)]
    found = {
        engine: json.loads(call(*settings, "--engine", engine, *more, "--json").stdout)
        for engine, more in (("numpy", []), ("torch", ["--device", "cpu", *traces]))
    }
    assert abs(found["torch"]["accuracy"] - found["numpy"]["accuracy"]) < 0.01
    assert call("rerun", str(out)).exit_code == 0
    refused = call(*settings, "--device", "cuda")
    assert refused.exit_code == 2 and "numba" in refused.output


def test_doctor_names_engines_devices_and_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("APICAL_CACHE_DIR", str(tmp_path))
    (tmp_path / "a.py").write_text("x" * 1000)
    done = call("doctor")
    assert done.exit_code == 0 and f"{tmp_path}: 1 files, 1000 bytes" in done.output
    facts = json.loads(call("doctor", "--json").output)
    assert facts["versions"]["apical"] == apical.__version__
    assert {"numpy", "numba"} <= set(facts["engines"]) and facts["devices"][0].startswith("cpu")
    assert facts["caches"] == [
        {"folder": str(tmp_path), "files": 1, "bytes": 1000, "writable": True}
    ]


def test_blas_has_one_thread_unless_told_otherwise():
    names = ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"]
    text = (
        "import os, sys, apical.cli as cli\n"
        "cli.app = lambda: print('numpy' in sys.modules, *(os.environ[n] for n in sys.argv[1:]))\n"
        "cli.main()"
    )
    environment = {key: value for key, value in os.environ.items() if key not in names}
    environment[names[1]] = "3"
    done = subprocess.run(
        [sys.executable, "-c", text, *names], env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ["False", "1", "3", "1"], done.stderr


def test_show_latex(good):
    lines = call("show", good, "--latex").output.splitlines()
    assert lines[1] == r"  \tau\,\frac{\mathrm{d}v}{\mathrm{d}t} &= -v && \text{one}"
    for name in (row.split()[0] for row in call("list").output.splitlines()):
        written = call("show", name, "--latex").output
        assert written.count("{") == written.count("}") and "[" not in written, name


def test_threads_change_no_result():
    settings = ("simulate", "neuron", "--engine", "numba", "--seeds", "2", "--json")
    one, two = (json.loads(call(*settings, "--threads", n).stdout) for n in ("1", "2"))
    assert one == two
    assert call(*settings, "--threads", "0").exit_code == 2
