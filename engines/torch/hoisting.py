"""Hoisting: the invariants of a loop (see `graphs.lowering.passes.loop_motion`), computed once."""

from __future__ import annotations

import torch

from ...graphs.expressions.tree import Expr, Load, Number, transform
from ...graphs.instructions import flat, loads
from ...graphs.program import StepLoop
from .layout import TensorLayout
from .tape import Tape


class Hoister:
    """Replaces what a loop does not change by buffers that the tape before the loop fills."""

    def __init__(self, layout: TensorLayout):
        self.layout = layout
        self.prologue = Tape()
        self.loop: StepLoop | None = None
        self._moving: frozenset[str] = frozenset()
        self._known: dict[Expr, str] = {}

    def enter(self, loop: StepLoop, prologue: Tape) -> None:
        """From here on expressions stand in the loop; `prologue` runs before it."""
        self.loop, self.prologue, self._known = loop, prologue, {}
        self._moving = frozenset().union(*(i.writes for i in flat(loop.body)))

    def leave(self) -> None:
        """From here on expressions stand outside of a loop, where nothing is hoisted."""
        self.loop = None

    def before(self, buffer: str, tape: Tape) -> Tape:
        """Where what depends on a buffer alone is computed: before the loop, where it stays."""
        return tape if self.loop is None or buffer in self._moving else self.prologue

    def __call__(self, expr: Expr) -> Expr:
        """The expression over buffers that hold its fixed parts."""
        if self.loop is None or not self.loop.invariants:
            return expr
        return transform(expr, self._part)

    def _part(self, node: Expr) -> Expr | None:
        if isinstance(node, Load | Number):
            return node
        assert self.loop is not None
        layout = self.layout
        if node not in self.loop.invariants or layout.constant(node, layout.dtype) is not None:
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
            if loads(node) & layout.per_sample:
                layout.per_sample.add(name)
        return Load(self._known[node])
