"""How long circuits compile: `python benchmarks/compile_times.py [--rounds 3] [PART...]`.

Parts: `layers` (pc with 1 to 300 of them), `circuits` (all that are bundled), `hand` (pc beside a
numba module written by hand for the same work) and `cached` (a first batch from the cache beside
`import numba, networkx`). A compilation is the first call less the second, in a fresh process with
an empty cache, numba imported; seconds are those of the processor, so that other processes disturb
less. What every engine imports is imported before. Every figure is a median over rounds, every
ratio is formed inside a round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping

from race import THREADS
from report import setting

OWN = """
import json, resource, sys, time
import apical, apical.engines.numba.engine
import numpy as np
name, sizes, batch = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
began = time.process_time()
circuit = apical.load(name, **({"sizes": sizes} if sizes else {}))
loaded = time.process_time()
simulator = apical.Simulator(circuit, engine="numba", dtype="float32", seed=0)
protocol = next(iter(circuit.protocols))
random = np.random.default_rng(0)
streams = {n: random.random((batch, k), dtype=np.float32) for n, k in circuit.streams.items()}
given = {**streams, "batch": batch if streams else None, "record": []}
apical.Simulator(circuit, engine="numpy", seed=0).run(protocol, **given)  # what all engines import
times = [time.process_time()]
for _ in range(2):
    simulator.run(protocol, **given)
    times.append(time.process_time())
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
first, second = times[1] - times[0], times[2] - times[1]
print(json.dumps({"load": loaded - began, "compile": first - second, "memory": most}))
"""

HAND = """
import json, time
import numpy as np
from numba import njit

@njit(fastmath=True, error_model="numpy")
def train(images, labels, w1, w2, w3, eta, h, steps):
    batch, n0 = images.shape
    n1, n2, n3 = w1.shape[0], w2.shape[0], w3.shape[0]
    x1, x2, x3 = np.empty((batch, n1), w1.dtype), np.empty((batch, n2), w1.dtype), labels.copy()
    u1, u2, u3 = np.empty_like(x1), np.empty_like(x2), np.empty_like(x3)
    d1, d2, d3 = np.empty_like(x1), np.empty_like(x2), np.empty_like(x3)
    b1, b2 = np.empty_like(x1), np.empty_like(x2)
    g1, g2, g3 = np.empty_like(w1), np.empty_like(w2), np.empty_like(w3)
    np.dot(images, w1.T, u1)
    for i in range(batch):
        for j in range(n1):
            x1[i, j] = np.tanh(u1[i, j])
    np.dot(x1, w2.T, u2)
    for i in range(batch):
        for j in range(n2):
            x2[i, j] = np.tanh(u2[i, j])
    for step in range(steps):
        np.dot(x1, w2.T, u2)
        np.dot(x2, w3.T, u3)
        for i in range(batch):
            for j in range(n2):
                f = np.tanh(u2[i, j])
                d2[i, j] = (x2[i, j] - f) * (1 - f * f)
            for j in range(n3):
                f = np.tanh(u3[i, j])
                d3[i, j] = (x3[i, j] - f) * (1 - f * f)
        np.dot(d2, w2, b1)
        np.dot(d3, w3, b2)
        for i in range(batch):
            for j in range(n1):
                x1[i, j] += h * (b1[i, j] - x1[i, j] + np.tanh(u1[i, j]))
            for j in range(n2):
                x2[i, j] += h * (b2[i, j] - x2[i, j] + np.tanh(u2[i, j]))
    for i in range(batch):
        for j in range(n1):
            f = np.tanh(u1[i, j])
            d1[i, j] = (x1[i, j] - f) * (1 - f * f)
    np.dot(x1, w2.T, u2)
    np.dot(x2, w3.T, u3)
    for i in range(batch):
        for j in range(n2):
            f = np.tanh(u2[i, j])
            d2[i, j] = (x2[i, j] - f) * (1 - f * f)
        for j in range(n3):
            f = np.tanh(u3[i, j])
            d3[i, j] = (x3[i, j] - f) * (1 - f * f)
    np.dot(d1.T, images, g1)
    np.dot(d2.T, x1, g2)
    np.dot(d3.T, x2, g3)
    for i in range(n1):
        for j in range(n0):
            w1[i, j] += eta / batch * g1[i, j]
    for i in range(n2):
        for j in range(n1):
            w2[i, j] += eta / batch * g2[i, j]
    for i in range(n3):
        for j in range(n2):
            w3[i, j] += eta / batch * g3[i, j]
    return x1, x2

random = np.random.default_rng(0)
sizes = [784, 256, 256, 10]
weights = [random.normal(0, 0.05, (n, m)).astype("f4") for m, n in zip(sizes, sizes[1:])]
images, labels = (random.random((20, n), dtype="f4") for n in (784, 10))
times = [time.process_time()]
for _ in range(2):
    train(images, labels, *weights, np.float32(1e-3), np.float32(0.1), 20)
    times.append(time.process_time())
print(json.dumps({"compile": times[1] - times[0] - (times[2] - times[1])}))
"""

FIRST = """
import json, time
import apical
import numpy as np
circuit = apical.load("pc")
simulator = apical.Simulator(circuit, engine="numba", dtype="float32", seed=0)
random = np.random.default_rng(0)
image, label = (random.random((20, n), dtype=np.float32) for n in (784, 10))
simulator.fit({"image": image, "label": label}, epochs=1, batch=20, shuffle=False)
print(json.dumps({"whole": time.process_time()}))
"""

PEER = """
import json, time
import numba, networkx
print(json.dumps({"whole": time.process_time()}))
"""

Figures = dict[str, float]


def figures(code: str, *arguments: str, cache: str | None = None) -> Figures:
    """What a fresh process prints; its cache is empty where none is given."""
    with tempfile.TemporaryDirectory() as empty:
        environment = (
            os.environ
            | THREADS
            | {"APICAL_LOAD_LIMIT": "1000000", "APICAL_CACHE_DIR": cache or empty}
        )
        environment |= {"PYTHONPYCACHEPREFIX": f"{cache or empty}/bytecode"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"the process failed:\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def rounds(cases: Mapping[str, Callable[[], Figures]], count: int) -> dict[str, list[Figures]]:
    """Each case so many times, in turn."""
    found: dict[str, list[Figures]] = {name: [] for name in cases}
    for _ in range(count):
        for name, case in cases.items():
            found[name].append(case())
    return found


def middle(rows: list[Figures], key: str) -> float:
    """A median."""
    return statistics.median(row[key] for row in rows)


def ratio(rows: list[Figures], others: list[Figures], key: str = "compile") -> float:
    """The median over rounds of one case over another."""
    return statistics.median(a[key] / b[key] for a, b in zip(rows, others, strict=True))


def verdict(value: float, goal: float) -> str:
    """A value beside its goal."""
    return f"{value:.2f} (goal {goal:g}: {'met' if value <= goal else '**missed**'})"


def own(name: str, sizes: list[int] | None = None, batch: int = 20) -> Figures:
    """One circuit."""
    return figures(OWN, name, json.dumps(sizes), str(batch))


def layers(count: int) -> None:
    """Families of 1 to 300 layers of 16 units."""
    numbers = (1, 3, 10, 30, 100, 300)
    cases = {str(n): lambda n=n: own("pc", [16] * (n + 1)) for n in numbers}
    found = rounds(cases, count)
    print("\n| layers of pc | load, s | compile, s | beside 10 layers | memory, MB |")
    print("|---|---|---|---|---|")
    for name, rows in found.items():
        beside = ratio(rows, found["10"])
        said = verdict(beside, 2) if name == "300" else f"{beside:.2f}"
        print(
            f"| {name} | {middle(rows, 'load'):.2f} | {middle(rows, 'compile'):.2f} | {said} "
            f"| {middle(rows, 'memory'):.0f} |"
        )


def circuits(count: int) -> None:
    """Every bundled circuit, as it is."""
    from apical.graphs.load import bundled

    single = ("bsm", "nsm", "pem")
    cases = {n: lambda n=n: own(n, batch=1 if n in single else 20) for n in bundled()}
    found = rounds(cases, count)
    ratios = {name: ratio(rows, found["pc"]) for name, rows in found.items()}
    print("\n| circuit | compile, s | beside pc |\n|---|---|---|")
    for name, rows in found.items():
        slowest = ratios[name] == max(ratios.values())
        said = verdict(ratios[name], 2) if slowest else f"{ratios[name]:.2f}"
        print(f"| {name} | {middle(rows, 'compile'):.2f} | {said} |")


def hand(count: int) -> None:
    """pc beside a module written by hand."""
    found = rounds({"hand": lambda: figures(HAND), "pc": lambda: own("pc")}, count)
    print("\n| the same work | compile, s | ratio |\n|---|---|---|")
    print(f"| a numba module by hand | {middle(found['hand'], 'compile'):.2f} | 1 |")
    said = verdict(ratio(found["pc"], found["hand"]), 1.5)
    print(f"| pc | {middle(found['pc'], 'compile'):.2f} | {said} |")


def cached(count: int) -> None:
    """A first batch from the cache."""
    with tempfile.TemporaryDirectory() as cache:
        for code in (PEER, FIRST):
            figures(code, cache=cache)
        cases = {
            "peer": lambda: figures(PEER, cache=cache),
            "pc": lambda: figures(FIRST, cache=cache),
        }
        found = rounds(cases, count)
    later = [a["whole"] - b["whole"] for a, b in zip(found["pc"], found["peer"], strict=True)]
    print("\n| from the cache | s |\n|---|---|")
    print(f"| `import numba, networkx` | {middle(found['peer'], 'whole'):.2f} |")
    print(f"| first batch of pc | {middle(found['pc'], 'whole'):.2f} |")
    print(f"| later by | {verdict(statistics.median(later), 0.5)} |")


PARTS = {"layers": layers, "circuits": circuits, "hand": hand, "cached": cached}


def main() -> None:
    """Measure and print markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="default: all")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("\n".join([*setting("numba", options.rounds), ""]))
    for part in options.parts or PARTS:
        PARTS[part](options.rounds)


if __name__ == "__main__":
    main()
