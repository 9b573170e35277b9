"""Fusion: neighbouring elementwise instructions over the same units become one loop.

What nobody reads is dropped. Within straight-line code, instructions that are no Map first move up
as far as what they read and write allows; then each Map joins the nearest earlier Map of the same
shape that it may follow directly.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace

from ...buffer import BEFORE, DT, Buffer
from ...instructions import Block, Branch, Instruction, Map, Stop, Store, loads
from ...program import PhaseProgram

TRANSIENT = ("algebraic", "scratch", "latch")
REACH = 60


def fuse(
    phases: tuple[PhaseProgram, ...], buffers: Mapping[str, Buffer]
) -> tuple[PhaseProgram, ...]:
    """The phases with unread instructions dropped and Maps joined into Blocks."""
    phases = _drop(phases, buffers)
    phases = tuple(p.each(lambda code: _join(_raise(_postpone(code)), buffers)) for p in phases)
    used = _readers(phases)
    return tuple(p.each(lambda code: _localise(code, used, buffers)) for p in phases)


def _all(phases: tuple[PhaseProgram, ...]) -> list[Instruction]:
    return [i for phase in phases for i in phase.instructions]


def _own(instruction: Instruction) -> Set[str]:
    """What an instruction reads; of a Branch the condition, its body being counted on its own."""
    return loads(instruction.condition) if isinstance(instruction, Branch) else instruction.reads


def _drop(
    phases: tuple[PhaseProgram, ...], buffers: Mapping[str, Buffer]
) -> tuple[PhaseProgram, ...]:
    """Drops instructions whose result no instruction reads, until none is left."""
    while True:
        read = set().union(set(), *(_own(i) for i in _all(phases)))

        def dead(instruction: Instruction, read: set[str] = read) -> bool:
            made = instruction.writes
            if not made or isinstance(instruction, Branch):
                return False
            return all(
                (buffers[w].kind in TRANSIENT or w in (DT, BEFORE)) and w not in read for w in made
            )

        def keep(code: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
            kept: list[Instruction] = []
            for i in code:
                if isinstance(i, Branch):
                    i = replace(i, body=keep(i.body))
                    if not i.body:
                        continue
                if not dead(i):
                    kept.append(i)
            return tuple(kept)

        fewer = tuple(p.each(keep) for p in phases)
        if fewer == phases:
            return phases
        phases = fewer


def _postpone(code: tuple[Instruction, ...]) -> list[Instruction]:
    """Moves Stores down, to just before what they read changes: they then stand together."""
    ordered: list[Instruction] = []
    waiting: list[Store] = []
    for instruction in code:
        if isinstance(instruction, Store):
            waiting.append(instruction)
            continue
        made = instruction.writes
        if isinstance(instruction, Stop | Branch) or any(made & s.reads for s in waiting):
            ordered += sorted(waiting, key=lambda s: s.slot)
            waiting = []
        ordered.append(instruction)
    return ordered + sorted(waiting, key=lambda s: s.slot)


def _conflict(first: Instruction, second: Instruction) -> bool:
    """Whether the order of two instructions matters."""
    made, makes = first.writes, second.writes
    return bool(made & second.reads or makes & first.reads or made & makes)


def _raise(code: list[Instruction]) -> list[Instruction]:
    """Moves what is no Map up over Maps that it does not depend on."""
    ordered: list[Instruction] = []
    for instruction in code:
        place = len(ordered)
        if not isinstance(instruction, Map | Stop | Store):
            while place and isinstance(ordered[place - 1], Map):
                if _conflict(ordered[place - 1], instruction):
                    break
                place -= 1
        ordered.insert(place, instruction)
    return ordered


def _join(code: list[Instruction], buffers: Mapping[str, Buffer]) -> tuple[Instruction, ...]:
    out: list[Instruction] = []
    for instruction in code:
        if isinstance(instruction, Branch):
            body = _join(_raise(list(instruction.body)), buffers)
            out.append(replace(instruction, body=body))
            continue
        if not isinstance(instruction, Map):
            out.append(instruction)
            continue
        shape = buffers[instruction.target].shape
        block = _home(out, instruction, shape)
        if block is None:
            out.append(Block(shape, (instruction,)))
        else:
            joined = out[block]
            assert isinstance(joined, Block)
            out[block] = replace(joined, maps=(*joined.maps, instruction))
    return tuple(out)


def _home(out: list[Instruction], instruction: Map, shape: tuple[str | int, ...]) -> int | None:
    """The earlier Block that a Map may join: the one that makes what it reads, else the nearest."""
    nearest: int | None = None
    for place in range(len(out) - 1, max(-1, len(out) - REACH), -1):
        candidate = out[place]
        if isinstance(candidate, Block) and candidate.shape == shape:
            if candidate.writes & instruction.reads:
                return place
            nearest = place if nearest is None else nearest
        if _conflict(candidate, instruction):
            break
    return nearest


def exposed(instruction: Instruction) -> Set[str]:
    """What an instruction reads of the values from before it."""
    if not isinstance(instruction, Block):
        return instruction.reads
    found: set[str] = set()
    written: set[str] = set()
    for m in instruction.maps:
        found |= m.reads - written
        written.add(m.target)
    return found


def _readers(phases: tuple[PhaseProgram, ...]) -> set[str]:
    """The buffers that some instruction reads from before it."""
    found: set[str] = set()
    for i in _all(phases):
        found |= exposed(i) if isinstance(i, Block) else _own(i)
    return found


def _localise(
    code: tuple[Instruction, ...], used: set[str], buffers: Mapping[str, Buffer]
) -> tuple[Instruction, ...]:
    """Marks targets that only their own Block reads, after it wrote them."""
    out: list[Instruction] = []
    for instruction in code:
        if isinstance(instruction, Branch):
            instruction = replace(instruction, body=_localise(instruction.body, used, buffers))
        elif isinstance(instruction, Block):
            local = {
                name
                for name in instruction.writes
                if name not in used and buffers[name].kind in TRANSIENT
            }
            instruction = replace(instruction, local=frozenset(local))
        out.append(instruction)
    return tuple(out)
