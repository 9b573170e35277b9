"""Diagnostics: what is wrong with a file, where, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Place:
    """A position in a file; line and column count from 1."""

    path: str
    line: int
    column: int


@dataclass(frozen=True)
class Diagnostic:
    """One message: `file:line:column: message`, the line with a caret, and the corrected line."""

    place: Place
    message: str
    line_text: str = ""
    expected: str | None = None
    got: str | None = None
    suggestion: str | None = None  # the corrected line, or the nearest valid name
    warning: bool = False

    def __str__(self) -> str:
        kind = "warning: " if self.warning else ""
        lines = [f"{self.place.path}:{self.place.line}:{self.place.column}: {kind}{self.message}"]
        if self.line_text:
            lines += ["    " + self.line_text, "    " + " " * (self.place.column - 1) + "^"]
        for label, text in (
            ("expected", self.expected),
            ("got", self.got),
            ("try", self.suggestion),
        ):
            if text:
                lines.append(f"  {label}: {text}")
        return "\n".join(lines)


class CircuitError(ValueError):
    """A circuit file is wrong; `diagnostics` holds every message, in file order."""

    def __init__(self, diagnostics: Iterable[Diagnostic]):
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(str(d) for d in self.diagnostics))
