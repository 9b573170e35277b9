"""Notation: equations and rules of a circuit as a paper prints them.

`input` is written out as the synapses that bring it, a cell's own variables stand without its name,
Greek letters are letters, and members of a family that read alike stand once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import pi

from ..circuit import Circuit, Equation, Event, Population, Synapse, Update
from ..expressions.constants import NotConstantError, evaluate
from ..expressions.text import text
from ..expressions.tree import (
    Expr,
    Input,
    Number,
    Parameter,
    Rate,
    RateReference,
    Reference,
    Variable,
    WeightOf,
    transform,
    walk,
)

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "gam": "γ", "delta": "δ", "eps": "ε", "epsilon": "ε",
    "zeta": "ζ", "eta": "η", "theta": "θ", "kappa": "κ", "lam": "λ", "lambda": "λ", "mu": "μ",
    "nu": "ν", "xi": "ξ", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ",
    "omega": "ω", "pi": "π",
}  # fmt: skip
_GREEK = re.compile(rf"(?<![A-Za-z0-9_])({'|'.join(GREEK)})(?![A-Za-z0-9(])")
_SQUARE = re.compile(r"\^([23])(?![\d.])")


@dataclass(frozen=True)
class PrintedLine:
    """A text about one member (`base[index]`, or `base`) of a family, or about none."""

    base: str
    index: int | None
    text: str
    size: int | None = None
    shape: tuple[int, ...] | None = None

    @property
    def generic(self) -> str:
        """The text with k for the index."""
        if self.index is None:
            return self.text
        generic = self.text
        for offset, written in ((0, "k"), (-1, "k-1"), (1, "k+1")):
            generic = generic.replace(f"[{self.index + offset}]", f"[{written}]")
        return generic


def grouped(lines: Iterable[PrintedLine]) -> Iterator[tuple[PrintedLine, ...]]:
    """Neighbouring members of one family that read alike, together."""
    group: list[PrintedLine] = []
    for line in lines:
        alike = group and group[-1].base == line.base and group[-1].generic == line.generic
        if group and not alike:
            yield tuple(group)
            group = []
        group.append(line)
    if group:
        yield tuple(group)


def joined(lines: Iterable[PrintedLine]) -> Iterator[str]:
    """One text for each group, `for k = 1..3` behind those of several members."""
    for group in grouped(lines):
        if len(group) == 1:
            yield group[0].text
        else:
            yield f"{group[0].generic}   for k = {group[0].index}..{group[-1].index}"


def paper(written: str) -> str:
    """Greek letters, a dot for the product, raised 2 and 3."""
    letters = _GREEK.sub(lambda m: GREEK[m.group(1)], written)
    raised = _SQUARE.sub(lambda m: "²³"[int(m.group(1)) - 2], letters)
    return raised.replace(" * ", " · ").replace(repr(pi), "π").replace("()", "")


def equation(circuit: Circuit, population: Population, one: Equation) -> str:
    """`τ dx/dt = ...`, or `x = ...`."""
    variable, right = paper(one.variable), own(circuit, population, one.right)
    if one.kind != "state":
        return f"{variable} = {right}"
    tau = "" if one.tau is None else f"{own(circuit, population, one.tau)} "
    return f"{tau}d{variable}/dt = {right}"


def update(circuit: Circuit, population: Population, one: Update) -> str:
    """`x := ...`, `x += ...`."""
    return f"{paper(one.target)} {one.kind} {own(circuit, population, one.right)}"


def event_lines(circuit: Circuit, population: Population, event: Event) -> Iterator[str]:
    """`event spike when V >= V_th: V := V_r`, and what it holds for how long."""
    lines = "; ".join(update(circuit, population, line) for line in event.do)
    when = own(circuit, population, event.when)
    yield f"event {paper(event.name)} when {when}{': ' * bool(lines)}{lines}"
    if event.duration is not None:
        held = ", ".join(map(paper, event.hold))
        length = own(circuit, population, event.duration)
        yield f"  holds {held} for {length}" if held else f"  none for {length}"


def rule(one: Update | Equation) -> str:
    """A line of a synapse's rule or trace."""
    if isinstance(one, Update):
        return paper(f"{one.target} {one.kind} {text(one.right)}")
    tau = "" if one.tau is None else f"{text(one.tau)} "
    return paper(f"{tau}d{one.variable}/dt = {text(one.right)}")


def value(circuit: Circuit, expr: Expr) -> str:
    """An expression, and what it is worth if that is constant: `h = 0.1`."""
    written = paper(text(expr))
    if isinstance(expr, Number):
        return written
    try:
        worth = evaluate(expr, lambda name: circuit.parameters[name].value)
    except NotConstantError:
        return written
    return written if isinstance(worth, tuple) else f"{written} = {worth:g}"


def own(circuit: Circuit, population: Population, right: Expr) -> str:
    """A right side inside a population: its variables by name, `input` as what brings it."""

    def leaf(node: Expr) -> Expr | None:
        if isinstance(node, Variable) and node.population == population.name:
            return Reference(node.name, phase=node.phase)
        if isinstance(node, Rate) and node.population == population.name:
            return RateReference(node.name)
        if isinstance(node, Parameter) and node.name.startswith(f"{population.name}."):
            return Reference(node.name.removeprefix(f"{population.name}."))
        if isinstance(node, Input):
            return Reference(_arriving(circuit, node, alone=node is right))
        return None

    return paper(text(transform(right, leaf)))


def _arriving(circuit: Circuit, node: Input, alone: bool) -> str:
    """The synapses that bring an `input`, as a sum; 0 if there is none."""
    found = [sent(s) for s in circuit.arriving(node)]
    if not found:
        return "0"
    return " + ".join(found) if alone or len(found) == 1 else f"({' + '.join(found)})"


def adopted(synapse: Synapse) -> bool:
    """Whether it has the windows of another convolution or pooling, whose weight it has."""
    live = synapse.weight if synapse.windows else None
    return live is not None and any(isinstance(n, WeightOf) for n in walk(live))


def sent(synapse: Synapse) -> str:
    """What a synapse brings: `W[1] layer[0].x`, `Wᵀ y.d`, `a ∘ q`, `K * x`, or its `current`."""
    source = ".".join(synapse.source)
    if synapse.filter is not None:
        source = f"filtered({source})"
    if synapse.delay is not None:
        source = f"{source}(t - {text(synapse.delay)})"
    if synapse.current is not None:
        return f"Σ_pre[{synapse.name}: {text(synapse.current)}]"
    if synapse.connection.elementwise:
        return f"{weight_text(synapse)} ∘ {source}"
    if synapse.pool is not None:
        name = weight_text(synapse) if adopted(synapse) else synapse.name
        return f"{name}[{source}]"
    if synapse.windows is not None:
        return f"{weight_text(synapse)} * {source}"
    return f"{weight_text(synapse)} {source}"


def weight_text(synapse: Synapse) -> str:
    """The name of a weight, or the live expression that stands for it, `W[2]ᵀ`."""
    if synapse.weight is None:
        return synapse.name
    written = re.sub(r"transpose\(([^()]*)\)", r"\1ᵀ", text(synapse.weight))
    written = re.sub(r"copy\(([^()]*)\)", r"\1", written)
    return f"({written})" if " " in written else written
