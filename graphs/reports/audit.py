"""The audit: what every synapse and rule reads, and whether that is available at the synapse.

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

from collections.abc import Iterator

from ...compartments.roles import role_of
from ..circuit import Circuit, Equation, Population, Synapse, Update
from ..expressions.text import text
from ..expressions.tree import Call, walk
from ..network import home
from .dale import dale, sign_text
from .findings import VERDICTS, Audit, Finding, Read
from .locality import live_weights, reads_of, weights_of


def audit(circuit: Circuit) -> Audit:
    """What every synapse and rule of a circuit reads; a verdict each and the path to it."""
    findings = [_synapse(circuit, synapse) for synapse in circuit.synapses.values()]
    for population in circuit.populations.values():
        findings += [_slow(circuit, population, variable) for variable in population.slow]
    return Audit(circuit.name, tuple(findings), tuple(dale(circuit)))


def _synapse(circuit: Circuit, synapse: Synapse) -> Finding:
    verdict, path = "fixed", (f"{synapse.name} has no rule",)
    reads: list[Read] = []
    rules = [*synapse.rule, *synapse.trace]
    if synapse.weight is not None:
        verdict, path = _live(synapse)
        if synapse.rule:
            reads = _judge(circuit, synapse, rules)[2]
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
        connect=synapse.connect_text,
        verdict=verdict,
        path=path,
        reads=tuple(reads),
        memory=tuple(sorted({r.phase for r in reads if r.phase})),
        weight_of=weights_of(synapse.weight) if synapse.weight is not None else (),
        through=live_weights(circuit, synapse, rules),
        shared=_shared(synapse),
        sign=sign_text(circuit, synapse),
    )


def _shared(synapse: Synapse) -> str:
    """Over what the changes of a weight are added up."""
    if not synapse.rule:
        return ""
    over = "" if synapse.windows is None else f", sum over {synapse.windows.positions} places"
    return f"{synapse.batch} over the samples{over}"


def _live(synapse: Synapse) -> tuple[str, tuple[str, ...]]:
    """A weight that is an expression of other synapses' weights."""
    assert synapse.weight is not None
    others = weights_of(synapse.weight)
    if synapse.pool is not None:
        way = "back to" if synapse.backwards else "of"
        return "fixed", (f"{synapse.name} leads the {synapse.pool} {way} each window",)
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
    reads = _unique(
        r for rule in rules for r in reads_of(circuit, rule.right, None, population.name)
    )
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
    reads = _unique(r for right in rights for r in reads_of(circuit, right, synapse, None))
    if synapse.optimizer is not None:
        statements = synapse.optimizer.rule.statements
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


def _unique(reads: Iterator[Read]) -> list[Read]:
    return list(dict.fromkeys(reads))
