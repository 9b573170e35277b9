"""Generated modules on disk: found by the hash of their text, written whole or not at all."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from .trusted_folders import open_to_others

# Both belong to all threads. Two locks: who imports `numba_functions` asks for the first, and may
# be waited for by who holds the second.
_SETTINGS = threading.Lock()
_MODULES = threading.Lock()


def cache_folder() -> Path:
    """Where generated modules and their machine code lie: APICAL_CACHE_DIR, or the user's cache."""
    given = os.environ.get("APICAL_CACHE_DIR")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "apical" / "kernels"


def trusted_folder() -> Path:
    """`cache_folder`, or one of this process alone where others could write to that."""
    folder = cache_folder()
    why = open_to_others(folder)
    if why is None:
        return folder
    _say(
        f"the cache folder {folder} is not used, for {why}: what lies there could be anyone's. "
        f"Circuits are compiled anew in each process; `chmod -R go-w` it, or set APICAL_CACHE_DIR "
        f"to a folder of your own"
    )
    return _temporary()


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` for functions of this package, with their machine code in `cache_folder`.

    Beside the installed source, where numba would put it, it outlives the package: pip removes
    what it installed, and a folder `apical` without modules would be left to import.
    """
    import numba
    from numba.core import config

    settings: Any = config

    def compiled(function: Callable[..., Any]) -> Any:
        with _SETTINGS:
            before, settings.CACHE_DIR = settings.CACHE_DIR, str(trusted_folder())
            try:
                made = numba.njit(**options)(function)
            finally:
                settings.CACHE_DIR = before
            _guard(made)
        return made

    return compiled


@cache
def _stamp() -> str:
    """What, besides its text, decides what a module does: versions, and the functions it calls."""
    import llvmlite
    import numba
    import numpy

    here = Path(__file__).parent
    sources = [p.read_bytes() for p in (*sorted(here.glob("numba/*.py")), here / "philox.py")]
    versions = (
        f"{sys.version_info[:2]} {numba.__version__} {llvmlite.__version__} {numpy.__version__}"
    )
    return hashlib.sha256(versions.encode() + b"".join(sources)).hexdigest()


def load(source: str) -> ModuleType:
    """The module of a text, imported; its functions compile at their first call, or are cached."""
    digest = hashlib.sha256((source + _stamp()).encode()).hexdigest()[:24]
    name = f"apical_kernel_{digest}"
    with _MODULES:
        if name not in sys.modules:
            sys.modules[name] = _imported(name, source)
        return sys.modules[name]


def _imported(name: str, source: str) -> ModuleType:
    path = _written(f"{name}.py", source)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # numba looks its functions up there
    try:
        spec.loader.exec_module(module)
        for value in vars(module).values():
            _guard(value)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _guard(value: Any) -> None:
    """Machine code that cannot be read is compiled again; that it cannot be written, only said."""
    cached: Any = getattr(value, "_cache", None)
    if not hasattr(cached, "load_overload") or "load_overload" in vars(cached):
        return
    write = cached.save_overload

    def load_overload(signature: Any, context: Any) -> Any:
        try:
            return _read(cached, signature, context)
        except Exception:  # whatever unpickling a damaged file may raise
            with suppress(OSError):
                cached.flush()
            return None

    def save_overload(*arguments: Any) -> None:
        try:
            write(*arguments)
        except OSError as error:
            _unwritable(cache_folder(), error)

    cached.load_overload, cached.save_overload = load_overload, save_overload


def _read(cached: Any, signature: Any, context: Any) -> Any:
    """As `load_overload` of numba, without first importing all that could be compiled (0.2 s)."""
    from numba.core.runtime.nrt import rtsys

    rtsys.initialize(context)
    with cached._guard_against_spurious_io_errors():
        return cached._load_overload(signature, context)


def _written(name: str, source: str) -> Path:
    folder = trusted_folder()
    try:
        return _write(folder / name, source)
    except OSError as error:
        _unwritable(folder, error)
        return _write(_temporary() / name, source)


@cache
def _say(message: str) -> None:
    """A warning, once per process."""
    warnings.warn(message, RuntimeWarning, stacklevel=2)


def _unwritable(folder: Path, error: OSError) -> None:
    _say(
        f"the cache folder {folder} cannot be written ({error.strerror}); circuits are compiled "
        f"anew in each process. Set APICAL_CACHE_DIR to a folder that can be written"
    )


@cache
def _temporary() -> Path:
    return Path(tempfile.mkdtemp(prefix="apical-"))


def _write(path: Path, source: str) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.read_bytes() == source.encode():
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
