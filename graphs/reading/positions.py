"""From an offset within a value to a position in the file, for every style of scalar."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

from ..diagnostics import Place

_BREAK = re.compile(r"\r\n|\r|\n")
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(\r\n|\r|\n)|(.))", re.DOTALL
)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "N": "\x85", "_": "\xa0"}
_BLANK = " \t\r\n"


class LineStarts:
    """Where the lines of a text begin."""

    def __init__(self, text: str, path: str):
        self.text = text
        self.path = path
        self.starts = [0, *(m.end() for m in _BREAK.finditer(text))]

    def place(self, index: int) -> Place:
        """The line and column of a character of the text."""
        line = bisect_right(self.starts, index)
        return Place(self.path, line, index - self.starts[line - 1] + 1)


class Offsets:
    """The way back from the value of one scalar to its source `text[start:end]`.

    `style` is None (plain), a quotation mark, or | or > (a block, whose header line is skipped).
    Folding changes only white space, so the other characters of value and source pair up in order.
    """

    def __init__(self, lines: LineStarts, value: str, start: int, end: int, style: str | None):
        self.lines = lines
        self.value = value
        self.start = start
        self.end = end
        self.style = style

    def place(self, offset: int) -> Place:
        """The position of `value[offset]`; at the end of the value, the one behind its last."""
        indices = self.indices
        if not indices:
            return self.lines.place(self.start)
        offset = max(offset, 0)
        if offset < len(indices):
            return self.lines.place(indices[offset])
        return self.lines.place(self._last(indices) + 1)

    def _last(self, indices: list[int]) -> int:
        """The index of the last character that is not blank."""
        size = len(self.value.rstrip())
        return indices[size - 1] if size else indices[-1]

    @cached_property
    def indices(self) -> list[int]:
        """For each character of the value its index in the text; empty if they do not pair up."""
        units = self._units()
        found: list[int] = []
        at = 0
        for character in self.value:
            if character not in _BLANK:
                while at < len(units) and units[at][0] in _BLANK and units[at][0] != character:
                    at += 1
                if at == len(units) or units[at][0] != character:
                    return []
            found.append(units[at][1] if at < len(units) else self.end)
            if at < len(units) and (character not in _BLANK or units[at][0] in " \t"):
                at += 1
        return found

    def _units(self) -> list[tuple[str, int]]:
        """The characters of the source, escapes taken as one, with their indices."""
        text, start, end = self.lines.text, self.start, self.end
        if self.style == '"':
            return _unescaped(text, start + 1, end - 1)
        if self.style == "'":
            doubled = re.compile(r"''|.", re.DOTALL)
            return [(m.group()[0], m.start()) for m in doubled.finditer(text, start + 1, end - 1)]
        if self.style in ("|", ">"):
            header = _BREAK.search(text, start, end)
            start = header.end() if header else end
        units = [(text[i], i) for i in range(start, end)]
        if self.style in ("|", ">"):  # indentation is no part of the value
            while units and units[0][0] in _BLANK:
                units.pop(0)
        return units


def _unescaped(text: str, start: int, end: int) -> list[tuple[str, int]]:
    """The characters of a double-quoted scalar; an escaped line break is none."""
    units: list[tuple[str, int]] = []
    at = start
    while at < end:
        match = _ESCAPE.match(text, at, end)
        if match is None:
            units.append((text[at], at))
            at += 1
            continue
        code = match.group(1) or match.group(2) or match.group(3)
        if code:
            units.append((chr(int(code, 16)), at))
        elif match.group(5):
            units.append((_SHORT.get(match.group(5), match.group(5)), at))
        at = match.end()
    return units
