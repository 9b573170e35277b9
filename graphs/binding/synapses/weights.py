"""Weight expressions: what `init` and `weight` may be made of, once their names are known."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from ...expressions.parser import parse_expression
from ...expressions.tree import Array, Call, Expr, Parameter, WeightOf, transform, walk
from ...reading.keys import SYNAPSE
from ...reading.nodes import ScalarNode, SequenceNode, texts
from ...reading.problems import Skip
from ...reading.schema import chosen
from ..constant_scope import ConstantScope
from ..declared import Link
from ..names import Names, Scope
from ..resolve import resolve
from .weight_arrays import start_text
from .weight_checks import check_bias_column, check_square
from .weight_scope import WeightScope
from .weight_shapes import shape_of, shape_text
from .windows import check_kernel


def plain_weight(expr: Expr, scope: Scope) -> Expr:
    """The expression without transposes of transposes; only weights are transposed or copied."""

    def each(node: Expr) -> Expr | None:
        if not isinstance(node, Call) or node.function not in ("transpose", "copy"):
            return None
        inner = transform(node.arguments[0], each)
        if not any(isinstance(part, WeightOf | Array) for part in walk(inner)):
            scope.fail(node, f"`{node.function}` takes a synapse, and is its weight")
            raise Skip
        if isinstance(inner, Call) and node.function == inner.function == "transpose":
            return inner.arguments[0]
        return replace(node, arguments=(inner,))

    return transform(expr, each)


def weight_of(link: Link, word: str, names: Names) -> Expr | None:
    """The resolved text of `init` or `weight`; None where there is none."""
    node = start_text(link, names) if word == "init" else link.entry.scalar(word)
    if node is None:
        return None
    expr = names.problems.parsed(node, parse_expression)
    live = word == "weight"
    scope = WeightScope(names, node, link, live, link.bias)
    before = names.problems.count
    found = resolve(expr, scope)
    if names.problems.count > before:
        raise Skip
    found = plain_weight(found, scope)
    check_kernel(link, found, live, scope)
    link.weights += [n for n in walk(found) if isinstance(n, WeightOf)]
    if link.bias:
        check_bias_column(found, link.name, scope)
        if names.problems.count > before:
            raise Skip
    shape = shape_of(found, scope, names)
    laid = live and link.windows is not None  # `lay_windows` has compared them
    if shape is not None and shape != link.shape and not laid:
        _wrong_shape(link, word, node, shape, any(isinstance(n, Array) for n in walk(found)), names)
    check_square(found, link.shape, link.bias, link.connect, scope)
    return found


def _wrong_shape(
    link: Link, word: str, node: ScalarNode, shape: tuple[int, ...], array: bool, names: Names
) -> NoReturn:
    """Write down that what a weight is made of does not fit; arrays have the bias column."""
    wanted, sizes = link.shape, f"from {link.source.size} to {link.target.size} units"
    fitting = f"{word}: transpose({node.text})" if shape[::-1] == wanted and not link.bias else None
    if array and link.bias and len(shape) == 2:
        shape, wanted = (shape[0], shape[1] + 1), (wanted[0], wanted[1] + 1)
        sizes = f"from {link.source.size} units and, in the last column, the bias to {wanted[0]}"
    names.problems.fail(
        node.place,
        f"the {word} of '{link.name}' has the shape {shape_text(shape)}",
        expected=f"{shape_text(wanted)}, {sizes}",
        suggestion=fitting,
    )


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
