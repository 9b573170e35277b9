"""Doctor: what is installed, what each engine can do here, and where the caches lie."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from ..graphs.wording import bytes_text
from .capabilities import listing, table
from .kernel_cache import cache_folder
from .registry import ENGINES, Engine
from .threads import available

PACKAGES = (
    "apical", *(engine.package for engine in ENGINES.values()), "scipy", "networkx", "pyyaml",
    "lark", "typer", "rich", "xarray", "h5netcdf", "h5py", "safetensors", "scikit-learn",
    "matplotlib", "pyarrow",
)  # fmt: skip
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_CORETYPE")


def examine() -> dict[str, Any]:
    """Everything, as a dictionary that JSON can say; imports the engines that know of devices."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: _version(name) for name in PACKAGES},
        "engines": {name: _engine(engine) for name, engine in ENGINES.items()},
        "abilities": table(),
        "devices": _devices(),
        "caches": [_cache(cache_folder())],
        "environment": {
            n: os.environ[n] for n in (*THREADS, "APICAL_CACHE_DIR") if n in os.environ
        },
    }


def report(facts: dict[str, Any]) -> str:
    """What `examine` found, for people."""
    lines = [f"python {facts['python']}, {facts['platform']}", "", "versions"]
    lines += [f"  {name:<14} {said or 'not installed'}" for name, said in facts["versions"].items()]
    lines += ["", "engines"]
    lines += [f"  {name:<8} {said}" for name, said in facts["engines"].items()]
    lines += ["", *(f"  {line}" for line in listing(facts["abilities"]))]
    lines += ["", "devices", *(f"  {device}" for device in facts["devices"])]
    lines += ["", "caches"]
    for one in facts["caches"]:
        state = "" if one["writable"] else ", cannot be written: circuits compile in each process"
        lines.append(f"  {one['folder']}: {one['files']} files, {bytes_text(one['bytes'])}{state}")
    if facts["environment"]:
        lines += ["", "environment"]
        lines += [f"  {name}={said}" for name, said in facts["environment"].items()]
    return "\n".join(lines)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _engine(engine: Engine) -> str:
    missing = engine.missing
    return engine.about if missing is None else f"not here: pip install {missing}"


def _devices() -> list[str]:
    found = [f"cpu: {available()} threads, {platform.machine() or 'unknown'}"]
    for name, engine in ENGINES.items():
        if set(engine.devices) == {"cpu"} or engine.missing is not None:
            continue
        try:
            found += engine.executable().devices_here()
        except Exception as error:  # a broken driver is something to report, not to fail on
            found.append(f"{name} cannot say: {error}")
    return found


def _cache(folder: Path) -> dict[str, Any]:
    """Where generated modules lie, how many bytes, and whether new ones can be written."""
    count = size = 0
    for path in folder.rglob("*") if folder.is_dir() else ():
        try:
            if path.is_file():
                count, size = count + 1, size + path.stat().st_size
        except OSError:  # it went away meanwhile
            continue
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    writable = nearest.is_dir() and os.access(nearest, os.W_OK)
    return {"folder": str(folder), "files": count, "bytes": size, "writable": writable}
