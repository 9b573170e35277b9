"""Convolutions and poolings: what `connect` says of their windows, and what fits them."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from ....compartments.connectivity import CONNECTIVITY
from ....compartments.windows import Windows, map_sides, with_channels
from ...circuit import Equation, Update
from ...expressions.parser import parse_expression
from ...expressions.tree import Array, Binary, Call, Expr, Parameter, Reference, Unary, walk
from ...reading.nodes import ScalarNode
from ..declared import Link, Member
from ..names import Names, Scope
from .weight_checks import MADE

POOLS = ("max", "mean")
EXAMPLES = {
    "kernel": "`convolution(size)`, `convolution(size, stride)` or "
    "`convolution(size, stride, padding)`, such as `convolution(3, 1, 1)`",
    "pool": "`pooling(max, size)` or `pooling(mean, size)`",
}
USELESS = {  # keys that say something of a weight, or of each connection
    "pool": ("init", "weight", "bias", "current", "trace", "rule", "optimizer", "bounds", "sign",
             "check", "batch"),
    "kernel": ("current", "trace", "check"),
}  # fmt: skip


def lay_windows(names: Names) -> None:
    """Give every convolution and pooling, and what is made of one, its windows and its shape."""
    done: dict[str, bool] = {}
    for link in list(names.synapses.values()):
        _settle(link, names, done)


def _settle(link: Link, names: Names, done: dict[str, bool]) -> bool:
    """Lay the windows of one synapse; whether that went well."""
    if link.name not in done:
        done[link.name] = True
        with names.problems.guard(names.broken, link.base):
            _lay(link, names, done)
            return True
        done[link.name] = False
        names.synapses.pop(link.name)
        names.synapse_families[link.base].pop(link.index)
    return done[link.name]


def _lay(link: Link, names: Names, done: dict[str, bool]) -> None:
    weight, connect = link.entry.get("weight"), link.entry.scalar("connect")
    if isinstance(weight, ScalarNode):
        found = _one_synapse(names.problems.parsed(weight, parse_expression), link, weight, names)
        if found is not None:
            owner, turned = found
            if not _settle(owner, names, done):
                names.problems.echo()
            if owner.windows is not None:
                _adopted(link, owner, turned, weight, names)
                return
    if connect is not None and CONNECTIVITY[link.connect].windows:
        _declared(link, connect, names)


def _one_synapse(
    expr: Expr, link: Link, scalar: ScalarNode, names: Names
) -> tuple[Link, bool] | None:
    """The one synapse whose weight an expression is, times a number, and whether transposed."""
    match expr:
        case Reference(name=name, attributes=()) if name in names.synapse_families:
            members = names.synapse_families[name]
            if expr.index is None:
                index = None
            else:
                index = names.bound(expr.index, scalar, link.bound)
            other = names.synapses.get(members.get(index, ""))
            return None if other is None else (other, False)
        case Call(function="transpose" | "copy", arguments=(inner,)):
            found = _one_synapse(inner, link, scalar, names)
            return found and (found[0], found[1] ^ (expr.function == "transpose"))
        case Unary(operand=inner):
            return _one_synapse(inner, link, scalar, names)
        case Binary(op="*", left=left, right=right):
            parts = (_one_synapse(one, link, scalar, names) for one in (left, right))
            known = [one for one in parts if one is not None]
            return known[0] if len(known) == 1 else None
    return None


# --- stated windows ------------------------------------------------------------------------------


def _declared(link: Link, node: ScalarNode, names: Names) -> None:
    """The windows that `connect` states."""
    call = names.problems.parsed(node, parse_expression)
    arguments = list(call.arguments) if isinstance(call, Call) else []
    kind = CONNECTIVITY[link.connect].windows
    if kind == "pool":
        word = arguments.pop(0) if arguments else None
        link.pool = word.name if isinstance(word, Reference) else ""
    few, many = (1, 1) if kind == "pool" else (1, 3)
    if not few <= len(arguments) <= many or (kind == "pool" and link.pool not in POOLS):
        names.problems.fail(
            node.place,
            f"`connect: {node.text}` does not say what a window is",
            expected=EXAMPLES[kind],
        )
    numbers = [
        _whole(a, least, node, link, names) for a, least in zip(arguments, (1, 1, 0), strict=False)
    ]
    size, stride, padding = numbers + [1, 0][len(numbers) - 1 :]
    if kind == "pool":
        stride = size
    for word in USELESS[kind]:
        key = link.entry.key(word)
        if key is not None:
            names.problems.add(
                key.place,
                f"'{link.name}' is a {link.connect}: `{word}` has no meaning for it",
                expected=_instead(word, link),
            )
    image, seeing = _shaped(link.source, link, names), _shaped(link.target, link, names)
    link.windows = Windows(image, seeing, size, stride, padding)
    _fit(link, node, names)
    link.shape = link.windows.kernel if kind == "kernel" else (link.target.size, link.source.size)


def _instead(word: str, link: Link) -> str:
    if link.pool is not None:
        return "`connect: pooling` takes the largest or the mean of a window, without weights"
    return {
        "trace": "a `filter`, or a variable of one of its cells: connections share a weight, and "
        "have no numbers of their own",
        "current": "`w * pre`; what else depends on `post` stands in the equation that reads "
        "`input`, what depends on `pre` in a variable that is sent",
    }.get(word, "a square array of weights")


def _whole(argument: Expr, least: int, node: ScalarNode, link: Link, names: Names) -> int:
    found = names.bound(argument, node, link.bound)
    if found < least:
        names.problems.fail(
            node.place,
            f"a number of `connect: {node.text}` is {found}",
            expected=EXAMPLES[CONNECTIVITY[link.connect].windows],
        )
    return found


def _shaped(member: Member, link: Link, names: Names) -> tuple[int, int, int]:
    """(channels, rows, columns) of one end."""
    if member.shape is None:
        names.problems.fail(
            (link.entry.key("connect") or link.key).place,
            f"'{link.name}' is a {link.connect}, and the population '{member.name}' has no `shape`",
            expected=f"`shape: [rows, columns]` or `shape: [channels, rows, columns]` of "
            f"'{member.name}', {member.size} units",
        )
    return with_channels(member.shape)


def _fit(link: Link, node: ScalarNode, names: Names) -> None:
    """Whether the windows over the image make the map."""
    over = link.windows
    assert over is not None
    rows, columns = map_sides(over.image, over.size, over.stride, over.padding)
    channels = over.image[0] if link.pool is not None else over.map[0]
    if min(rows, columns) < 1:
        names.problems.fail(
            node.place,
            f"the windows of `{node.text}` are larger than '{link.source.name}', "
            f"{_sides(over.image)}",
        )
    if over.map != (channels, rows, columns):
        names.problems.fail(
            node.place,
            f"`{node.text}` of '{link.source.name}', {_sides(over.image)}, makes "
            f"{_sides((channels, rows, columns))}; '{link.target.name}' is {_sides(over.map)}",
            expected=f"`shape: [{channels}, {rows}, {columns}]` of '{link.target.name}'",
        )


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


# --- windows of another synapse ------------------------------------------------------------------


def _adopted(link: Link, owner: Link, turned: bool, weight: ScalarNode, names: Names) -> None:
    """A synapse whose weight is that of a convolution or pooling has its windows, too."""
    assert owner.windows is not None
    for word in ("connect", *USELESS[CONNECTIVITY[owner.connect].windows]):
        key = link.entry.key(word)
        if key is not None and word != "weight":
            names.problems.add(
                key.place,
                f"'{link.name}' has the connections of '{owner.name}', a {owner.connect}: "
                f"`{word}` has no meaning for it",
                expected="`weight` alone: it says which units are joined",
            )
    link.connect, link.pool = owner.connect, owner.pool
    link.backwards = owner.backwards ^ turned
    ends = (_shaped(link.source, link, names), _shaped(link.target, link, names))
    image, seeing = reversed(ends) if link.backwards else ends
    link.windows = replace(owner.windows, image=image, map=seeing)
    sides = map_sides(image, link.windows.size, link.windows.stride, link.windows.padding)
    same = link.windows.kernel == owner.windows.kernel or owner.pool is not None
    if not same or seeing[1:] != sides or (owner.pool and seeing[0] != image[0]):
        start, end = owner.windows.image, owner.windows.map
        if link.backwards:
            start, end = end, start
        names.problems.fail(
            weight.place,
            f"`weight: {weight.text}` leads from {_sides(start)} to {_sides(end)}; '{link.name}' "
            f"joins '{link.source.name}', {_sides(ends[0])}, to '{link.target.name}', "
            f"{_sides(ends[1])}",
        )
    link.shape = owner.shape if owner.pool is None else (prod(ends[1]), prod(ends[0]))


# --- weights -------------------------------------------------------------------------------------


def check_changes(link: Link, rule: tuple[Update | Equation, ...], names: Names) -> None:
    """A rule of a shared weight says what each connection adds."""
    key = link.entry.key("rule")
    if link.windows is None or key is None or link.pool is not None:
        return
    if any(isinstance(line, Update) and line.kind == ":=" for line in rule):
        names.problems.add(
            key.place,
            f"cells share the weights of '{link.name}', a {link.connect}: what each connection "
            "says is added up, and none of them can say what the weight is",
            expected="`w += E` or `w -= E`, what one connection adds",
        )


def check_kernel(link: Link, expr: Expr, live: bool, scope: Scope) -> None:
    """What the weights of a convolution are made of belongs to no unit; written down if not."""
    if link.windows is None or link.pool is not None:
        return
    for node in (n for n in walk(expr) if isinstance(n, Parameter) and n.side is not None):
        scope.fail(
            node,
            f"the units of '{link.name}' share the weights of its kernel, which cannot depend on "
            f"where one stands, or on a parameter that each has for itself",
            expected="numbers, parameters, initialisers and `n_pre`, `n_post`",
        )
    if live:
        return
    for node in (n for n in walk(expr) if isinstance(n, Array) and link.bias):
        scope.fail(
            node,
            f"'{link.name}' has a bias, and an array (out, in, rows, columns) has none",
            expected=f"an initialiser, or from Python `sim.weights['{link.name}'] = ...`, where "
            f"`sim.weights['{link.name}.bias']` is beside it",
        )
    for node in (n for n in walk(expr) if isinstance(n, Call) and n.function in MADE):
        scope.fail(
            node,
            f"`init` of '{link.name}' cannot be a {node.function}: its weights are a kernel, (out, "
            f"in, rows, columns)",
            expected="another kernel of this shape, or an initialiser",
        )
