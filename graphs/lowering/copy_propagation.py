"""Sharing: what a phase left behind and still stands is not copied, and terms are joined.

x@free is x where nothing has written x since that phase: a clamped presynaptic layer. The terms of
a rule that then have one end in common are one product,

    a post.e pre.r^T + b post.e@free pre.r^T = (a post.e + b post.e@free) pre.r^T,

half the work of a contrastive rule at the largest matrix of many circuits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..expressions.derivative import simplify, summed
from ..expressions.tree import Binary, Expr, Load, Number, transform
from ..program import Branch, Buffer, Instruction, Map, PhaseProgram, RankUpdate, Term

Buffers = Mapping[str, Buffer]


def share(phases: tuple[PhaseProgram, ...], buffers: Buffers) -> tuple[PhaseProgram, ...]:
    """The phases, reading originals instead of copies that equal them."""
    copies = Copies(buffers)
    found = []
    for phase in phases:
        enter = copies.replaced(phase.enter)
        loop = phase.loop
        if loop is not None:
            copies.forget(*loop.body)  # what a step writes is old in the next
            loop = replace(loop, body=copies.replaced(loop.body))
        found.append(replace(phase, enter=enter, loop=loop, leave=copies.replaced(phase.leave)))
    return tuple(found)


class Copies:
    """Which latches equal which buffer at a point of a program; code is given in its order."""

    def __init__(self, buffers: Buffers):
        self.buffers = buffers
        self.original: dict[str, str] = {}

    def forget(self, *code: Instruction) -> None:
        """Nothing is the same any more once one of the two is written."""
        made = set().union(set(), *(i.writes for i in code))
        self.original = {k: o for k, o in self.original.items() if not {k, o} & made}

    def replaced(self, code: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
        """Straight-line code, reading originals."""
        found: list[Instruction] = []
        for i in code:
            if isinstance(i, Branch):
                before = dict(self.original)
                i = replace(i, body=self.replaced(i.body))
                self.original = before
            elif i.reads & self.original.keys():
                i = self._renamed(i)
                if isinstance(i, Map) and i.value == Load(i.target):
                    continue
            self.forget(i)
            if isinstance(i, Map) and not i.masked and isinstance(i.value, Load):
                if self.buffers[i.target].kind == "latch":
                    self.original[i.target] = i.value.buffer
            found.append(i)
        return tuple(found)

    def _renamed(self, i: Instruction) -> Instruction:
        """The instruction over originals; of kinds that rules do not use, as it is."""
        match i:
            case Map(value=value):
                return replace(i, value=self._over(value))
            case RankUpdate(base=base, terms=terms):
                named = tuple(
                    replace(t, post=self._name(t.post), pre=self._name(t.pre)) for t in terms
                )
                return replace(i, base=base and self._over(base), terms=named)
        return i

    def _name(self, buffer: str) -> str:
        return self.original.get(buffer, buffer)

    def _over(self, value: Expr) -> Expr:
        def leaf(node: Expr) -> Expr | None:
            if isinstance(node, Load) and node.buffer in self.original:
                return replace(node, buffer=self.original[node.buffer])
            return None

        return transform(value, leaf)


def join(
    phases: tuple[PhaseProgram, ...], buffers: Buffers
) -> tuple[tuple[PhaseProgram, ...], dict[str, Buffer]]:
    """The phases with the terms of a rule joined, and the buffers with those this takes."""
    joining = Joining(buffers)
    return tuple(phase.each(joining.of) for phase in phases), joining.buffers


class Joining:
    """Joins terms; `buffers` grows by one for every two or more that become one."""

    def __init__(self, buffers: Buffers):
        self.buffers = dict(buffers)
        self.count = 0

    def of(self, code: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
        """Code, each RankUpdate after the sums of one of its ends."""
        found: list[Instruction] = []
        for i in code:
            if isinstance(i, Branch):
                i = replace(i, body=self.of(i.body))
            elif isinstance(i, RankUpdate):
                terms, sums = self._terms(i)
                i = replace(i, terms=terms)
                found += sums
            found.append(i)
        return tuple(found)

    def _terms(self, rank: RankUpdate) -> tuple[tuple[Term, ...], list[Map]]:
        groups: dict[str, list[Term]] = {}
        for number, term in enumerate(rank.terms):
            alone = term.symmetric or term.scale is not None
            groups.setdefault(f"{number}" if alone else term.pre, []).append(term)
        terms, sums = [], []
        for group in groups.values():
            if len(group) > 1:
                sums.append(self._sum(rank, group))
                group = [Term(Number(1.0), sums[-1].target, group[0].pre)]
            terms += group
        return tuple(terms), sums

    def _sum(self, rank: RankUpdate, group: list[Term]) -> Map:
        """What stands at the postsynaptic end of terms with the same presynaptic one."""
        self.count += 1
        name = f"joined({rank.target})~{self.count}"
        self.buffers[name] = Buffer(name, "scratch", self.buffers[group[0].post].shape)
        parts = (simplify(Binary("*", t.coefficient, Load(t.post))) for t in group)
        return Map(name, summed(parts))
