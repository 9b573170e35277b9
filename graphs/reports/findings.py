"""What an audit finds: reads, verdicts with the path to them, signs; as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from ..markup import folded, heading, table

# Verdicts, from the best to the worst.
VERDICTS = ("fixed", "local", "two-cell", "population", "non-local", "tied", "transport")
LEVELS: Mapping[str, tuple[str, ...]] = {
    "local": VERDICTS[:2],
    "two-cell": VERDICTS[:3],
    "no-transport": VERDICTS[:5],
}


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

    def _repr_html_(self) -> str:
        rows = (
            (f.name, f.verdict, f"{f.sends} \N{RIGHTWARDS ARROW} {f.arrives}" if f.sends else "")
            for f in self.findings
        )
        found = table(("name", "verdict", "from and to"), rows)
        title = heading(f"audit of {self.circuit}: {self.verdict}")
        return title + found + folded("the whole report", str(self))


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
