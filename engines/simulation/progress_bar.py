"""A progress bar on a terminal and in a notebook; silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any


class Quiet:
    """No bar."""

    def advance(self, count: int) -> None:
        """Nothing moves."""

    def say(self, text: str) -> None:
        """Nothing is said."""


class _Bar:
    def __init__(self, display: Any, task: Any):
        self.display, self.task = display, task

    def advance(self, count: int) -> None:
        self.display.advance(self.task, count)

    def say(self, text: str) -> None:
        self.display.update(self.task, description=text)


@contextmanager
def progress(total: int, text: str) -> Iterator[Any]:
    """A bar over `total` presentations, on a terminal or in a notebook that can show one."""
    console = _console() if total > 1 else None
    if console is None:
        yield Quiet()
        return
    from rich.progress import Progress

    with Progress(console=console, transient=True) as display:
        yield _Bar(display, display.add_task(text, total=total))


def _console() -> Any:
    """Where a bar can move; None: nowhere."""
    notebook = "ipykernel" in sys.modules and find_spec("ipywidgets") is not None
    if not notebook and not sys.stderr.isatty():
        return None
    from rich.console import Console

    return Console(force_jupyter=True) if notebook else Console(stderr=True)
