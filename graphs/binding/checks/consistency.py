"""Checks of a whole file: ports, phases that have ended, sets, what nobody uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ...circuit import Protocol
from ...expressions.tree import Parameter, walk
from ...reading.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ..declared import Latch, Member
from ..names import Names


def check_ports(names: Names) -> None:
    """Every named port that a cell reads is reached by a synapse, and the other way round."""
    reached = {(s.target.name, s.compartment, s.port) for s in names.synapses.values()}
    read = {(r.population, r.compartment, r.port) for r in names.inputs}
    for one in names.inputs:
        if one.port is not None and (one.population, one.compartment, one.port) not in reached:
            ports = [p for m, c, p in reached if (m, c) == (one.population, one.compartment) and p]
            start = one.node.span[0] if one.node.span else 0
            names.problems.add(
                one.scalar.place_at(start),
                f"no synapse reaches the port '{one.port}' of '{one.population}.{one.compartment}'",
                expected=f"a synapse with `to: {one.population}.{one.compartment}.{one.port}`"
                + (f"; those there are: {', '.join(sorted(ports))}" if ports else ""),
            )
    for link in names.synapses.values():
        if (link.target.name, link.compartment, link.port) not in read:
            place = (link.entry.key("to") or link.key).place
            node = link.entry.get("to")
            if isinstance(node, ScalarNode):
                place = node.place
            word = "input" if link.port is None else f"input.{link.port}"
            names.problems.add(
                place,
                f"no equation of '{link.target.name}.{link.compartment}' reads `{word}`, "
                f"which '{link.name}' brings",
            )


def check_latches(names: Names, protocols: Mapping[str, Protocol]) -> None:
    """`x@p` is read only when p has ended."""
    for latch in names.latches:
        for protocol in protocols.values():
            wrong = _too_early(latch, protocol)
            if wrong is not None:
                place = latch.scalar.place_at(latch.offset)
                names.problems.add(
                    place,
                    f"`@{latch.phase}` is read in the phase '{wrong}' of '{protocol.name}', where "
                    f"'{latch.phase}' has not ended",
                )
                break


def _too_early(latch: Latch, protocol: Protocol) -> str | None:
    """The phase of a protocol in which a latch is read before it has a value, if any."""
    ended: set[str] = set()
    rule = latch.reader in ("synapse", "slow")
    for phase in protocol.phases:
        steps = phase.steps is not None or phase.duration is not None
        if latch.reader == "equation" and steps and latch.phase not in ended:
            return phase.name
        each = {str(item) for item, _ in phase.learn_each_step}
        if rule and latch.name in each and latch.phase not in ended:
            return phase.name
        ended.add(phase.name)
        learnt = {str(item) for group in phase.learn for item in group}
        if rule and latch.name in learnt and latch.phase not in ended:
            return phase.name
    return None


def check_sets(names: Names) -> None:
    """What a phase sets is not fixed at lowering."""
    for name, scalar in names.set_places.items():
        if name in names.parameters.structural:
            names.problems.add(
                scalar.place,
                f"'{name}' is fixed before the run: a size, an index or a step count needs it",
                expected="a parameter that only equations, rules, `dt` or `until` read",
            )
    for member in names.populations.values():
        for own, node in member.own_texts.items():
            _check_own(member, own, node, names)


def _check_own(member: Member, own: str, node: ScalarNode, names: Names) -> None:
    """What has a value for each unit is worked out before the run, and follows no `set`."""
    expr = member.own[own]
    if not isinstance(expr, Parameter) or expr.name != f"{member.name}.{own}":
        return
    made = names.parameters.get(expr.name).expression
    parts = made if isinstance(made, tuple) else (made,)
    for read in (n for part in parts for n in walk(part) if isinstance(n, Parameter)):
        if read.name in names.set_places:
            names.problems.add(
                names.set_places[read.name].place,
                f"'{own}' of '{member.name}' has a value for each unit, worked out of "
                f"'{read.name}' before the run; it would not follow",
                expected=f"an equation of the cell that reads '{read.name}' itself",
            )


def check_signals(names: Names) -> None:
    """When the rows of a signal come is fixed before the run."""
    for stream, signal in names.signals.items():
        for node in walk(signal.every) if signal.every is not None else ():
            if isinstance(node, Parameter) and node.name in names.set_places:
                names.problems.add(
                    names.set_places[node.name].place,
                    f"'{node.name}' says when the signal '{stream}' has its rows: that is fixed "
                    f"before the run",
                    expected="a parameter that only equations, rules, `dt` or `until` read",
                )


def check_unused(root: MappingNode, library: Mapping[str, MappingNode], names: Names) -> None:
    """Warn of parameters and streams that no text of the file names, in any variant.

    A cell of the library that the file names speaks for it.
    """
    used = _names_used(root)
    used |= set(_words(cell for name, cell in library.items() if name in used))
    for base in names.parameters.bases():
        if base not in used:
            key = names.parameters.key(base)
            names.problems.add(key.place, f"the parameter '{base}' is not used", warning=True)
    data = root.get("data")
    for key, _ in data.entries if isinstance(data, MappingNode) else ():
        if key.text not in used:
            names.problems.add(key.place, f"the stream '{key.text}' is not used", warning=True)


NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
PROSE = ("name", "title", "cite", "time_unit", "extends")
DECLARES = ("parameters", "data", "functions")


def _names_used(root: MappingNode) -> set[str]:
    """Every word in the texts of a file, but for those that only declare."""
    found: set[str] = set()
    for key, node in root.entries:
        if key.text in PROSE:
            continue
        if key.text == "variants" and isinstance(node, MappingNode):
            for _, variant in node.entries:
                if isinstance(variant, MappingNode):
                    found |= _names_used(variant)
        elif key.text in DECLARES and isinstance(node, MappingNode):
            for name, value in node.entries:
                found |= set(NAME.findall(name.text)[1:])
                own = NAME.findall(name.text)[:1]
                found |= set(_words((value,))) - (set(own) if key.text == "parameters" else set())
        else:
            found |= set(_words((node,)))
            if key.text == "predicts" and isinstance(node, MappingNode):
                found |= set(node.keys())
    return found


def _words(nodes: Iterable[Node]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ScalarNode):
            yield from NAME.findall(node.text)
        elif isinstance(node, SequenceNode):
            yield from _words(node.items)
        else:
            for key, value in node.entries:
                yield from NAME.findall(key.text)[1:]
                yield from _words((value,))
