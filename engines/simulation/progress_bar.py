"""A progress bar on a terminal and in a notebook; silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


class Bar:
    """What presentations tell of their progress; here, nobody."""

    def advance(self, count: int) -> None:
        """Nothing moves."""

    def say(self, text: str) -> None:
        """Nothing is said."""


class _Shown(Bar):
    def __init__(self, display: Progress, task: TaskID):
        self.display, self.task = display, task

    def advance(self, count: int) -> None:
        self.display.advance(self.task, count)

    def say(self, text: str) -> None:
        self.display.update(self.task, description=text)


@contextmanager
def progress(total: int, text: str) -> Iterator[Bar]:
    """A bar over `total` presentations, on a terminal or in a notebook that can show one."""
    console = _console() if total > 1 else None
    if console is None:
        yield Bar()
        return
    from rich.progress import Progress

    with Progress(console=console, transient=True) as display:
        yield _Shown(display, display.add_task(text, total=total))


def _console() -> Console | None:
    """Where a bar can move; None: nowhere."""
    notebook = "ipykernel" in sys.modules and find_spec("ipywidgets") is not None
    if not notebook and not sys.stderr.isatty():
        return None
    from rich.console import Console

    return Console(force_jupyter=True) if notebook else Console(stderr=True)
