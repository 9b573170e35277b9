"""Breaks: changes of bundled circuits that no check can see, since the texts stay good circuits.

A sign is flipped, a number changed, a line or a rule deleted. What the loader refuses or warns of
is no break (that is what `mutations` is about), nor is what leaves the circuit as it was.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from apical.graphs.diagnostics import CircuitError
from apical.graphs.load import load_text
from apical.graphs.reports.yaml_text import comparable

from .judging import chosen, original, texts
from .mutations import Line, lines_of

TRIES = 150
KINDS = ("sign", "constant", "line", "rule")
SAID = ("title", "cite", "name", "apical", "task", "record", "data", "time_unit", "predicts")
READERS = ("sizes", "n", "m", "m_x", "d", "M")  # sizes of a network are its reader's choice
RULES = ("rule", "rules", "trace", "after_step")
NUMBER = re.compile(r"(?<![\w.\[@])(?:\d+\.\d*|\.?\d+)(?:e-?\d+)?(?![\w.])")
SIGN = re.compile(r"(?<=\s)[+-](?==?\s)|(?<![\w)\]]) ?-(?=[\w(])")
INDEX = re.compile(r"\[[^\]]*\]|for k = .*$|when .*$")


@dataclass(frozen=True)
class Break:
    """A text that differs from a bundled one: its file, variant, kind, line (from 1), old, new."""

    file: str
    variant: str | None
    variants: tuple[str, ...]
    kind: str
    line: int
    old: str
    new: str
    text: str

    def __str__(self) -> str:
        where = f"{self.file}{'+' + self.variant if self.variant else ''}:{self.line}"
        return f"{self.kind:<8} {where:<28} {self.old}   ->   {self.new or '(deleted)'}"


def draw(
    count: int, seed: int, files: tuple[str, ...], told: Counter[str] | None = None
) -> list[Break]:
    """As many breaks as asked for: turn by turn a kind, a file by chance, no text twice.

    `told` counts what is drawn and is no break: "refused", "warned", "same".
    """
    rng, told = random.Random(seed), Counter() if told is None else told
    found: list[Break] = []
    seen: set[str] = set()
    kinds, tries = list(KINDS), 0
    while len(found) < count and kinds:
        kind, file = kinds[len(found) % len(kinds)], rng.choice(files)
        made = _break(rng, kind, file)
        tries += 1
        if tries > TRIES:  # of this kind there are no more
            kinds.remove(kind)
            tries = 0
        if made is None or made[2] in seen or made[0].variant not in chosen(file):
            continue
        line, new, text = made
        seen.add(text)
        one = Break(
            file, line.variant, chosen(file)[line.variant], kind, line.number + 1,
            texts()[file].splitlines()[line.number].strip(), new.strip(), text,
        )  # fmt: skip
        word = _loads(one)
        told[word] += 1
        if word == "breaks":
            found.append(one)
            tries = 0
    return found


def _loads(one: Break) -> str:
    """What the loader says: "refused", "warned", "same" or "breaks"."""
    right = original(one.file, one.variants)
    try:
        made = load_text(one.text, f"{one.file}.yaml", one.variants)
    except CircuitError:
        return "refused"
    if {w.message for w in made.warnings} - {w.message for w in right.warnings}:
        return "warned"
    return "same" if comparable(made) == comparable(right) else "breaks"


@cache
def _lines(file: str) -> list[Line]:
    return [line for line in lines_of(texts()[file]) if _counts(line)]


def _break(rng: random.Random, kind: str, file: str) -> tuple[Line, str, str] | None:
    """The line, what stands there now, and the whole text."""
    raw, lines = texts()[file].splitlines(), _lines(file)
    if kind in ("sign", "constant"):
        places = [p for line in lines for p in _places(kind, line)]
        if not places:
            return None
        line, match = rng.choice(places)
        value = line.value[: match.start()] + _other(match.group()) + line.value[match.end() :]
        raw[line.number] = line.head + value
        return line, raw[line.number], "\n".join(raw) + "\n"
    lines = [line for line in lines if (_of_rule(line) if kind == "rule" else line.value)]
    if not lines:
        return None
    line = rng.choice(lines)
    end = line.number + 1
    while not line.value and end < len(raw) and _inside(raw[end], line):
        end += 1
    return line, "", "\n".join(raw[: line.number] + raw[end:]) + "\n"


def _inside(raw: str, line: Line) -> bool:
    return not raw.strip() or len(raw) - len(raw.lstrip()) > len(line.indent)


def _counts(line: Line) -> bool:
    full = line.full or (line.key or "",)
    if full[0] in SAID or (full[0] == "parameters" and full[-1] in READERS):
        return False
    return len(full) > 1 and full[-1] not in SAID


def _of_rule(line: Line) -> bool:
    return any(word in RULES for word in line.full) and bool(line.value or line.key in RULES)


def _places(kind: str, line: Line) -> Iterator[tuple[Line, re.Match[str]]]:
    """Where a value has a sign or a number: not in an index of a family."""
    indices = [m.span() for m in INDEX.finditer(line.value)]
    if line.section == "parameters":
        indices = []
    for match in (SIGN if kind == "sign" else NUMBER).finditer(line.value):
        if not any(a <= match.start() < b for a, b in indices):
            yield line, match


def _other(word: str) -> str:
    """The other sign; a number half as large again, a whole one by one larger."""
    if word.strip() in "+-":
        return word.replace("-", "~").replace("+", "-").replace("~", "+" if word == "-" else " ")
    if re.fullmatch(r"\d+", word):
        return str(int(word) + 1)
    return repr(float(word) * 1.5)
