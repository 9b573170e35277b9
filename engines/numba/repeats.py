"""Code that repeats itself: found among the pieces of a sequence, and written once.

A run of pieces that stand there several times in a row, holes apart, becomes one loop. Its body is
the text of the first; a table `T` has for each turn what stands in the holes that differ:

    for t in range(120, 1311, 4):
        b0 = v.vector(X, P, T[t])
        b1 = v.vector(X, P, T[t + 1])
        for k in range(n16 * B):
            b1[k] = f.tanh_32(b0[k])

The turns come in the order of the pieces, so that nothing is computed in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .holes import Hole, Holes, Piece, View, filled

LONGEST = 16  # pieces that may repeat together
LEAST = 3  # lines that a loop must save


@dataclass(frozen=True)
class Repeat:
    """`turns` times `length` pieces, from the piece number `start`."""

    start: int
    length: int
    turns: int


@dataclass
class Tables:
    """What loops look up: rows of P, places in S, sizes and integers in T; numbers in Y.

    `rows` are the arrays that P has addresses of, from row `first` on.
    """

    first: int
    rows: dict[View, int] = field(default_factory=dict)
    turns: list[int] = field(default_factory=list)
    numbers: dict[float, int] = field(default_factory=dict)
    loops: int = 0

    def row(self, view: View) -> int:
        """Where in P the address of an array stands."""
        return self.rows.setdefault(view, self.first + len(self.rows))

    def entry(self, hole: Hole) -> int:
        """What T has for a hole."""
        if isinstance(hole.value, View):
            return self.row(hole.value)
        if hole.kind in ("number", "float"):
            return self.numbers.setdefault(hole.value, len(self.numbers))
        return int(hole.value)


def repeats(pieces: Sequence[Piece]) -> list[Repeat]:
    """A sequence of pieces as repeats, most of them of one turn."""
    shapes: dict[object, int] = {}
    names = [shapes.setdefault(piece.shape, len(shapes)) for piece in pieces]
    found: list[Repeat] = []
    place = 0
    while place < len(pieces):
        best, most = Repeat(place, 1, 1), LEAST
        for length in range(1, min(LONGEST, (len(pieces) - place) // 2) + 1):
            turns, body = 1, names[place : place + length]
            while names[place + turns * length : place + (turns + 1) * length] == body:
                turns += 1
            saved = _saved(pieces[place : place + turns * length], length, turns)
            if saved > most:
                best, most = Repeat(place, length, turns), saved
        found.append(best)
        place += best.length * best.turns
    return found


def _saved(pieces: Sequence[Piece], length: int, turns: int) -> int:
    """Lines that a loop saves: each hole that differs from turn to turn costs one."""
    if turns == 1:
        return 0
    lines = sum(len(piece.lines) for piece in pieces[:length])
    return (turns - 1) * lines - 1 - len(_differing(pieces, length, turns))


def _columns(pieces: Sequence[Piece], length: int, turns: int) -> list[tuple[int, ...]]:
    """For each hole of the body, the hole of the module that it is in each turn."""
    rows = [
        [hole for piece in pieces[turn * length : (turn + 1) * length] for hole in piece.holes]
        for turn in range(turns)
    ]
    return list(zip(*rows, strict=True))


def _differing(pieces: Sequence[Piece], length: int, turns: int) -> dict[tuple[int, ...], int]:
    """The columns that are not the same in all turns, each once, with its place in a row of T."""
    columns = _columns(pieces, length, turns)
    differ = dict.fromkeys(c for c in columns if any(hole != c[0] for hole in c))
    return {column: place for place, column in enumerate(differ)}


def loop(
    pieces: Sequence[Piece], length: int, holes: Holes, tables: Tables, bits: int
) -> list[str]:
    """The lines of a loop over pieces that repeat; holes that never differ stay open."""
    turns = len(pieces) // length
    differ = _differing(pieces, length, turns)
    start, width = len(tables.turns), len(differ)
    for turn in range(turns):
        tables.turns += [tables.entry(holes.all[column[turn]]) for column in differ]
    number, tables.loops = tables.loops, tables.loops + 1
    lines, names = [], {}
    for column, place in differ.items():
        local, hole = f"b{number}_{place}", holes.all[column[0]]
        lines.append(f"    {local} = {_looked_up(hole, f'T[t + {place}]', bits)}")
        names[column] = f"S[{local}]" if hole.kind == "scalar" else local
    columns = iter(_columns(pieces, length, turns))
    for piece in pieces[:length]:
        own = [next(columns) for _ in piece.holes]
        texts = [names.get(column, f"«{column[0]}»") for column in own]
        lines += [f"    {line}" for line in filled(piece.lines, texts.__getitem__)]
    if not width:
        return [f"for t in range({turns}):", *lines]
    return [f"for t in range({start}, {start + turns * width}, {width}):", *lines]


def _looked_up(hole: Hole, entry: str, bits: int) -> str:
    """What an entry of T stands for."""
    if isinstance(hole.value, View):
        return f"v.{'vector' if hole.value.flat else 'matrix'}(X, P, {entry})"
    if hole.kind == "number" and bits == 32:
        return f"np.float32(Y[{entry}])"
    return f"Y[{entry}]" if hole.kind in ("number", "float") else entry
