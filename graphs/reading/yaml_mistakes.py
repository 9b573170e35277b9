"""Mistakes of YAML: what a line that YAML refuses, or misreads, was probably meant to be.

Everything here looks at single lines of text; YAML itself is known to `read` only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME = r"[A-Za-z_]\w*(?:\[[^\]\s]*\])?"
MISSING_SPACE = re.compile(rf"({NAME}(?:\([^)]*\))?):(?![\s=:/]|$)")

_LINE = re.compile(
    r"(?P<lead>\s*(?:-\s+)*)"
    r"(?:(?P<key>[^\s:#'\"\[\]{}|>&*!%@`,?][^:#]*?|'[^']*'|\"[^\"]*\")\s*:(?=\s|$))?"
    r"(?P<gap>\s*)(?P<value>.*)$"
)
_HEADER = re.compile(r"[|>][-+]?[1-9]?[-+]?\s*(#.*)?$")
_PAIRS = {")": "(", "]": "[", "}": "{"}

FIRST = {
    "|": "as the start of a block of text",
    ">": "as the start of a folded text",
    "*": "as an alias",
    "&": "as an anchor",
    "!": "as a tag",
    "@": "as a reserved character",
    "%": "as a directive",
    "`": "as a reserved character",
}


@dataclass(frozen=True)
class Mistake:
    """A finding on one line: column (from 1), message, what was expected, the corrected line.

    `contained` says that the rest of the file can still be judged if this value is left out.
    """

    column: int
    message: str
    expected: str | None = None
    suggestion: str | None = None
    contained: bool = True


@dataclass(frozen=True)
class LineParts:
    """One line taken apart: `lead key: value  # comment`; `key` None where there is none."""

    lead: str
    key: str | None
    value: str
    value_column: int
    comment: str

    def with_value(self, value: str) -> str:
        """The line with another value."""
        key = "" if self.key is None else f"{self.key}: "
        return f"{self.lead}{key}{value}{self.comment}"


def take_apart(line: str) -> LineParts:
    """The parts of a line."""
    match = _LINE.match(line)
    assert match is not None  # every part may be empty
    value = match.group("value")
    cut = re.search(r"(?:^|\s+)#.*$|\s+$", value)
    comment = value[cut.start() :] if cut else ""
    value = value[: cut.start()] if cut else value
    return LineParts(match["lead"], match["key"], value, match.start("value") + 1, comment.rstrip())


def quoted(value: str) -> str:
    """A value in quotation marks."""
    if '"' in value or "\\" in value:
        return "'" + value.replace("'", "''") + "'"
    return f'"{value}"'


def wrong_first(line: LineParts, block: bool = False) -> Mistake | None:
    """A value that begins with a character that means something else to YAML.

    The header of a block of text is none, unless `block` says that nothing follows it.
    """
    first = line.value[:1]
    if first not in FIRST or (_HEADER.match(line.value) and not block):
        return None
    message = f"a value cannot begin with {first}: YAML reads it {FIRST[first]}"
    expected = "an expression that begins otherwise, or quotation marks around it"
    if first in "&!*":
        message += ", and a circuit file has none"
    return Mistake(line.value_column, message, expected, line.with_value(quoted(line.value)))


def flow_brackets(line: LineParts) -> Mistake | None:
    """Brackets inside a list or mapping written in brackets: YAML cuts at its commas."""
    opened = line.value[:1]
    if opened not in ("[", "{"):
        return None
    inside = re.search(r"[\[({]", line.value[1:])
    if not inside:
        return None
    closing = "]" if opened == "[" else "}"
    message = f"brackets inside {opened}{closing}: YAML would cut the value at its commas"
    column = line.value_column + 1 + inside.start()
    return Mistake(column, message, "block style, one item per line", block_style(line))


def never_closed(line: LineParts) -> Mistake | None:
    """A list or mapping in brackets that does not end on its line."""
    opened = line.value[:1]
    closing = {"[": "]", "{": "}"}.get(opened)
    if closing is None or closing in line.value:
        return None
    message = f"this {opened} is never closed"
    fixed = line.with_value(line.value.rstrip(", ") + closing)
    return Mistake(line.value_column, message, f"a {closing} at the end", fixed, contained=False)


def colon_space(line: LineParts) -> Mistake | None:
    """A colon and a space inside a value."""
    found = re.search(r":(?:\s|$)", line.value)
    if found is None or line.value[:1] in "'\"[{":
        return None
    column = line.value_column + found.start()
    message = "the value contains a colon followed by a space: YAML takes it for a new key"
    update = re.search(r"\s*:\s+=", line.value)
    if update:
        fixed = line.value[: update.start()] + " :=" + line.value[update.end() :]
        return Mistake(column, message, "`:=` without a space", line.with_value(fixed))
    expected = "no colon, or quotation marks around a text"
    return Mistake(column, message, expected, line.with_value(quoted(line.value)))


def missing_space(line: str) -> Mistake | None:
    """`tau:1` is one word to YAML."""
    start = len(line) - len(line.lstrip(" -"))
    found = MISSING_SPACE.match(line, start)
    if found is None:
        return None
    colon = found.end(1)
    message = f"a space is missing after the colon of `{found.group(1)}:`"
    fixed = line[: colon + 1] + " " + line[colon + 1 :]
    return Mistake(colon + 2, message, "`key: value`", fixed.rstrip())


def after_flow(line: LineParts) -> Mistake | None:
    """Something stands behind a list or mapping in brackets, or a bracket closes none."""
    first = line.value[:1]
    if first and first in "]},":
        message = f"a value cannot begin with {first}"
        return Mistake(line.value_column, message, "a value", contained=True)
    if first not in ("[", "{"):
        return None
    closing = "]" if first == "[" else "}"
    at = line.value.find(closing)
    if at < 0 or at == len(line.value) - 1:
        return None
    message = f"there is text after the closing {closing}"
    fixed = line.with_value(line.value[: at + 1])
    return Mistake(line.value_column + at + 1, message, "one list or mapping, alone", fixed)


def after_quotes(line: LineParts) -> Mistake | None:
    """Something stands behind the closing quotation mark, or there is none."""
    mark = line.value[:1]
    if mark not in ("'", '"'):
        return None
    closed = re.match(r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"", line.value)
    if closed is None:
        message = f"the quotation mark {mark} is never closed"
        fixed = line.with_value(line.value + mark)
        return Mistake(line.value_column, message, None, fixed, contained=False)
    if closed.end() == len(line.value):
        return None
    message = "there is text after the closing quotation mark"
    column = line.value_column + closed.end()
    fixed = line.with_value(quoted(line.value.replace(mark, "")))
    return Mistake(column, message, "quotation marks around the whole value", fixed)


def no_colon(line: str) -> Mistake | None:
    """A line that is no `key: value` and no item."""
    parts = take_apart(line)
    if parts.key is not None or not parts.value or "-" in parts.lead:
        return None
    found = re.match(rf"({NAME}(?:\([^)]*\))?)\s*", parts.value)
    fixed = None
    if found is not None:
        rest = parts.value[found.end() :]
        fixed = f"{parts.lead}{found.group(1)}:{' ' * bool(rest)}{rest}{parts.comment}"
    message = "this line is no `key: value` and no `- item`"
    return Mistake(len(parts.lead) + 1, message, "`key: value`", fixed, contained=False)


def too_deep(line: LineParts, previous: str) -> Mistake | None:
    """A line indented under one that already has a value."""
    above = take_apart(previous)
    indent = len(line.lead) - len(line.lead.lstrip(" "))
    above_indent = len(previous) - len(previous.lstrip(" "))
    if not above.value or indent <= above_indent or line.key is None:
        return None
    message = "this line is indented under one that already has a value"
    fixed = " " * above_indent + line.with_value(line.value).lstrip(" ")
    expected = "the same indentation as the line above"
    return Mistake(indent + 1, message, expected, fixed, contained=False)


def tabs(line: str) -> Mistake | None:
    """A tab before the comment of a line."""
    comment = re.search(r"(?:^|\s)#", line)
    at = line.find("\t", 0, comment.start() if comment else len(line))
    if at < 0:
        return None
    indentation = not line[:at].strip()
    fixed = line.replace("\t", "  ") if indentation else re.sub(r"\s*\t\s*", " ", line)
    place = "in the indentation" if indentation else "between the words"
    message = f"there is a tab {place}; YAML is indented and spaced with blanks"
    return Mistake(at + 1, message, "blanks", fixed.rstrip(), contained=not indentation)


def mistake_of(line: str, previous: str = "") -> Mistake | None:
    """What is wrong with a line that YAML refuses; None if it is none of those known."""
    parts = take_apart(line)
    for find in (wrong_first, flow_brackets, never_closed, after_flow, after_quotes, colon_space):
        found = find(parts)
        if found is not None:
            return found
    return missing_space(line) or too_deep(parts, previous)


def split_top(inside: str) -> list[str] | None:
    """The parts between the commas that stand in no brackets; None if brackets do not match."""
    parts, stack, start = [], [], 0
    for at, character in enumerate(inside):
        if character in "([{":
            stack.append(character)
        elif character in _PAIRS:
            if not stack or stack.pop() != _PAIRS[character]:
                return None
        elif character == "," and not stack:
            parts.append(inside[start:at])
            start = at + 1
    parts.append(inside[start:])
    return None if stack else [p.strip() for p in parts if p.strip()]


def block_style(line: LineParts) -> str | None:
    """A list or mapping in brackets written one item per line."""
    value = line.value
    if len(value) < 2 or value[-1] != {"[": "]", "{": "}"}[value[0]]:
        return None
    parts = split_top(value[1:-1])
    if not parts:
        return None
    depth = len(line.lead) + (0 if line.key is None else 2)
    mark = "- " if value[0] == "[" else ""
    lines = [" " * depth + mark + part for part in parts]
    if line.key is None:
        return "\n".join([line.lead + lines[0].lstrip(" "), *lines[1:]])
    return "\n".join([f"{line.lead}{line.key}:", *lines])


def balanced(text: str) -> bool:
    """Whether the brackets of a text match."""
    return split_top(text) is not None
