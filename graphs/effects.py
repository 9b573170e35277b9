"""Effects: what an instruction reads and writes, and the buffers that an expression reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from typing import Self

from .expressions.tree import Expr, Load, transform, walk


class Effects:
    """What an instruction reads and writes; found once, since lowering asks again and again.

    A kind of instruction says it by `_read` and, where it has no target, by `_written`.
    """

    multiplies = False  # a matrix with a batch of vectors
    target: str

    @cached_property
    def reads(self) -> frozenset[str]:
        """The buffers it reads."""
        return frozenset(self._read())

    @cached_property
    def writes(self) -> frozenset[str]:
        """The buffers it writes."""
        return frozenset(self._written())

    def renamed(self, name: Callable[[str], str]) -> Self:
        """The same, reading `name(b)` for b; itself where no other buffer is as good."""
        return self

    def _read(self) -> Iterable[str]:
        raise NotImplementedError

    def _written(self) -> Iterable[str]:
        return (self.target,)


def loads(expr: Expr) -> set[str]:
    """The buffers an expression reads."""
    return {node.buffer for node in walk(expr) if isinstance(node, Load)}


def over(value: Expr, name: Callable[[str], str]) -> Expr:
    """An expression that reads the buffer `name(b)` for b."""

    def leaf(node: Expr) -> Expr | None:
        return replace(node, buffer=name(node.buffer)) if isinstance(node, Load) else None

    return transform(value, leaf)
