"""Trial: every protocol is lowered once at load, so that what cannot run is told with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .binding.declared import Link
from .binding.names import Names
from .circuit import Circuit
from .diagnostics import Place
from .lower import lower, probe
from .lowering.refusal import LoweringError
from .reading.budget import LOWERED
from .reading.nodes import MappingNode


def check_lowering(circuit: Circuit, protocols: MappingNode, names: Names) -> None:
    """Write down why a protocol cannot be lowered, where the thing that it is about stands."""
    try:
        probe(circuit)
    except LoweringError as error:
        names.problems.add(_place(str(error), "train", None, protocols, names), str(error))
        return
    parts = sum(len(p.equations) + len(p.after_step) + 1 for p in circuit.populations.values())
    parts += len(circuit.synapses)
    for protocol in circuit.protocols:
        key = protocols.key(protocol)
        phases = len(circuit.protocols[protocol].phases)
        names.problems.spend(LOWERED * parts * phases, (key or protocols).place)
        try:
            lower(circuit, protocol)
        except LoweringError as error:
            place = _place(str(error), protocol, error.phase, protocols, names)
            names.problems.add(place, _said(error, protocol))
        except ArithmeticError as error:
            place = _place("", protocol, None, protocols, names)
            names.problems.add(place, f"the protocol '{protocol}' cannot be run: {error}")


def _said(error: LoweringError, protocol: str) -> str:
    where = f"in the phase '{error.phase}' of '{protocol}'" if error.phase else f"in '{protocol}'"
    return f"{error} ({where})"


def _place(
    message: str, protocol: str, phase: str | None, protocols: MappingNode, names: Names
) -> Place:
    """The synapse, variable or population that the message names first, else the phase."""
    first = min(_named(message, names), key=lambda found: found[0], default=None)
    if first is not None:
        return first[1]
    entries = protocols.get(protocol)
    if not isinstance(entries, MappingNode):
        entries = protocols.get("train")  # a list of phases of `train`
    key = entries.key(phase) if isinstance(entries, MappingNode) and phase else None
    key = key or protocols.key(protocol)
    return key.place if key is not None else protocols.place


def _rule(link: Link, message: str) -> Place:
    """Where a synapse stands, or its rule if the message is about a rule."""
    rule = link.entry.key("rule") if "rule" in message else None
    return (rule or link.key).place


def _named(message: str, names: Names) -> Iterator[tuple[int, Place]]:
    """Where in the message something of the file is named, and where that stands in the file."""
    places = {name: _rule(link, message) for name, link in names.synapses.items()}
    places |= {name: member.key.place for name, member in names.populations.items()}
    places |= {".".join(node): s.place for node, s in names.equation_places.items()}
    for name in sorted(places, key=len, reverse=True):  # `layer[1].x` before `layer[1]`
        found = re.search(rf"(?<![\w.]){re.escape(name)}(?![\w\[.])", message)
        if found is None and name in names.populations:
            found = re.search(rf"(?<![\w.]){re.escape(name)}(?=\.\w)", message)
        if found is not None:
            yield found.start(), places[name]
