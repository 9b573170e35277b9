"""The engines by name; each is imported when it is first asked for."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..graphs.program import Program

ENGINES = ("numpy", "numba", "torch")


def compile_program(
    program: Program | None,
    engine: str,
    dtype: np.dtype,
    device: str | None = None,
    activity: str | None = None,
) -> Any:
    """A Program made ready by an engine; with None, only checks the names.

    `activity` is "bfloat16" where activity is narrower than `dtype`.

    Raises:
        ValueError: No such engine, no such device, activity that the engine cannot hold, or
            processes that share a batch on an engine that cannot.
        ImportError: torch is not installed.
    """
    if engine not in ENGINES:
        raise ValueError(f"no engine {engine!r}; there are: {', '.join(ENGINES)}")
    if engine != "torch" and device not in (None, "cpu"):
        raise ValueError(f"device {device!r}: engine {engine!r} runs on the CPU; 'torch' does not")
    if engine != "torch" and activity is not None:
        raise ValueError(
            f"dtype {activity!r}: engine {engine!r} computes in 'float64' or 'float32'; "
            f"'torch' holds activity in bfloat16, too"
        )
    if engine == "torch":
        return _torch(program, dtype, device, activity)
    _refuse_team(engine)
    if program is None:
        return None
    if engine == "numpy":
        from .numpy.engine import NumpyExecutable

        return NumpyExecutable(program, dtype)
    from .numba.engine import NumbaExecutable

    return NumbaExecutable(program, dtype)


def _refuse_team(engine: str) -> None:
    """Nobody shares a batch without having imported the room where that is done."""
    shared = sys.modules.get(f"{__package__}.torch.parallel")
    if shared is not None and shared.current().size > 1:
        raise ValueError(f"parallel(): engine {engine!r} cannot share a batch; 'torch' can")


def _torch(
    program: Program | None, dtype: np.dtype, device: str | None, activity: str | None
) -> Any:
    if find_spec("torch") is None:
        raise ImportError(
            "engine 'torch' needs the package torch: python -m pip install 'apical[torch]'"
        )
    from .torch.engine import TorchExecutable, find_device

    find_device(device)
    if program is None:
        return None
    if activity is None:
        return TorchExecutable(program, dtype, device)
    return TorchExecutable(program, dtype, device, activity=activity)
