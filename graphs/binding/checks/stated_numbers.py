"""Stated numbers: where a file states a number that cannot be anything (see `requirements`).

Step lengths, time constants, filters, domains, the arguments of optimizers, initialisers and draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

from ....compartments.initialisers import INITIALISERS
from ....compartments.intervals import NOT_NEGATIVE, ORDERED, POSITIVE, Interval
from ...circuit import Phase, Population, Protocol, Synapse
from ...diagnostics import Place
from ...expressions.constants import evaluate
from ...expressions.parser import parse_expression
from ...expressions.tree import Binary, Call, Expr, Parameter, Reference, transform, walk
from ...reading.nodes import MappingNode, ScalarNode, texts
from ...requirements import Requirement
from ..names import Names

STEP = Interval(0, low_in=False, example=0.1)
START = {"presentation": 0.0, "sample": 0.0, "epoch": 0.0}


@dataclass(frozen=True)
class Stated:
    """A number as a text states it: at `span` of `scalar`, if that is known."""

    expression: Expr
    range: Interval
    what: str
    scalar: ScalarNode
    span: tuple[int, int] | None = None
    better: str | None = None  # the text that should stand there
    text: str | None = None  # what stands there, where it is more than the scalar

    @property
    def place(self) -> Place:
        """Where the number stands."""
        return self.scalar.place_at(self.span[0] if self.span else 0)

    @property
    def written(self) -> str:
        """The number as it is written."""
        if self.text is not None:
            return self.text
        return self.scalar.text[slice(*self.span)] if self.span else self.scalar.text


@dataclass(frozen=True)
class SetValues:
    """What phases have set so far: parameter -> its value and the phase that gave it."""

    values: Mapping[str, tuple[Expr, str]]

    def applied(self, expr: Expr) -> tuple[Expr, str]:
        """The expression under this setting, and which phases made it what it is."""
        read = [n.name for n in walk(expr) if isinstance(n, Parameter) and n.name in self.values]
        if not read:
            return expr, ""
        said = (f"'{self.values[name][1]}' sets {name}" for name in dict.fromkeys(read))
        return transform(expr, self._each), ", ".join(said)

    def _each(self, node: Expr) -> Expr | None:
        if isinstance(node, Parameter) and node.name in self.values:
            return self.values[node.name][0]
        return None


def requirements(
    populations: Mapping[str, Population],
    synapses: Mapping[str, Synapse],
    protocols: Mapping[str, Protocol],
    section: MappingNode,
    names: Names,
) -> tuple[Requirement, ...]:
    """Every requirement of a file; what fails with its own parameter values is written down."""
    found: dict[tuple[Expr, Place, str | None], Requirement] = {}
    moving = [s for p in populations.values() for s in _population(p, names)]
    moving += [s for y in synapses.values() for s in _synapse(y, names)]
    moving += [
        Stated(signal.every, STEP, f"`every` of the signal '{name}'", names.signal_places[name])
        for name, signal in names.signals.items()
        if signal.every is not None
    ]
    learning = {y.name: list(_optimizer(y, names)) for y in synapses.values()}

    def demand(stated: Stated, where: str | None, setting: SetValues, steps: Expr | None) -> None:
        expr, said = setting.applied(stated.expression)
        made = Requirement(expr, stated.range, stated.what, stated.place, where, steps, said)
        if (expr, stated.place, where) not in found:
            found[expr, stated.place, where] = made
            _check(made, stated, names)

    for population in populations.values():
        for stated in _started(population, names):
            demand(stated, None, SetValues({}), None)
    for synapse in synapses.values():
        for stated in (*_bounds(synapse, names), *_initial(synapse, names)):
            demand(stated, None, SetValues({}), None)
        _check_start(synapse, names)
    learnt: set[str] = set()
    stepped = False
    for protocol in protocols.values():
        for phase, setting, before in _settings(protocol):
            entry = entry_of(protocol.name, phase, section)
            for stated in _draws(phase, entry):
                demand(stated, protocol.name, before, None)
            if phase.steps is not None or phase.duration is not None:
                stepped = True
                for stated in (*_clock(phase, entry), *moving):
                    demand(stated, protocol.name, setting, _count(phase))
            here = _learnt(phase)
            for name in learning.keys() & here:
                for stated in learning[name]:
                    demand(stated, protocol.name, setting, None)
            learnt |= here
    rest = [stated for name, many in learning.items() if name not in learnt for stated in many]
    for stated in (*rest, *(() if stepped else moving)):
        demand(stated, None, SetValues({}), None)
    return tuple(found.values())


def _check(made: Requirement, stated: Stated, names: Names) -> None:
    """Write down a requirement that the file's own values do not meet."""
    value = names.parameters.value
    number = made.wrong(value, START)
    if number is None:
        return
    problems = names.problems
    if isinstance(stated.expression, Parameter) and not made.setting:
        source = names.parameters.written(stated.expression.name, number)
        if source is not None:
            problems.add(
                source.place,
                f"'{stated.expression.name}' is {number:g}: it is {stated.what} on line "
                f"{stated.place.line}",
                expected=f"{made.range}",
                suggestion=_better(source, source.text, made.range, names),
            )
            return
    problems.add(
        stated.place,
        made.said(number, value),
        expected=f"{made.range}",
        suggestion=problems.corrected(stated.place, stated.written, stated.better)
        if stated.better
        else _better(stated.scalar, stated.written, made.range, names, stated.place),
    )


def _better(
    scalar: ScalarNode, written: str, allowed: Interval, names: Names, place: Place | None = None
) -> str | None:
    """The line with a literal put right: without its sign if that helps, else an example."""
    try:
        number = float(written)
    except ValueError:
        return None
    plain = written.lstrip("-").strip()
    good = plain if number < 0 and allowed.holds(abs(number)) else f"{allowed.example:g}"  # type: ignore[arg-type]
    return names.problems.corrected(place or scalar.place, written, good)


# --- what phases set ---


def _settings(protocol: Protocol) -> Iterator[tuple[Phase, SetValues, SetValues]]:
    """Each phase, what is set while it runs, and what was set before it."""
    values: dict[str, tuple[Expr, str]] = {}
    for phase in protocol.phases:
        before = SetValues(dict(values))
        for name, expr in phase.set:
            values[name] = (SetValues(dict(values)).applied(expr)[0], phase.name)
        yield phase, SetValues(dict(values)), before


def _learnt(phase: Phase) -> set[str]:
    """The synapses that a phase names to learn."""
    found = {item.name for group in phase.learn for item in group}
    return found | {item.name for item, _ in phase.learn_each_step}


def _count(phase: Phase) -> Expr | None:
    if phase.steps is not None or phase.duration is None or phase.dt is None:
        return phase.steps
    return Binary("/", phase.duration, phase.dt)


def entry_of(protocol: str, phase: Phase, section: MappingNode) -> MappingNode | None:
    """The text of a phase: of this protocol, or of `train` where it only names the phase."""
    for name in (protocol, "train"):
        phases = section.get(name)
        entry = phases.get(phase.name) if isinstance(phases, MappingNode) else None
        if isinstance(entry, MappingNode):
            return entry
    return None


# --- what is stated ---


def _clock(phase: Phase, entry: MappingNode | None) -> Iterator[Stated]:
    scalar = entry.scalar("dt") if entry is not None else None
    if scalar is not None and phase.dt is not None:
        yield Stated(phase.dt, STEP, f"`dt` of the phase '{phase.name}'", scalar)


def _draws(phase: Phase, entry: MappingNode | None) -> Iterator[Stated]:
    for word, lines in (("set", phase.set), ("begin", phase.begin)):
        scalars = texts(entry.get(word)) if entry is not None else ()
        one_each = len(scalars) == len(lines)  # else some line stands for several members
        for number, (_, expr) in enumerate(lines):
            for scalar in (scalars[number],) if one_each else scalars:
                yield from _calls(expr, scalar, word)


def _population(population: Population, names: Names) -> Iterator[Stated]:
    """Time constants and domains of one member of a population."""
    member = names.populations[population.name]
    raw = {line.statement.target.name: line for line in member.cell.equations}
    for equation in population.equations:
        line = raw[equation.variable]
        tau = line.statement.tau
        if equation.tau is None or tau is None:
            continue
        what = f"the time constant of '{population.name}.{equation.variable}'"
        own = member.own_texts.get(tau.name) if isinstance(tau, Reference) else None
        scalar, span = (line.scalar, tau.span) if own is None else (own, None)
        yield Stated(equation.tau, POSITIVE, what, scalar, span)
    for line, update in zip(member.cell.after_step, population.after_step, strict=False):
        yield from _calls(update.right, line.scalar, "after_step")
    for written, event in zip(member.cell.events, population.events, strict=False):
        yield from _calls(event.when, written.when, "when")
        for line, update in zip(written.do, event.do, strict=False):
            yield from _calls(update.right, line.scalar, "do")
        if event.duration is not None and written.duration is not None:
            what = f"`for` of the event '{population.name}.{event.name}'"
            yield Stated(event.duration, NOT_NEGATIVE, what, written.duration)
    updates = population.after_step[len(member.cell.after_step) :]
    for (key, first, last), update in zip(member.cell.domain, updates, strict=True):
        assert isinstance(update.right, Call)
        _, low, high = update.right.arguments
        what = f"the width of the domain of '{population.name}.{key.text}'"
        better, now = f"{last.text}, {first.text}", f"{first.text}, {last.text}"
        yield Stated(Binary("-", high, low), ORDERED, what, first, None, better, now)


def _synapse(synapse: Synapse, names: Names) -> Iterator[Stated]:
    """Filters, and the time constants of traces and rules."""
    entry = names.synapses[synapse.name].entry
    if synapse.filter is not None:
        for scalar, expr in zip(texts(entry.get("filter")), synapse.filter, strict=True):
            yield Stated(
                expr, POSITIVE, f"a time constant of the filter of '{synapse.name}'", scalar
            )
    for word, lines in (("trace", synapse.trace), ("rule", synapse.rule)):
        for scalar, line in zip(texts(entry.get(word)), lines, strict=False):
            tau = getattr(line, "tau", None)
            if tau is not None:
                what = f"the time constant of a {word} of '{synapse.name}'"
                yield Stated(tau, POSITIVE, what, scalar, tau.span)


def _optimizer(synapse: Synapse, names: Names) -> Iterator[Stated]:
    scalar = names.synapses[synapse.name].entry.scalar("optimizer")
    if synapse.optimizer is None or scalar is None:
        return
    rule = synapse.optimizer.rule
    for (name, allowed), expr in zip(
        ((n, rule.ranges[n]) for n in rule.parameters), synapse.optimizer.arguments, strict=False
    ):
        what = f"`{name}` of the optimizer {rule.name} of '{synapse.name}'"
        yield Stated(expr, allowed, what, scalar, _inside(expr, scalar))


def _bounds(synapse: Synapse, names: Names) -> Iterator[Stated]:
    """The width of `bounds`."""
    entry = names.synapses[synapse.name].entry
    if synapse.bounds is not None:
        first, last = texts(entry.get("bounds"))
        low, high = synapse.bounds
        what = f"the width of the bounds of '{synapse.name}'"
        better, now = f"{last.text}, {first.text}", f"{first.text}, {last.text}"
        yield Stated(Binary("-", high, low), ORDERED, what, first, None, better, now)


def _check_start(synapse: Synapse, names: Names) -> None:
    """Write down a start that is no draw and lies outside `bounds` or `sign`.

    Whether others do, and with other parameters, is seen when weights are drawn.
    """
    scalar = names.synapses[synapse.name].entry.scalar("init")
    if scalar is None or synapse.init is None or not any(synapse.limits):
        return
    low, high = (
        other if end is None else evaluate(end, names.parameters.value)
        for end, other in zip(synapse.limits, (-inf, inf), strict=True)
    )
    assert isinstance(low, float) and isinstance(high, float)
    if low > high:
        return
    allowed = Interval(low, high, high_in=True, example=low if low > -inf else high)
    word = "sign" if synapse.bounds is None else "bounds"
    what = f"the start of '{synapse.name}', kept by its `{word}`,"
    made = Requirement(synapse.init, allowed, what, scalar.place)
    _check(made, Stated(synapse.init, allowed, what, scalar), names)


def _started(population: Population, names: Names) -> Iterator[Stated]:
    """What is drawn for parameters and slow variables of a population."""
    member = names.populations[population.name]
    for name, scalar in member.own_texts.items():
        own = member.own[name]
        if isinstance(own, Parameter) and own.name == f"{member.name}.{name}":
            expr = names.parameters.get(own.name).expression
            assert isinstance(expr, Expr)
            yield from _calls(expr, scalar, "parameters")
    for name, expr in population.slow.items():
        yield from _calls(expr, member.cell.slow[name][0], "slow")


def _initial(synapse: Synapse, names: Names) -> Iterator[Stated]:
    for word, expr in (("init", synapse.init), ("connect", synapse.given)):
        scalar = names.synapses[synapse.name].entry.scalar(word)
        if scalar is not None and expr is not None:
            yield from _calls(expr, scalar, word)


def _calls(expr: Expr, scalar: ScalarNode, word: str) -> Iterator[Stated]:
    """The arguments of the initialisers and draws of an expression."""
    for node in walk(expr):
        known = INITIALISERS.get(node.function) if isinstance(node, Call) else None
        if known is None or not isinstance(node, Call):
            continue
        if len(node.arguments) != len(known.arguments):
            continue
        given = dict(zip(known.arguments, node.arguments, strict=True))
        for said, allowed in known.ranges.items():
            what = f"`{said}` of `{known.name}({', '.join(known.arguments)})` in `{word}`"
            span = _inside(node, scalar)
            better = None
            if said in given:
                span = _inside(given[said], scalar)
            elif span is not None:
                better = _swapped(node, scalar)
            yield Stated(_over(said, given), allowed, what, scalar, span, better)


def _over(said: str, given: Mapping[str, Expr]) -> Expr:
    """`b - a` over the arguments of a call."""
    known = lambda n: given.get(n.name) if isinstance(n, Reference) else None  # noqa: E731
    return transform(parse_expression(said), known)


def _swapped(node: Call, scalar: ScalarNode) -> str | None:
    parts = [_inside(argument, scalar) for argument in node.arguments]
    if any(part is None for part in parts):
        return None
    written = [scalar.text[slice(*part)] for part in reversed(parts) if part is not None]
    return f"{node.function}({', '.join(written)})"


def _inside(expr: Expr, scalar: ScalarNode) -> tuple[int, int] | None:
    """The span of an expression where it is one of this text."""
    if expr.span is None or expr.span[1] > len(scalar.text):
        return None
    return expr.span
