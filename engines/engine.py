"""The engines by name; each is imported when it is first asked for."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from ..graphs.program import Program

ENGINES = ("numpy", "numba", "torch")


def compile_program(
    program: Program | None, engine: str, dtype: np.dtype, device: str | None = None
) -> Any:
    """A Program made ready by an engine; with None, only checks the names.

    Raises:
        ValueError: No such engine, or no such device.
        ImportError: torch is not installed.
    """
    if engine not in ENGINES:
        raise ValueError(f"no engine {engine!r}; there are: {', '.join(ENGINES)}")
    if engine != "torch" and device not in (None, "cpu"):
        raise ValueError(f"device {device!r}: engine {engine!r} runs on the CPU; 'torch' does not")
    if engine == "torch":
        return _torch(program, dtype, device)
    if program is None:
        return None
    if engine == "numpy":
        from .numpy_engine import NumpyExecutable

        return NumpyExecutable(program, dtype)
    from .numba_engine import NumbaExecutable

    return NumbaExecutable(program, dtype)


def _torch(program: Program | None, dtype: np.dtype, device: str | None) -> Any:
    if find_spec("torch") is None:
        raise ImportError(
            "engine 'torch' needs the package torch: python -m pip install 'apical[torch]'"
        )
    from .torch_engine import TorchExecutable, find_device

    find_device(device)
    return None if program is None else TorchExecutable(program, dtype, device)
