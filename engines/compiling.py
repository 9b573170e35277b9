"""Compiling: said where it takes long, and done by one process though several begin at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

try:
    import fcntl
except ImportError:  # Windows: each process compiles for itself
    fcntl = None  # type: ignore[assignment]

PATIENCE = 1.0  # seconds before anything is said


def ready(function: Any, name: str, *arguments: Any) -> None:
    """Compiles a function of numba for its arguments, or finds it in the cache.

    Who holds the lock of the file that the function stands in compiles; others wait, and find what
    it left in the cache. `name` is what is said to be compiled.
    """
    if not hasattr(function, "overloads"):  # NUMBA_DISABLE_JIT
        return
    from numba import typeof

    types = tuple(typeof(argument) for argument in arguments)
    if types not in function.overloads:
        path = function.py_func.__code__.co_filename
        with _said(f"compiling {name}; kept for later runs"), _alone(path):
            function.compile(types)


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """Holds the lock of a file, where there are files and locks."""
    with ExitStack() as held:
        if fcntl is not None:
            with suppress(OSError):
                file = held.enter_context(open(path, "rb"))
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _said(text: str) -> Iterator[None]:
    """A line on a terminal, once what is done has taken a second."""
    if not sys.stderr.isatty():
        yield
        return
    timer = threading.Timer(PATIENCE, lambda: print(text, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
