"""Show: what happens in which order, phase by phase, and how many matrix products it takes."""

from __future__ import annotations

from collections.abc import Iterator

from ..circuit import Circuit, LearnItem, Phase, Protocol
from ..expressions.numbered_draws import is_draw
from ..expressions.text import text
from ..expressions.tree import Expr, Variable, walk
from ..lower import lower
from .notation import PrintedLine, grouped, joined, own, paper, value


def protocol_lines(circuit: Circuit) -> Iterator[str]:
    """Every protocol; each is lowered once, to count matrix products."""
    for protocol in circuit.protocols.values():
        products = lower(circuit, protocol.name).products()
        yield ""
        yield f"protocol {protocol.name}"
        for number, phase in enumerate(protocol.phases, start=1):
            yield f"  {number}. {phase.name}: {_length(circuit, phase)}"
            yield from (f"       {line}" for line in _phase(circuit, protocol, phase))
            enter, step, leave = products[phase.name]
            each = f", {step} per step" if phase.steps or phase.duration else ""
            yield f"       products  {enter} on entry{each}, {leave} on leaving"


def _length(circuit: Circuit, phase: Phase) -> str:
    dt = "" if phase.dt is None else f" of {value(circuit, phase.dt)}"
    method = f", {phase.method.replace('_', ' ')}"
    until = f", or until {paper(text(phase.until))}" if phase.until is not None else ""
    if phase.steps is not None:
        return f"{value(circuit, phase.steps)} steps{dt}{method}{until}"
    if phase.duration is not None:
        return f"for {value(circuit, phase.duration)}, in steps{dt}{method}{until}"
    return "a moment"


def _phase(circuit: Circuit, protocol: Protocol, phase: Phase) -> Iterator[str]:
    if phase.start_from:
        yield f"from      states as at the end of {phase.start_from}"
    if phase.release:
        yield f"release   {', '.join(text(v) for v in phase.release)}"
    for word, sign, pairs in (("clamp", "=", phase.clamp), ("begin", ":=", phase.begin)):
        lines = [_assigned(circuit, v, sign, e) for v, e in pairs]
        yield from (f"{word:<8}  {line}" for line in joined(lines))
    for name, expr in phase.set:
        shared = ", drawn for the whole batch" if any(is_draw(n) for n in walk(expr)) else ""
        yield f"set       {paper(name)} = {paper(text(expr))}{shared}"
    if phase.steps is not None or phase.duration is not None:
        yield f"order     {_order(circuit, phase)}"
        if not phase.plasticity:
            yield "          without plasticity in continuous time"
    if phase.learn_each_step:
        lines = [_when(circuit, item, when) for item, when in phase.learn_each_step]
        yield f"each step {'; '.join(joined(lines))} learns, as read before the states move"
    for group in phase.learn:
        how = "learn together" if len(group) > 1 else "learns"
        yield f"at end    {', '.join(_learnt(circuit, group))} {how}"


def _assigned(circuit: Circuit, variable: Variable, sign: str, expr: Expr) -> PrintedLine:
    population = circuit.populations[variable.population]
    right = own(circuit, population, expr)
    return PrintedLine(population.base, population.index, f"{text(variable)} {sign} {right}")


def _when(circuit: Circuit, item: LearnItem, when: Expr | None) -> PrintedLine:
    place = circuit.synapses[item.name] if item.variable is None else circuit.populations[item.name]
    condition = f" when {paper(text(when))}" if when is not None else ""
    index = place.index if not condition else None
    return PrintedLine(place.base, index, f"{item}{condition}")


def _learnt(circuit: Circuit, group: tuple[LearnItem, ...]) -> Iterator[str]:
    """`W[1..3], y.mu`."""
    for members in grouped(_when(circuit, item, None) for item in group):
        first, last = members[0], members[-1]
        if first is last:
            yield first.text
        else:
            yield first.text.replace(f"[{first.index}]", f"[{first.index}..{last.index}]")


def _order(circuit: Circuit, phase: Phase) -> str:
    """Who moves when, in words."""
    if phase.order is None:
        return "all move at once, each seeing where the others stood before the step"
    turns = [" with ".join(turn) for turn in phase.order]
    if len(turns) == 1:
        return f"{turns[0]} moves"
    what = "populations"
    bases = {circuit.populations[name].base for turn in phase.order for name in turn}
    if len(bases) == 1:
        (base,) = bases
        what = base if base.endswith("s") else f"{base}s"
    return f"{what} move one after another, each seeing the one before: {', '.join(turns)}"
