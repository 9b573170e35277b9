"""The virtual environment of a peer, made of its `requirements.txt` when it is first used."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

PLACE = Path(os.environ.get("APICAL_PEERS_DIR", Path.home() / ".cache" / "apical-peers"))


def interpreter(name: str) -> Path:
    """Its Python; RuntimeError with pip's last words if it cannot be made."""
    requirements = Path(__file__).parent / name / "requirements.txt"
    key = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:8]
    folder = PLACE / f"{name}-{key}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    complete = folder / "complete"
    if not complete.exists():
        steps = (
            [sys.executable, "-m", "venv", "--clear", str(folder)],
            [str(python), "-m", "pip", "install", "-q", "-r", str(requirements)],
        )
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True)
            if done.returncode:
                errors = [line for line in done.stderr.splitlines() if "ERROR" in line]
                raise RuntimeError("; ".join(errors[-2:]) or done.stderr[-300:])
        complete.touch()
    return python


def packages(python: Path) -> str:
    """Names and versions of all that is installed beside pip."""
    command = [str(python), "-m", "pip", "list", "--format", "json"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
    return ", ".join(f"{p['name']} {p['version']}" for p in found if p["name"] != "pip")
