"""Chance: what a line draws, drawn anew wherever the line is carried out.

Each draw has a buffer of its own; its name is that of the random stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..circuit import Event, Update
from ..expressions.numbered_draws import is_draw, numbers
from ..expressions.tree import Binary, Expr, Load, Variable, transform
from ..instructions import Draw
from .emitter import Emitter


def of_set(at: Emitter, line: Expr, phase: str, parameter: str) -> Expr:
    """A line of `set`; what is drawn in it is one number, shared by the batch."""
    at.counter("slot")
    at.counter("turn")
    return _drawn(at, [line], 0, 1, lambda word, n: at.draw(word, parameter, phase, n), _turn)


def of_begin(at: Emitter, lines: Sequence[tuple[Variable, Expr]], row: int, phase: str) -> Expr:
    """The right side of a row of `begin`; one number per unit and sample."""
    key = (lines[row][0].population, lines[row][0].name)
    same = [n for n, (v, _) in enumerate(lines) if (v.population, v.name) == key]
    return _drawn(
        at,
        [lines[n][1] for n in same],
        same.index(row),
        at.population(key[0]).size,
        lambda _, n: at.draw_of_units("begin draw", *key, phase, n),
        _turn,
    )


def of_after_step(at: Emitter, lines: Sequence[Update], row: int, population: str) -> Expr:
    """The right side of a row of `after_step`; one number per unit and sample, in each step."""
    variable, phase = lines[row].target, at.view.phase
    same = [n for n, line in enumerate(lines) if line.target == variable]
    return _drawn(
        at,
        [lines[n].right for n in same],
        same.index(row),
        at.population(population).size,
        lambda _, n: at.draw_of_units("after_step draw", population, variable, phase, n),
        _step,
    )


def of_event(at: Emitter, event: Event, row: int, population: str) -> Expr:
    """The condition of an event (row 0), or a line of what it does; one number per unit each step.

    All its lines count their draws together.
    """
    return _drawn(
        at,
        [event.when, *(line.right for line in event.do)],
        row,
        at.population(population).size,
        lambda _, n: at.draw_of_units("event draw", population, event.name, at.view.phase, n),
        _step,
    )


def _turn(at: Emitter) -> Expr:
    """What counts the draws of a line that a presentation carries out once."""
    return Load(at.counter("turn"))


def _step(at: Emitter) -> Expr:
    """What counts the draws of a line that each step carries out."""
    return Binary("+", Load(at.counter("before")), Load(at.counter("step")))


def _drawn(
    at: Emitter,
    lines: Sequence[Expr],
    row: int,
    size: int,
    target: Callable[[str, int], str],
    counted: Callable[[Emitter], Expr],
) -> Expr:
    """One of the lines of a variable with buffers for its draws, which are numbered over all."""
    places, done = numbers(*lines), set[str]()
    if not places:
        return lines[row]
    at.counter("slot")
    step = counted(at)

    def each(node: Expr) -> Expr | None:
        if not is_draw(node):
            return None
        name = target(node.function, places[row, node.span])
        if name not in done:
            done.add(name)
            given = [at.fitted(at.translate(transform(a, each)), size) for a in node.arguments]
            arguments = tuple(at.reading(argument) for argument in given)
            at.emit(Draw(name, node.function, name, step, arguments))
            at.write(name)
        return Load(name)

    return transform(lines[row], each)
