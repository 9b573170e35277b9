"""The shapes of weight expressions, (post, pre)."""

from __future__ import annotations

from ...expressions.tree import Array, Binary, Call, Expr, Unary, WeightOf
from ...reading.problems import Skip
from ..names import Names, Scope
from .weight_scope import WeightScope


def shape_of(
    expr: Expr, scope: Scope, names: Names, turned: bool = False
) -> tuple[int, ...] | None:
    """The shape of a weight expression; None for numbers and initialisers, which fit any.

    A bias column is left out: that of an array, which has one unless it is `turned` (in a
    `transpose` or a `product`).
    """
    if isinstance(expr, WeightOf):
        return names.synapses[expr.synapse].shape
    if isinstance(expr, Array):
        shape = tuple(int(n) for n in expr.values.shape)
        bias = isinstance(scope, WeightScope) and scope.bias and not turned
        return (shape[0], shape[1] - 1) if bias and len(shape) == 2 else shape
    if isinstance(expr, Unary):
        return shape_of(expr.operand, scope, names, turned)
    if isinstance(expr, Binary):
        left, right = (shape_of(e, scope, names, turned) for e in (expr.left, expr.right))
        if left is not None and right is not None and left != right:
            scope.fail(
                expr, f"the shapes {shape_text(left)} and {shape_text(right)} do not go together"
            )
            raise Skip
        return left if left is not None else right
    if isinstance(expr, Call) and expr.function == "product":
        return _product_shape(expr, scope, names)
    if isinstance(expr, Call) and expr.arguments:
        turned = turned or expr.function == "transpose"
        inner = shape_of(expr.arguments[0], scope, names, turned)
        return inner[::-1] if inner is not None and expr.function == "transpose" else inner
    return None


def _product_shape(expr: Call, scope: Scope, names: Names) -> tuple[int, ...]:
    """(post, pre) of the matrix product of two weights."""
    left, right = (shape_of(a, scope, names, turned=True) for a in expr.arguments)
    if left is None or right is None or len(left) != 2 or len(right) != 2:
        scope.fail(
            expr,
            "`product` takes two matrices: weights of synapses, arrays, or their transposes",
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
