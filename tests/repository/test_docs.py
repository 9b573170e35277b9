"""Every block of the documents runs: YAML files load and run, Python and commands too."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import apical
from apical.graphs.load import bundled
from apical.graphs.reading.keys import ALL
from apical.graphs.reports.show import show
from apical.graphs.variant_trials import check_variants

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
LANGUAGE = (ROOT / "docs" / "language.md").read_text("utf-8")
BLOCKS = [
    (path.name, kind, text)
    for path in DOCS
    for kind, text in re.findall(r"^```(\w+)\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)
]


def blocks(language: str) -> list[str]:
    return [text for _, kind, text in BLOCKS if kind == language]


FILES = [text for text in blocks("yaml") if text.startswith("apical: 1")]


def test_every_block_is_of_a_kind_that_is_tested():
    assert {kind for _, kind, _ in BLOCKS} <= {"yaml", "python", "bash"}


@pytest.mark.parametrize("text", FILES, ids=lambda t: re.search(r"name: (\w+)", t)[1])
def test_files_load_run_and_show(text, tmp_path):
    path = tmp_path / "file.yaml"
    path.write_text(text, "utf-8")
    circuit = apical.load(path)
    assert check_variants(str(path))[0] == ()
    show(circuit)
    random = np.random.default_rng(0)
    simulator = apical.Simulator(circuit, engine="numpy", seed=0)
    rows = simulator.signal_rows("train")
    streams = {
        name: random.random((3, rows[name], size) if name in rows else (3, size))
        for name, size in circuit.streams.items()
    }
    simulator.run("train", **streams, learn=True)
    for name in circuit.synapses:
        if circuit.synapses[name].weight is None:
            assert np.isfinite(simulator.weights[name]).all()


def test_every_key_of_the_language_is_explained():
    words = set(re.findall(r"\w+", LANGUAGE))
    for keys in ALL:
        assert set(keys.known) <= words, keys.what
        assert set(keys.later) <= words, keys.what


@pytest.mark.parametrize("text", blocks("python"))
def test_python_blocks_run(text, tmp_path):
    execute([sys.executable, "-c", text], tmp_path)


@pytest.mark.parametrize("line", [s for b in blocks("bash") for s in b.split("\n") if s])
def test_commands_run(line, tmp_path):
    words = shlex.split(line)
    assert words[0] == "apical"
    execute([sys.executable, "-m", *words], tmp_path)


def test_the_readme_links_the_documents_and_they_name_bundled_circuits():
    readme = (ROOT / "README.md").read_text("utf-8")
    for path in DOCS:
        assert f"docs/{path.name}" in readme
    listed = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "circuits.md").read_text("utf-8"), re.M)
    assert sorted(listed) == sorted(bundled())


def execute(arguments: list[str], folder: Path) -> None:
    done = subprocess.run(
        arguments, cwd=folder, capture_output=True, text=True, env={**os.environ, "COLUMNS": "100"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
