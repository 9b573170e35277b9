"""Merging terms: those of a rule that have their presynaptic end in common are one product.

    a post.e pre.r^T + b post.e@free pre.r^T = (a post.e + b post.e@free) pre.r^T

It is half the work of a contrastive rule at the largest matrix of many circuits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...buffer import Buffer, Made
from ...expressions.derivative import simplify, summed
from ...expressions.tree import Binary, Load, Number
from ...instructions import Branch, Instruction, Map, RankUpdate, Term
from ...program import PhaseProgram


def merge_terms(
    phases: tuple[PhaseProgram, ...], buffers: Mapping[str, Buffer]
) -> tuple[tuple[PhaseProgram, ...], dict[str, Buffer]]:
    """The phases with the terms of a rule joined, and the buffers with those this takes."""
    merging = _Merging(buffers)
    return tuple(phase.each(merging.of) for phase in phases), merging.buffers


class _Merging:
    """Merges terms; `buffers` grows by one for every two or more that become one."""

    def __init__(self, buffers: Mapping[str, Buffer]):
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
        identity = Made("joined", (self.buffers[rank.target].identity,), self.count)
        name, shape = identity.name, self.buffers[group[0].post].shape
        self.buffers[name] = Buffer(identity, "scratch", shape)
        parts = (simplify(Binary("*", t.coefficient, Load(t.post))) for t in group)
        return Map(name, summed(parts))
