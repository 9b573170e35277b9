"""Typos: names that are close to one that means something, and that nothing reads.

`som:` for `soma:` is another compartment, `rtain:` for `train:` another protocol, and `qx = a` in a
variant a new variable beside `q`: each is a circuit of its own. So these are warnings, with their
line; `--strict` makes errors of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from ....compartments.library import CELLS, library_text
from ....compartments.roles import ROLES
from ...circuit import Protocol, Synapse, Update
from ...reading.keys import CELL
from ...reading.nodes import MappingNode, ScalarNode, nodes, scalars
from ...reading.problems import Problems, base_name
from ..names import Names
from .consistency import NAME

STANDARD = ("train", "predict")  # what `fit`, `run`, `evaluate` and `predict` ask for by themselves


def close(name: str, known: Iterable[str]) -> str | None:
    """The known name that is one letter more, less, other or swapped; numbers are no letters."""
    return next((other for other in known if other != name and _one_slip(name, other)), None)


def _one_slip(a: str, b: str) -> bool:
    if len(a) < len(b):
        a, b = b, a
    if len(a) - len(b) > 1 or len(a) < 2:
        return False
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(b))
    if len(a) > len(b):
        return a[at + 1 :] == b[at:] and not a[at].isdigit() and a[at] != "_"
    if a[at + 1 :] == b[at + 1 :]:
        return not (a[at].isdigit() or b[at].isdigit())
    return a[at : at + 2] == b[at : at + 2][::-1] and a[at + 2 :] == b[at + 2 :]


def check_typos(root: MappingNode, merged: MappingNode, names: Names) -> None:
    """Warn of compartments, protocols and additions of variants and heirs that look misspelt."""
    problems = names.problems
    _compartments(root, merged, problems)
    protocols = merged.get("protocols")
    for key, _ in protocols.entries if isinstance(protocols, MappingNode) else ():
        near = None if key.text in STANDARD else close(key.text, STANDARD)
        if near is not None:
            _tell(
                key,
                f"the protocol '{key.text}' is none that `fit` or `run` asks for",
                near,
                problems,
            )
    _additions(merged, problems, warning=True)


def suspect_additions(merged: MappingNode, problems: Problems) -> None:
    """Where anything is wrong, say also what may be its cause: a misspelt name of a variant."""
    if problems.errors:
        _additions(merged, problems, warning=False)


def _additions(merged: MappingNode, problems: Problems, warning: bool) -> None:
    counts = Counter(word for scalar in scalars(merged) for word in NAME.findall(scalar.text))
    for added in problems.added:
        near = close(added.name, added.known)
        if near is not None and counts[added.name] <= 1:
            said = f"this adds '{added.name}', which nothing reads, beside '{near}'"
            _tell(added.scalar, said, near, problems, added.name, warning)


def check_unread(root: MappingNode, merged: MappingNode, names: Names) -> None:
    """Warn of cells, functions and parameters of populations that no text names."""
    problems = names.problems
    words = {w for t in map(library_text, CELLS) for w in NAME.findall(t)}
    for node in (root, merged):
        values = (value for value in nodes(node) if isinstance(value, ScalarNode))
        words |= {word for value in values for word in NAME.findall(value.text)}
    for section, what in (("cells", "cell"), ("functions", "function")):
        node = merged.get(section)
        for key, _ in node.entries if isinstance(node, MappingNode) else ():
            name = key.text.partition("(")[0].strip()
            if name not in words:
                problems.add(key.place, f"the {what} '{name}' is not used", warning=True)
    populations = merged.get("populations")
    for key, entry in populations.entries if isinstance(populations, MappingNode) else ():
        own = entry.get("parameters") if isinstance(entry, MappingNode) else None
        for name, _ in own.entries if isinstance(own, MappingNode) else ():
            if name.text not in words:
                message = f"the parameter '{name.text}' of '{base_name(key)}' is not used"
                problems.add(name.place, message, warning=True)


def check_learnt(
    synapses: Mapping[str, Synapse], protocols: Mapping[str, Protocol], names: Names
) -> None:
    """Warn of a rule that no phase of any protocol calls for."""
    phases = [phase for protocol in protocols.values() for phase in protocol.phases]
    learnt = {item.name for phase in phases for group in phase.learn for item in group}
    learnt |= {item.name for phase in phases for item, _ in phase.learn_each_step}
    bases = {synapses[name].base for name in learnt if name in synapses}
    for synapse in synapses.values() if protocols else ():
        if synapse.base not in bases and any(isinstance(line, Update) for line in synapse.rule):
            key = names.synapses[synapse.name].key
            message = f"no phase learns '{synapse.base}': its rule never acts"
            names.problems.add(
                key.place, message, warning=True, expected=f"`learn: {synapse.base}` in a phase"
            )


def _tell(
    key: ScalarNode,
    message: str,
    near: str,
    problems: Problems,
    name: str | None = None,
    warning: bool = True,
) -> None:
    name = name or key.text
    at = key.text.find(name)
    place = key.place_at(max(at, 0))
    better = problems.corrected(place, name, near)
    problems.add(place, f"{message}; is '{near}' meant?", suggestion=better, warning=warning)


def _compartments(root: MappingNode, merged: MappingNode, problems: Problems) -> None:
    """Compartments that no synapse reaches, in any variant, called nearly as a role."""
    reached: set[str] = set()
    for node in (root, merged):
        reached |= {word for s in _targets(node) for word in re.findall(r"\.(\w+)", s.text)}
    cells = merged.get("cells")
    for _, cell in cells.entries if isinstance(cells, MappingNode) else ():
        for key, _ in cell.entries if isinstance(cell, MappingNode) else ():
            known = key.text in ROLES or key.text in CELL.known or key.text in reached
            near = None if known else close(key.text, ROLES)
            if near is not None:
                said = f"the compartment '{key.text}' is a dendrite that no synapse reaches"
                _tell(key, said, near, problems)


def _targets(root: MappingNode) -> Iterator[ScalarNode]:
    """What stands under `to` of every synapse, also of variants."""
    for section in ("synapses", "variants"):
        node = root.get(section)
        for _, entry in node.entries if isinstance(node, MappingNode) else ():
            if isinstance(entry, MappingNode):
                stop = entry.get("to")
                yield from (stop,) if isinstance(stop, ScalarNode) else _targets(entry)
