"""Hoisting: parts of expressions that a loop does not change are computed once, before it."""

from __future__ import annotations

import torch

from ...graphs.buffer import STEP
from ...graphs.expressions.tree import Expr, Load, Number, Transmitted, Weight, transform, walk
from ...graphs.instructions import flat
from ...graphs.program import StepLoop
from .elementwise import Tape
from .layout import Layout


class Hoister:
    """Replaces what a loop does not change by buffers that the tape before the loop fills."""

    def __init__(self, layout: Layout):
        self.layout = layout
        self.prologue = Tape()
        self.moving: set[str] | None = None
        self._known: dict[Expr, str] = {}

    def enter(self, loop: StepLoop, prologue: Tape) -> None:
        """From here on expressions stand in the loop; `prologue` runs before it."""
        self.prologue, self._known = prologue, {}
        self.moving = set().union(*(i.writes for i in flat(loop.body))) | {STEP}

    def leave(self) -> None:
        """From here on expressions stand outside of a loop, where nothing is hoisted."""
        self.moving = None

    def fixed(self, buffer: str) -> bool:
        """Whether a buffer stays as it is while the loop runs."""
        return self.moving is not None and buffer not in self.moving

    def before(self, buffer: str, tape: Tape) -> Tape:
        """Where what depends on a buffer alone is computed: before the loop, where it is fixed."""
        return self.prologue if self.fixed(buffer) else tape

    def __call__(self, expr: Expr) -> Expr:
        """The expression over buffers that hold its fixed parts."""
        if self.moving is None:
            return expr
        return transform(expr, self._part)

    def _part(self, node: Expr) -> Expr | None:
        if isinstance(node, Load | Number):
            return node
        loads = set()
        for n in walk(node):
            if isinstance(n, Load):
                loads.add(n.buffer)
            elif isinstance(n, Weight | Transmitted):
                return None
        layout = self.layout
        if not loads or not all(self.fixed(name) for name in loads):
            return None
        if layout.constant(node, layout.dtype) is not None:
            return None
        if node not in self._known:
            dtype = torch.float64 if layout.is_scalar(node) else layout.dtype
            made = layout.assembler(self.prologue, dtype)
            value = made.value(node)
            if isinstance(value, float):
                return Number(value)
            name = f"%{len(layout.tensors)}"
            shape = made.nodes[value].shape
            layout.tensors[name] = torch.zeros(shape, dtype=dtype, device=layout.device)
            made.assign(layout.tensors[name], value)
            made.finish()
            self._known[node] = name
            if loads & layout.per_sample:
                layout.per_sample.add(name)
        return Load(self._known[node])
