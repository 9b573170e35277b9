"""Printing: a Circuit as the text of a file; loading that text gives the same circuit back.

What a circuit no longer knows cannot be printed: families stand member by member, functions are
written out, sizes and bounds are numbers. So which parameters are structural is not kept, nor are
the entries of lists that only sizes read; `comparable` leaves these out, and the source with them.

Members of one kind of cell differ in the constants of their populations: where they do, the cell
reads a parameter of the population (`own1`), which each population gives its own value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from ...compartments.integrators import DEFAULT_METHOD
from ..circuit import (
    Circuit,
    Equation,
    Held,
    Phase,
    Population,
    Record,
    Snapshot,
    Source,
    Synapse,
    Update,
)
from ..expressions.text import text
from ..expressions.tree import Expr, Variable
from .notation import adopted
from .printed_parameters import Own, is_item, together

Lines = Iterator[tuple[int, str]]  # depth, text


def print_circuit(circuit: Circuit) -> str:
    """The text of a file that describes the circuit."""
    own = Own(circuit)
    cells = dict(_cells(circuit, own))
    synapses = list(_synapses(circuit, own))  # may still name more parameters of populations
    protocols = list(_protocols(circuit, own))
    lines: list[tuple[int, str]] = [(0, "apical: 1"), (0, f"name: {_quoted(circuit.name)}")]
    for word in ("title", "cite", "time_unit", "task"):
        said = getattr(circuit, word)
        lines += [(0, f"{word}: {_quoted(said)}")] if said else []
    lines += _section("parameters", _parameters(circuit))
    lines += _section("data", _streams(circuit))
    lines += _section("cells", (line for entry in cells.values() for line in entry))
    lines += _section("populations", _populations(circuit, own))
    lines += _section("synapses", synapses)
    energies = circuit.energies.items()
    lines += _section("energy", (_pair(1, name, text(e)) for name, e in energies))
    predicts = circuit.predicts.items()
    lines += _section("predicts", (_pair(1, name, text(v)) for name, v in predicts))
    if circuit.record:
        lines += _list(0, "record", [_record(r) for r in circuit.record])
    lines += _section("protocols", protocols)
    return "".join("  " * depth + line + "\n" for depth, line in lines)


def comparable(circuit: Circuit) -> Circuit:
    """The circuit without what its text does not hold; see above."""
    parameters = {
        name: replace(entry, structural=False)
        for name, entry in circuit.parameters.items()
        if not is_item(entry.expression)
    }
    source = Source("", {})
    return replace(
        circuit, parameters=parameters, source=source, warnings=(), requirements=(), stream_sizes={}
    )


def _streams(circuit: Circuit) -> Lines:
    for name, size in circuit.streams.items():
        signal = circuit.signals.get(name)
        if signal is None:
            yield 1, f"{name}: {size}"
            continue
        yield 1, f"{name}:"
        yield 2, f"size: {size}"
        yield _pair(2, "every", "step" if signal.every is None else text(signal.every))
        if signal.linear:
            yield 2, "between: linear"


# --- lines ---


def _section(name: str, inside: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    lines = list(inside)
    return [(0, ""), (0, f"{name}:"), *lines] if lines else []


def _pair(depth: int, key: str, said: str) -> tuple[int, str]:
    return depth, f"{key}: {_quoted(said)}"


def _list(depth: int, key: str, items: Iterable[str]) -> Lines:
    found = list(items)
    if not found:
        yield depth, f"{key}: []"
    elif len(found) == 1:
        yield _pair(depth, key, found[0])
    else:
        yield depth, f"{key}:"
        yield from ((depth + 1, f"- {_quoted(item)}") for item in found)


def _block(depth: int, key: str, items: Iterable[str]) -> Lines:
    """A list, also of one."""
    yield depth, f"{key}:"
    yield from ((depth + 1, f"- {_quoted(item)}") for item in items)


_PLAIN = re.compile(r"-?[\w(.](?::=|[\w .()+*/^|<>=@,;\[\]'\"-])*(?<! )", re.ASCII)
_NULLS = ("null", "Null", "NULL")


def _quoted(said: str) -> str:
    """A scalar of YAML: plain where nothing in it could be taken for YAML."""
    if _PLAIN.fullmatch(said) and said not in _NULLS:
        return said
    return json.dumps(said, ensure_ascii=not said.isprintable())


# --- parameters of populations -------------------------------------------------------------------


def _parameters(circuit: Circuit) -> Lines:
    for name, entry in circuit.parameters.items():
        if is_item(entry.expression) or "." in name:
            continue
        if isinstance(entry.expression, tuple):
            yield from _block(1, name, (text(e) for e in entry.expression))
        else:
            yield _pair(1, name, text(entry.expression))


def _cells(circuit: Circuit, own: Own) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    kinds: dict[str, list[Population]] = {}
    for population in circuit.populations.values():
        kinds.setdefault(population.cell, []).append(population)
    for name, members in kinds.items():
        yield name, [(1, f"{name}:"), *_cell(members, own)]


def _cell(members: list[Population], own: Own) -> Lines:
    def one(expressions: Iterable[Expr | None]) -> str:
        found = dict(zip((p.name for p in members), expressions, strict=True))
        local = {p.name: own.local(p, e) for p in members if (e := found[p.name]) is not None}
        return text(together(own, local))

    first = members[0]
    lines: dict[str, list[str]] = {name: [] for name in first.compartments}
    for column in zip(*(p.equations for p in members), strict=True):
        right, tau = one(e.right for e in column), ""
        if column[0].tau is not None:
            tau = _factor(one(e.tau for e in column)) + " * "
        state = column[0].kind == "state"
        left = f"{tau}d{column[0].variable}/dt" if state else column[0].variable
        lines[column[0].compartment or ""].append(f"{left} = {right}")
    if first.slow:
        yield 2, "slow:"
        yield from (_pair(3, n, one(p.slow[n] for p in members)) for n in first.slow)
    for name, equations in lines.items():
        yield from _list(2, name, equations)
    for word in ("after_step", "rules"):
        updates: list[tuple[Update, ...]] = list(
            zip(*(getattr(p, word) for p in members), strict=True)
        )
        if updates:
            said = (f"{c[0].target} {c[0].kind} {one(u.right for u in c)}" for c in updates)
            yield from _list(2, word, said)
    yield from _events(members, one)


def _events(members: list[Population], one: Callable[[Iterable[Expr | None]], str]) -> Lines:
    columns = list(zip(*(p.events for p in members), strict=True))
    if columns:
        yield 2, "events:"
    for column in columns:
        first = column[0]
        yield 3, f"{first.name}:"
        yield _pair(4, "when", one(e.when for e in column))
        rows = list(zip(*(e.do for e in column), strict=True))
        if rows:
            said = (f"{r[0].target} {r[0].kind} {one(u.right for u in r)}" for r in rows)
            yield from _list(4, "do", said)
        if first.hold:
            yield from _list(4, "hold", first.hold)
        if first.duration is not None:
            yield _pair(4, "for", one(e.duration for e in column))


def _factor(written: str) -> str:
    """A time constant, in brackets unless it is a name or a number."""
    return written if re.fullmatch(r"[\w.]+(\[\d+\])?", written) else f"({written})"


def _populations(circuit: Circuit, own: Own) -> Lines:
    for name, population in circuit.populations.items():
        yield 1, f"{name}:"
        yield 2, f"cell: {population.cell}"
        if population.shape is None:
            yield 2, f"size: {population.size}"
        else:
            yield 2, f"shape: [{', '.join(map(str, population.shape))}]"
        lists, values = own.lists[name], own.values[name]
        if lists or values:
            yield 2, "parameters:"
            for key, items in lists.items():
                yield from _block(3, key, items)
            yield from (_pair(3, key, said) for key, said in values.items())


def _synapses(circuit: Circuit, own: Own) -> Lines:
    for name, synapse in circuit.synapses.items():
        population, compartment, port = synapse.target
        yield 1, f"{name}:"
        yield 2, f"from: {'.'.join(synapse.source)}"
        yield 2, f"to: {population}.{compartment}" + (f".{port}" if port else "")
        given = "" if synapse.given is None else text(own.sided(synapse, synapse.given))
        connect = synapse.connection.written(given) if synapse.given else synapse.connect_text
        if not adopted(synapse):
            yield _pair(2, "connect", connect)
        weight = None if synapse.pool and not adopted(synapse) else synapse.weight
        expressions = (("weight", weight), ("current", synapse.current))
        if synapse.init_stated:
            expressions = (("init", synapse.init), *expressions)
        for word, expr in expressions:
            if expr is not None:
                yield _pair(2, word, text(own.sided(synapse, expr)))
        if synapse.bias:
            yield 2, "bias: true"
        if synapse.filter is not None:
            yield from _block(2, "filter", (text(e) for e in synapse.filter))
        if synapse.delay is not None:
            yield _pair(2, "delay", text(synapse.delay))
        for word in ("trace", "rule"):
            lines = [_rule(own, synapse, one) for one in getattr(synapse, word)]
            if lines:
                yield from _list(2, word, lines)
        if synapse.batch != "mean":
            yield 2, f"batch: {synapse.batch}"
        if synapse.optimizer is not None:
            arguments = ", ".join(text(a) for a in synapse.optimizer.arguments)
            yield 2, f"optimizer: {synapse.optimizer.kind}({arguments})"
        if synapse.bounds is not None:
            yield from _block(2, "bounds", (text(e) for e in synapse.bounds))
        if synapse.sign is not None:
            yield 2, f"sign: {synapse.sign}"
        if synapse.check is not None:
            yield 2, f"check: {synapse.check}"


def _rule(own: Own, synapse: Synapse, one: Update | Equation) -> str:
    right = text(own.sided(synapse, one.right))
    if isinstance(one, Update):
        return f"{one.target} {one.kind} {right}"
    tau = "" if one.tau is None else _factor(text(own.sided(synapse, one.tau))) + " * "
    return f"{tau}d{one.variable}/dt = {right}"


def _record(one: Record | Snapshot) -> str:
    if isinstance(one, Snapshot):
        return str(one)
    said = text(one.what) if isinstance(one.what, Variable) else str(one.what)
    said += f" in {one.phase}" if one.phase else ""
    held = isinstance(one.what, Held) and not one.phase  # else presentations are meant
    said += f" every {one.every}" if one.every != 1 or held else ""
    said += " steps" if held else ""
    return said + (f" {one.reduce}" if one.reduce else "")


# --- protocols -----------------------------------------------------------------------------------


def _protocols(circuit: Circuit, own: Own) -> Lines:
    train = circuit.protocols.get("train")
    for name, protocol in circuit.protocols.items():
        named = train is not None and name != "train"
        if named and train and all(phase in train.phases for phase in protocol.phases):
            yield from _list(1, name, [phase.name for phase in protocol.phases])
            continue
        yield 1, f"{name}:" + ("" if protocol.phases else " {}")
        for phase in protocol.phases:
            lines = list(_phase(circuit, own, phase))
            yield 2, f"{phase.name}:" + ("" if lines else " {}")
            yield from lines


def _phase(circuit: Circuit, own: Own, phase: Phase) -> Lines:
    def assigned(pairs: tuple[tuple[Variable, Expr], ...], sign: str) -> list[str]:
        populations = circuit.populations
        return [
            f"{text(v)} {sign} {text(own.local(populations[v.population], e))}" for v, e in pairs
        ]

    if phase.start_from is not None:
        yield 3, f"from: {phase.start_from}"
    for word, items in (
        ("release", [text(v) for v in phase.release]),
        ("clamp", assigned(phase.clamp, "=")),
        ("set", [f"{name} = {text(e)}" for name, e in phase.set]),
        ("begin", assigned(phase.begin, ":=")),
    ):
        if items:
            yield from _list(3, word, items)
    for word, expr in (
        ("steps", phase.steps),
        ("for", phase.duration),
        ("dt", phase.dt),
        ("until", phase.until),
    ):
        if expr is not None:
            yield _pair(3, word, text(expr))
    if phase.method != DEFAULT_METHOD:
        yield 3, f"method: {phase.method}"
    if phase.order is not None:
        yield 3, f"order: {_order(circuit, phase.order)}"
    if phase.learn_each_step:
        items = (
            str(item) + ("" if when is None else f" when {text(when)}")
            for item, when in phase.learn_each_step
        )
        yield _pair(3, "learn_each_step", ", ".join(items))
    if not phase.plasticity:
        yield 3, "plasticity: off"
    if phase.learn:
        yield _pair(3, "learn", "; ".join(", ".join(map(str, group)) for group in phase.learn))


def _order(circuit: Circuit, turns: tuple[tuple[str, ...], ...]) -> str:
    """A turn per name; a family that moves together is called by its base name."""
    names = (t[0] if len(t) == 1 else circuit.populations[t[0]].base for t in turns)
    return ", ".join(names)
