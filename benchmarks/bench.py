"""What every part of the GPU script uses: the device, its clock, the report, and the data."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


class Bench:
    """Device, settings and the lines of the report."""

    def __init__(self, device: str, quick: bool):
        import torch

        self.torch, self.device, self.quick = torch, device, quick
        self.lines: list[str] = []

    def say(self, *lines: str) -> None:
        """Adds to the report and prints."""
        self.lines += lines
        print("\n".join(lines), flush=True)

    def wait(self) -> None:
        """Until the device has done all it was given."""
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    def seconds(self, work: Callable[[], Any], repeats: int = 3) -> float:
        """The median time of a warm call."""
        work()
        times = []
        for _ in range(1 if self.quick else repeats):
            self.wait()
            began = time.perf_counter()
            work()
            self.wait()
            times.append(time.perf_counter() - began)
        return statistics.median(times)


@contextmanager
def engine_options(**options: Any) -> Iterator[None]:
    """Executables of the torch engine made inside get these options."""
    from apical.engines.torch.engine import TorchExecutable

    made = TorchExecutable.__init__

    def start(self: Any, program: Any, dtype: Any, device: Any = None, **more: Any) -> None:
        made(self, program, dtype, device, **options, **more)

    TorchExecutable.__init__ = start  # type: ignore[method-assign]
    try:
        yield
    finally:
        TorchExecutable.__init__ = made  # type: ignore[method-assign]


def pictures(count: int, seed: int = 4) -> dict[str, np.ndarray]:
    """Pictures of 784 pixels, a fifth of them lit, and one-hot labels."""
    random = np.random.default_rng(seed)
    lit = random.random((count, 784)) < 0.2
    images = (random.random((count, 784)) * lit).astype(np.float32)
    labels = np.eye(10, dtype=np.float32)[random.integers(0, 10, count)]
    return {"image": images, "label": labels}
