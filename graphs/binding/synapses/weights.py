"""Weight expressions: what `init` and `weight` may be made of, once their names are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ....compartments.connectivity import CONNECTIVITY
from ....compartments.initialisers import INITIALISERS
from ....compartments.place import PLACES
from ...circuit import Equation, Update
from ...expressions.parser import parse_expression
from ...expressions.tree import (
    Binary,
    Call,
    Expr,
    Number,
    Parameter,
    Reference,
    Unary,
    WeightOf,
    transform,
    walk,
)
from ...reading.keys import SYNAPSE
from ...reading.nodes import MappingNode, ScalarNode, SequenceNode, texts
from ...reading.problems import Skip, base_name
from ...reading.schema import chosen
from ..constant_scope import ConstantScope
from ..declared import Link, Member
from ..names import NOTHING, Names, Scope
from ..resolve import resolve
from ..scopes import sided
from ..units import place_of

MADE = ("transpose", "product")  # what makes arrays of another shape, without a bias column


class WeightScope(Scope):
    """`init` and `weight`: other synapses, parameters of both ends, and initialisers."""

    counters = False

    def __init__(
        self,
        names: Names,
        scalar: ScalarNode,
        indices: Mapping[str, int],
        source: Member,
        target: Member,
        live: bool,
    ):
        super().__init__(names, scalar, indices)
        self.source, self.target, self.live = source, target, live
        self.where = "`weight`" if live else "`init`"
        calls: dict[str, tuple[int, int]] = {"transpose": (1, 1), "copy": (1, 1)}
        calls["product"] = (2, 2)
        for name, initialiser in () if live else INITIALISERS.items():
            calls[name] = (len(initialiser.arguments), len(initialiser.arguments))
        self.calls = calls

    def own_names(self) -> Iterable[str]:
        """Synapses and initialisers."""
        words = () if self.live else INITIALISERS
        return (*self.names.synapse_families, *words, "n_pre", "n_post")

    def own(self, node: Reference) -> Expr | None:
        """A synapse, an initialiser, a unit count, a parameter of an end."""
        if self.names.parameters.has(node.name):
            return None
        if node.name in ("pre", "post") and len(node.attributes) == 1:
            member = self.source if node.name == "pre" else self.target
            name = node.attributes[0]
            if name in member.own and not node.phase:
                found = sided(member.own[name], node.name, self)
                bare = isinstance(found, Parameter)
                return replace(found, span=node.span) if bare else found
            place = place_of(node, name, member, self, node.name)
            if place is not None and not node.phase:
                return place
            start = (node.span[0] if node.span else 0) + len(node.name) + 1
            self.names.problems.unknown(
                self.scalar.place_at(start),
                f"{self.where} is made once, of constants; '{member.name}' has no parameter",
                name,
                [*member.own, *PLACES],
            )
            return NOTHING
        if node.name in self.names.synapse_families and not node.attributes and not node.phase:
            try:
                found = self.names.synapse_members(node, self)
            except Skip:
                return NOTHING
            if node.index is None and None not in self.names.synapse_families[node.name]:
                self.fail(node, f"'{node.name}' is a family of synapses; say which: {node.name}[k]")
                return NOTHING
            return WeightOf(found[0].name, span=node.span)
        if node.index is None and not node.attributes:
            if node.name in ("n_pre", "n_post"):
                member = self.source if node.name == "n_pre" else self.target
                return Number(float(member.size), span=node.span)
            if node.name in INITIALISERS and not self.live:
                count = INITIALISERS[node.name].arguments
                if count:
                    self.fail(node, f"'{node.name}' needs {', '.join(count)} in brackets")
                    return NOTHING
                return Call(node.name, (), span=node.span)
        return None

    def built_in(self, node: Reference) -> Expr | None:
        """Where a unit stands, of which there are two."""
        if node.name not in PLACES:
            return None
        self.fail(
            node,
            f"a connection joins two units: say whose '{node.name}' it is",
            expected=f"`pre.{node.name}` or `post.{node.name}`",
        )
        return NOTHING


def plain_weight(expr: Expr, scope: Scope) -> Expr:
    """The expression without transposes of transposes; only weights are transposed or copied."""

    def each(node: Expr) -> Expr | None:
        if not isinstance(node, Call) or node.function not in ("transpose", "copy"):
            return None
        inner = transform(node.arguments[0], each)
        if not any(isinstance(part, WeightOf) for part in walk(inner)):
            scope.fail(node, f"`{node.function}` takes a synapse, and is its weight")
            raise Skip
        if isinstance(inner, Call) and node.function == inner.function == "transpose":
            return inner.arguments[0]
        return replace(node, arguments=(inner,))

    return transform(expr, each)


def check_stated(entry: MappingNode, connect: str, key: ScalarNode, names: Names) -> None:
    """A weight that never changes is not left to a random default."""
    said = any(entry.get(word) is not None for word in ("init", "weight", "rule"))
    if said or CONNECTIVITY[connect].init not in INITIALISERS:
        return
    names.problems.add(
        key.place,
        f"'{base_name(key)}' has no `rule`, and neither `init` nor `weight` says what its weights "
        "are",
        expected="`init: xavier_uniform`, drawn at random and kept, or `weight: transpose(W)`, "
        "made of another synapse",
        suggestion="init: xavier_uniform",
    )


def check_square(
    expr: Expr, shape: tuple[int, ...], bias: bool, connect: str, scope: Scope
) -> None:
    """Some initialisers make a square array; written down where the weights are none."""
    if not bias and len(shape) == 2 and shape[0] == shape[1]:
        return
    for node in (n for n in walk(expr) if isinstance(n, Call)):
        initialiser = INITIALISERS.get(node.function)
        if initialiser is not None and initialiser.square:
            made = initialiser.text.partition(" with ")[0]
            what = f"{shape[0]} x {shape[1]}" if len(shape) == 2 else f"connected {connect}"
            scope.fail(
                node,
                f"`{node.function}` is {made}, a square array without a bias; the weights here are "
                + (f"{what}, with a bias" if bias else what),
                expected="xavier_normal, xavier_uniform or normal(m, s)",
            )


def check_bias_column(expr: Expr, name: str, scope: Scope) -> None:
    """What a biased synapse starts from has a value for its bias, too; written down where not."""
    for node in (n for n in walk(expr) if isinstance(n, Parameter) and n.side == "pre"):
        word = node.name.rpartition(".")[2]
        scope.fail(
            node,
            f"'{name}' has a bias, and its bias unit has no {word}",
            expected="an `init` without `pre`, or a slow variable as a bias of the postsynaptic "
            "cell",
        )
    calls = [n for n in walk(expr) if isinstance(n, Call) and n.function in MADE]
    turned = {n for call in calls for n in walk(call) if isinstance(n, WeightOf)}
    for node in (n for n in walk(expr) if isinstance(n, WeightOf)):
        if node in turned or not scope.names.synapses[node.synapse].bias:
            scope.fail(
                node,
                f"'{name}' has a bias, of which this `init` says nothing: '{node.synapse}' has no "
                f"bias column that would fit",
                expected=f"`bias: true` of '{node.synapse}' too, an initialiser, or a slow "
                f"variable as a bias of the postsynaptic cell",
            )


def weight_of(link: Link, word: str, names: Names) -> Expr | None:
    """The resolved text of `init` or `weight`; None where there is none."""
    node = link.entry.get(word)
    if not isinstance(node, ScalarNode):
        return None
    expr = names.problems.parsed(node, parse_expression)
    scope = WeightScope(names, node, link.bound, link.source, link.target, word == "weight")
    before = names.problems.count
    found = resolve(expr, scope)
    if names.problems.count > before:
        raise Skip
    found = plain_weight(found, scope)
    link.weights += [n for n in walk(found) if isinstance(n, WeightOf)]
    shape = _shape(found, scope, names)
    if shape is not None and shape != link.shape:
        names.problems.fail(
            node.place,
            f"the {word} of '{link.name}' has the shape {shape_text(shape)}",
            expected=f"{shape_text(link.shape)}, from {link.source.size} to "
            f"{link.target.size} units",
            suggestion=f"{word}: transpose({node.text})" if shape[::-1] == link.shape else None,
        )
    check_square(found, link.shape, link.bias, link.connect, scope)
    if link.bias:
        check_bias_column(found, link.name, scope)
    return found


def _shape(expr: Expr, scope: Scope, names: Names) -> tuple[int, ...] | None:
    """The shape of a weight expression; None for numbers and initialisers, which fit any."""
    if isinstance(expr, WeightOf):
        return names.synapses[expr.synapse].shape
    if isinstance(expr, Unary):
        return _shape(expr.operand, scope, names)
    if isinstance(expr, Binary):
        left, right = _shape(expr.left, scope, names), _shape(expr.right, scope, names)
        if left is not None and right is not None and left != right:
            scope.fail(
                expr, f"the shapes {shape_text(left)} and {shape_text(right)} do not go together"
            )
            raise Skip
        return left if left is not None else right
    if isinstance(expr, Call) and expr.function == "product":
        return _product_shape(expr, scope, names)
    if isinstance(expr, Call) and expr.arguments:
        inner = _shape(expr.arguments[0], scope, names)
        return inner[::-1] if inner is not None and expr.function == "transpose" else inner
    return None


def _product_shape(expr: Call, scope: Scope, names: Names) -> tuple[int, ...]:
    """(post, pre) of the matrix product of two weights."""
    if isinstance(scope, WeightScope) and scope.live:
        scope.fail(
            expr,
            "`weight` cannot be a product of two arrays yet; `init` can, once",
            suggestion=f"init: {scope.scalar.text}",
        )
        raise Skip
    left, right = (_shape(a, scope, names) for a in expr.arguments)
    if left is None or right is None or len(left) != 2 or len(right) != 2:
        scope.fail(
            expr,
            "`product` takes two synapses with a matrix of weights, or their transposes",
            expected="`product(A, transpose(B))`",
        )
        raise Skip
    if left[1] != right[0]:
        scope.fail(
            expr,
            f"the shapes {shape_text(left)} and {shape_text(right)} have no product",
            expected="as many presynaptic units on the left as postsynaptic units on the right",
        )
        raise Skip
    return left[0], right[1]


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as an error names it."""
    return "(" + ", ".join(map(str, shape)) + ")"


def bounds_of(link: Link, names: Names) -> tuple[Expr, Expr] | None:
    """The smallest and the largest weight that `bounds` states."""
    node = link.entry.get("bounds")
    if node is None:
        return None
    ends = texts(node)
    if not isinstance(node, SequenceNode) or len(ends) != 2:
        names.problems.fail(
            node.place, "`bounds` are the smallest and the largest weight", expected="[0, 1]"
        )
    other = link.entry.key("sign")
    if other is not None:
        names.problems.fail(
            other.place,
            f"'{link.name}' has `bounds`, which say what `sign` would",
            expected="one of them: `bounds: [0, 1]`, or `sign: positive`",
        )
    first, second = (
        resolve(
            names.problems.parsed(s, parse_expression),
            ConstantScope(names, s, link.bound, "a bound"),
        )
        for s in ends
    )
    for scalar, end in zip(ends, (first, second), strict=True):
        lists = (n for n in walk(end) if isinstance(n, Parameter))
        if any(isinstance(names.parameters.value(n.name), tuple) for n in lists):
            names.problems.fail(scalar.place, "a bound is one number for all weights, not a list")
    return first, second


def check_of(link: Link, names: Names) -> str | None:
    """The property that `check` asks for."""
    node = link.entry.scalar("check")
    found = chosen(link.entry, SYNAPSE.known["check"], names.problems)
    if found is None or node is None:
        return None
    if len(link.shape) != 2 or link.shape[0] != link.shape[1] or link.bias:
        names.problems.add(
            node.place,
            f"`check: {node.text}` needs a square array of weights",
            got=f"{shape_text(link.shape)}" + (" and a bias" if link.bias else ""),
        )
    return node.text


def check_live(link: Link, weight: Expr, rule: tuple[Update | Equation, ...], names: Names) -> None:
    """What a synapse with a `weight` has no use for; written down where it is stated."""
    entry, owner = link.entry, weight
    while isinstance(owner, Call) and owner.function in ("transpose", "copy"):
        owner = owner.arguments[0]
    key = entry.key("rule")
    if key is not None and not isinstance(owner, WeightOf):
        names.problems.add(
            key.place,
            f"'{link.name}' has a `weight`, which says what the weight is at every moment; "
            f"`rule` has no effect",
            expected="`weight: A` or `weight: transpose(A)`, to whose array a rule adds",
        )
    elif key is not None and isinstance(owner, WeightOf):
        _check_shared(link, key, names.synapses[owner.synapse], rule, names)
    for word in ("init", "trace", "optimizer", "bounds", "sign", "bias", "check"):
        key = entry.key(word)
        if key is not None:
            names.problems.add(
                key.place,
                f"'{link.name}' has a `weight`, which says what the weight is at every moment; "
                f"`{word}` has no effect",
            )


def _check_shared(
    link: Link, key: ScalarNode, owner: Link, rule: tuple[Update | Equation, ...], names: Names
) -> None:
    """A rule that adds to the array of another synapse."""
    if owner.entry.get("weight") is not None:
        names.problems.add(
            key.place,
            f"the rule of '{link.name}' adds to the array of '{owner.name}', which has none: its "
            "`weight` is made of another synapse",
            expected="the synapse that has the array: `weight: A` or `weight: transpose(A)`",
        )
    kinds = [CONNECTIVITY[one.connect] for one in (link, owner)]
    if kinds[0].off_diagonal != kinds[1].off_diagonal:
        names.problems.add(
            key.place,
            f"the rule of '{link.name}' adds to the array of '{owner.name}', which has other "
            "connections",
            expected=f"`connect: {owner.connect}`",
        )
    if any(not isinstance(line, Update) or line.kind == ":=" for line in rule):
        names.problems.add(
            key.place,
            f"the rule of '{link.name}' adds to the array of '{owner.name}'",
            expected="`w += E` or `w -= E`, what it adds",
        )


def check_circles(names: Names) -> None:
    """Weights that are made of each other need a first one."""
    done: set[str] = set()

    def visit(name: str, chain: tuple[str, ...]) -> None:
        for part in dict.fromkeys(node.synapse for node in names.synapses[name].weights):
            if part in chain:
                circle = (*chain[chain.index(part) :], part)
                key = names.synapses[min(circle)].key
                circle = tuple(dict.fromkeys(circle))
                first = circle.index(min(circle))
                shown = (*circle[first:], *circle[: first + 1])
                names.problems.add(
                    key.place,
                    "weights are made of each other in a circle: " + " -> ".join(shown),
                )
            elif part not in done:
                visit(part, (*chain, part))
        done.add(name)

    for name in names.synapses:
        if name not in done:
            visit(name, (name,))
