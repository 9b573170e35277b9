"""The plasticity of a synapse: its traces, its rule, its optimizer."""

from __future__ import annotations

from ....compartments.optimizers import OPTIMIZERS
from ...circuit import Equation, Optimizer, Update
from ...expressions.parser import Statement, parse_expression, parse_statement
from ...expressions.tree import Call, Expr, Reference
from ...reading.nodes import Node, ScalarNode, texts
from ...reading.problems import Skip
from ..declared import Link
from ..names import Names, Scope
from ..resolve import resolve
from ..scopes import RuleScope


def _statements(node: Node | None, names: Names) -> list[tuple[ScalarNode, Statement]]:
    found: list[tuple[ScalarNode, Statement]] = []
    for scalar in texts(node):
        with names.problems.guard():
            found.append((scalar, names.problems.parsed(scalar, parse_statement)))
    return found


def _no_jumps(statements: list[tuple[ScalarNode, Statement]], names: Names) -> None:
    """A trace that events change at once."""
    for scalar, statement in statements:
        if statement.kind in ("+=", "-=", ":="):
            names.problems.fail(
                scalar.place,
                "a jump of a synaptic trace is reserved, not implemented",
                expected="a trace of each cell, which its event changes (`do: x += 1`): the rule "
                "reads `pre.x` and `post.x`",
            )


def traces_of(link: Link, names: Names) -> tuple[Equation, ...]:
    """The equations under `trace`, tau dm/dt = f(post, pre, m), resolved."""
    statements = _statements(link.entry.get("trace"), names)
    _no_jumps(statements, names)
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


def rule_of(link: Link, traces: tuple[str, ...], names: Names) -> tuple[Update | Equation, ...]:
    """The lines of `rule`, resolved; `traces` are the names of the synapse's own."""
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


def optimizer_of(link: Link, rule: tuple[Update | Equation, ...], names: Names) -> Optimizer | None:
    """The optimizer with its arguments resolved; None where none is stated."""
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
