"""The Python of the README and of the documents passes pyright, as an editor would show it."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("pyright") is None, reason="pyright is of `dev`")
def test_examples_pass_pyright(root, tmp_path):
    """Each block as a file; the checkout stands beside them under the name of the package."""
    (tmp_path / "apical").symlink_to(root, target_is_directory=True)
    names = []
    for path in (root / "README.md", *sorted((root / "docs").glob("*.md"))):
        found = re.findall(r"^```python\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)
        for number, text in enumerate(found):
            names.append(f"{path.stem}_{number}.py")
            (tmp_path / names[-1]).write_text(text, "utf-8")
    settings = {"include": names, "typeCheckingMode": "basic", "pythonVersion": "3.11"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    told = json.loads(done.stdout)
    assert told["summary"]["filesAnalyzed"] == len(names) > 5
    found = [
        f"{one['file']}:{one['range']['start']['line'] + 1}: {one['message']}"
        for one in told["generalDiagnostics"]
    ]
    assert not found, "\n".join(found)
