"""500 mistakes in files that ship: told, on the right line, with the right suggestion."""

from __future__ import annotations

from collections import Counter

import pytest

from .judging import draw, judge
from .mutations import DECLARED

COUNT, SEED = 500, 20260521


@pytest.fixture(scope="module")
def mutations():
    """Turn by turn a kind and a file, drawn with a fixed seed; no text twice."""
    return draw(COUNT, SEED)


@pytest.fixture(scope="module")
def verdicts(mutations):
    """What becomes of each."""
    return [judge(one) for one in mutations]


@pytest.fixture(scope="module")
def told(verdicts):
    """(mutation, diagnostics) of those that are another circuit or none."""
    return [(v.mutation, v.diagnostics) for v in verdicts if v.word != "same"]


def on_the_line(one, diagnostics):
    return any(d.place.line in one.lines for d in diagnostics[:1])


def suggests(one, diagnostics):
    """Whether the right word stands in a suggestion or in what is expected at that line."""
    near = [d for d in diagnostics if d.place.line in one.lines]
    said = " ".join(f"{d.suggestion or ''} {d.message} {d.expected or ''}" for d in near)
    return "".join(one.right.split()) in "".join(said.split())


def table(rows):
    return "\n".join(
        f"{one.kind:<26} {one.file}{'+' + one.variant if one.variant else ''}:{one.lines[0]}  "
        f"{one.wrong}  ->  {first_line(found)}"
        for one, found in rows
    )


def first_line(found):
    return str(found[0]).splitlines()[0] + f" | try: {found[0].suggestion}" if found else "loads"


def test_there_are_many_kinds(mutations):
    kinds = Counter(one.kind for one in mutations)
    assert len(mutations) == COUNT and len(kinds) >= 20
    assert max(kinds.values()) <= COUNT // 10


def test_no_mistake_ends_in_a_traceback(verdicts):
    wrong = [v for v in verdicts if v.word == "traceback"]
    assert not wrong, "\n".join(f"{v.mutation.kind} {v.mutation.wrong}\n{v.said}" for v in wrong)


def test_every_mistake_is_told(verdicts):
    silent = [(v.mutation, ()) for v in verdicts if v.word == "silent"]
    print(table(silent))
    assert len(silent) <= 0.003 * COUNT, table(silent)


def test_the_line_is_right(verdicts, told):
    wrong = [(v.mutation, v.diagnostics) for v in verdicts if v.word == "elsewhere"]
    print(table(wrong))
    assert len(wrong) <= 0.02 * len(told), table(wrong)


def test_the_suggestion_is_right(told):
    """Where a name is declared wrongly, its readers are told; they cannot know which is right."""
    asked = [(one, found) for one, found in told if found and one.right]
    asked = [(one, found) for one, found in asked if one.kind not in DECLARED]
    wrong = [(one, found) for one, found in asked if not suggests(one, found)]
    print(table(wrong))
    assert len(asked) > COUNT / 4 and len(wrong) <= 0.1 * len(asked), table(wrong)
