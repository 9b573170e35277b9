"""History: what a training saw, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class History:
    """What `fit` saw: one entry per epoch, with the validation scores where asked for."""

    epochs: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False

    def __getitem__(self, name: str) -> list[Any]:
        """The values of one score, epoch by epoch."""
        return [entry[name] for entry in self.epochs]

    def __len__(self) -> int:
        return len(self.epochs)
