"""Populations: cells in number, each family expanded to its members."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from ..circuit import Equation, Event, Population, Update
from ..expressions.constants import LARGEST, NotConstantError, of_units
from ..expressions.parser import parse_expression
from ..expressions.tree import Call, Expr, Parameter, Variable
from ..reading.keys import POPULATION
from ..reading.nodes import MappingNode, ScalarNode, SequenceNode, texts
from ..reading.problems import Problems, Skip, base_name
from .cells import Cell, CellLine, cell_of, expanded
from .declared import Member
from .families import declared
from .names import NOTHING, Names
from .per_unit import UnitScope, check_units, differs
from .resolve import resolve
from .scopes import CellScope


class Cells:
    """The cells of a file and of the library, each read when a population first asks for it."""

    def __init__(
        self, section: MappingNode | None, library: dict[str, MappingNode], problems: Problems
    ):
        entries = section.entries if section is not None else ()
        self._cells = {k.text: n for k, n in entries if isinstance(n, MappingNode)}
        self._library, self._problems = library, problems
        self._known: dict[str, Cell | None] = {}

    def get(self, name: ScalarNode) -> Cell:
        """The cell of a name; what is wrong with it is written down once."""
        if name.text not in self._known:
            self._known[name.text] = None
            text = expanded(name, self._cells, self._library, self._problems)
            self._known[name.text] = cell_of(name.text, text, self._problems)
        cell = self._known[name.text]
        if cell is None:
            self._problems.echo()
        return cell

    def check(self) -> None:
        """Read also the cells that no population is made of."""
        for name, node in self._cells.items():
            with self._problems.guard():
                self.get(ScalarNode(name, name, node.place))


def declare(section: MappingNode, cells: Cells, names: Names) -> None:
    """Fill `names.populations` and `names.families`."""
    for key, node in section.entries:
        with names.problems.guard(names.broken, base_name(key)):
            table = names.families
            family, entry, every = declared(names, key, node, POPULATION, "population", table)
            for index, bound in every.items():
                with names.problems.guard(names.broken, family.name):
                    _member(key, entry, family.name, index, bound, cells, names)


def _member(
    key: ScalarNode,
    entry: MappingNode,
    base: str,
    index: int | None,
    bound: dict[str, int],
    cells: Cells,
    names: Names,
) -> None:
    name = base if index is None else f"{base}[{index}]"
    if name in names.populations:
        names.problems.fail(key.place, f"the population '{name}' is declared twice")
    kind = entry.get("cell")
    if not isinstance(kind, ScalarNode):
        raise Skip
    cell = cells.get(kind)
    units, shape = _units(entry, bound, names)
    member = Member(name, base, index, key, units, cell, dict(cell.kinds), shape=shape)
    section = entry.get("parameters")
    if isinstance(section, MappingNode):
        _own_parameters(member, section, bound, names)
    names.populations[name] = member
    names.families[base][index] = name


def _units(
    entry: MappingNode, bound: dict[str, int], names: Names
) -> tuple[int, tuple[int, ...] | None]:
    """How many units a population has, and their shape."""
    size, sides = entry.get("size"), entry.get("shape")
    units = shape = None
    if isinstance(size, ScalarNode):
        units = names.integer(size, bound, "the size of a population")
    if sides is not None:
        numbers = texts(sides)
        if not isinstance(sides, SequenceNode) or len(numbers) not in (2, 3):
            names.problems.fail(
                sides.place,
                "a shape is two or three numbers",
                expected="`[rows, columns]` or `[channels, rows, columns]`",
            )
        shape = tuple(names.integer(n, bound, "a number of a shape") for n in numbers)
        if units not in (None, prod(shape)):
            assert isinstance(size, ScalarNode)
            names.problems.fail(
                size.place,
                f"the size is {units}, and the shape {' x '.join(map(str, shape))} has "
                f"{prod(shape)} units",
                expected=f"`size: {prod(shape)}`, or the shape alone",
                suggestion=names.problems.corrected(size.place, size.text, f"{prod(shape)}"),
            )
        units = prod(shape)
    if units is None:
        raise Skip
    if units > LARGEST:
        names.problems.fail(entry.place, f"a population has at most {LARGEST} units")
    return units, shape


def _own_parameters(
    member: Member, section: MappingNode, bound: dict[str, int], names: Names
) -> None:
    for key, node in section.entries:
        with names.problems.guard():
            if key.text in member.kinds:
                names.problems.fail(key.place, f"'{key.text}' is a variable of the cell as well")
            if isinstance(node, SequenceNode):
                values = texts(node)
                if len(values) != member.size:
                    names.problems.fail(
                        node.place,
                        f"'{key.text}' has {len(values)} values for {member.size} units",
                    )
                full = f"{member.name}.{key.text}"
                expressions = tuple(names.constant(s, bound, "a parameter")[0] for s in values)
                names.parameters.add(full, expressions, 0)
                member.own[key.text] = Parameter(full)
            elif isinstance(node, ScalarNode):
                scope = UnitScope(names, node, member, bound)
                expr = resolve(names.problems.parsed(node, parse_expression), scope)
                check_units(expr, member, scope)
                if differs(expr):
                    expr = _of_each(expr, f"{member.name}.{key.text}", member, scope)
                member.own[key.text] = expr
                member.own_texts[key.text] = node


def _of_each(expr: Expr, full: str, member: Member, scope: UnitScope) -> Expr:
    """A parameter that has a value of its own for each unit."""
    try:
        scope.names.parameters.add(full, expr, member.size)
    except NotConstantError as error:
        scope.fail(error.node, error.message)
        return NOTHING
    return Parameter(full)


def finish(names: Names) -> dict[str, Population]:
    """Every population with its equations resolved, in file order."""
    return {name: _finished(member, names) for name, member in names.populations.items()}


def _finished(member: Member, names: Names) -> Population:
    cell = member.cell
    equations: list[Equation] = []
    for line in cell.equations:
        with names.problems.guard():
            equations.append(_equation(line, member, names))
    updates = [*_updates(cell.after_step, member, names), *_domains(member, names)]
    slow: dict[str, Expr] = {}
    for name, (scalar, expr) in cell.slow.items():
        with names.problems.guard():
            scope = CellScope(names, scalar, member, draws=True)
            slow[name] = resolve(expr, scope)
            check_units(slow[name], member, scope)
            _only_constants(slow[name], scope)
    return Population(
        name=member.name,
        base=member.base,
        index=member.index,
        size=member.size,
        cell=cell.name,
        compartments=cell.compartments,
        equations=tuple(equations),
        after_step=tuple(updates),
        slow=slow,
        rules=tuple(_updates(cell.rules, member, names, slow=True)),
        shape=member.shape,
        states=tuple(n for n, kind in member.kinds.items() if kind in ("state", "assigned")),
        events=tuple(_events(member, names)),
    )


def _equation(line: CellLine, member: Member, names: Names) -> Equation:
    statement = line.statement
    scope = CellScope(names, line.scalar, member, line.compartment, statement.kind == "state")
    names.reading(line.scalar, statement.right, "equation", member.name)
    names.equation_places[member.name, statement.target.name] = line.scalar
    right = resolve(statement.right, scope)
    check_units(right, member, scope)
    tau = None
    if statement.tau is not None:
        tau = resolve(statement.tau, CellScope(names, line.scalar, member, line.compartment))
        check_units(tau, member, scope)
    return Equation(statement.target.name, right, statement.kind, tau, line.compartment)


def _updates(
    lines: list[CellLine], member: Member, names: Names, slow: bool = False
) -> list[Update]:
    found: list[Update] = []
    for line in lines:
        with names.problems.guard():
            scope = CellScope(names, line.scalar, member, draws=not slow)
            reader, name = ("equation", member.name)
            if slow:
                reader, name = "slow", f"{member.name}.{line.statement.target.name}"
            names.reading(line.scalar, line.statement.right, reader, name)
            right = resolve(line.statement.right, scope)
            check_units(right, member, scope)
            found.append(Update(line.statement.target.name, line.statement.kind, right))
    return found


def _events(member: Member, names: Names) -> Iterator[Event]:
    for event in member.cell.events:
        with names.problems.guard():
            scope = CellScope(names, event.when, member, draws=True)
            names.reading(event.when, event.condition, "equation", member.name)
            when = resolve(event.condition, scope)
            check_units(when, member, scope)
            duration = None
            if event.duration is not None:
                scope = CellScope(names, event.duration, member)
                written = names.problems.parsed(event.duration, parse_expression)
                names.reading(event.duration, written, "equation", member.name)
                duration = resolve(written, scope)
                check_units(duration, member, scope)
            for name in event.hold:
                if member.kinds.get(name.text) not in ("state", "assigned"):
                    states = [n for n, k in member.kinds.items() if k in ("state", "assigned")]
                    names.problems.unknown(
                        name.place, "only a state is held; there is no state", name.text, states
                    )
            do = tuple(_updates(event.do, member, names))
            hold = tuple(name.text for name in event.hold)
            yield Event(event.key.text, when, do, hold, duration)


def _domains(member: Member, names: Names) -> list[Update]:
    """`domain: y: [a, b]` is `after_step: y := clip(y, a, b)`."""
    found: list[Update] = []
    for key, low, high in member.cell.domain:
        with names.problems.guard():
            bounds = tuple(
                resolve(names.problems.parsed(s, parse_expression), CellScope(names, s, member))
                for s in (low, high)
            )
            variable = Variable(member.name, key.text)
            found.append(Update(key.text, ":=", Call("clip", (variable, *bounds))))
    return found


def _only_constants(expr: Expr, scope: CellScope) -> None:
    """The start of a slow variable is made of numbers and parameters."""
    try:
        of_units(expr, scope.names.parameters.value, scope.member.size)
    except NotConstantError as error:
        start = error.node.span[0] if error.node.span else 0
        scope.names.problems.add(
            scope.scalar.place_at(min(start, len(scope.scalar.text))),
            "the start of a slow variable is a constant",
        )
