"""The workloads in other libraries, each as its users would write it: `PEERS["w2"]["pyrates"]`.

A peer runs in an environment of its own (`environment.py`), made of the `requirements.txt` in its
folder; nothing of it is imported before it is built there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from workloads.w1 import TASKS
from workloads.workload import Case


@dataclass(frozen=True)
class Peer:
    """`environment` is the folder here; `least` the goal for (peer's time / apical's), if any."""

    environment: str
    build: Callable[[], Case]
    least: float | None = None


def of_w1(environment: str, name: str, least: float | None = None, **options: bool) -> Peer:
    """`Loop` of `peers.ENVIRONMENT.w1` on the task of the workload `name`."""
    module = f"peers.{environment}.w1"
    return Peer(environment, lambda: import_module(module).Loop(TASKS[name](), **options), least)


def of_w2(environment: str, least: float | None = None, **options: str | bool) -> Peer:
    """`Network` of `peers.ENVIRONMENT.w2`."""
    module = f"peers.{environment}.w2"
    return Peer(environment, lambda: import_module(module).Network(**options), least)


PEERS: dict[str, dict[str, Peer]] = {
    name: {
        "pcx": of_w1("pcx", name, {"w1a": 0.9, "w1c": 4}.get(name)),
        "ngclearn": of_w1("ngclearn", name, 1),
        "ngclearn scan": of_w1("ngclearn", name, 1, scan=True),
        "jax": of_w1("jax", name),
        "jax scan": of_w1("jax", name, scan=True),
    }
    for name in TASKS
} | {
    "w2": {
        "brian2 cpp": of_w2("brian2", 45, target="cpp_standalone", hoisted=False),
        "brian2 cpp hoisted": of_w2("brian2", target="cpp_standalone", hoisted=True),
        "brian2 cython": of_w2("brian2", target="cython", hoisted=False),
        "brian2 numpy": of_w2("brian2", target="numpy", hoisted=False),
        "pyrates numpy": of_w2("pyrates", 8),
    }
}
