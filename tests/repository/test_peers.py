"""The other libraries that races are run against: their environments and programs, without them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

PROGRAM = """
import json
from peers import PEERS
print(json.dumps({name: [p.environment for p in peers.values()] for name, peers in PEERS.items()}))
"""


@pytest.fixture(scope="module")
def folders(root):
    return [path.parent for path in sorted((root / "benchmarks/peers").glob("*/requirements.txt"))]


def test_requirements_name_the_peer_and_its_version(folders):
    assert {folder.name for folder in folders} >= {"brian2", "pyrates", "pcx", "ngclearn", "jax"}
    for folder in folders:
        lines = (folder / "requirements.txt").read_text("utf-8").splitlines()
        found = [Requirement(line.partition("#")[0]) for line in lines]
        assert found[0].name == folder.name
        assert [s.operator for s in found[0].specifier] == ["=="]


def test_programs_are_python(folders):
    for folder in folders:
        programs = list(folder.glob("*.py"))
        assert programs
        for path in programs:
            compile(path.read_text("utf-8"), str(path), "exec")


def test_every_peer_has_a_folder_and_races_somewhere(root, folders):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=root / "benchmarks",
        capture_output=True,
        text=True,
        check=True,
    )
    races = json.loads(done.stdout)
    assert {"w1a", "w1b", "w1c", "w1d", "w2"} <= set(races)
    assert {name for names in races.values() for name in names} == {f.name for f in folders}
