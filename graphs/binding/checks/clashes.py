"""Clashes: names that stand for two things, and names that are none.

What a file declares, populations, synapses, energies and streams, is one name space: `W.x` can then
mean one thing only, in a record, a state and a file of traces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ...circuit import Synapse
from ...diagnostics import Place
from ...reading.nodes import MappingNode, ScalarNode, texts
from ...reading.problems import Problems, base_name
from ..cells import RESERVED
from ..names import Names

NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
KINDS = {  # section -> what is declared there
    "data": "a stream",
    "populations": "a population",
    "synapses": "a synapse",
    "energy": "an energy",
}
PLAIN = {  # sections whose keys are bare names, without an index
    "energy": "an energy",
    "predicts": "a prediction",
    "protocols": "a protocol",
}
AXES = ("replica", "sample", "step", "phase", "phase_step", "time", "manifest")  # of traces
FILTERED = ("s", "p")  # the states of a `filter`


def check_names(root: MappingNode, problems: Problems) -> None:
    """Write down names that are declared twice, are words of the language, or are no names."""
    first: dict[str, tuple[str, ScalarNode]] = {}
    for section, kind in KINDS.items():
        for key in _keys(root, section):
            _one_meaning(key, kind, first, problems)
    for section, kind in PLAIN.items():
        for key in _keys(root, section):
            _is_name(key, kind, problems)
    protocols = root.get("protocols")
    for _, protocol in protocols.entries if isinstance(protocols, MappingNode) else ():
        for key, _ in protocol.entries if isinstance(protocol, MappingNode) else ():
            _is_name(key, "a phase", problems)
    for key in _keys(root, "energy"):
        if key.text in AXES:
            problems.add(
                key.place,
                f"an energy cannot be called '{key.text}', the name of an axis of the traces",
                suggestion=problems.corrected(key.place, key.text, f"{key.text}_energy"),
            )


def check_arrays(names: Names) -> None:
    """Write down arrays from Python that no synapse takes."""
    problems, arrays = names.problems, names.arrays
    for name in arrays.given:
        if name in arrays.used or names.broken:
            continue
        place = Place(f"<array {name}>", 1, 1)
        problems.texts[place.path] = f"arrays={{'{name}': ...}}"
        if name in names.synapse_families:
            members = ", ".join(f"'{one}'" for one in names.synapse_families[name].values())
            problems.add(place, f"'{name}' is a family of synapses", expected=members)
        else:
            what = "there is no synapse and no `array` in the file that is called"
            problems.unknown(place, what, name, names.synapses)


def check_traces(synapses: Mapping[str, Synapse], names: Names) -> None:
    """Write down traces that are called as the states of their synapse's filter, or `w`."""
    for synapse in synapses.values():
        scalars = texts(names.synapses[synapse.name].entry.get("trace"))
        for scalar, trace in zip(scalars, synapse.trace, strict=True):
            name = trace.variable
            if name in RESERVED:
                message = f"'{name}' is reserved by the language and cannot name a trace"
            elif synapse.filter is not None and name in FILTERED:
                message = f"a trace cannot be called '{name}': the `filter` has the states s and p"
            else:
                continue
            names.problems.add(scalar.place, message, expected="another name, such as m")


def _keys(root: MappingNode, section: str) -> Iterator[ScalarNode]:
    node = root.get(section)
    yield from (key for key, _ in node.entries) if isinstance(node, MappingNode) else ()


def _one_meaning(
    key: ScalarNode, kind: str, first: dict[str, tuple[str, ScalarNode]], problems: Problems
) -> None:
    name = base_name(key)
    if name in RESERVED:
        problems.add(key.place, f"'{name}' is reserved by the language and cannot name {kind}")
        return
    other, where = first.setdefault(name, (kind, key))
    if other == kind:
        return  # members of one family
    file = "" if where.place.path == key.place.path else f" of {where.place.path}"
    better = f"{name}_{kind.split()[-1]}"
    problems.add(
        key.place,
        f"'{name}' is {kind} here and {other} on line {where.place.line}{file}: populations, "
        "synapses, energies and streams share one name space",
        expected="a name of its own for each",
        suggestion=problems.corrected(key.place, name, better),
    )


def _is_name(key: ScalarNode, kind: str, problems: Problems) -> None:
    if NAME.fullmatch(key.text):
        return
    problems.add(
        key.place,
        f"'{key.text}' cannot name {kind}",
        expected="letters, digits and _, a letter first",
        suggestion=_better(key, problems),
    )


def _better(key: ScalarNode, problems: Problems) -> str | None:
    made = re.sub(r"\W+", "_", key.text, flags=re.ASCII).strip("_")
    return problems.corrected(key.place, key.text, made) if NAME.fullmatch(made) else None
