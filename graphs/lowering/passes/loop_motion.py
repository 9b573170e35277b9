"""Loop motion: what a loop repeats without need is said to be so, or moves out of it.

- Sinking: scalars that the body computes anew in every step, and that only its last step decides,
  are computed once, on leaving.
- Invariants: the largest parts of expressions that stay as they are while the loop runs. An engine
  may compute them once, before the loop; one whose compiler does so by itself leaves them alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace

from ...buffer import STEP
from ...expressions.tree import Expr, Load, Number, Transmitted, Weight, children
from ...instructions import (
    BatchReduce,
    Block,
    Branch,
    Instruction,
    Map,
    MatrixReduce,
    RankUpdate,
    Reduce,
    RowReduce,
    Stop,
    flat,
)
from ...program import PhaseProgram
from .fusion import exposed


def sink(phases: tuple[PhaseProgram, ...]) -> tuple[PhaseProgram, ...]:
    """The phases, scalars that only the last step decides being computed on leaving.

    They are functions of the step that nothing else in the body reads. Where samples stop by
    themselves nothing moves: the last step is not known.
    """
    return tuple(_sunk(phase) for phase in phases)


def _sunk(phase: PhaseProgram) -> PhaseProgram:
    loop = phase.loop
    if loop is None or loop.stops or not loop.steps:
        return phase
    idle = [i for i in loop.body if _is_idle(i, loop.body)]
    if not idle:
        return phase
    body = tuple(i for i in loop.body if i not in idle)
    return replace(phase, loop=replace(loop, body=body), leave=(*idle, *phase.leave))


def _is_idle(instruction: Instruction, body: tuple[Instruction, ...]) -> bool:
    if not isinstance(instruction, Block) or instruction.shape[0] != "scalar":
        return False
    made = instruction.writes
    others = (i for i in body if i is not instruction)
    return not (exposed(instruction) & made or any(made & (i.reads | i.writes) for i in others))


def note_invariants(phases: tuple[PhaseProgram, ...]) -> tuple[PhaseProgram, ...]:
    """The phases, each loop with the parts of its expressions that it does not change."""
    return tuple(_noted(phase) for phase in phases)


def _noted(phase: PhaseProgram) -> PhaseProgram:
    loop = phase.loop
    if loop is None:
        return phase
    code = list(flat(loop.body))
    moving = set().union({STEP}, *(i.writes for i in code))
    found: set[Expr] = set()
    for instruction in code:
        for value in _values(instruction):
            if _collect(value, moving, found):
                found |= _worth_it(value)
    return replace(phase, loop=replace(loop, invariants=frozenset(found)))


def _values(instruction: Instruction) -> Iterator[Expr]:
    """The expressions of an instruction that are not about pairs of units."""
    match instruction:
        case Block(maps=maps):
            yield from (m.value for m in maps)
        case Map() | Reduce() | BatchReduce() | RowReduce() | MatrixReduce():
            yield instruction.value
        case RankUpdate(base=base, terms=terms):
            yield from (term.coefficient for term in terms)
            if base is not None:
                yield base
        case Branch(condition=condition) | Stop(condition=condition):
            yield condition


def _collect(node: Expr, moving: Set[str], found: set[Expr]) -> bool:
    """Whether an expression stays as it is; where it does not, its parts that do are added."""
    if isinstance(node, Load):
        return node.buffer not in moving
    if isinstance(node, Weight | Transmitted):
        return False
    parts = children(node)
    fixed = [_collect(part, moving, found) for part in parts]
    if all(fixed):
        return True
    for part, stays in zip(parts, fixed, strict=True):
        if stays:
            found |= _worth_it(part)
    return False


def _worth_it(node: Expr) -> set[Expr]:
    """The expression, where it is more than a number or a buffer."""
    return set() if isinstance(node, Load | Number) or not _loads(node) else {node}


def _loads(node: Expr) -> bool:
    return isinstance(node, Load) or any(_loads(part) for part in children(node))
