"""Show: a circuit in words and in the notation of a paper, for people."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from ..circuit import Circuit, Held, Population, Snapshot, Synapse
from ..expressions.numbered_draws import is_draw
from ..expressions.text import text
from ..expressions.tree import Expr, Input, Variable, walk
from ..lowering.trace_means import apart
from ..markup import facts, heading
from ..wording import bytes_text
from .counting import counts
from .notation import (
    PrintedLine,
    adopted,
    equation,
    event_lines,
    grouped,
    own,
    paper,
    rule,
    update,
    value,
    weight_text,
)
from .show_protocols import protocol_lines


def show(circuit: Circuit) -> str:
    """Everything a circuit says: populations, synapses, what happens in which order, what it costs.

    Lowers each protocol once, to count matrix products.
    """
    return "\n".join(
        [
            *_head(circuit),
            "",
            "populations",
            *_populations(circuit),
            "",
            "synapses",
            *_synapses(circuit),
            *_notes(circuit),
            *_readouts(circuit),
            *protocol_lines(circuit),
            "",
            *_size(circuit),
        ]
    )


def summary(circuit: Circuit) -> str:
    """A circuit in a few lines: what `print(circuit)` prints."""
    protocols = (
        f"{p.name} ({', '.join(phase.name for phase in p.phases)})"
        for p in circuit.protocols.values()
    )
    return "\n".join(
        [
            *_head(circuit),
            f"populations: {', '.join(_population_names(circuit))}",
            f"synapses: {', '.join(_synapse_names(circuit)) or 'none'}",
            f"protocols: {', '.join(protocols)}",
            *_size(circuit),
        ]
    )


def html(circuit: Circuit) -> str:
    """The summary for a notebook."""
    first, *rest = summary(circuit).split("\n")
    pairs = (line.partition(": ") for line in rest)
    return heading(first) + facts({key: said for key, _, said in pairs})


# --- parts ---------------------------------------------------------------------------------------


def _head(circuit: Circuit) -> Iterator[str]:
    yield f"{circuit.name}: {circuit.title}" if circuit.title else circuit.name
    if circuit.cite:
        yield f"cite: {circuit.cite}"
    if circuit.source.variants:
        yield f"variants: {', '.join(circuit.source.variants)}"


def _population_names(circuit: Circuit) -> Iterator[str]:
    for base, group in groupby(circuit.populations.values(), lambda p: p.base):
        members = list(group)
        sizes = "-".join(str(p.size) for p in members)
        first, last = members[0].index, members[-1].index
        yield (
            f"{base}[{first}..{last}] {sizes}" if len(members) > 1 else f"{members[0].name} {sizes}"
        )


def _synapse_names(circuit: Circuit) -> Iterator[str]:
    for base, group in groupby(circuit.synapses.values(), lambda s: s.base):
        members = list(group)
        first, last = members[0].index, members[-1].index
        yield f"{base}[{first}..{last}]" if len(members) > 1 else members[0].name


def _range(group: tuple[PrintedLine, ...]) -> str:
    first, last = group[0], group[-1]
    if first.index is None:
        return first.base
    if len(group) == 1:
        return f"{first.base}[{first.index}]"
    return f"{first.base}[k], k = {first.index}..{last.index}"


def _populations(circuit: Circuit) -> Iterator[str]:
    lines = [
        PrintedLine(p.base, p.index, "\n".join(_cell(circuit, p)), p.size, p.shape)
        for p in circuit.populations.values()
    ]
    for group in grouped(lines):
        cells = {p.cell for p in circuit.populations.values() if p.base == group[0].base}
        cell = f" ({next(iter(cells))})" if len(cells) == 1 else ""
        if not cell:
            name = group[0].base if group[0].index is None else f"{group[0].base}[{group[0].index}]"
            cell = f" ({circuit.populations[name].cell})"
        units = ", ".join(_units(line) for line in group)
        yield f"  {_range(group)}{cell}: {units} unit{'s' * (units != '1')}"
        written = group[0].text if len(group) == 1 else group[0].generic
        yield from (f"    {line}" for line in written.split("\n"))


def _units(line: PrintedLine) -> str:
    """How many units, and where they stand."""
    if line.shape is None:
        return f"{line.size}"
    return f"{' x '.join(map(str, line.shape))} = {line.size}"


def _cell(circuit: Circuit, population: Population) -> Iterator[str]:
    width = max((len(c) for c in population.compartments), default=0)
    before = None
    for one in population.equations:
        label = one.compartment or ""
        shown = "" if label == before else label
        before = label
        yield f"{shown:<{width}}  {equation(circuit, population, one)}"
    for title, updates in (
        ("after each step", population.after_step),
        ("learns", population.rules),
    ):
        for one in updates:
            yield f"{title}: {update(circuit, population, one)}"
    for event in population.events:
        yield from event_lines(circuit, population, event)
    for name, entry in circuit.stated.items():
        owner, _, word = name.rpartition(".")
        if entry.units and owner == population.name and isinstance(entry.expression, Expr):
            once = ", drawn once" if any(is_draw(n) for n in walk(entry.expression)) else ""
            right = own(circuit, population, entry.expression)
            yield f"of each unit{once}: {paper(word)} = {right}"
    if population.slow:
        starts = (
            f"{name} from {own(circuit, population, e)}" for name, e in population.slow.items()
        )
        yield f"slow: {', '.join(starts)}"


def _synapses(circuit: Circuit) -> Iterator[str]:
    lines = [
        PrintedLine(s.base, s.index, "\n".join(_synapse(circuit, s)))
        for s in circuit.synapses.values()
    ]
    for group in grouped(lines):
        written = group[0].text if len(group) == 1 else group[0].generic
        first, *rest = written.split("\n")
        names = {s.name: s for s in circuit.synapses.values()}
        members = [names[x.base if x.index is None else f"{x.base}[{x.index}]"] for x in group]
        shapes = ", ".join(" x ".join(str(n) for n in s.kernel or s.shape) for s in members)
        yield f"  {_range(group)}: {first}"
        live = members[0].weight is not None
        yield from (f"    {line}" for line in (shapes + " weights" * (not live), *rest))
    if not lines:
        yield "  none"


def _synapse(circuit: Circuit, synapse: Synapse) -> Iterator[str]:
    population, compartment, port = synapse.target
    target = f"{population}.{compartment}" + (f".{port}" if port else "")
    connected = "transpose of " * synapse.backwards + paper(synapse.connect_text)
    yield f"{'.'.join(synapse.source)} → {target}, {connected}" + ", with a bias" * synapse.bias
    if synapse.connection.some:
        yield "stored dense, with a mask"
    if synapse.weight is not None and (synapse.pool is None or adopted(synapse)):
        yield f"weight = {weight_text(synapse)} (live)"
    elif synapse.init is not None:
        stated = "" if synapse.init_stated else " (not stated)"
        yield f"init   {paper(text(synapse.init))}{stated}"
    if synapse.current is not None:
        yield f"current  {paper(text(synapse.current))}, summed over pre"
    if synapse.filter is not None:
        rise, fall = (paper(text(e)) for e in synapse.filter)
        yield f"filter {rise}, {fall}"
    if synapse.delay is not None:
        steps = synapse.delay_steps
        yield f"delay  {paper(text(synapse.delay))}, {steps} step{'s' * (steps != 1)}"
    for one in synapse.trace:
        yield f"trace  {rule(one)}"
    for one in synapse.rule:
        yield f"rule   {rule(one)}"
    if synapse.rule:
        optimizer = ""
        if synapse.optimizer is not None:
            arguments = ", ".join(paper(text(a)) for a in synapse.optimizer.arguments)
            optimizer = f", {synapse.optimizer.kind}({arguments})"
        adds = "" if synapse.shares is None else f", added to {synapse.shares[0]}"
        yield f"       {synapse.batch} over the batch{optimizer}{adds}"
    if synapse.bounds is not None:
        low, high = (paper(text(e)) for e in synapse.bounds)
        yield f"bounds {low} to {high}{', the bias free' * synapse.bias}"
    if synapse.sign is not None:
        yield f"sign   {synapse.sign}{', the bias free' * synapse.bias}"
    if synapse.check is not None:
        yield f"check  {synapse.check}"


def _notes(circuit: Circuit) -> Iterator[str]:
    notes = [*_unstated(circuit), *_ports(circuit), *_empty(circuit), *_traces(circuit)]
    if notes:
        yield ""
        yield "notes"
        yield from (f"  {note}" for note in notes)


def _unstated(circuit: Circuit) -> Iterator[str]:
    names = [
        s.name
        for s in circuit.synapses.values()
        if s.rule and s.weight is None and not s.init_stated
    ]
    if names:
        yield f"plastic, without a stated `init`: {', '.join(names)}"


def _traces(circuit: Circuit) -> Iterator[str]:
    each = apart(circuit)
    names = [name for name in circuit.synapses if name in each]
    if names:
        yield f"traces of each sample, not their mean over the batch: {', '.join(names)}"


def _ports(circuit: Circuit) -> Iterator[str]:
    ports = dict.fromkeys(
        (f"{s.target[0]}.{s.target[1]}.{s.target[2]}", s.name)
        for s in circuit.synapses.values()
        if s.target[2]
    )
    if ports:
        yield "named ports: " + ", ".join(f"{port} (from {name})" for port, name in ports)


def _empty(circuit: Circuit) -> Iterator[str]:
    reached = {s.target for s in circuit.synapses.values()}
    empty = dict.fromkeys(
        f"{node.population}.{node.compartment}"
        for p in circuit.populations.values()
        for e in p.equations
        for node in walk(e.right)
        if isinstance(node, Input) and (node.population, node.compartment, node.port) not in reached
    )
    if empty:
        yield f"no synapse reaches, so `input` is 0: {', '.join(empty)}"


def _readouts(circuit: Circuit) -> Iterator[str]:
    if circuit.streams or circuit.energies or circuit.predicts:
        yield ""
        yield "streams and readouts"
    for name, size in circuit.streams.items():
        signal = circuit.signals.get(name)
        if signal is None:
            yield f"  stream {name}: {size} per sample"
            continue
        rows = "each step" if signal.every is None else f"every {value(circuit, signal.every)}"
        line = ", linear between" if signal.linear else ""
        yield f"  signal {name}: {size} per sample and row, a row {rows}{line}"
    for name, expr in circuit.energies.items():
        yield f"  energy {name} = {paper(text(expr))}"
    for name, variable in circuit.predicts.items():
        yield f"  {text(variable)} predicts {name}"
    for record in circuit.record:
        if isinstance(record, Snapshot):
            yield f"  record {record}"
            continue
        what = text(record.what) if isinstance(record.what, Variable) else str(record.what)
        what += " at each step" if isinstance(record.what, Held) else ""
        yield f"  record {what}" + (f" in {record.phase}" if record.phase else "")


def _size(circuit: Circuit) -> Iterator[str]:
    found = counts(circuit)
    yield f"units: {found.units:,}"
    yield f"weights: {found.weights:,}, of them {found.plastic:,} plastic"
    yield (
        f"memory: {bytes_text(found.stored())} stored, "
        f"{bytes_text(found.per_sample())} of activity per sample (float64)"
    )
