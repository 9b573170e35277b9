r"""LaTeX: the equations and rules of a circuit as an `align*` environment, for a paper.

Symbols: a variable of a cell stands without its population, `x`; of another one with it,
`x_{\mathrm{layer}\,2}`; names that are Greek letters become them; what follows an underscore is a
subscript; members of a family that read alike stand once, with the index k.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import pi

from ...compartments.functions import FUNCTIONS
from ..circuit import Circuit, Equation, Population, Synapse, Update
from ..expressions.text import ATOM, COMPARE, LEVELS, POWER, PRODUCT, SUM, UNARY, number_text, text
from ..expressions.tree import (
    Binary,
    Call,
    Compare,
    Expr,
    Input,
    Noise,
    Number,
    Parameter,
    Rate,
    Residual,
    Stream,
    Transmitted,
    Unary,
    Variable,
    Weight,
    WeightOf,
)
from .notation import GREEK, PrintedLine, adopted, grouped

_SIGNS = {"<": "<", "<=": r"\le", ">": ">", ">=": r"\ge", "==": "=", "!=": r"\ne"}
_SPELLED = {"gam": "gamma", "lam": "lambda", "eps": "varepsilon"}


def latex(circuit: Circuit) -> str:
    """Every equation, synapse and rule, in file order."""
    rows = [*_populations(circuit), *_synapses(circuit), *_energies(circuit)]
    body = " \\\\\n".join(f"  {row}" for row in rows)
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"


def _populations(circuit: Circuit) -> Iterator[str]:
    members = circuit.populations.values()
    lines = [PrintedLine(p.base, p.index, "\n".join(_cell(circuit, p))) for p in members]
    yield from _rows(lines)


def _synapses(circuit: Circuit) -> Iterator[str]:
    members = circuit.synapses.values()
    lines = [PrintedLine(s.base, s.index, "\n".join(_rules(s))) for s in members]
    yield from _rows(lines)


def _energies(circuit: Circuit) -> Iterator[str]:
    for name, expr in circuit.energies.items():
        yield _bare(f"{symbol(name)} &= {_write(circuit, None, expr)}")


def _rows(lines: list[PrintedLine]) -> Iterator[str]:
    """The lines of each group; the first says which members they hold for."""
    for group in grouped(lines):
        first, last, several = group[0], group[-1], len(group) > 1
        written = (first.generic if several else first.text).split("\n")
        name = r"\text{" + first.base.replace("_", r"\_") + "}"
        if several:
            name += rf"_k,\ k = {first.index}, \dots, {last.index}"
        elif first.index is not None:
            name += f"_{{{first.index}}}"
        for number, line in enumerate(line for line in written if line):
            yield _bare(line) + (f" && {name}" if number == 0 else "")


def _bare(written: str) -> str:
    """Indices without their brackets."""
    return re.sub(r"\[([-+0-9k]+)\]", r"\1", written)


def _cell(circuit: Circuit, population: Population) -> Iterator[str]:
    for one in population.equations:
        yield _equation(circuit, population, one)
    for one in (*population.after_step, *population.rules):
        yield _update(circuit, population, one)
    for event in population.events:
        when = _write(circuit, population, event.when)
        for one in event.do:
            yield rf"{_update(circuit, population, one)} \quad\text{{if }} {when}"


def weight(synapse: Synapse) -> str:
    """The expression that stands for the weights of a synapse, or its name."""
    if synapse.weight is None:
        return symbol(synapse.name)
    return _write(None, None, synapse.weight)


def _rules(synapse: Synapse) -> Iterator[str]:
    if synapse.weight is not None:
        yield f"{symbol(synapse.name)} &= {weight(synapse)}"
    for one in (*synapse.trace, *synapse.rule):
        if isinstance(one, Equation):
            yield _equation(None, None, one)
        else:
            yield _update(None, None, one)


def _equation(circuit: Circuit | None, population: Population | None, one: Equation) -> str:
    left, right = symbol(one.variable), _write(circuit, population, one.right)
    if one.kind != "state":
        return f"{left} &= {right}"
    tau = "" if one.tau is None else _write(circuit, population, one.tau, PRODUCT) + r"\,"
    return rf"{tau}\frac{{\mathrm{{d}}{left}}}{{\mathrm{{d}}t}} &= {right}"


def _update(circuit: Circuit | None, population: Population | None, one: Update) -> str:
    left, right = symbol(one.target), _write(circuit, population, one.right)
    if one.kind == ":=":
        return rf"{left} &\leftarrow {right}"
    bracketed = _write(circuit, population, one.right, PRODUCT) if one.kind == "-=" else right
    return rf"{left} &\leftarrow {left} {one.kind[0]} {bracketed}"


def symbol(name: str) -> str:
    r"""`tau_w` as `\tau_{\mathrm{w}}`, `W_IP[2]` as `W_{\mathrm{IP}\,[2]}`."""
    bare, _, index = name.partition("[")
    first, _, rest = bare.partition("_")
    below = [rf"\mathrm{{{part}}}" for part in rest.split("_") if part]
    if index:
        below.append(f"[{index}")
    first = _letters(first)
    return first + ("_{" + r"\,".join(below) + "}" if below else "")


def _letters(word: str) -> str:
    if word in GREEK:
        return "\\" + _SPELLED.get(word, word)
    return word if len(word) <= 1 else rf"\mathrm{{{word}}}"


def _write(
    circuit: Circuit | None, population: Population | None, expr: Expr, least: int = COMPARE
) -> str:
    """The LaTeX of an expression, in brackets if it binds less tightly than `least`."""
    level, written = _written(circuit, population, expr)
    return written if level >= least else rf"\left({written}\right)"


def _written(circuit: Circuit | None, home: Population | None, expr: Expr) -> tuple[int, str]:
    match expr:
        case Number():
            return _number(expr.value)
        case Unary():
            return UNARY, "-" + _write(circuit, home, expr.operand, UNARY)
        case Binary():
            return _binary(circuit, home, expr)
        case Compare():
            left, right = (_write(circuit, home, e, SUM) for e in (expr.left, expr.right))
            return COMPARE, f"{left} {_SIGNS[expr.op]} {right}"
        case Call():
            return _call(circuit, home, expr)
        case Input():
            return _arriving(circuit, expr)
        case Stream(name=name) if circuit is not None and name in circuit.signals:
            return ATOM, rf"{symbol(name)}(t)"
        case _:
            return _leaf(home, expr)


def _number(value: float) -> tuple[int, str]:
    if value == pi:
        return ATOM, r"\pi"
    mantissa, _, exponent = number_text(value).partition("e")
    if not exponent:
        return (UNARY if mantissa.startswith("-") else ATOM), mantissa
    power = f"10^{{{int(exponent)}}}"
    return PRODUCT, power if mantissa == "1" else rf"{mantissa} \cdot {power}"


def _binary(circuit: Circuit | None, home: Population | None, expr: Binary) -> tuple[int, str]:
    if expr.op == "/":
        above, below = (_write(circuit, home, e) for e in (expr.left, expr.right))
        return PRODUCT, rf"\frac{{{above}}}{{{below}}}"
    if expr.op == "^":
        base = _write(circuit, home, expr.left, ATOM)
        return POWER, f"{{{base}}}^{{{_write(circuit, home, expr.right)}}}"
    level = LEVELS[expr.op]
    left = _write(circuit, home, expr.left, level)
    right = _write(circuit, home, expr.right, level + 1)
    between = r" \cdot " if right[:1].isdigit() else r" \, "
    return level, f"{left}{between}{right}" if expr.op == "*" else f"{left} {expr.op} {right}"


def _call(circuit: Circuit | None, home: Population | None, expr: Call) -> tuple[int, str]:
    inside = ", ".join(_write(circuit, home, a) for a in expr.arguments)
    if expr.function == "transpose":
        return POWER, f"{{{inside}}}^{{\\top}}"
    if expr.function == "product":
        sides = (_write(circuit, home, a, PRODUCT) for a in expr.arguments)
        return PRODUCT, r" \, ".join(sides)
    if expr.function == "copy":
        return _written(circuit, home, expr.arguments[0])
    if expr.function == "sum":
        return PRODUCT, rf"\textstyle\sum {_write(circuit, home, expr.arguments[0], PRODUCT)}"
    row = FUNCTIONS.get(expr.function)
    if row is not None and "%" in row.latex and not expr.primed:
        written = (_write(circuit, home, a) for a in expr.arguments)
        return ATOM, row.latex % dict(zip(row.arguments, written, strict=True))
    called = row.latex if row is not None and "%" not in row.latex else ""
    name = called or symbol(expr.function)
    prime = "'" if expr.primed else ""
    return ATOM, rf"{name}{prime}\left({inside}\right)"


def _arriving(circuit: Circuit | None, node: Input) -> tuple[int, str]:
    """The synapses that bring an `input`, as a sum."""
    found = [_sent(s) for s in circuit.arriving(node)] if circuit is not None else []
    return (SUM if len(found) > 1 else PRODUCT), " + ".join(found) or "0"


def _sent(synapse: Synapse) -> str:
    source = _leaf(None, Variable(*synapse.source))[1]
    if synapse.delay is not None:
        source += rf"\left(t - {_write(None, None, synapse.delay, PRODUCT)}\right)"
    name = symbol(synapse.name)
    if synapse.current is not None:
        name = rf"\textstyle\sum_{{\mathrm{{pre}}}} {_write(None, None, synapse.current, PRODUCT)}"
        return name
    if synapse.weight is not None and (synapse.pool is None or adopted(synapse)):
        name = _write(None, None, synapse.weight, PRODUCT)
    if synapse.pool is not None:
        return rf"{name}\left({source}\right)"
    if synapse.windows is not None:
        return rf"{name} \ast {source}"
    return name + (r" \circ " if synapse.connection.elementwise else r" \, ") + source


def _leaf(home: Population | None, expr: Expr) -> tuple[int, str]:
    match expr:
        case Variable():
            own = home is not None and expr.population == home.name and expr.side is None
            where = expr.side or expr.population
            name = symbol(expr.name) if own else _of(expr.name, where)
            if expr.phase is not None:
                return POWER, f"{{{name}}}^{{\\mathrm{{{expr.phase}}}}}"
            return ATOM, name
        case Rate():
            return ATOM, rf"\dot{{{symbol(expr.name)}}}"
        case Parameter():
            name = expr.name.rpartition(".")[2]
            return ATOM, symbol(name) if expr.side is None else _of(name, expr.side)
        case WeightOf():
            return ATOM, symbol(expr.synapse)
        case Weight():
            return ATOM, "w"
        case Transmitted():
            return ATOM, r"s_{\mathrm{pre}}"
        case Noise():
            return ATOM, r"\xi"
        case Residual():
            return ATOM, r"\mathrm{residual}"
    return ATOM, symbol(text(expr))


def _of(name: str, place: str) -> str:
    r"""`x` of `layer[2]` as `x_{\mathrm{layer}\,[2]}`."""
    base, _, index = place.partition("[")
    below = rf"\mathrm{{{base.replace('_', ' ')}}}" + (rf"\,[{index}" if index else "")
    written = symbol(name)
    if written.endswith("}") and "_{" in written:
        return written[:-1] + rf"\,{below}}}"
    return f"{written}_{{{below}}}"
