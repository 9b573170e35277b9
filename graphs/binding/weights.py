"""Weight expressions: what `init` and `weight` may be made of, once their names are known."""

from __future__ import annotations

from dataclasses import replace

from ...compartments.connectivity import CONNECTIVITY
from ...compartments.initialisers import INITIALISERS
from ..expressions.tree import Call, Expr, WeightOf, transform, walk
from ..reading.nodes import Mapping, Scalar
from ..reading.problems import Skip, base_name
from .names import Names, Scope


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


def check_stated(entry: Mapping, connect: str, key: Scalar, names: Names) -> None:
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
    """`wishart` makes a square array; written down where the weights are none."""
    if not bias and len(shape) == 2 and shape[0] == shape[1]:
        return
    for node in walk(expr):
        if isinstance(node, Call) and node.function == "wishart":
            what = f"{shape[0]} x {shape[1]}" if len(shape) == 2 else f"connected {connect}"
            scope.fail(
                node,
                "`wishart` is Q Q^T, a square array without a bias; the weights here are "
                + (f"{what}, with a bias" if bias else what),
                expected="xavier_normal, xavier_uniform or normal(m, s)",
            )


def check_bias_column(expr: Expr, name: str, scope: Scope) -> None:
    """What a biased synapse starts from has a value for its bias, too; written down where not."""
    calls = [n for n in walk(expr) if isinstance(n, Call) and n.function == "transpose"]
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
