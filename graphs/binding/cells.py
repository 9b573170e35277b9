"""Cells: the statements of a kind of neuron, heirs expanded, not yet resolved for a population."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..expressions.parser import Statement, parse_expression, parse_statement
from ..expressions.tree import Expr, RateReference, Reference, walk
from ..reading.keys import CELL, EVENT
from ..reading.merge import merge_cell
from ..reading.nodes import MappingNode, ScalarNode, SequenceNode, texts
from ..reading.problems import Problems, Skip
from ..reading.schema import required

RESERVED = ("input", "w", "pre", "post")


@dataclass(frozen=True)
class CellLine:
    """A statement where it stands; `compartment` is None outside compartments."""

    scalar: ScalarNode
    statement: Statement
    compartment: str | None = None


@dataclass
class CellEvent:
    """An event where it stands; `hold` names variables."""

    key: ScalarNode
    when: ScalarNode
    condition: Expr
    do: list[CellLine]
    hold: tuple[ScalarNode, ...]
    duration: ScalarNode | None


@dataclass
class Cell:
    """A kind of neuron. `kinds`: variable -> state, algebraic, slow, or assigned (after_step)."""

    name: str
    compartments: tuple[str, ...] = ()
    equations: list[CellLine] = field(default_factory=list)
    after_step: list[CellLine] = field(default_factory=list)
    rules: list[CellLine] = field(default_factory=list)
    slow: dict[str, tuple[ScalarNode, Expr]] = field(default_factory=dict)
    events: list[CellEvent] = field(default_factory=list)
    domain: list[tuple[ScalarNode, ScalarNode, ScalarNode]] = field(
        default_factory=list
    )  # name, low, high
    kinds: dict[str, str] = field(default_factory=dict)
    broken: bool = False  # a line cannot be read, so that not all variables are known

    def mentioned(self) -> set[str]:
        """Every name that a statement of the cell has."""
        found: set[str] = set()
        for line in (*self.equations, *self.after_step, *self.rules):
            found |= set(_names(line.statement.right))
        for event in self.events:
            found |= set(_names(event.condition)) | {name.text for name in event.hold}
            found |= {name for line in event.do for name in _names(line.statement.right)}
        return found


def _names(expr: Expr) -> Iterator[str]:
    for node in walk(expr):
        if isinstance(node, Reference | RateReference):
            yield node.name


def expanded(
    name: ScalarNode,
    cells: Mapping[str, MappingNode],
    library: Mapping[str, MappingNode],
    problems: Problems,
    chain: tuple[str, ...] = (),
) -> MappingNode:
    """The text of a cell of the file or the library, with what it inherits (`is`)."""
    in_file = name.text in cells and name.text not in chain[-1:]
    if not in_file and name.text not in library:
        if name.text in chain:
            problems.fail(name.place, f"the cell '{name.text}' inherits from itself")
        problems.unknown(name.place, "there is no cell", name.text, [*cells, *library])
        raise Skip
    cell = cells[name.text] if in_file else library[name.text]
    if chain.count(name.text) > 1 or (name.text in chain and in_file):
        problems.fail(name.place, "cells inherit in a circle: " + " -> ".join((*chain, name.text)))
    parent = cell.get("is")
    if not isinstance(parent, ScalarNode):
        return cell
    lower = expanded(parent, cells, library, problems, (*chain, name.text))
    own = MappingNode(tuple((k, n) for k, n in cell.entries if k.text != "is"), cell.place)
    return merge_cell(lower, own, problems)


def cell_of(name: str, text: MappingNode, problems: Problems) -> Cell:
    """The statements of an expanded cell, checked for what is true of every population of it."""
    cell = Cell(name)
    compartments: list[str] = []
    for key, node in text.entries:
        if key.text in CELL.known:
            continue
        if not key.text.isidentifier():
            problems.add(key.place, f"'{key.text}' cannot name a compartment")
            continue
        compartments.append(key.text)
        for scalar in texts(node):
            with problems.guard():
                _equation(cell, key, scalar, problems)
    cell.compartments = tuple(compartments)
    _slow(cell, text, problems)
    for scalar in texts(text.get("after_step")):
        with problems.guard():
            cell.after_step.append(_assigning(cell, scalar, "after_step", problems))
    _events(cell, text, problems)
    _domain(cell, text, problems)
    for scalar in texts(text.get("rules")):
        with problems.guard():
            _rule(cell, scalar, problems)
    return cell


def _line(cell: Cell, scalar: ScalarNode, compartment: str | None, problems: Problems) -> CellLine:
    """A statement, read; where it cannot be, the cell has a variable that nobody knows."""
    try:
        line = CellLine(scalar, problems.parsed(scalar, parse_statement), compartment)
        _check_target(line, problems)
    except Skip:
        cell.broken = True
        raise
    return line


def _equation(cell: Cell, compartment: ScalarNode, scalar: ScalarNode, problems: Problems) -> None:
    line = _line(cell, scalar, compartment.text, problems)
    kind, name = line.statement.kind, line.statement.target.name
    if name in cell.kinds:
        problems.fail(scalar.place, f"the variable '{name}' has two equations in this cell")
    cell.kinds[name] = kind if kind == "state" else "algebraic"
    if kind not in ("state", "algebraic"):
        problems.fail(
            scalar.place,
            f"an update (`{kind}`) cannot be in the compartment '{compartment.text}'",
            expected="`x = E` or `dx/dt = E`; updates go under `after_step` or `rules`",
        )
    if line.statement.loop is not None:
        problems.fail(scalar.place, "an equation of a cell has no `for`")
    cell.equations.append(line)


def _slow(cell: Cell, text: MappingNode, problems: Problems) -> None:
    section = text.get("slow")
    for key, node in section.entries if isinstance(section, MappingNode) else ():
        with problems.guard():
            if not isinstance(node, ScalarNode):
                raise Skip
            if key.text in cell.kinds:
                problems.fail(key.place, f"the slow variable '{key.text}' has an equation as well")
            cell.kinds[key.text] = "slow"
            cell.slow[key.text] = (node, problems.parsed(node, parse_expression))


def _assigning(cell: Cell, scalar: ScalarNode, where: str, problems: Problems) -> CellLine:
    """A line that changes a state; what nothing else changes is one from now on."""
    line = _line(cell, scalar, None, problems)
    name = line.statement.target.name
    kind = cell.kinds.setdefault(name, "assigned")
    _must_update(line, where, problems)
    if kind == "algebraic":
        problems.fail(
            scalar.place, f"'{name}' has the equation `{name} = ...`; {where} cannot change it"
        )
    if kind == "slow":
        problems.fail(scalar.place, f"'{name}' is a slow variable; it changes under `rules`")
    return line


def _events(cell: Cell, text: MappingNode, problems: Problems) -> None:
    section = text.get("events")
    entries = section.entries if isinstance(section, MappingNode) else ()
    for key, node in entries:
        with problems.guard():
            if not isinstance(node, MappingNode) or not required(node, EVENT, key, problems):
                cell.broken = True
                raise Skip
            _name_event(cell, key, problems)
    for key, node in entries:
        with problems.guard():
            if cell.kinds.get(key.text) == "assigned" and isinstance(node, MappingNode):
                cell.events.append(_event(cell, key, node, {k.text for k, _ in entries}, problems))


def _name_event(cell: Cell, key: ScalarNode, problems: Problems) -> None:
    """The name of an event is a variable of its own."""
    if not key.text.isidentifier() or key.text in RESERVED:
        problems.fail(key.place, f"'{key.text}' cannot name an event")
    if key.text in cell.kinds:
        problems.fail(
            key.place,
            f"the event '{key.text}' is a variable, 1 in the step after it; the cell has another "
            f"of this name",
        )
    cell.kinds[key.text] = "assigned"


def _event(
    cell: Cell, key: ScalarNode, node: MappingNode, events: set[str], problems: Problems
) -> CellEvent:
    when, duration = node.scalar("when"), node.scalar("for")
    assert when is not None
    lines: list[CellLine] = []
    for scalar in texts(node.get("do")):
        with problems.guard():
            line = _assigning(cell, scalar, "do", problems)
            name = line.statement.target.name
            if name in events:
                problems.fail(scalar.place, f"'{name}' is an event: its `when` says what it is")
            lines.append(line)
    held = texts(node.get("hold"))
    if held and duration is None:
        problems.fail(held[0].place, "`hold` needs to know how long", suggestion="for: 2")
    return CellEvent(key, when, problems.parsed(when, parse_expression), lines, held, duration)


def _rule(cell: Cell, scalar: ScalarNode, problems: Problems) -> None:
    line = _line(cell, scalar, None, problems)
    name = line.statement.target.name
    _must_update(line, "rules", problems)
    if cell.kinds.get(name) != "slow":
        problems.unknown(scalar.place, "there is no slow variable", name, cell.slow)
        raise Skip
    cell.rules.append(line)


def _must_update(line: CellLine, where: str, problems: Problems) -> None:
    if line.statement.kind == "algebraic":
        problems.fail(
            line.scalar.place,
            f"a line of `{where}` is an update",
            expected="`x := E`, `x += E` or `x -= E`",
            suggestion=line.scalar.text.replace("=", ":=", 1),
        )
    if line.statement.kind == "state":
        problems.fail(
            line.scalar.place,
            f"a line of `{where}` is an update",
            expected="`x := E`, `x += E` or `x -= E`; `dx/dt` goes into a compartment",
        )


def _domain(cell: Cell, text: MappingNode, problems: Problems) -> None:
    section = text.get("domain")
    for key, node in section.entries if isinstance(section, MappingNode) else ():
        bounds = texts(node)
        if not isinstance(node, SequenceNode) or len(bounds) != 2:
            problems.add(node.place, "a domain is two numbers", expected=f"{key.text}: [0, 1]")
        elif cell.kinds.get(key.text) not in ("state", "assigned"):
            states = [n for n, kind in cell.kinds.items() if kind in ("state", "assigned")]
            problems.unknown(
                key.place, "a domain is of a state; there is no state", key.text, states
            )
        else:
            cell.domain.append((key, bounds[0], bounds[1]))


def _check_target(line: CellLine, problems: Problems) -> None:
    """The left side of a statement of a cell is a bare name."""
    target = line.statement.target
    start = target.span[0] if target.span else 0
    place = line.scalar.place_at(start)
    if target.index is not None or target.attributes or target.phase:
        problems.fail(
            place, "the left side of a statement of a cell is a variable of that cell, a bare name"
        )
    if target.name in RESERVED:
        problems.fail(
            place, f"'{target.name}' is reserved by the language and cannot name a variable"
        )
