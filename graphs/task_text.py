"""What a circuit is for: the name of a task and its options, as in `separation(domain=sparse)`.

Which tasks there are, and what their options mean, is not known here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

FORM = re.compile(r"([A-Za-z]\w*)(?:\((.*)\))?")
OPTION = re.compile(r"([A-Za-z]\w*)\s*=\s*([^\s=]+)")
WORDS = {"true": True, "false": False}


@dataclass(frozen=True)
class TaskChoice:
    """A task by name, with options: numbers, words, `true` and `false`."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


def task_choice(text: str) -> TaskChoice:
    """`digits`, `separation(domain=sparse, snr=30)`.

    Raises:
        ValueError: The text is not of this form.
    """
    found = FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(_expected(text))
    options: dict[str, Any] = {}
    inside = (found[2] or "").strip()
    for part in inside.split(",") if inside else []:
        pair = OPTION.fullmatch(part.strip())
        if pair is None:
            raise ValueError(_expected(text))
        if pair[1] in options:
            raise ValueError(f"the task `{text}` has the option {pair[1]!r} twice")
        options[pair[1]] = _value(pair[2])
    return TaskChoice(found[1], options)


def _expected(text: str) -> str:
    return (
        f"the task `{text}` is not of the form NAME or NAME(option=value, ...), "
        f"as in digits or separation(domain=sparse, snr=30)"
    )


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return WORDS.get(text, text)
