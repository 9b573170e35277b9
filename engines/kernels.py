"""Generated modules on disk: found by the hash of their text, written whole or not at all."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType


def cache_folder() -> Path:
    """Where generated modules and their machine code lie: APICAL_CACHE_DIR, or the user's cache."""
    given = os.environ.get("APICAL_CACHE_DIR")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "apical" / "kernels"


@cache
def _stamp() -> str:
    """What, besides its text, decides what a module does: versions, and the functions it calls."""
    import llvmlite
    import numba
    import numpy

    here = Path(__file__).parent
    sources = [(here / name).read_bytes() for name in ("numba_functions.py", "philox.py")]
    versions = (
        f"{sys.version_info[:2]} {numba.__version__} {llvmlite.__version__} {numpy.__version__}"
    )
    return hashlib.sha256(versions.encode() + b"".join(sources)).hexdigest()


def load(source: str) -> ModuleType:
    """The module of a text, imported; its functions compile at their first call, or are cached."""
    digest = hashlib.sha256((source + _stamp()).encode()).hexdigest()[:24]
    name = f"apical_kernel_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    path = _written(f"{name}.py", source)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _written(name: str, source: str) -> Path:
    folder = cache_folder()
    try:
        return _write(folder / name, source)
    except OSError as error:
        warnings.warn(
            f"the cache folder {folder} cannot be written ({error.strerror}); circuits are "
            f"compiled anew in each process. Set APICAL_CACHE_DIR to a folder that can be written",
            RuntimeWarning,
            stacklevel=2,
        )
        return _write(_temporary() / name, source)


@cache
def _temporary() -> Path:
    return Path(tempfile.mkdtemp(prefix="apical-"))


def _write(path: Path, source: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_text() == source:
        return path
    handle, draft = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(source)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
    return path
