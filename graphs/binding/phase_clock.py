"""The clock of a phase: how many steps, how long, and when it stops earlier."""

from __future__ import annotations

from collections.abc import Iterator

from ...compartments.functions import reduces
from ..expressions.constants import LARGEST, NotConstantError, is_whole
from ..expressions.parser import parse_expression
from ..expressions.tree import Call, Compare, Expr, Variable, children, walk
from ..reading.nodes import MappingNode, ScalarNode
from .names import NOTHING, Names
from .resolve import resolve
from .scopes import ProtocolScope

NEED_STEPS = ("dt", "method", "order", "until", "learn_each_step")


def clock(
    key: ScalarNode, entry: MappingNode, names: Names
) -> tuple[Expr | None, Expr | None, Expr | None]:
    """`steps`, `for` and `dt`; a phase without the first two is a moment."""
    problems = names.problems
    steps, duration, dt = (entry.scalar(word) for word in ("steps", "for", "dt"))
    if steps is not None and duration is not None:
        problems.fail(duration.place, "a phase has `steps` or `for`, not both")
    if steps is None and duration is None:
        for word in NEED_STEPS:
            extra = entry.key(word)
            if extra is not None:
                problems.add(
                    extra.place,
                    f"the phase '{key.text}' is a moment, without steps; `{word}` has no effect",
                    expected="`steps: n` or `for: duration`",
                )
        return None, None, None
    time = None
    if dt is not None:
        scope = ProtocolScope(names, dt, where="`dt`")
        time = resolve(problems.parsed(dt, parse_expression), scope)
    elif any(kind == "state" for m in names.populations.values() for kind in m.kinds.values()):
        place = (entry.key("steps") or entry.key("for") or key).place
        problems.add(place, f"the phase '{key.text}' has steps but no `dt`", suggestion="dt: 0.1")
    if steps is not None:
        count, value = names.constant(steps, where="`steps`")
        names.parameters.mark_structural(count)
        if not is_whole(value) or not 0 <= value <= LARGEST:
            problems.fail(steps.place, "`steps` is a whole number", got=f"{value:g}")
        return count, None, time
    assert duration is not None
    length, _ = names.constant(duration, where="`for`")
    names.parameters.mark_structural(length)
    if time is None or dt is None:
        problems.fail(duration.place, "`for` needs `dt`: it is round(duration / dt) steps")
    try:
        if names.number(time) <= 0:
            problems.fail(dt.place, "`dt` is more than 0")
        if names.number(length) / names.number(time) > LARGEST:
            problems.fail(duration.place, f"more than {LARGEST} steps")
        _check_duration(duration, names.number(length), names.number(time), names)
    except NotConstantError:
        problems.fail(
            dt.place, "with `for`, `dt` is a constant: it is round(duration / dt) steps",
            expected="a constant, or `steps: n` with a `dt` that changes",
        )  # fmt: skip
    names.parameters.mark_structural(time)
    return None, length, time


def _check_duration(scalar: ScalarNode, length: float, dt: float, names: Names) -> None:
    """`for` is no negative time, nor one so short that it is no step."""
    if length < 0:
        names.problems.fail(
            scalar.place, "`for` is a length of time", expected="at least 0", got=f"{length:g}",
            suggestion=names.problems.corrected(
                scalar.place, scalar.text, scalar.text.lstrip("-")
            ) if scalar.text.startswith("-") else None,
        )  # fmt: skip
    if length > 0 and round(length / dt) == 0:
        names.problems.fail(
            scalar.place,
            f"`for` is shorter than half a step: round({length:g} / {dt:g}) is 0 steps",
            expected=f"at least {dt:g}, or a smaller `dt`",
        )


def stop_rule(entry: MappingNode, names: Names) -> Expr | None:
    """`until`: a comparison, one number for each sample."""
    scalar = entry.scalar("until")
    if scalar is None:
        return None
    scope = ProtocolScope(names, scalar, where="`until`", stop=True)
    before = names.problems.count
    found = resolve(names.problems.parsed(scalar, parse_expression), scope)
    if names.problems.count > before:
        return NOTHING
    if not isinstance(found, Compare):
        names.problems.fail(
            scalar.place,
            "`until` is a comparison, tested for each sample after each step",
            expected="`change(layer.x) < 1e-4 * norm(layer.x)` or `residual < 1e-4`",
        )
    for node in walk(found):
        if isinstance(node, Call) and node.function == "change":
            if not isinstance(node.arguments[0], Variable):
                start = node.span[0] if node.span else 0
                names.problems.fail(
                    scalar.place_at(start),
                    "`change` takes a variable, and is the norm of its change in this step",
                    expected="`change(layer.x)`",
                )
    for node in _per_unit(found):
        if isinstance(node, Variable) and names.populations[node.population].size > 1:
            start = node.span[0] if node.span else 0
            names.problems.fail(
                scalar.place_at(start),
                f"`until` is tested once for each sample; '{node.population}.{node.name}' has "
                f"{names.populations[node.population].size} values",
                expected=f"`norm({scalar.text[slice(*(node.span or (0, 0)))]})`, or `max`, `mean` "
                "or `sum` of it",
            )
    return found


def _per_unit(expr: Expr) -> Iterator[Expr]:
    """The parts of an expression that no function over units takes together."""
    if isinstance(expr, Call) and expr.function == "change":
        return
    if isinstance(expr, Call) and reduces(expr.function, len(expr.arguments)):
        return
    yield expr
    for child in children(expr):
        yield from _per_unit(child)
