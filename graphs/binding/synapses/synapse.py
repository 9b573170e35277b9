"""Synapses: what joins which population to which compartment, with what weight and rule."""

from __future__ import annotations

from ....compartments.connectivity import CONNECTIVITY, weight_shape
from ....compartments.optimizers import OPTIMIZERS
from ...circuit import Equation, Optimizer, Synapse, Update
from ...expressions.parser import (
    Statement,
    parse_expression,
    parse_family,
    parse_reference,
    parse_statement,
)
from ...expressions.tree import Call, Expr, Number, Reference
from ...reading.budget import PART
from ...reading.keys import SYNAPSE
from ...reading.nodes import MappingNode, Node, ScalarNode, SequenceNode, texts
from ...reading.problems import Skip, base_name
from ...reading.schema import chosen, required
from ...wording import nearest
from ..constant_scope import ConstantScope
from ..declared import Link, Member
from ..families import expand
from ..names import Names, Scope
from ..resolve import resolve
from ..scopes import RuleScope
from .weights import bounds_of, check_circles, check_live, check_of, check_stated, weight_of


def declare(section: MappingNode, names: Names) -> None:
    """Fill `names.synapses` and `names.synapse_families`: ends and shapes, not yet the texts."""
    for key, node in section.entries:
        with names.problems.guard(names.broken, base_name(key)):
            family = names.problems.parsed(key, parse_family)
            members = names.synapse_families.setdefault(family.name, {})
            if not isinstance(node, MappingNode) or not required(
                node, SYNAPSE, key, names.problems
            ):
                raise Skip
            indexed = family.index is not None or family.member is not None
            every = expand(names, key, family) if indexed else {None: {}}
            if members and (None in members) == indexed:
                names.problems.fail(
                    key.place, f"the synapse '{family.name}' is declared with and without index"
                )
            names.problems.spend(PART * len(every), key.place)
            for index, bound in every.items():
                name = family.name if index is None else f"{family.name}[{index}]"
                with names.problems.guard(names.broken, family.name):
                    if name in names.synapses:
                        names.problems.fail(key.place, f"the synapse '{name}' is declared twice")
                    names.synapses[name] = _link(key, node, name, family.name, index, bound, names)
                    members[index] = name


def _link(
    key: ScalarNode,
    entry: MappingNode,
    name: str,
    base: str,
    index: int | None,
    bound: dict[str, int],
    names: Names,
) -> Link:
    start, stop = entry.get("from"), entry.get("to")
    if not isinstance(start, ScalarNode) or not isinstance(stop, ScalarNode):
        raise Skip
    before = names.problems.count
    source = variable = target = compartment = port = None
    with names.problems.guard():
        source, variable = _source(start, bound, names)
    with names.problems.guard():
        target, compartment, port = _target(stop, bound, names)
    connect = _connect(entry, names)
    if source is None or variable is None or target is None or compartment is None:
        raise Skip
    bias = _bias(entry, names)
    try:
        shape = weight_shape(connect, target.size, source.size, False)
        if bias:
            weight_shape(connect, target.size, source.size, True)
    except ValueError as error:
        where = entry.key("connect") or key
        names.problems.fail(where.place, f"synapse '{name}': {error}")
    if names.problems.count > before:
        raise Skip
    return Link(
        name, base, index, key, entry, bound, source, variable, target, compartment, port, connect,
        bias, shape,
    )  # fmt: skip


def _source(scalar: ScalarNode, bound: dict[str, int], names: Names) -> tuple[Member, str]:
    node = names.problems.parsed(scalar, parse_reference)
    scope = ConstantScope(names, scalar, bound, "`from`")
    member = names.population(node, scope)
    if len(node.attributes) != 1 or node.phase:
        names.problems.fail(
            scalar.place,
            "`from` is `population.variable`",
            suggestion=f"from: {scalar.text}." + next(iter(member.kinds), "x"),
        )
    variable = node.attributes[0]
    if variable not in member.kinds:
        if member.cell.broken:
            names.problems.echo()
        at = scalar.text.rfind(variable)
        place = scalar.place_at(at)
        near = nearest(variable, member.kinds)
        names.problems.fail(
            place,
            f"the population '{member.name}' has no variable '{variable}'",
            expected=", ".join(member.kinds) or "nothing: its cell has no variables",
            suggestion=names.problems.corrected(place, variable, near) if near else None,
        )
    return member, variable


def _target(
    scalar: ScalarNode, bound: dict[str, int], names: Names
) -> tuple[Member, str, str | None]:
    node = names.problems.parsed(scalar, parse_reference)
    scope = ConstantScope(names, scalar, bound, "`to`")
    member = names.population(node, scope)
    if not 1 <= len(node.attributes) <= 2 or node.phase:
        names.problems.fail(
            scalar.place,
            "`to` is `population.compartment` or `population.compartment.port`",
            suggestion=f"to: {scalar.text}." + next(iter(member.cell.compartments), "soma"),
        )
    compartment = node.attributes[0]
    if compartment not in member.cell.compartments:
        place = scalar.place_at(scalar.text.find("." + compartment) + 1)
        near = nearest(compartment, member.cell.compartments)
        names.problems.fail(
            place,
            f"the population '{member.name}' has no compartment '{compartment}'",
            expected=", ".join(member.cell.compartments) or "nothing",
            suggestion=names.problems.corrected(place, compartment, near) if near else None,
        )
    return member, compartment, node.attributes[1] if len(node.attributes) > 1 else None


def _connect(entry: MappingNode, names: Names) -> str:
    before = names.problems.count
    found = chosen(entry, SYNAPSE.known["connect"], names.problems)
    if found is None or names.problems.count > before:
        raise Skip
    return found


def _bias(entry: MappingNode, names: Names) -> bool:
    node = entry.get("bias")
    if node is None:
        return False
    if not isinstance(node, ScalarNode) or not isinstance(node.value, bool):
        names.problems.fail(node.place, "`bias` is true or false")
    return node.value


def finish(names: Names) -> dict[str, Synapse]:
    """Every synapse with its texts resolved, in file order."""
    found: dict[str, Synapse] = {}
    for name, link in names.synapses.items():
        with names.problems.guard():
            found[name] = _finished(link, names)
    check_circles(names)
    return found


def _finished(link: Link, names: Names) -> Synapse:
    entry = link.entry
    trace = _trace(link, names)
    rule = _rule(link, tuple(t.variable for t in trace), names)
    current = filtered = None
    with names.problems.guard():
        current = _current(link, names)
    with names.problems.guard():
        filtered = _filter(link, names)
    weight = init = None
    with names.problems.guard():
        weight = weight_of(link, "weight", names)
    with names.problems.guard():
        init = weight_of(link, "init", names)
    stated = init is not None
    if weight is not None:
        check_live(link, weight, rule, names)
    elif init is None:
        check_stated(entry, link.connect, link.key, names)
        init = _default_init(link.connect)
    optimizer = None
    with names.problems.guard():
        optimizer = _optimizer(link, rule, names)
    bounds, sign = None, chosen(entry, SYNAPSE.known["sign"], names.problems)
    with names.problems.guard():
        bounds = bounds_of(link, names)
    link.plastic = entry.get("rule") is not None
    link.event = link.plastic and (not rule or any(isinstance(line, Update) for line in rule))
    return Synapse(
        name=link.name,
        base=link.base,
        index=link.index,
        source=(link.source.name, link.variable),
        target=(link.target.name, link.compartment, link.port),
        connect=link.connect,
        shape=(link.shape[0], link.shape[1] + 1) if link.bias else link.shape,
        init=init if weight is None else None,
        weight=weight,
        bias=link.bias,
        current=current,
        filter=filtered,
        trace=trace,
        rule=rule,
        batch=chosen(entry, SYNAPSE.known["batch"], names.problems) or "",
        optimizer=optimizer,
        init_stated=stated,
        check=check_of(link, names),
        bounds=bounds,
        sign=sign,
    )


def _default_init(connect: str) -> Expr:
    word = CONNECTIVITY[connect].init
    return Number(float(word)) if word[0].isdigit() else Call(word, ())


def _statements(node: Node | None, names: Names) -> list[tuple[ScalarNode, Statement]]:
    found: list[tuple[ScalarNode, Statement]] = []
    for scalar in texts(node):
        with names.problems.guard():
            found.append((scalar, names.problems.parsed(scalar, parse_statement)))
    return found


def _trace(link: Link, names: Names) -> tuple[Equation, ...]:
    statements = _statements(link.entry.get("trace"), names)
    traces = tuple(s.target.name for _, s in statements)
    found: list[Equation] = []
    for scalar, statement in statements:
        with names.problems.guard():
            if statement.kind != "state":
                names.problems.fail(
                    scalar.place,
                    "a trace is a `d/dt` equation",
                    expected="`tau * dm/dt = -m + post.x * pre.y`",
                )
            if traces.count(statement.target.name) > 1:
                names.problems.fail(
                    scalar.place, f"the trace '{statement.target.name}' has two equations"
                )
            scope = _scope(link, scalar, traces, "a trace", names)
            names.reading(scalar, statement.right, "equation", link.target.name)
            tau = None if statement.tau is None else resolve(statement.tau, scope)
            right = resolve(statement.right, scope)
            found.append(Equation(statement.target.name, right, "state", tau))
    return tuple(found)


def _scope(
    link: Link, scalar: ScalarNode, traces: tuple[str, ...], where: str, names: Names
) -> RuleScope:
    return RuleScope(names, scalar, link.bound, link.source, link.target, traces, where)


def _rule(link: Link, traces: tuple[str, ...], names: Names) -> tuple[Update | Equation, ...]:
    found: list[Update | Equation] = []
    for scalar, statement in _statements(link.entry.get("rule"), names):
        with names.problems.guard():
            target = statement.target
            if target.name != "w" or target.index is not None or target.attributes:
                names.problems.fail(
                    scalar.place,
                    "a rule changes `w`, the weight of one synapse",
                    expected="`w += E`, `w -= E`, `w := E` or `dw/dt = E`",
                )
            if statement.kind == "algebraic":
                names.problems.fail(
                    scalar.place,
                    "a rule is an update",
                    expected="`w += E`, `w -= E`, `w := E` or `dw/dt = E`",
                    suggestion=scalar.text.replace("=", ":=", 1),
                )
            scope = _scope(link, scalar, traces, "a rule", names)
            names.reading(scalar, statement.right, "synapse", link.name)
            right = resolve(statement.right, scope)
            if statement.kind == "state":
                tau = None if statement.tau is None else resolve(statement.tau, scope)
                found.append(Equation("w", right, "state", tau))
            else:
                found.append(Update("w", statement.kind, right))
    return tuple(found)


def _current(link: Link, names: Names) -> Expr | None:
    node = link.entry.scalar("current")
    if node is None:
        return None
    expr = names.problems.parsed(node, parse_expression)
    names.reading(node, expr, "equation", link.target.name)
    return resolve(expr, _scope(link, node, (), "a current", names))


def _filter(link: Link, names: Names) -> tuple[Expr, Expr] | None:
    node = link.entry.get("filter")
    if node is None:
        return None
    times = texts(node)
    if not isinstance(node, SequenceNode) or len(times) != 2:
        names.problems.fail(node.place, "a filter is two time constants", expected="[t1, t2]")
    first, second = (
        resolve(
            names.problems.parsed(s, parse_expression),
            ConstantScope(names, s, link.bound, "a filter"),
        )
        for s in times
    )
    return first, second


def _optimizer(link: Link, rule: tuple[Update | Equation, ...], names: Names) -> Optimizer | None:
    node = link.entry.get("optimizer")
    if not isinstance(node, ScalarNode):
        return None
    expr = names.problems.parsed(node, parse_expression)
    if isinstance(expr, Reference):
        expr = Call(expr.name, (), span=expr.span)
    if not isinstance(expr, Call) or expr.function not in OPTIMIZERS:
        word = expr.function if isinstance(expr, Call) else node.text
        names.problems.unknown(node.place, "there is no optimizer", word, OPTIMIZERS)
        raise Skip
    known = OPTIMIZERS[expr.function]
    few = sum(default is None for default in known.parameters.values())
    if not few <= len(expr.arguments) <= len(known.parameters):
        names.problems.fail(
            node.place,
            f"'{expr.function}' takes {few} to {len(known.parameters)} arguments, "
            f"not {len(expr.arguments)}",
            expected=f"{expr.function}({', '.join(known.parameters)})",
        )
    sets = any(isinstance(line, Update) and line.kind == ":=" for line in rule)
    if sets and known.states:
        names.problems.fail(
            node.place,
            f"a rule `w := E` says what the weight is; '{expr.function}' remembers changes",
            expected="`w += E`, or the optimizer sgd",
        )
    scope = OptimizerScope(names, node, link.bound, "an optimizer")
    return Optimizer(expr.function, tuple(resolve(a, scope) for a in expr.arguments))


class OptimizerScope(Scope):
    """Arguments of an optimizer: parameters and counters (`sgd(0.95^epoch)`)."""

    def __init__(self, names: Names, scalar: ScalarNode, indices: dict[str, int], where: str):
        super().__init__(names, scalar, indices)
        self.where = where

    def own(self, reference: Reference) -> Expr | None:
        """Nothing of its own."""
        return None
