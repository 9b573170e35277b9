"""History: what a training saw, epoch by epoch."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....graphs.markup import heading, table
from ....traces.traces import Traces


@dataclass
class History:
    """What `fit` saw: one entry per epoch, with the validation scores where asked for.

    `interrupted`: whether Ctrl-C stopped it. `resumed`: samples of the first epoch that an earlier
    call had learnt already. `recorded`: the traces between presentations, None without a record.
    """

    epochs: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False
    resumed: int = 0
    recorded: Traces | None = None

    @property
    def traces(self) -> Traces:
        """What was recorded between presentations.

        Raises:
            ValueError: Nothing was.
        """
        if self.recorded is None:
            raise ValueError('nothing was recorded: give `fit` a record, as in record=["W"]')
        return self.recorded

    def plot(self, path: str | os.PathLike[str] | None = None, title: str = "") -> Any:
        """A panel for each score over the epochs; gives a matplotlib figure.

        Args:
            path: Where to save the picture (its ending says the format), or None.
            title: What stands above it.

        Raises:
            ImportError: matplotlib is not installed; the message says how to get it.
            ValueError: No epoch is over.
        """
        from ....traces.plots.curves import curves

        return curves(self.epochs, path, title)

    def __getitem__(self, name: str) -> list[Any]:
        """The values of one score, epoch by epoch; where Ctrl-C came before the last, without it.

        Raises:
            KeyError: No epoch has it.
        """
        found = [entry[name] for entry in self.epochs if name in entry]
        if self.epochs and not found:
            known = ", ".join(self.epochs[0])
            raise KeyError(f"no {name!r} in this history; there are: {known}")
        return found

    def __len__(self) -> int:
        return len(self.epochs)

    def _repr_html_(self) -> str:
        names = list(dict.fromkeys(name for entry in self.epochs for name in entry))
        rows = ([said(entry.get(name, "")) for name in names] for entry in self.epochs)
        ended = ", interrupted" if self.interrupted else ""
        return heading(f"History: {len(self)} epochs{ended}") + table(names, rows)


def said(value: Any) -> str:
    """A score in few digits; of several replicas their mean, with the standard deviation."""
    if np.ndim(value):
        return f"{np.mean(value):.4g} \N{PLUS-MINUS SIGN} {np.std(value, ddof=1):.2g}"
    return value if isinstance(value, str) else f"{value:.4g}"
