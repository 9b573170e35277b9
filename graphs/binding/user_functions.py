"""Functions that a file defines: inlined where they are called, differentiated where primed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...compartments.functions import FUNCTIONS
from ..expressions.derivative import DerivativeError, differentiate, simplify
from ..expressions.parser import parse_expression, parse_signature
from ..expressions.tree import Call, Expr, Reference, named, walk
from ..reading.expansion_budget import INLINED
from ..reading.nodes import MappingNode, ScalarNode
from ..reading.problems import Skip
from .names import NOTHING, FunctionTable, Names, Scope
from .resolve import arity_holds, resolve

MOST_NODES = 20_000


@dataclass
class FunctionDefinition:
    """`name(arguments): body`; without arguments the body is the name of another function."""

    key: ScalarNode
    arguments: tuple[str, ...]
    scalar: ScalarNode
    body: Expr


class FunctionScope(Scope):
    """The body of a function: its arguments, parameters, counters."""

    where = "a function"
    lists = "unit"
    noise = False

    def __init__(self, names: Names, scalar: ScalarNode, arguments: tuple[str, ...]):
        super().__init__(names, scalar)
        self.arguments = arguments

    def own(self, reference: Reference) -> Expr | None:
        """An argument stays as it is, to be replaced where the function is called."""
        return Reference(reference.name) if reference.name in self.arguments else None

    def own_names(self) -> Iterable[str]:
        """The arguments."""
        return self.arguments


class Functions(FunctionTable):
    """The section `functions`."""

    def __init__(self, names: Names):
        self._names = names
        self._known: dict[str, FunctionDefinition] = {}
        self._bodies: dict[str, Expr] = {}
        self._active: list[str] = []
        self._broken: set[str] = set()
        self._targets: dict[str, str] = {}  # what an alias stands for, in the end

    def declare(self, section: MappingNode) -> None:
        """Take the section in."""
        problems = self._names.problems
        for key, node in section.entries:
            with problems.guard():
                assert isinstance(node, ScalarNode)
                name, arguments = problems.parsed(key, parse_signature)
                if name in self._known:
                    problems.fail(key.place, f"the function '{name}' is defined twice")
                self._broken.add(name)
                body = problems.parsed(node, parse_expression)
                if not arguments and not isinstance(body, Reference):
                    problems.fail(
                        key.place,
                        f"the function '{name}' has no argument",
                        expected="`f: tanh`, the name of a function, or `f(x): E`",
                        suggestion=f"{name}(x): {node.text}",
                    )
                self._broken.discard(name)
                self._known[name] = FunctionDefinition(key, arguments, node, body)

    def has(self, name: str) -> bool:
        """Whether the file defines this function."""
        return name in self._known or name in self._broken

    def names(self) -> tuple[str, ...]:
        """The names of the functions of the file."""
        return tuple(self._known)

    def check(self) -> None:
        """Resolve every body, called or not."""
        for name, definition in self._known.items():
            with self._names.problems.guard():
                if definition.arguments:
                    self._body(name)
                else:
                    self._target(name)

    def inline(self, call: Call, scope: Scope) -> Expr:
        """A call of a function of the file, its arguments resolved, as its body."""
        try:
            return self._inline(call, scope)
        except Skip:
            return NOTHING

    def _inline(self, call: Call, scope: Scope) -> Expr:
        if call.function in self._broken:
            raise Skip
        definition = self._known[call.function]
        if not definition.arguments:
            target = self._target(call.function)
            renamed = Call(target, call.arguments, call.primed, span=call.span)
            return (
                self._inline(renamed, scope) if target in self._known else _checked(renamed, scope)
            )
        count = len(definition.arguments)
        if not arity_holds(call, (count, count), scope, definition.key.text):
            return NOTHING
        body = self._body(call.function)
        if call.primed:
            if len(definition.arguments) != 1:
                scope.fail(call, f"{call.function}' is only for functions of one argument")
                return NOTHING
            try:
                body = simplify(differentiate(body, Reference(definition.arguments[0])))
            except DerivativeError as error:
                scope.fail(call, str(error))
                return NOTHING
        _must_be_small(body, call, scope)
        values = dict(zip(definition.arguments, call.arguments, strict=True))
        found = named(body, values)
        _must_be_small(found, call, scope)
        return found

    def _target(self, name: str) -> str:
        """The function that `f: tanh` stands for, followed to the end."""
        problems, seen = self._names.problems, {name: None}
        at = name
        while at not in self._targets:
            definition = self._known[at]
            if definition.arguments:
                self._targets[at] = at
                break
            assert isinstance(definition.body, Reference)
            target = definition.body.name
            if target in self._broken:
                raise Skip
            if target in seen:
                self._broken.update(seen)
                problems.fail(
                    definition.key.place, "functions in a circle: " + " -> ".join([*seen, target])
                )
            if target not in self._known:
                if target not in FUNCTIONS:
                    problems.unknown(
                        definition.scalar.place,
                        "there is no function",
                        target,
                        [*self._known, *FUNCTIONS],
                    )
                    raise Skip
                self._targets[at] = target
                break
            seen[target] = None
            at = target
        self._targets |= dict.fromkeys(seen, self._targets[at])
        return self._targets[name]

    def _body(self, name: str) -> Expr:
        """The resolved body, arguments standing in it as `Reference`s."""
        if name not in self._bodies:
            definition = self._known[name]
            if name in self._active:
                chain = " -> ".join([*self._active[self._active.index(name) :], name])
                self._names.problems.fail(
                    definition.key.place, f"functions call each other in a circle: {chain}"
                )
            self._active.append(name)
            scope = FunctionScope(self._names, definition.scalar, definition.arguments)
            try:
                self._bodies[name] = resolve(definition.body, scope)
            finally:
                self._active.pop()
        return self._bodies[name]


def _must_be_small(expr: Expr, call: Call, scope: Scope) -> None:
    """Functions of functions can double at every call: stop before the tree fills the memory."""
    count = 0
    for _ in walk(expr):
        count += 1
        if count > MOST_NODES:
            scope.fail(call, f"'{call.function}' becomes more than {MOST_NODES} terms here")
            raise Skip
    scope.names.problems.spend(INLINED * count, scope.scalar.place)


def _checked(call: Call, scope: Scope) -> Expr:
    """A call of a function of the table that came about by an alias."""
    if not arity_holds(call, FUNCTIONS[call.function].arity, scope):
        return NOTHING
    if call.primed and not FUNCTIONS[call.function].derivatives:
        scope.fail(call, f"'{call.function}' has no derivative")
        return NOTHING
    return call
