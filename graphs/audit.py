"""The audit: what every synapse and every rule reads, and whether that is at hand where it stands.

A rule is *local* when it reads its own weight and traces, what the synapse transmits, variables of
the postsynaptic cell, constants, clocks, and scalars that a protocol broadcasts. Everything else is
named, with the path that leads to it:

    two-cell     a variable of the presynaptic cell that the synapse does not transmit
    population   a sum, mean, maximum, norm or softmax over the units of a population or array
    non-local    a variable of a third cell, or another synapse's weight
    tied         a live copy of another synapse's weight
    transport    the live transpose of another synapse's weight

Next to the verdict stand the phases that must be remembered (`@`), what is shared over the samples
of a batch, and what Dale's law says about the signs of the weights.

Source of the criteria: Whittington & Bogacz 2019, "Theories of error back-propagation in the
brain"; Crick 1989, "The recent excitement about neural networks".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from ..compartments.optimizers import OPTIMIZERS
from ..compartments.roles import role_of
from .circuit import Circuit, Equation, Population, Synapse, Update
from .expression import (
    Binary,
    Call,
    Counter,
    Expr,
    Input,
    Noise,
    Number,
    Parameter,
    Rate,
    Stream,
    Trace,
    Transmitted,
    Unary,
    Variable,
    Weight,
    WeightOf,
    children,
    walk,
)
from .network import home
from .writing import text

# Verdicts, from the best to the worst.
VERDICTS = ("fixed", "local", "two-cell", "population", "non-local", "tied", "transport")
LEVELS: Mapping[str, tuple[str, ...]] = {
    "local": VERDICTS[:2],
    "two-cell": VERDICTS[:3],
    "no-transport": VERDICTS[:5],
}
REDUCTIONS = ("sum", "mean", "norm", "softmax")


@dataclass(frozen=True)
class Read:
    """One thing that a rule reads.

    `kind`: weight, trace, pre (transmitted), pre-cell, post, broadcast, constant, clock, teacher,
    noise, population, third-cell or other-weight. `place` is the compartment where it stands,
    `part` soma, dendrite or axon; `phase` the phase it is remembered from.
    """

    what: str
    kind: str
    place: str = ""
    part: str = ""
    phase: str = ""


@dataclass(frozen=True)
class Finding:
    """What holds of one synapse, or of one slow variable (then `kind` is "slow variable").

    `sends` and `arrives` name compartments. `path` proves the verdict, from the rule to the cause.
    `through`: synapses with transported or tied weights whose signals reach what the rule reads.
    """

    name: str
    kind: str
    sends: str
    arrives: str
    connect: str
    verdict: str
    path: tuple[str, ...]
    reads: tuple[Read, ...] = ()
    memory: tuple[str, ...] = ()
    weight_of: tuple[str, ...] = ()
    through: tuple[str, ...] = ()
    shared: str = ""
    sign: str = ""


@dataclass(frozen=True)
class Dale:
    """The effective signs of what one population sends; `verdict`: obeys, mixed, may change."""

    population: str
    verdict: str
    signs: Mapping[str, str]


@dataclass(frozen=True)
class Audit:
    """The report on a circuit; `str` is for people, `to_json` for machines."""

    circuit: str
    findings: tuple[Finding, ...]
    dale: tuple[Dale, ...]

    def __getitem__(self, name: str) -> Finding:
        """The finding on a synapse ("W[1]") or a slow variable ("y.mu")."""
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(f"no {name!r}; there are: {', '.join(f.name for f in self.findings)}")

    @property
    def verdicts(self) -> dict[str, str]:
        """Name -> verdict."""
        return {finding.name: finding.verdict for finding in self.findings}

    @property
    def verdict(self) -> str:
        """The worst verdict of all."""
        return max(self.verdicts.values(), key=VERDICTS.index, default="fixed")

    def fails(self, level: str = "local") -> tuple[Finding, ...]:
        """The findings that do not reach a level: local, two-cell or no-transport.

        Raises ValueError for another level.
        """
        if level not in LEVELS:
            raise ValueError(f"level {level!r}: expected one of {', '.join(LEVELS)}")
        return tuple(f for f in self.findings if f.verdict not in LEVELS[level])

    def to_json(self, **options: object) -> str:
        """All of it as JSON; options go to `json.dumps`."""
        report = {"circuit": self.circuit, "verdict": self.verdict}
        report |= {"findings": [asdict(f) for f in self.findings]}  # type: ignore[dict-item]
        report |= {"dale": [asdict(d) for d in self.dale]}  # type: ignore[dict-item]
        return json.dumps(report, **options)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def audit(circuit: Circuit) -> Audit:
    """What every synapse and rule of a circuit reads; a verdict each and the path to it."""
    findings = [_synapse(circuit, synapse) for synapse in circuit.synapses.values()]
    for population in circuit.populations.values():
        findings += [_slow(circuit, population, variable) for variable in population.slow]
    return Audit(circuit.name, tuple(findings), tuple(_dale(circuit)))


# --- synapses and slow variables ---


def _synapse(circuit: Circuit, synapse: Synapse) -> Finding:
    verdict, path = "fixed", (f"{synapse.name} has no rule",)
    reads: list[Read] = []
    rules = [*synapse.rule, *synapse.trace]
    if synapse.weight is not None:
        verdict, path = _live(synapse)
    elif synapse.rule:
        verdict, path, reads = _judge(circuit, synapse, rules)
    source, variable = synapse.source
    target, compartment, port = synapse.target
    place = home(circuit.populations[source], variable)
    return Finding(
        name=synapse.name,
        kind="synapse",
        sends=f"{source}.{variable} ({place}, {role_of(place or '').part})",
        arrives=f"{target}.{compartment}" + (f".{port}" if port else ""),
        connect=synapse.connect,
        verdict=verdict,
        path=path,
        reads=tuple(reads),
        memory=tuple(sorted({r.phase for r in reads if r.phase})),
        weight_of=_others(synapse.weight) if synapse.weight is not None else (),
        through=_through(circuit, synapse, rules),
        shared=f"{synapse.batch} over the samples" if synapse.rule else "",
        sign=_sign_text(circuit, synapse),
    )


def _live(synapse: Synapse) -> tuple[str, tuple[str, ...]]:
    """A weight that is an expression of other synapses' weights."""
    assert synapse.weight is not None
    others = _others(synapse.weight)
    if not others:
        return "fixed", (f"{synapse.name} = {text(synapse.weight)}",)
    turned = any(isinstance(n, Call) and n.function == "transpose" for n in walk(synapse.weight))
    return (
        "transport" if turned else "tied",
        (
            f"{synapse.name} = {text(synapse.weight)} at all times",
            *(f"weight of {o}" for o in others),
        ),
    )


def _slow(circuit: Circuit, population: Population, variable: str) -> Finding:
    rules = [rule for rule in population.rules if rule.target == variable]
    reads = _unique(r for rule in rules for r in _reads(circuit, rule.right, None, population.name))
    verdict, path = "fixed", (f"{population.name}.{variable} has no rule",)
    if rules:
        verdict, path = _verdict(
            circuit, reads, "; ".join(_rule_text(rule) for rule in rules), None
        )
    place = home(population, variable) or ""
    return Finding(
        name=f"{population.name}.{variable}",
        kind="slow variable",
        sends="",
        arrives=f"{population.name}.{place}",
        connect="",
        verdict=verdict,
        path=path,
        reads=tuple(reads),
        memory=tuple(sorted({r.phase for r in reads if r.phase})),
        shared="mean over the samples" if rules else "",
    )


def _judge(
    circuit: Circuit, synapse: Synapse, rules: list[Update | Equation]
) -> tuple[str, tuple[str, ...], list[Read]]:
    rights = [rule.right for rule in rules]
    reads = _unique(r for right in rights for r in _reads(circuit, right, synapse, None))
    if synapse.optimizer is not None:
        statements = OPTIMIZERS[synapse.optimizer.kind].statements
        if any("mean(" in s for s in statements):
            what = f"mean over all weights of {synapse.name} in {synapse.optimizer.kind}"
            reads.append(Read(what, "population"))
    verdict, path = _verdict(circuit, reads, "; ".join(_rule_text(rule) for rule in rules), synapse)
    return verdict, path, reads


def _rule_text(rule: Update | Equation) -> str:
    if isinstance(rule, Update):
        return f"{rule.target.rpartition('.')[2]} {rule.kind} {text(rule.right)}"
    return f"d{rule.variable}/dt = {text(rule.right)}"


_WORST = {"pre-cell": "two-cell", "population": "population", "third-cell": "non-local"}
_WORST |= {"other-weight": "non-local"}


def _verdict(
    circuit: Circuit, reads: list[Read], rule: str, synapse: Synapse | None
) -> tuple[str, tuple[str, ...]]:
    """The worst of what is read, and one line for each read that makes it so."""
    verdicts = [_WORST.get(read.kind, "local") for read in reads]
    worst = max(verdicts, key=VERDICTS.index, default="local")
    guilty = [r for r, v in zip(reads, verdicts, strict=True) if v == worst and v != "local"]
    if not guilty:
        return worst, (rule, *dict.fromkeys(_where(read) for read in reads))
    return worst, (rule, *dict.fromkeys(_accusation(read, synapse) for read in guilty))


def _where(read: Read) -> str:
    place = f" in the {read.place} ({read.part})" if read.place else ""
    phase = f", remembered from {read.phase}" if read.phase else ""
    return f"{read.what}: {read.kind}{place}{phase}"


def _accusation(read: Read, synapse: Synapse | None) -> str:
    if read.kind == "pre-cell" and synapse is not None:
        sent = f"the synapse transmits {synapse.source[1]}"
        return f"{read.what} stands in the {read.place} of the presynaptic cell; {sent}"
    return f"{read.what}: {read.kind}" + (f" of {read.place}" if read.place else "")


# --- what an expression reads ---


def _reads(
    circuit: Circuit, expr: Expr, synapse: Synapse | None, own: str | None
) -> Iterator[Read]:
    """Every leaf of a rule, and the population sums behind the variables it names."""
    for node in walk(expr):
        match node:
            case Weight():
                yield Read("w", "weight")
            case WeightOf():
                yield Read(node.synapse, "other-weight")
            case Trace():
                yield Read(node.name, "trace")
            case Transmitted():
                yield Read("pre", "pre", *_place(circuit, *_sent(synapse)))
            case Parameter():
                kind = "broadcast" if _base(node.name) in _broadcast(circuit) else "constant"
                yield Read(text(node), kind)
            case Counter():
                yield Read(node.name, "clock")
            case Stream():
                yield Read(node.name, "teacher")
            case Noise():
                yield Read("xi", "noise")
            case Variable() | Rate():
                yield from _variable(circuit, node, synapse, own)
            case Call() if _reduces(node):
                yield Read(text(node), "population")
            case _:
                pass


def _variable(
    circuit: Circuit, node: Variable | Rate, synapse: Synapse | None, own: str | None
) -> Iterator[Read]:
    phase = getattr(node, "phase", None) or ""
    side = getattr(node, "side", None)
    place = _place(circuit, node.population, node.name)
    kind = "third-cell"
    if own == node.population or side == "post":
        kind = "post"
    elif side == "pre" and synapse is not None:
        kind = "pre" if _derivable(circuit, node, synapse) else "pre-cell"
    yield Read(text(node), kind, *place, phase)
    for found in _sums(circuit, node.population, node.name):
        yield Read(f"{text(node)} = {found[1]}", "population", found[0])


def _sums(circuit: Circuit, population: str, variable: str) -> Iterator[tuple[str, str]]:
    """Reductions over a population in the algebraic chain behind a variable."""
    for name, equation in _chain(circuit, population, variable):
        for node in walk(equation.right):
            if isinstance(node, Call) and _reduces(node):
                yield population, f"{text(node)} in {name}"


def _chain(circuit: Circuit, population: str, variable: str) -> Iterator[tuple[str, Equation]]:
    """The algebraic equations behind a variable, itself first."""
    equations = {e.variable: e for e in circuit.populations[population].equations}
    todo, seen = [variable], set()
    while todo:
        name = todo.pop(0)
        equation = equations.get(name)
        if name in seen or equation is None or equation.kind != "algebraic":
            continue
        seen.add(name)
        yield name, equation
        todo += [n.name for n in walk(equation.right) if isinstance(n, Variable)]


def _derivable(circuit: Circuit, node: Variable | Rate, synapse: Synapse) -> bool:
    """Whether a presynaptic variable follows from what the synapse transmits."""
    if isinstance(node, Rate):
        return False
    equations = {e.variable: e for e in circuit.populations[node.population].equations}
    sent = {synapse.source[1]}
    alias = equations.get(synapse.source[1])
    while alias is not None and isinstance(alias.right, Variable) and alias.kind == "algebraic":
        if alias.right.name in sent:
            break
        sent.add(alias.right.name)
        alias = equations.get(alias.right.name)

    def known(name: str, depth: int = 0) -> bool:
        if name in sent:
            return True
        equation = equations.get(name)
        if equation is None or equation.kind != "algebraic" or depth > len(equations):
            return False
        leaves = [n for n in walk(equation.right) if not children(n)]
        return all(
            isinstance(n, Number | Parameter | Counter)
            or (isinstance(n, Variable) and n.phase is None and known(n.name, depth + 1))
            for n in leaves
        )

    return known(node.name)


def _through(circuit: Circuit, synapse: Synapse, rules: list[Update | Equation]) -> tuple[str, ...]:
    """Live weights on the way to what the rule reads, inside the cells at both ends."""
    found: dict[str, None] = {}
    for rule in rules:
        for node in walk(rule.right):
            if isinstance(node, Variable | Rate):
                for name in _inputs(circuit, node.population, node.name):
                    weight = circuit.synapses[name].weight
                    if name != synapse.name and weight is not None and _others(weight):
                        found[name] = None
    return tuple(found)


def _inputs(circuit: Circuit, population: str, variable: str) -> Iterator[str]:
    """Synapses whose currents a variable depends on, through equations of its own cell."""
    cell = circuit.populations[population]
    equations = {e.variable: e for e in cell.equations}
    updates: dict[str, list[Expr]] = {}
    for update in cell.after_step:
        updates.setdefault(update.target.rpartition(".")[2], []).append(update.right)
    todo, seen = [variable], set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        rights = updates.get(name, []) + ([equations[name].right] if name in equations else [])
        for node in (n for right in rights for n in walk(right)):
            if isinstance(node, Variable | Rate):
                todo.append(node.name)
            elif isinstance(node, Input):
                yield from _arriving(circuit, node)


def _arriving(circuit: Circuit, node: Input) -> Iterator[str]:
    for synapse in circuit.synapses.values():
        if synapse.target == (node.population, node.compartment, node.port):
            yield synapse.name


# --- signs ---


def _dale(circuit: Circuit) -> Iterator[Dale]:
    """Per population: the effective signs of its synapses, weight times use in the target."""
    for population in circuit.populations.values():
        signs = {
            s.name: _times(_sign(circuit, s), _use(circuit, s))
            for s in circuit.synapses.values()
            if s.source[0] == population.name
        }
        if not signs:
            continue
        kinds = set(signs.values()) - {"0"}
        verdict = "mixed"
        if kinds <= {"+"} or kinds <= {"-"}:
            verdict = "obeys"
        elif "?" in kinds:
            verdict = "may change"
        yield Dale(population.name, verdict, signs)


def _sign_text(circuit: Circuit, synapse: Synapse) -> str:
    words = {"+": "positive", "-": "negative", "0": "zero", "?": "not bounded"}
    return words[_sign(circuit, synapse)]


def _sign(circuit: Circuit, synapse: Synapse) -> str:
    """+ or - where it is so at all times; a plastic weight is not bounded, so it is "?"."""
    if synapse.current is not None or synapse.rule:
        return "?"
    if synapse.weight is not None:
        return _sign_of(circuit, synapse.weight)
    if synapse.init is None:
        return (
            "?" if synapse.connect == "dense" else "0" if synapse.connect == "all_but_self" else "+"
        )
    return _sign_of(circuit, synapse.init)


def _sign_of(circuit: Circuit, expr: Expr) -> str:
    match expr:
        case Number():
            return "+" if expr.value > 0 else "-" if expr.value < 0 else "0"
        case Parameter():
            value = circuit.parameters[expr.name].value
            numbers = value if isinstance(value, tuple) else (value,)
            kinds = {"+" if v > 0 else "-" if v < 0 else "0" for v in numbers}
            return kinds.pop() if len(kinds) == 1 else "?"
        case Unary():
            return _times("-", _sign_of(circuit, expr.operand))
        case Binary(op="*" | "/"):
            return _times(_sign_of(circuit, expr.left), _sign_of(circuit, expr.right))
        case Binary(op="+" | "-"):
            left, right = _sign_of(circuit, expr.left), _sign_of(circuit, expr.right)
            right = _times("-", right) if expr.op == "-" else right
            return left if right in ("0", left) else right if left == "0" else "?"
        case WeightOf():
            other = circuit.synapses[expr.synapse]
            return _sign(circuit, other)
        case Call(function="transpose" | "copy", arguments=(inner,)):
            return _sign_of(circuit, inner)
        case Call(function="abs" | "exp"):
            return "+"
    return "?"


def _use(circuit: Circuit, synapse: Synapse) -> str:
    """The sign with which the target's equations use the current of this port."""
    population, compartment, port = synapse.target
    node = Input(population, compartment, port)
    signs = set()
    for equation in circuit.populations[population].equations:
        if node in walk(equation.right):
            signs.add(_factor(circuit, equation.right, node))
    return signs.pop() if len(signs) == 1 else "?"


def _factor(circuit: Circuit, expr: Expr, node: Expr) -> str:
    """The sign of d(expr)/d(node) where sums and products of known signs tell it."""
    if expr == node:
        return "+"
    if node not in walk(expr):
        return "0"
    match expr:
        case Unary():
            return _times("-", _factor(circuit, expr.operand, node))
        case Binary(op="+" | "-"):
            left, right = (_factor(circuit, e, node) for e in (expr.left, expr.right))
            right = _times("-", right) if expr.op == "-" else right
            return left if right in ("0", left) else right if left == "0" else "?"
        case Binary(op="*") if node in walk(expr.right) and node not in walk(expr.left):
            return _times(_sign_of(circuit, expr.left), _factor(circuit, expr.right, node))
        case Binary(op="*" | "/") if node not in walk(expr.right):
            return _times(_factor(circuit, expr.left, node), _sign_of(circuit, expr.right))
    return "?"


def _times(left: str, right: str) -> str:
    if "0" in (left, right):
        return "0"
    if "?" in (left, right):
        return "?"
    return "+" if left == right else "-"


# --- small things ---


def _reduces(node: Call) -> bool:
    return node.function in REDUCTIONS or (node.function == "max" and len(node.arguments) == 1)


def _others(expr: Expr) -> tuple[str, ...]:
    return tuple(dict.fromkeys(n.synapse for n in walk(expr) if isinstance(n, WeightOf)))


def _base(name: str) -> str:
    return name.partition("[")[0]


def _broadcast(circuit: Circuit) -> frozenset[str]:
    return frozenset(_base(name) for name in circuit.set_names)


def _sent(synapse: Synapse | None) -> tuple[str, str]:
    assert synapse is not None, "`pre` stands in the rules of synapses only"
    return synapse.source


def _place(circuit: Circuit, population: str, variable: str) -> tuple[str, str]:
    place = home(circuit.populations[population], variable) or ""
    return place, role_of(place).part if place else ""


def _unique(reads: Iterator[Read]) -> list[Read]:
    return list(dict.fromkeys(reads))


# --- text ---


def _lines(report: Audit) -> Iterator[str]:
    yield f"audit of {report.circuit}: {report.verdict}"
    width = max((len(f.name) for f in report.findings), default=0)
    for f in report.findings:
        head = (
            f"{f.sends} -> {f.arrives}, {f.connect}" if f.kind == "synapse" else f"of {f.arrives}"
        )
        yield f"{f.name:<{width}}  {f.verdict:<10}  {head}"
        if f.verdict == "fixed":
            continue
        for line in f.path:
            yield f"{'':<{width}}    {line}"
        if f.memory:
            yield f"{'':<{width}}    phase memory: {', '.join(f.memory)}"
        if f.through:
            yield f"{'':<{width}}    signals pass through live weights: {', '.join(f.through)}"
        if f.shared:
            yield f"{'':<{width}}    shared: {f.shared}"
    yield "Dale's law"
    for dale in report.dale:
        signs = ", ".join(f"{name} {sign}" for name, sign in dale.signs.items())
        yield f"  {dale.population}: {dale.verdict} ({signs})"
