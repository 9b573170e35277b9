"""What a synapse cannot say of its weights, and weights made of each other in a circle."""

from __future__ import annotations

from ....compartments.connectivity import CONNECTIVITY
from ....compartments.initialisers import INITIALISERS
from ...circuit import Equation, Update
from ...expressions.tree import Array, Call, Expr, Parameter, WeightOf, walk
from ...reading.nodes import MappingNode, ScalarNode
from ...reading.problems import base_name
from ..declared import Link
from ..names import Names, Scope

MADE = ("transpose", "product")  # what makes arrays of another shape, without a bias column


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
    turned = {n for call in calls for n in walk(call)}
    for node in walk(expr):
        said, too = "", ""
        if isinstance(node, WeightOf):
            biased = scope.names.synapses[node.synapse].bias
            said, too = f"'{node.synapse}'", f"`bias: true` of '{node.synapse}' too"
        elif isinstance(node, Array):
            biased, said, too = True, node.said, "an array whose last column is the bias"
        if said and (node in turned or not biased):
            scope.fail(
                node,
                f"'{name}' has a bias, of which this `init` says nothing: {said} has no "
                f"bias column that would fit",
                expected=f"{too}, an initialiser, or a slow variable as a bias of the "
                f"postsynaptic cell",
            )


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
        always = any(not isinstance(line, Update) for line in rule)
        names.problems.add(
            key.place,
            f"the rule of '{link.name}' adds to the array of '{owner.name}'",
            expected="`w += E` or `w -= E`, what it adds"
            + (f"; all the time: `w += dt*E` and `learn_each_step: {link.name}`" if always else ""),
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
