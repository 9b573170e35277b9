"""Runs made again from a file: its manifest is looked at before anything of it is done."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from apical.graphs.load import load
from apical.models.experiment import Experiment, repeat
from apical.traces import Traces


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The traces of a short run."""
    pytest.importorskip("sklearn")
    experiment = Experiment(epochs=0, engine="numpy", trace_samples=2, record=("F",))
    circuit = load("pc", sizes=[64, 4, 10], T=3)
    return experiment.perform(circuit).traces


def changed(run, path, change):
    """A file with the traces of the run, whose manifest was changed."""
    manifest = json.loads(json.dumps(run.manifest))
    change(manifest)
    Traces(
        run.arrays, phase=run.phases, phase_step=run.phase_step, time=run.time, manifest=manifest
    ).to_npz(path)
    return path


def test_an_unchanged_file_gives_the_same_bits(run, tmp_path):
    assert repeat(changed(run, tmp_path / "t.npz", lambda m: None)).different == ()


def edit(name, value):
    return lambda manifest: manifest.__setitem__(name, value)


def text(manifest):
    manifest["texts"]["pc.yaml"] = manifest["texts"]["pc.yaml"].replace("0.01", "0.02", 1) + "\n"


def command(**values):
    return lambda manifest: manifest["command"].update(values)


@pytest.mark.parametrize(
    "change",
    [
        text,
        edit("overrides", {"T": 4, "sizes": [64, 4, 10]}),
        edit("variants", ["zil"]),
        edit("hash", 7),
        edit("texts", [1, 2]),
        edit("texts", {"pc.yaml": 3}),
        edit("versions", None),
        command(task="os"),
        command(epochs=-1),
        command(seeds=True),
        command(record=[3]),
        command(engine=None),
    ],
    ids=["text", "overrides", "variants", "hash", "texts", "a text", "versions", "task", "epochs"]
    + ["seeds", "record", "engine"],
)
def test_a_changed_manifest_is_refused(run, tmp_path, change, snapshot):
    path = tmp_path / "t.npz"
    with pytest.raises(ValueError) as caught:
        repeat(changed(run, path, change))
    said = str(caught.value).replace(str(path), "<file>")
    assert re.sub(r"\b[0-9a-f]{12}\b", "<hash>", said) == snapshot


@pytest.mark.parametrize(
    "manifest", ["[]", "3", "{", '{"time_unit": null, "manifest": 3}', "[" * 100_000]
)
def test_a_forged_file_holds_no_traces(run, tmp_path, manifest):
    path = tmp_path / "t.npz"
    run.to_npz(path)
    with np.load(path) as archive:
        entries = {name: archive[name] for name in archive.files}
    np.savez(path, **(entries | {"manifest": np.asarray(manifest)}))
    with pytest.raises(ValueError) as caught:
        Traces.open(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["t.npz", "t.nc"])
def test_cut_files_hold_no_traces(run, tmp_path, name):
    path = Path(tmp_path / name)
    run.save(path)
    whole = path.read_bytes()
    for stop in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:stop])
        with pytest.raises((ValueError, OSError)):
            Traces.open(path)
