"""Protocols: phases from top to bottom, every statement expanded over members."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..circuit import Phase, Protocol
from ..expressions.parser import Loop, Statement, parse_learn, parse_order, parse_statement
from ..expressions.tree import Expr, Parameter, Reference, Variable
from ..reading.keys import PHASE
from ..reading.nodes import MappingNode, ScalarNode, texts
from ..reading.problems import Skip
from ..reading.schema import chosen
from .declared import Member
from .families import Indices, repeat
from .learn_statements import learn, learn_each_step
from .names import Names
from .per_unit import check_units
from .phase_clock import clock, stop_rule
from .resolve import resolve
from .scopes import CellScope, ProtocolScope, member_variable


@dataclass
class DeclaredProtocols:
    """The protocols of a file: those with phases of their own, and those that name phases."""

    phases: dict[str, list[tuple[ScalarNode, MappingNode]]] = field(default_factory=dict)
    named: dict[str, tuple[ScalarNode, ...]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)


def declare(section: MappingNode | None, names: Names) -> DeclaredProtocols:
    """Names of protocols and phases; variables that only `begin` or `clamp` assign are states."""
    draft = DeclaredProtocols()
    for key, node in section.entries if section is not None else ():
        draft.order.append(key.text)
        if isinstance(node, MappingNode):
            entries = [(k, n) for k, n in node.entries if isinstance(n, MappingNode)]
            draft.phases[key.text] = entries
        else:
            draft.named[key.text] = texts(node)
    every = (name.text for entries in draft.phases.values() for name, _ in entries)
    names.phases = tuple(dict.fromkeys(every))
    for entries in draft.phases.values():
        for _, phase in entries:
            for word in ("begin", "clamp"):
                for scalar in texts(phase.get(word)):
                    with names.problems.guard():
                        _note_assigned(scalar, names)
    return draft


def _note_assigned(scalar: ScalarNode, names: Names) -> None:
    statement = names.problems.parsed(scalar, parse_statement)
    for bound in repeat(names, scalar, statement.loop):
        target = statement.target
        member = names.population(target, ProtocolScope(names, scalar, bound))
        if len(target.attributes) == 1:
            name = target.attributes[0]
            if name not in member.kinds and name in member.cell.mentioned():
                if name not in member.own and name != "input":
                    member.kinds[name] = "assigned"


def finish(draft: DeclaredProtocols, names: Names) -> dict[str, Protocol]:
    """Every protocol, in file order."""
    made: dict[str, dict[str, Phase]] = {}
    for protocol, entries in draft.phases.items():
        made[protocol] = {}
        clamped: set[tuple[str, str]] = set()
        for key, entry in entries:
            with names.problems.guard():
                phase = _phase(key, entry, tuple(made[protocol]), clamped, names)
                made[protocol][key.text] = phase
    found: dict[str, Protocol] = {}
    for name in draft.order:
        with names.problems.guard():
            if name in made:
                phases = tuple(made[name].values())
            else:
                phases = tuple(_named(scalar, made, draft, names) for scalar in draft.named[name])
            found[name] = Protocol(name, phases)
    return found


def _named(
    scalar: ScalarNode, made: dict[str, dict[str, Phase]], draft: DeclaredProtocols, names: Names
) -> Phase:
    known = [key.text for key, _ in draft.phases.get("train", ())]
    if scalar.text not in known:
        names.problems.unknown(
            scalar.place, "the protocol 'train' has no phase", scalar.text, known
        )
        raise Skip
    if scalar.text not in made["train"]:
        raise Skip
    return made["train"][scalar.text]


def _phase(
    key: ScalarNode,
    entry: MappingNode,
    earlier: tuple[str, ...],
    clamped: set[tuple[str, str]],
    names: Names,
) -> Phase:
    problems = names.problems
    start = entry.scalar("from")
    if start is not None and start.text not in earlier:
        problems.unknown(start.place, "there is no earlier phase", start.text, earlier)
    release = tuple(_released(entry, clamped, names))
    clamp = tuple(_assignments(entry, "clamp", names))
    clamped |= {(v.population, v.name) for v, _ in clamp}
    set_ = tuple(_set(entry, names))
    begin = tuple(_assignments(entry, "begin", names))
    steps = duration = dt = until = order = None
    with problems.guard():
        steps, duration, dt = clock(key, entry, names)
    with problems.guard():
        until = stop_rule(entry, names)
    with problems.guard():
        order = _order(entry, clamped, names)
    return Phase(
        name=key.text,
        start_from=start.text if start is not None else None,
        release=release,
        clamp=clamp,
        set=set_,
        begin=begin,
        steps=steps,
        duration=duration,
        dt=dt,
        method=chosen(entry, PHASE.known["method"], names.problems) or "",
        order=order,
        until=until,
        learn_each_step=tuple(learn_each_step(entry, names)),
        plasticity=chosen(entry, PHASE.known["plasticity"], names.problems) == "on",
        learn=learn(entry, names),
    )


# --- states ---


def _statements(
    entry: MappingNode, word: str, names: Names
) -> Iterator[tuple[ScalarNode, Statement]]:
    for scalar in texts(entry.get(word)):
        with names.problems.guard():
            yield scalar, names.problems.parsed(scalar, parse_statement)


def _assignments(entry: MappingNode, word: str, names: Names) -> list[tuple[Variable, Expr]]:
    found: list[tuple[Variable, Expr]] = []
    for scalar in texts(entry.get(word)):
        with names.problems.guard():
            statement = names.problems.parsed(scalar, parse_statement)
            _right_kind(scalar, statement, word, names)
            for bound in repeat(names, scalar, statement.loop):
                with names.problems.guard():
                    found.append(_assignment(scalar, statement, word, bound, names))
    return found


def _right_kind(scalar: ScalarNode, statement: Statement, word: str, names: Names) -> None:
    right = ":=" if word == "begin" else "algebraic"
    if statement.kind == right:
        return
    if word == "begin":
        names.problems.fail(
            scalar.place,
            "a line of `begin` is an assignment",
            expected="`population.x := E`",
            suggestion=scalar.text.replace("=", ":=", 1) if statement.kind == "algebraic" else None,
        )
    names.problems.fail(
        scalar.place,
        "a line of `clamp` is an equation that holds until the variable is released",
        expected="`population.x = E`",
        suggestion=scalar.text.replace(":=", "=", 1) if statement.kind == ":=" else None,
    )


def _assignment(
    scalar: ScalarNode, statement: Statement, word: str, bound: Indices, names: Names
) -> tuple[Variable, Expr]:
    member, variable = _variable(statement.target, ProtocolScope(names, scalar, bound), names)
    kind = member.kinds[variable.name]
    if kind == "slow" or (kind == "algebraic" and word == "begin"):
        what = "a slow variable" if kind == "slow" else "algebraic, its equation says what it is"
        names.problems.fail(
            scalar.place,
            f"`{word}` cannot set '{variable.name}' of '{member.name}': it is {what}",
            expected="a state",
        )
    scope = CellScope(names, scalar, member, outside=True, indices=bound, draws=word == "begin")
    names.reading(scalar, statement.right, "assignment", member.name)
    right = resolve(statement.right, scope)
    check_units(right, member, scope)
    return variable, right


def _variable(node: Reference, scope: ProtocolScope, names: Names) -> tuple[Member, Variable]:
    member = names.population(node, scope)
    found = member_variable(node, member, scope)
    if not isinstance(found, Variable) or found.phase is not None:
        names.problems.fail(scope.scalar.place, f"'{node.attributes[0]}' cannot be assigned")
    return member, Variable(found.population, found.name)


def _released(
    entry: MappingNode, clamped: set[tuple[str, str]], names: Names
) -> Iterator[Variable]:
    for scalar in texts(entry.get("release")):
        with names.problems.guard():
            for group in names.problems.parsed(scalar, parse_learn):
                for item in group:
                    for bound in repeat(names, scalar, item.loop):
                        scope = ProtocolScope(names, scalar, bound)
                        _, variable = _variable(item.reference, scope, names)
                        if (variable.population, variable.name) not in clamped:
                            names.problems.fail(
                                scalar.place,
                                f"'{variable.population}.{variable.name}' is not clamped here",
                            )
                        clamped.discard((variable.population, variable.name))
                        yield variable


def _set(entry: MappingNode, names: Names) -> Iterator[tuple[str, Expr]]:
    for scalar, statement in _statements(entry, "set", names):
        with names.problems.guard():
            if statement.kind != "algebraic":
                names.problems.fail(
                    scalar.place,
                    "a line of `set` gives a parameter a value",
                    expected="`parameter = E`",
                    suggestion=scalar.text.replace(":=", "=", 1),
                )
            target = statement.target
            for bound in repeat(names, scalar, statement.loop):
                scope = ProtocolScope(names, scalar, bound, "`set`", draws=True)
                if not names.parameters.has(target.name):
                    names.problems.unknown(
                        scalar.place,
                        "every name that `set` gives a value is declared under `parameters`; "
                        "there is no parameter",
                        target.name,
                        names.parameters.bases(),
                    )
                    raise Skip
                parameter = names.parameters.refer(target, scope)
                if not isinstance(parameter, Parameter):
                    raise Skip
                if target.index is not None and not names.parameters.is_family(target.name):
                    names.problems.fail(
                        scalar.place,
                        f"`set` cannot change one entry of the list '{target.name}'",
                        expected=f"a family of parameters, `{target.name}[k=0..n]: ...`",
                    )
                names.set_places.setdefault(parameter.name, scalar)
                yield parameter.name, resolve(statement.right, scope)


# --- turns ---


def _order(
    entry: MappingNode, clamped: set[tuple[str, str]], names: Names
) -> tuple[tuple[str, ...], ...] | None:
    scalar = entry.scalar("order")
    if scalar is None:
        return None
    order = names.problems.parsed(scalar, parse_order)
    if order is None:
        return None
    turns = _loop_turns(scalar, order, names) if isinstance(order, Loop) else ()
    if not isinstance(order, Loop):
        scope = ProtocolScope(names, scalar)
        turns = tuple(
            tuple(m.name for m in names.population_members(node, scope)) for node in order
        )
    moving = [name for turn in turns for name in turn]
    for name in moving:
        if moving.count(name) > 1:
            names.problems.fail(scalar.place, f"the population '{name}' has two turns")
    for member in names.populations.values():
        if member.name not in moving and _moves(member, clamped):
            names.problems.add(
                scalar.place,
                f"the population '{member.name}' has states, but `order` gives it no turn",
                expected="a turn for: " + ", ".join(_with_states(names, clamped)),
            )
    return turns


def _loop_turns(scalar: ScalarNode, loop: Loop, names: Names) -> tuple[tuple[str, ...], ...]:
    turns: list[tuple[str, ...]] = []
    for bound in repeat(names, scalar, loop):
        index = bound[loop.index]
        found = [(m.name,) for m in names.populations.values() if m.index == index]
        if not found and names.broken:
            names.problems.echo()
        if not found:
            names.problems.fail(scalar.place, f"no population has a member {index}")
        turns += found
    return tuple(turns)


def _moves(member: Member, clamped: set[tuple[str, str]]) -> bool:
    updated = {line.statement.target.name for line in member.cell.after_step}
    return any(
        (kind == "state" or name in updated) and (member.name, name) not in clamped
        for name, kind in member.kinds.items()
    )


def _with_states(names: Names, clamped: set[tuple[str, str]]) -> Iterable[str]:
    return [m.name for m in names.populations.values() if _moves(m, clamped)]
