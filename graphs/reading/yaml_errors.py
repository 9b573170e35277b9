"""What an error of YAML is about: the line, and the mistake that was probably made there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .yaml_mistakes import Mistake, missing_space, mistake_of, no_colon


def explained(error: Any, text: Sequence[str]) -> tuple[int, Mistake]:
    """The line (from 0) that an error of YAML is about, and the mistake that it is."""
    marks = [m for m in (error.context_mark, error.problem_mark) if m is not None]
    if not marks:
        return 0, Mistake(1, f"this is no YAML: {error}", contained=False)
    last = marks[-1]
    seen: list[int] = [min(m.line, len(text) - 1) for m in marks]
    if "flow" in (error.context or "") or "quoted" in (error.context or ""):
        order = [seen[0], seen[-1]]
    elif "simple key" in (error.context or ""):
        order = [seen[0], seen[-1]]
    else:
        order = [seen[-1]]
    for line in order:
        above = _above(line, text)
        if above is not None and missing_space(text[above]):
            mistake = missing_space(text[above])
            if mistake is not None and "values are not allowed" in (error.problem or ""):
                return above, mistake
        mistake = mistake_of(text[line], "" if above is None else text[above])
        if mistake is not None:
            return line, mistake
    return _without_colon(error, seen, text) or (seen[-1], _unknown(error, last))


def _without_colon(error: Any, seen: list[int], text: Sequence[str]) -> tuple[int, Mistake] | None:
    """The line where a colon is missing, if that is what YAML stumbles over."""
    line: int | None = None
    if "could not find expected ':'" in (error.problem or ""):
        line = seen[0]
    elif "not allowed here" in (error.problem or ""):
        line = _above(seen[-1], text)
    mistake = None if line is None else no_colon(text[line])
    return None if line is None or mistake is None else (line, mistake)


def _above(line: int, text: Sequence[str]) -> int | None:
    """The nearest line above that is neither empty nor a comment."""
    for number in range(line - 1, -1, -1):
        stripped = text[number].strip()
        if stripped and not stripped.startswith("#"):
            return number
    return None


def _unknown(error: Any, mark: Any) -> Mistake:
    """An error that is none of the known mistakes: mostly indentation."""
    problem = error.problem or "this cannot be read"
    column = min(mark.column, 1000) + 1
    if "<block end>" in problem:
        message = "the indentation of this line fits none above"
        return Mistake(column, message, "blanks, two more per level", contained=False)
    if "could not find expected ':'" in problem:
        message = "a line above is no `key: value` and no `- item`"
        return Mistake(column, message, "`key: value`", contained=False)
    if "not allowed here" in problem:
        message = "a key or an item is not possible here"
        return Mistake(column, message, "one `key: value` or `- item` per line", contained=False)
    return Mistake(column, f"YAML cannot read this: {problem}", contained=False)
