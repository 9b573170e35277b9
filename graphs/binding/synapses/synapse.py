"""A synapse whole: every text of it resolved."""

from __future__ import annotations

from math import prod

from ....compartments.connectivity import CONNECTIVITY
from ....compartments.distributions import DISTRIBUTIONS
from ...circuit import Synapse, Update
from ...expressions.parser import parse_expression
from ...expressions.tree import Call, Expr, Number, Reference, walk
from ...reading.keys import SYNAPSE
from ...reading.nodes import SequenceNode, texts
from ...reading.schema import chosen
from ..constant_scope import ConstantScope
from ..declared import Link
from ..names import Names
from ..resolve import resolve
from ..scopes import RuleScope
from .connections import given_of
from .plasticity import optimizer_of, rule_of, traces_of
from .weight_checks import check_circles, check_live, check_stated
from .weights import bounds_of, check_of, weight_of
from .windows import check_changes


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
    trace = traces_of(link, names)
    rule = rule_of(link, tuple(t.variable for t in trace), names)
    check_changes(link, rule, names)
    current = filtered = delay = None
    with names.problems.guard():
        current = _current(link, names)
    with names.problems.guard():
        filtered = _filter(link, names)
    with names.problems.guard():
        delay = _delay(link, names)
    weight = init = None
    with names.problems.guard():
        weight = weight_of(link, "weight", names)
    with names.problems.guard():
        init = weight_of(link, "init", names)
    stated = init is not None
    if link.pool is not None:
        weight = weight or Number(1.0)  # it has no array
    elif weight is not None:
        check_live(link, weight, rule, names)
    elif init is None:
        check_stated(entry, link.connect, link.key, names)
        init = _default_init(link.connect)
    optimizer = None
    with names.problems.guard():
        optimizer = optimizer_of(link, rule, names)
    bounds, sign = None, chosen(entry, SYNAPSE.known["sign"], names.problems)
    with names.problems.guard():
        bounds = bounds_of(link, names)
    given = None
    with names.problems.guard():
        given = given_of(link, init, names)
    link.plastic = entry.get("rule") is not None
    link.event = link.plastic and (not rule or any(isinstance(line, Update) for line in rule))
    return Synapse(
        name=link.name,
        base=link.base,
        index=link.index,
        source=(link.source.name, link.variable),
        target=(link.target.name, link.compartment, link.port),
        connect=link.connect,
        shape=_array_shape(link),
        init=init if weight is None else None,
        weight=weight,
        bias=link.bias,
        current=current,
        filter=filtered,
        delay=delay,
        trace=trace,
        rule=rule,
        batch=chosen(entry, SYNAPSE.known["batch"], names.problems) or "",
        optimizer=optimizer,
        init_stated=stated,
        check=check_of(link, names),
        bounds=bounds,
        sign=sign,
        given=given,
        windows=link.windows,
        backwards=link.backwards,
        pool=link.pool,
    )


def _array_shape(link: Link) -> tuple[int, ...]:
    """(post, pre) with the bias unit, (n,) one to one, (out, taps) of a kernel."""
    shape = link.shape
    if len(shape) == 4:
        shape = (shape[0], prod(shape[1:]))
    return (shape[0], shape[1] + 1) if link.bias else shape


def _default_init(connect: str) -> Expr:
    word = CONNECTIVITY[connect].init
    return Number(float(word)) if word[0].isdigit() else Call(word, ())


def _current(link: Link, names: Names) -> Expr | None:
    node = link.entry.scalar("current")
    if node is None:
        return None
    expr = names.problems.parsed(node, parse_expression)
    names.reading(node, expr, "equation", link.target.name)
    scope = RuleScope(names, node, link.bound, link.source, link.target, (), "a current")
    return resolve(expr, scope)


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


def _delay(link: Link, names: Names) -> Expr | None:
    """How long what is sent is on its way; the steps that this is are counted once dt is known."""
    scalar = link.entry.scalar("delay")
    if scalar is None:
        return None
    for node in walk(names.problems.parsed(scalar, parse_expression)):
        of_one = isinstance(node, Reference) and node.name in ("pre", "post")
        if of_one or (isinstance(node, Call) and node.function in DISTRIBUTIONS):
            names.problems.fail(
                scalar.place_at(node.span[0] if node.span else 0),
                "a delay for each connection is reserved, not implemented",
                expected="one delay for all connections of the synapse: a number or parameters",
            )
    delay, value = names.constant(scalar, link.bound, "a delay")
    if value < 0:
        names.problems.fail(
            scalar.place,
            "a delay is a length of time",
            expected="at least 0",
            got=f"{value:g}",
            suggestion=names.problems.corrected(
                scalar.place, scalar.text, scalar.text.lstrip("-")
            ) if scalar.text.startswith("-") else None,
        )  # fmt: skip
    names.parameters.mark_structural(delay)
    return delay
