"""A stretch of the torch engine as a straight-line function, compiled by Inductor instead.

`torch.compile` is the other way to fuse elementwise chains. The tape of one step, call by call, is
written out as the text of a function over its tensors, so that Inductor sees what the engine runs.
"""

from __future__ import annotations

import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from bench import Bench, engine_options, pictures

HERE = Path(__file__).resolve().parent
OFTEN = 100  # steps that are timed at once
ROUNDS = 9  # of both ways in turn
Tensor = torch.Tensor


def straight(tape: Any) -> tuple[str, list[Tensor]]:
    """The text of `step(t0, t1, ...)` that makes the calls of a tape, and its tensors."""
    tensors: list[Tensor] = []

    def name(value: Any) -> str:
        if not isinstance(value, Tensor):
            return repr(value)
        for number, known in enumerate(tensors):
            if known is value:
                return f"t{number}"
        tensors.append(value)
        return f"t{len(tensors) - 1}"

    lines = []
    for call in tape:
        arguments = [name(a) for a in call.args]
        arguments += [f"{key}={name(a)}" for key, a in call.keywords.items()]
        owner = getattr(call.func, "__self__", None)
        place = name(owner) if isinstance(owner, Tensor) else "torch"
        lines.append(f"    {place}.{call.func.__name__}({', '.join(arguments)})")
    names = ", ".join(f"t{number}" for number in range(len(tensors)))
    return "\n".join([f"def step({names}):", *lines, ""]), tensors


def compiled(tape: Any) -> tuple[Any, float]:
    """The tape as one call of a function that Inductor compiled, and the seconds that took."""
    from apical.engines import kernels

    text, tensors = straight(tape)
    step = kernels.load(f'"""One step, for Inductor."""\n\nimport torch\n\n\n{text}').step
    function = torch.compile(step, fullgraph=True, dynamic=False)
    began = time.perf_counter()
    with torch.no_grad():
        function(*tensors)
    return (lambda: function(*tensors)), time.perf_counter() - began


def steps(bench: Bench) -> None:
    """One step of two workloads: the engine's own calls, and the same compiled by Inductor."""
    import apical

    bench.say("", "## One step of the loop, float32: the engine's calls, and Inductor", "")
    bench.say(
        "| workload | calls | engine, us | Inductor, us | engine / Inductor | compiled in |",
        "|---|---|---|---|---|---|",
    )
    for label, circuit, batch in (
        ("w1a, batch 64", apical.load(HERE / "circuits" / "w1.yaml", sizes=[784, 500, 10]), 64),
        (
            "784-500-10 with lateral weights, 20",
            apical.load("corinfomax", sizes=[784, 500, 10]),
            20,
        ),
    ):
        tape = _loop(bench, circuit, batch)
        function, spent = compiled(tape)
        ways = _ways(bench, tape, function)
        times = [[bench.seconds(partial(_often, way), 1) for way in ways] for _ in range(ROUNDS)]
        own, other = (statistics.median(t) / OFTEN * 1e6 for t in zip(*times, strict=True))
        cells = f"{own:.1f} | {other:.1f} | {own / other:.2f} | {spent:.1f} s"
        bench.say(f"| {label} | {len(tape)} | {cells} |")


def _loop(bench: Bench, circuit: Any, batch: int) -> Any:
    """The calls of one step of the longest loop, after a presentation."""
    import apical

    with engine_options(capture=None, fused=False):
        sim = apical.Simulator(circuit, engine="torch", device=bench.device, dtype="float32")
        sim.fit(pictures(batch), batch=batch)
    (executable,) = sim._core.programs.made.values()
    (run,) = executable.runs.values()
    return max((s for s in run.plan.sections if s.kind == "repeat"), key=lambda s: s.times).tape


def _ways(bench: Bench, tape: Any, function: Any) -> list[Any]:
    """Both as they would run: call by call on a CPU, as captured graphs on a GPU."""
    if bench.device != "cuda":
        return [tape, function]
    from apical.engines.torch.graph_capture import Graphs
    from apical.engines.torch.tape import Tape

    graphs = Graphs(torch.device(bench.device))
    return [graphs.record(tape), graphs.record(Tape([function]))]


def _often(work: Any) -> None:
    with torch.no_grad():
        for _ in range(OFTEN):
            work()
