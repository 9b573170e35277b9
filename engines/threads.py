"""Threads: how many there are, calls side by side, and BLAS held at one while an engine runs.

Matrix products of circuits are small: threads of BLAS wait for each other longer than they work.
What runs side by side are whole presentations and replicas, which have nothing to wait for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any, TypeVar

Result = TypeVar("Result")

# What brings a library of threads with it; they are looked for again when one more was imported.
_BRINGERS = ("numpy", "scipy.linalg.cython_blas", "torch")


def available() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def side_by_side(calls: Sequence[Callable[[], Result]], threads: int) -> list[Result]:
    """The results of calls that release the GIL and share nothing, in their order.

    An exception, Ctrl-C included, is raised when all calls are over: none goes on behind it.
    """
    if threads == 1 or len(calls) == 1:
        return [call() for call in calls]
    interrupted: KeyboardInterrupt | None = None
    with ThreadPoolExecutor(min(threads, len(calls))) as pool:
        futures = [pool.submit(call) for call in calls]
        while True:
            try:
                wait(futures)
                break
            except KeyboardInterrupt as error:
                interrupted = error
    if interrupted is not None:
        raise interrupted
    return [future.result() for future in futures]


def in_parts(start: int, stop: int, parts: int) -> list[tuple[int, int]]:
    """The numbers from `start` to `stop` in up to `parts` runs of nearly equal length."""
    parts = max(1, min(parts, stop - start))
    ends = [start + (stop - start) * part // parts for part in range(parts + 1)]
    return list(zip(ends, ends[1:], strict=False))


class _HeldThreads:
    """How many runs hold the libraries at one thread, and how the first of them found them."""

    def __init__(self) -> None:
        self.lock, self.runs, self.limits = Lock(), 0, None

    def enter(self) -> None:
        with self.lock:
            self.runs += 1
            if self.limits is None:
                self.limits: Any = _libraries(_imported()).limit(limits=1)
                self.limits.__enter__()

    def leave(self) -> None:
        with self.lock:
            self.runs -= 1
            if not self.runs and self.limits is not None:
                limits, self.limits = self.limits, None
                limits.__exit__(None, None, None)


_HELD = _HeldThreads()


@contextmanager
def one_library_thread() -> Iterator[None]:
    """While it lasts, BLAS and OpenMP compute in the thread that calls them."""
    _HELD.enter()
    try:
        yield
    finally:
        _HELD.leave()


def _imported() -> tuple[str, ...]:
    return tuple(name for name in _BRINGERS if name in sys.modules)


@cache
def _libraries(imported: tuple[str, ...]) -> Any:
    """The libraries of threads in this process, found once for what is imported."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
