"""Every block of the README runs."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language]


def execute(arguments: list[str], folder: Path) -> str:
    done = subprocess.run(
        arguments, cwd=folder, capture_output=True, text=True, env={**os.environ, "COLUMNS": "100"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_block_is_of_a_kind_that_is_tested():
    assert {kind for kind, _ in BLOCKS} == {"bash", "python", "yaml"}


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml_blocks_are_circuits_that_learn(text):
    import apical

    circuit = apical.load_text(text)
    assert not circuit.warnings
    task = apical.tasks.digits()
    simulator = apical.Simulator(circuit, engine="numpy", seed=0)
    before = simulator.evaluate(task.test)["accuracy"]
    simulator.fit(task.train.first(500), epochs=2, batch=20)
    assert simulator.evaluate(task.test)["accuracy"] > max(before, 0.5)


@pytest.mark.parametrize("text", blocks("python"))
def test_python_blocks_run(text, tmp_path):
    (tmp_path / "block.py").write_text(text, "utf-8")
    execute([sys.executable, "block.py"], tmp_path)
    assert (tmp_path / "run.nc").stat().st_size > 0


@pytest.mark.parametrize("line", [s for b in blocks("bash") for s in b.split("\n") if s])
def test_command_lines_run(line, tmp_path):
    """Commands after the installation, which made the environment this test runs in."""
    for command in line.split(" && "):
        words = shlex.split(command)
        if words[0] == "apical":
            execute([sys.executable, "-m", *words], tmp_path)
        elif words[0] == ".venv/bin/python" and "pytest" not in words:
            pytest.importorskip("sklearn")
            pytest.importorskip("matplotlib")
            out = execute([sys.executable, *words[1:]], tmp_path)
            scores = [float(s) for s in re.findall(r"test accuracy (0\.\d+|1\.0+)", out)]
            assert len(scores) == 2 and min(scores) >= 0.95, out
            (sinr,) = (float(s) for s in re.findall(r"test sinr (\d+\.\d+)", out))
            assert sinr >= 20, out
            assert len(list(tmp_path.glob("*.nc"))) == 3 and len(list(tmp_path.glob("*.png"))) == 3
        else:
            assert words[0] in ("python3", ".venv/bin/pip", ".venv/bin/python"), command
            assert "torch" not in command


def test_the_extras_that_the_readme_installs_exist(root):
    import tomllib

    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    named = set(re.findall(r"'\.\[(\w+)\]'", "".join(blocks("bash"))))
    assert named == {"demo", "test"}
    for extra in named:
        needs = project["optional-dependencies"][extra]
        assert not [n for n in needs if n.startswith("torch")]
