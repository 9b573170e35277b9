"""Recorders: a tape becomes something that is replayed as a whole.

`Direct` runs the calls one after another. `Graphs` captures them as a CUDA graph. `Rehearsal` is
its stand-in where there is no GPU: it writes down every operation with the tensors it works on,
refuses what a capture would refuse (a new tensor, a number read by the host), and replays what it
wrote down, so that a number which only the host knew would stay as it was, as in a graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .tape import Tape

Replay = Callable[[], None]


class CaptureError(RuntimeError):
    """A tape does something that cannot be captured."""


class Recorder(Protocol):
    """Turns a tape into a call."""

    def record(self, tape: Tape) -> Replay:
        """The tape as one call; tensors may have changed afterwards."""
        ...


class Direct:
    """Calls the tape."""

    def record(self, tape: Tape) -> Replay:
        """The tape itself."""
        return tape


class Graphs:
    """Captures tapes as CUDA graphs, after a warm-up on a stream of their own."""

    def __init__(self, device: torch.device):
        self.device = device
        self.memory: Any = None

    def record(self, tape: Tape) -> Replay:
        """A CUDA graph of the tape; all graphs share one memory pool."""
        stream = torch.cuda.Stream(self.device)
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):
            tape()
        torch.cuda.current_stream(self.device).wait_stream(stream)
        torch.cuda.synchronize(self.device)
        graph = torch.cuda.CUDAGraph()
        if self.memory is None:
            self.memory = torch.cuda.graph_pool_handle()
        with torch.cuda.graph(graph, pool=self.memory):
            tape()
        return graph.replay


POOLED: ContextVar[bool] = ContextVar("pooled", default=False)


@contextmanager
def pooled() -> Iterator[None]:
    """What is made inside comes from the pool of a graph: at the same place in every replay."""
    token = POOLED.set(True)
    try:
        yield
    finally:
        POOLED.reset(token)


class Rehearsal:
    """Writes down the operations of tapes on any device and replays them."""

    def record(self, tape: Tape) -> Replay:
        """The operations of the tape.

        Raises:
            CaptureError: An operation makes a new tensor or hands a number to the host.
        """
        tape()  # the warm-up: a replay must not depend on it
        script = _Script()
        with script:
            tape()
        return script.replay


class _Script(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], list[Tensor]]] = []
        self.views: list[Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if func is torch.ops.aten._local_scalar_dense.default:
            raise CaptureError("a tape reads a number on the host")
        storages = {t.untyped_storage().data_ptr() for t in _tensors((args, kwargs))}
        made = [t for t in _tensors(result) if t.untyped_storage().data_ptr() not in storages]
        if made and not POOLED.get():
            raise CaptureError(f"a tape allocates: {func}")
        if func.is_view:
            self.views += _tensors(result)
        else:
            self.calls.append((func, args, kwargs, made))
        return result

    def replay(self) -> None:
        for func, args, kwargs, made in self.calls:
            result = func(*args, **kwargs)
            for held, found in zip(made, _tensors(result) if made else (), strict=True):
                held.copy_(found)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [t for item in value for t in _tensors(item)]
    return []
