"""A progress bar on a terminal; silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
    """A bar over `total` presentations where standard error is a terminal."""
    if total < 2 or not sys.stderr.isatty():
        yield Quiet()
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as display:
        yield _Bar(display, display.add_task(text, total=total))
