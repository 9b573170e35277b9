"""Parameters: constants, lists of them, and families; evaluated when first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..circuit import ParameterValue
from ..diagnostics import Place
from ..expressions.constants import Value, of_units
from ..expressions.parser import Family, parse_family
from ..expressions.tree import Call, Expr, Number, Parameter, Reference, walk
from ..reading.nodes import MappingNode, Node, ScalarNode, SequenceNode, is_null, texts
from ..reading.problems import Skip
from ..wording import member_list
from .families import expand
from .names import NOTHING, Names, ParameterTable, Scope


@dataclass
class Declaration:
    """One member as written: one text, or a list of them."""

    key: ScalarNode
    scalars: tuple[ScalarNode, ...]
    is_list: bool = False
    indices: dict[str, int] = field(default_factory=dict)


class FileParameters(ParameterTable):
    """The section `parameters`, with the overrides of the caller."""

    def __init__(self, names: Names):
        self._names = names
        self._entries: dict[str, list[tuple[ScalarNode, Family, Node]]] = {}
        self._of_members: dict[str, list[tuple[ScalarNode, Family, Node]]] = {}  # of variants
        self._overrides: dict[str, Node] = {}
        self._members: dict[str, dict[int | None, Declaration]] = {}
        self._values: dict[str, ParameterValue] = {}
        self._active: list[str] = []
        self._failed: set[str] = set()
        self.structural: set[str] = set()

    def declare(self, section: MappingNode, overrides: Mapping[str, Any]) -> None:
        """Take the section in; `overrides` maps base names to numbers, lists or texts."""
        problems = self._names.problems
        for key, node in section.entries:
            with problems.guard():
                family = problems.parsed(key, parse_family)
                among = self._of_members if key.of_member else self._entries
                among.setdefault(family.name, []).append((key, family, node))
        for name, value in overrides.items():
            if name not in self._entries:
                place = Place(f"<override {name}>", 1, 1)
                problems.texts[place.path] = f"{name}={value}"
                problems.unknown(place, "there is no parameter", name, self._entries)
            else:
                self._overrides[name] = _node(name, value, problems.texts)

    def bases(self) -> tuple[str, ...]:
        """The names, families by their base name."""
        return tuple(self._entries)

    def has(self, base: str) -> bool:
        """Whether there is a parameter or family of this name."""
        return base in self._entries

    def key(self, base: str) -> ScalarNode:
        """Where a parameter is declared."""
        return self._entries[base][0][0]

    def is_family(self, base: str) -> bool:
        """Whether the parameter is declared with an index."""
        _, family, _ = self._entries[base][0]
        return family.index is not None or family.member is not None

    def members(self, base: str) -> dict[int | None, Declaration]:
        """The members of a family by index, or {None: ...}."""
        if base in self._members:
            return self._members[base]
        name = f"{base}[...]"
        if name in self._failed:
            raise Skip
        self._failed.add(name)  # until it is known to be fine; also stops a circle
        found: dict[int | None, Declaration] = {}
        indexed = {f.index is not None or f.member is not None for _, f, _ in self._entries[base]}
        if len(indexed) > 1:
            key = self._entries[base][1][0]
            self._names.problems.fail(
                key.place,
                f"the parameter '{base}' is declared with and without index",
                expected=f"either `{base}: 1` or a family, `{base}[k=1..2]: 1`",
            )
        for key, family, node in self._entries[base]:
            node = self._overrides.get(base, node)
            if family.index is None and family.member is None:
                definition = Declaration(key, texts(node), isinstance(node, SequenceNode))
                members: dict[int | None, Declaration] = {None: definition}
            else:
                members = self._family(key, family, node, skip=len(found))
            for index, definition in members.items():
                if index in found:
                    self._names.problems.fail(
                        key.place, f"the parameter '{_member(base, index)}' is declared twice"
                    )
                found[index] = definition
        if base not in self._overrides:
            self._lay_members(base, found)
        self._failed.discard(name)
        self._members[base] = found
        return found

    def _lay_members(self, base: str, found: dict[int | None, Declaration]) -> None:
        """Lay what variants and heirs say of single members over a family."""
        problems = self._names.problems
        for key, family, node in self._of_members.get(base, ()):
            if None in found:
                what = "a list" if found[None].is_list else "no family"
                expected = f"`{base}: [...]`, all of it" if found[None].is_list else None
                problems.add(key.place, f"'{base}' is {what}", expected=expected)
                continue
            (index,) = expand(self._names, key, family)
            if is_null(node) and index not in found:
                known = member_list(found)
                problems.add(key.place, f"there is no {base}[{index}] to remove", expected=known)
            old = found.pop(index, None)
            if not is_null(node):
                bound = old.indices if old is not None else {}
                found[index] = Declaration(key, texts(node), isinstance(node, SequenceNode), bound)

    def _family(
        self, key: ScalarNode, family: Family, node: Node, skip: int
    ) -> dict[int | None, Declaration]:
        indices = expand(self._names, key, family)
        if isinstance(node, ScalarNode):
            return {i: Declaration(key, (node,), False, bound) for i, bound in indices.items()}
        scalars = texts(node)
        several = len(self._entries[family.name]) > 1 and family.name in self._overrides
        if several:
            scalars = scalars[skip : skip + len(indices)]
        if len(scalars) != len(indices):
            which = [f"{family.name}[{i}]" for i in (min(indices), max(indices))] if indices else []
            bounds = f", for {' to '.join(dict.fromkeys(which))}" if which else ""
            self._names.problems.fail(
                node.place,
                f"'{family.name}' has {_counted(len(scalars), 'value')} "
                f"for {_counted(len(indices), 'member')}",
                expected=f"{_counted(len(indices), 'value')}{bounds}",
            )
        pairs = zip(indices.items(), scalars, strict=True)
        return {i: Declaration(key, (s,), False, bound) for (i, bound), s in pairs}

    def value(self, name: str) -> Value:
        """The value of a member by its full name."""
        return self.get(name).value

    def get(self, name: str) -> ParameterValue:
        """A member by its full name: "tau", "eta[1]", or "sizes[0]" for an entry of a list."""
        if name in self._values:
            return self._values[name]
        if name in self._failed:
            raise Skip
        base, _, rest = name.partition("[")
        index = int(rest[:-1]) if rest else None
        if self.is_family(base) or index is None:
            definition = self.members(base)[index]
        else:
            item = Call("item", (Parameter(base), Number(float(index))))
            values = self.value(base)
            assert isinstance(values, tuple)
            self._values[name] = ParameterValue(name, item, values[index])
            return self._values[name]
        if name in self._active:
            chain = " -> ".join([*self._active[self._active.index(name) :], name])
            self._names.problems.fail(
                definition.key.place, f"parameters depend on each other in a circle: {chain}"
            )
        self._active.append(name)
        try:
            self._values[name] = self._evaluated(name, definition)
        except Skip:
            self._failed.add(name)
            raise
        finally:
            self._active.pop()
        return self._values[name]

    def _evaluated(self, name: str, definition: Declaration) -> ParameterValue:
        found = [
            self._names.constant(scalar, definition.indices, "a parameter")
            for scalar in definition.scalars
        ]
        if definition.is_list:
            return ParameterValue(name, tuple(e for e, _ in found), tuple(v for _, v in found))
        return ParameterValue(name, *found[0])

    def written(self, name: str, number: float) -> ScalarNode | None:
        """The text that gives a parameter its value; of a list, the first that is `number`."""
        base, _, rest = name.partition("[")
        if not self.has(base):
            return None  # a list of one population
        index = int(rest[:-1]) if rest else None
        if index is not None and not self.is_family(base):
            return self.members(base)[None].scalars[index]
        scalars = self.members(base)[index].scalars
        value = self.value(name)
        at = value.index(number) if isinstance(value, tuple) and number in value else 0
        return scalars[at] if scalars else None

    def refer(self, node: Reference, scope: Scope) -> Expr:
        """What a reference to a parameter means: a `Parameter` leaf."""
        if node.attributes or node.phase:
            scope.fail(node, f"'{node.name}' is a parameter, it has no parts and no @phase")
            return NOTHING
        try:
            return self._refer(node, scope)
        except Skip:
            self._names.problems.count += 1
            return NOTHING

    def _refer(self, node: Reference, scope: Scope) -> Expr:
        members = self.members(node.name)
        if self.is_family(node.name):
            if node.index is None:
                scope.fail(
                    node,
                    f"'{node.name}' is a family of parameters",
                    expected=f"one of them, such as {_example(node.name, members, scope)}",
                )
                return NOTHING
            index = self._names.index(node.index, scope)
            if index not in members:
                self._names.no_member(node, scope, index, members)
                return NOTHING
            return Parameter(_member(node.name, index), span=node.span)
        if not members[None].is_list:
            if node.index is not None:
                scope.fail(node, f"'{node.name}' is one number, it has no members")
                return NOTHING
            return Parameter(node.name, span=node.span)
        if node.index is None:
            if scope.lists == "none":
                scope.fail(
                    node,
                    f"'{node.name}' is a list; {scope.where} needs one number",
                    expected=f"an entry of it, such as {node.name}[0]",
                )
                return NOTHING
            return Parameter(node.name, span=node.span)
        index = self._names.index(node.index, scope)
        count = len(members[None].scalars)
        if not 0 <= index < count:
            scope.fail(
                node,
                f"there is no {node.name}[{index}]",
                expected=f"an index from 0 to {count - 1}: '{node.name}' has {count} entries",
            )
            return NOTHING
        name = f"{node.name}[{index}]"
        self.get(name)  # an entry that is read is a parameter of its own
        return Parameter(name, span=node.span)

    def length(self, node: Call, scope: Scope) -> Expr:
        """`len(list)`: the number of its entries, a number at once."""
        if len(node.arguments) == 1 and isinstance(node.arguments[0], Reference):
            reference = node.arguments[0]
            if self.has(reference.name) and reference.index is None:
                try:
                    members = self.members(reference.name)
                except Skip:
                    return NOTHING
                self.structural.add(reference.name)
                if self.is_family(reference.name):
                    return Number(float(len(members)), span=node.span)
                if members[None].is_list:
                    return Number(float(len(members[None].scalars)), span=node.span)
        first = node.arguments[0] if node.arguments else node
        if isinstance(first, Reference) and not self.has(first.name):
            what = "`len` takes the name of a list of `parameters`; there is none called"
            scope.unknown(first, what, first.name, self.bases())
        else:
            scope.fail(node, "`len` takes the name of a list of `parameters`")
        return NOTHING

    def mark_structural(self, expr: Expr) -> None:
        """Every parameter in an expression is fixed at lowering, and what it is made of."""
        for node in walk(expr):
            if isinstance(node, Parameter) and node.name not in self.structural:
                self.structural.add(node.name)
                found = self._values.get(node.name)
                if found is not None:
                    inner = found.expression
                    for part in inner if isinstance(inner, tuple) else (inner,):
                        self.mark_structural(part)

    def evaluate_all(self) -> None:
        """Evaluate every member, read or not, so that every wrong one is found."""
        for base in self._entries:
            with self._names.problems.guard():
                for index in self.members(base):
                    with self._names.problems.guard():
                        self.get(_member(base, index))

    def all(self) -> dict[str, ParameterValue]:
        """Every member by name, in file order; entries of lists that are read stand last."""
        found: dict[str, ParameterValue] = {}
        for base in self._entries:
            for index in self.members(base):
                found[_member(base, index)] = self.get(_member(base, index))
        found.update(self._values)
        return {name: replace(p, structural=name in self.structural) for name, p in found.items()}

    def add(self, name: str, expression: Expr | tuple[Expr, ...], units: int) -> None:
        """One value for each unit of a population, under the full name "y.period"."""
        if isinstance(expression, tuple):
            value = tuple(self._names.number(e) for e in expression)
        else:
            value = of_units(expression, self.value, units)
        self._values[name] = ParameterValue(name, expression, value, units=units)


def _example(base: str, members: Mapping[int | None, Declaration], scope: Scope) -> str:
    """`eta[k]` where an index is bound, else `eta[1]`."""
    index = next(iter(scope.indices), next(iter(members), 1))
    return f"{base}[{index}]"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _member(base: str, index: int | None) -> str:
    return base if index is None else f"{base}[{index}]"


def _node(name: str, value: Any, texts: dict[str, str]) -> Node:
    """The override of a parameter as if it stood in a file of its own."""
    place = Place(f"<override {name}>", 1, 1)
    items = value.tolist() if hasattr(value, "tolist") else value
    texts[place.path] = str(items)
    if isinstance(items, list | tuple):
        return SequenceNode(tuple(ScalarNode(_text(v), _text(v), place) for v in items), place)
    return ScalarNode(_text(items), _text(items), place)


def _text(value: Any) -> str:
    item = value.item() if hasattr(value, "item") else value
    return item if isinstance(item, str) else repr(item)
