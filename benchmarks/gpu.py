"""Check and measure the torch engine on a GPU: `python benchmarks/gpu.py [--device cuda]`.

1. Parity: every bundled circuit and variant against the numpy engine, float64 (1e-10) and float32.
2. Three phases of learning on a 784-500-10 circuit with lateral weights, batch 20, 30 + 10 steps:
   seconds for 3,000 batches (one pass over 60,000 pictures), one seed and ten.
3. Predictive coding 784-500-10, batch 64 and 4096: time per batch, and the rate of its matrix
   products next to what torch.mm achieves on the same shapes; the numba engine on one CPU core.
4. The same work as an eager loop by hand, as the engine's tape call by call, as a captured graph,
   and as a captured graph with fused kernels.
5. Few units, sample after sample, next to numba: what this engine is not for.
6. Samples that stop one after another, with and without going on in a smaller layout.
7. One step of two workloads as the engine's own calls, and compiled by Inductor.

The pictures are synthetic, of the size of handwritten digits: the arithmetic is the same. A dated
report goes to benchmarks/reports/. `--device cpu --quick` runs a small version of everything.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bench import Bench, engine_options, pictures
from inductor import steps
from uneven import uneven

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "tests" / "circuits"))
from small import cases, label, random_streams, small as small_circuit  # noqa: E402

BOUNDS = {"float64": 1e-10, "float32": 2e-4}
PICTURES, BATCH = 60_000, 20


# --- parity --------------------------------------------------------------------------------------


def parity(bench: Bench) -> int:
    """Every circuit on the device against numpy; the number of failures."""
    bench.say("", "## Parity with the numpy engine", "")
    bench.say("| circuit | float64, largest difference | float32 |", "|---|---|---|")
    failures = 0
    for case in cases():
        cells = []
        for dtype, bound in BOUNDS.items():
            try:
                found = difference(*case, dtype, bench.device)
                wrong = not found <= bound
                cells.append(f"{found:.1e}" + (" **too far**" if wrong else ""))
            except ArithmeticError:
                wrong = True
                cells.append("**not finite**")
            except Exception as error:
                wrong = True
                cells.append(f"**failed**: {str(error).splitlines()[0][:120]}")
                traceback.print_exc()
            failures += wrong
        bench.say(f"| {label(case)} | {' | '.join(cells)} |")
    bench.say("", f"{failures} failures; bounds {BOUNDS}, of |a - b| / (1 + |b|).")
    return failures


def difference(name: str, variants: tuple[str, ...], dtype: str, device: str) -> float:
    """max |a - b| / (1 + |b|) over traces, weights and slow variables of a run that learns."""
    import apical

    circuit = small_circuit(name, variants)
    protocol = "train" if "train" in circuit.protocols else next(iter(circuit.protocols))
    data = random_streams(circuit, 4)
    states = [f"{p.name}.{v}" for p in circuit.populations.values() for v in p.states]
    found = []
    for engine, where, kind in (("numpy", None, "float64"), ("torch", device, dtype)):
        sim = apical.Simulator(circuit, engine=engine, device=where, dtype=kind, seed=1)
        batch = 2 if circuit.streams else None
        traces = sim.run(protocol, learn=True, record=states, batch=batch, **data)
        arrays = {key: traces.dataset[key].values for key in states}
        found.append(arrays | dict(sim.weights) | dict(sim.slow))
    worst = 0.0
    for key, expected in found[0].items():
        got = found[1][key]
        blank, missing = np.isnan(expected), np.isnan(got)  # rows after all samples have stopped
        late = dtype == "float32" and key in states  # rounding may tip the step of the stop
        if not (late or np.array_equal(missing, blank)) or (blank.any() and key not in states):
            return float("inf")
        gap = np.abs(got - expected) / (1 + np.abs(expected))
        worst = max(worst, float(np.nanmax(gap, initial=0.0)))
    return worst


# --- workloads -----------------------------------------------------------------------------------


WAYS: dict[str, dict[str, Any]] = {
    "tape, call by call": {"capture": None, "fused": False},
    "captured": {"fused": False},
    "captured, fused kernels": {"fused": True},
}


def ways(bench: Bench) -> dict[str, dict[str, Any]]:
    """What the device can do: a CPU has no graphs, and Triton may be missing."""
    from apical.engines.torch import kernels as torch_kernels

    if bench.device != "cuda":
        return {"tape, call by call": WAYS["tape, call by call"]}
    found = dict(WAYS)
    if not torch_kernels.available():
        del found["captured, fused kernels"]
    return found


def lateral(bench: Bench) -> None:
    """The 784-500-10 circuit with lateral weights: one pass over 60,000 pictures."""
    import apical

    batches = 4 if bench.quick else 300 if bench.device == "cuda" else 10
    data = pictures(batches * BATCH)
    circuit = apical.load("corinfomax", sizes=[784, 500, 10])
    bench.say("", "## 784-500-10 with lateral weights, batch 20, 30 + 10 steps, float32", "")
    bench.say(
        f"Timed on {batches} batches, scaled to {PICTURES // BATCH}.",
        "",
        "| way | seeds | ms per batch | s per 60,000 pictures |",
        "|---|---|---|---|",
    )
    for way, options in ways(bench).items():
        for seeds in (1, 10):
            if seeds > 1 and "fused" not in way and bench.device == "cuda":
                continue
            with engine_options(**options):
                sim = apical.Simulator(
                    circuit, engine="torch", device=bench.device, dtype="float32", replicas=seeds
                )
                spent = bench.seconds(lambda s=sim: s.fit(data, batch=BATCH)) / batches
            epoch = spent * PICTURES / BATCH
            bench.say(f"| {way} | {seeds} | {spent * 1e3:.3f} | {epoch:.2f} |")
    spent = bench.seconds(lambda: eager_lateral(bench, data, batches)) / batches
    bench.say(f"| eager loop by hand | 1 | {spent * 1e3:.3f} | {spent * PICTURES / BATCH:.2f} |")


def eager_lateral(bench: Bench, data: dict[str, np.ndarray], batches: int) -> None:
    """The plain loop of workload w4 with 30 + 10 steps, as eager torch on the device."""
    torch = bench.torch
    random = np.random.default_rng(0)

    def matrix(pre: int, post: int) -> Any:
        array = random.uniform(-0.06, 0.06, (pre, post)).astype(np.float32)
        return torch.tensor(array, device=bench.device)

    W1, W2, V2 = matrix(784, 500), matrix(500, 10), matrix(10, 500)
    B_h, B_y = (torch.eye(n, device=bench.device) for n in (500, 10))
    images, labels = (torch.tensor(data[k], device=bench.device) for k in ("image", "label"))
    with torch.no_grad():
        for i in range(0, batches * BATCH, BATCH):
            x, t = images[i : i + BATCH], labels[i : i + BATCH]
            h = torch.zeros((BATCH, 500), device=bench.device)
            y = torch.zeros((BATCH, 10), device=bench.device)
            ends = []
            for steps, beta in ((30, 0.0), (10, 1.0)):
                for _ in range(steps):
                    e_h, e_b, e_y = h - x @ W1, h - y @ V2, y - h @ W2
                    new = h + 0.05 * (0.1 * (h @ B_h) - e_h / 0.5 - e_b / 0.5)
                    y = y + 0.05 * (0.1 * (y @ B_y) - e_y / 0.5 - beta * (y - t))
                    h, y = torch.clip(new, 0, 1), torch.clip(y, 0, 1)
                ends.append((h, y, h - x @ W1, h - y @ V2, y - h @ W2))
            (h0, y0, a0, b0, c0), (h, y, a, b, c) = ends
            W1 += 1e-3 * (x.T @ a - x.T @ a0)
            W2 += 1e-3 * (h.T @ c - h0.T @ c0)
            V2 += 1e-3 * (y.T @ b - y0.T @ b0)
            z, q = h @ B_h, y @ B_y
            B_h = (B_h - 5e-5 * (z.T @ z)) / 0.999
            B_y = (B_y - 5e-5 * (q.T @ q)) / 0.999


def coding(bench: Bench) -> None:
    """Predictive coding 784-500-10 at two batch sizes, and the matrix rate of the device."""
    import apical

    circuit = apical.load(HERE / "circuits" / "w1.yaml", sizes=[784, 500, 10])
    bench.say("", "## Predictive coding 784-500-10, tanh, 20 steps, float32 (workload w1a)", "")
    bench.say(
        "| batch | way | ms per batch | TFLOP/s of its products | torch.mm, same products | part |",
        "|---|---|---|---|---|---|",
    )
    for batch in (64, 4096):
        batches = 2 if bench.quick or bench.device == "cpu" else 200 if batch == 64 else 20
        data = pictures(batch * batches)
        work, alone = products(bench, batch)
        for way, options in ways(bench).items():
            with engine_options(**options):
                sim = apical.Simulator(
                    circuit, engine="torch", device=bench.device, dtype="float32"
                )
                moved = {k: bench.torch.tensor(a, device=bench.device) for k, a in data.items()}
                spent = bench.seconds(lambda s=sim, b=batch, d=moved: s.fit(d, batch=b)) / batches
            rate = work / spent / 1e12
            top = work / alone / 1e12
            cells = [f"{spent * 1e3:.3f}", f"{rate:.3g}", f"{top:.3g}", f"{rate / top:.0%}"]
            bench.say(f"| {batch} | {way} | {' | '.join(cells)} |")
    try:
        sim = apical.Simulator(circuit, engine="numba", dtype="float32")
        data = pictures(64 * (2 if bench.quick else 60))
        spent = bench.seconds(lambda: sim.fit(data, batch=64)) / (len(data["image"]) // 64)
        rate = work_of(64) / spent / 1e12
        bench.say(f"| 64 | numba on the CPU | {spent * 1e3:.3f} | {rate:.3f} | | |")
    except Exception as error:
        bench.say(f"| 64 | numba on the CPU | failed: {error} | | | |")


def work_of(batch: int) -> float:
    """Floating-point operations of one batch's matrix products, hoisted: see `products`."""
    forward, small = 2 * batch * 784 * 500, 2 * batch * 500 * 10
    return forward + small + 20 * 2 * small + small + forward + small


def products(bench: Bench, batch: int) -> tuple[float, float]:
    """Operations of the matrix products of one batch, and the time that they take by themselves."""
    torch = bench.torch

    def array(*shape: int) -> Any:
        return torch.randn(shape, device=bench.device)

    x, W1, h = array(batch, 784), array(784, 500), array(batch, 500)
    W2, y = array(500, 10), array(batch, 10)
    outs = array(batch, 500), array(batch, 10), array(784, 500), array(500, 10)

    def work() -> None:
        torch.mm(x, W1, out=outs[0])
        for _ in range(21):
            torch.mm(h, W2, out=outs[1])
            torch.mm(y, W2.T, out=outs[0])
        torch.mm(h, W2, out=outs[1])
        torch.mm(x.T, h, out=outs[2])
        torch.mm(h.T, y, out=outs[3])

    call: Callable[[], Any] = work
    if bench.device == "cuda":
        work()
        bench.wait()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
        call = graph.replay
    times = 2 if bench.quick else 50

    def many() -> None:
        for _ in range(times):
            call()

    return work_of(batch), bench.seconds(many) / times


def small(bench: Bench) -> None:
    """Which work the torch engine is not for: few units, sample after sample."""
    import apical

    bench.say("", "## Few units, stopping by themselves, float64: us per sample", "")
    bench.say(
        "| units | batch | torch | numba on the CPU | torch / numba |", "|---|---|---|---|---|"
    )
    for units, batch in ((5, 1), (5, 256), (100, 1), (100, 256)):
        circuit = apical.load("pem", n=units, m=2 * units)
        samples = batch * (2 if bench.quick else 200 // min(batch, 50))
        random = np.random.default_rng(0)
        data = {k: random.uniform(-1, 1, (samples, n)) for k, n in circuit.streams.items()}
        spent = []
        for engine, device in (("torch", bench.device), ("numba", None)):
            sim = apical.Simulator(circuit, engine=engine, device=device, dtype="float64")
            work = partial(sim.fit, data, batch=batch)
            spent.append(bench.seconds(work) / samples * 1e6)
        ours, theirs = spent
        bench.say(f"| {units} | {batch} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.2g} |")


# --- the report ----------------------------------------------------------------------------------


def setting(bench: Bench) -> None:
    """Where and with what the numbers were taken."""
    torch = bench.torch
    name = torch.cuda.get_device_name() if bench.device == "cuda" else platform.processor()
    try:
        import triton

        version = triton.__version__
    except ImportError:
        version = "not installed"
    try:
        asked = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
        commit = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = os.environ.get("APICAL_COMMIT", "unknown")
    bench.say(
        f"# The torch engine on {name or bench.device}, {datetime.date.today()}",
        "",
        f"- Python {platform.python_version()}, torch {torch.__version__}, triton {version}, "
        f"numpy {np.__version__}; {torch.get_num_threads()} CPU threads, "
        f"load {os.getloadavg()[0]:.1f} at the start",
        f"- commit {commit}; float32 products in full float32 "
        f"(TF32 {'on' if torch.backends.cuda.matmul.allow_tf32 else 'off'})",
        "- medians of warm runs; the host waits for the device before and after each",
    )


PARTS: dict[str, Callable[[Bench], Any]] = {
    "parity": parity,
    "lateral": lateral,
    "coding": coding,
    "small": small,
    "uneven": uneven,
    "steps": steps,
}


def main() -> int:
    """Runs the parts; 1 if one failed or a circuit is too far from numpy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="little work, to try the script")
    parser.add_argument("--report", type=Path, help="file; default: reports/DATE-DEVICE.md")
    options = parser.parse_args()
    bench = Bench(options.device, options.quick)
    setting(bench)
    failed = 0
    for part in options.parts:
        try:
            failed += PARTS[part](bench) or 0
        except Exception:
            failed += 1
            bench.say("", f"{part} failed:", "", "```", traceback.format_exc().rstrip(), "```")
        path = options.report or HERE / "reports" / f"{datetime.date.today()}-{options.device}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(bench.lines) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
