"""An index over the phase names of the rows, so that `.sel(phase="nudged")` gives its rows."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from xarray.core.indexing import IndexSelResult
from xarray.indexes import PandasIndex


class PhaseIndex(PandasIndex):
    """Labels repeat: a label, or a list of them, selects every row that carries it.

    Unlike a plain pandas index, a phase with a single row keeps its `step` axis.
    """

    def sel(
        self, labels: dict[Any, Any], method: Any = None, tolerance: Any = None
    ) -> IndexSelResult:
        """The rows of the phases named.

        Raises:
            KeyError: No row has such a phase; the message lists the phases there are.
        """
        if method is not None or tolerance is not None:
            raise ValueError("phases are names: .sel(phase=...) takes no method and no tolerance")
        ((_, label),) = labels.items()
        wanted = [str(name) for name in np.atleast_1d(np.asarray(label)).ravel()]
        names = np.asarray(self.index, dtype=str)
        for name in wanted:
            if name not in names:
                there = ", ".join(dict.fromkeys(names.tolist()))
                raise KeyError(f"no phase {name!r} in these traces; there are: {there}")
        dim: Hashable = self.dim
        return IndexSelResult({dim: np.flatnonzero(np.isin(names, wanted))})
