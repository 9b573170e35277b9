"""The engines by name; each is imported when it is first asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graphs.program import Program

ENGINES = ("numpy", "numba", "torch")


def compile_program(
    program: Program | None, engine: str, dtype: np.dtype, device: str | None = None
) -> Any:
    """A Program made ready by an engine; with None, only checks the name.

    Raises:
        ValueError: No such engine.
    """
    if engine not in ENGINES:
        raise ValueError(f"no engine {engine!r}; there are: {', '.join(ENGINES)}")
    if program is None:
        return None
    if engine == "numpy":
        from .numpy_engine import NumpyExecutable

        return NumpyExecutable(program, dtype)
    if engine == "torch":
        from .torch_engine import TorchExecutable

        return TorchExecutable(program, dtype, device)
    from .numba_engine import NumbaExecutable

    return NumbaExecutable(program, dtype)
