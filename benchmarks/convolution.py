"""How fast convolutions are: `python benchmarks/convolution.py [--rounds 5] [--dtype float32]`.

Each of the ten steps of a presentation takes a convolution, the transposed convolution of its
error, which moves the image, and the change of the kernel. The torch engine stands beside torch's
own layers, numba beside numba code written by hand that lays all windows side by side (im2col) and
takes one matrix product for each of the three. All cases run in one process on one thread, in turn;
a ratio is formed inside a round, and the table gives the median over rounds. What each computes is
compared first.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numba
import numpy as np
import torch
from threadpoolctl import threadpool_limits

import apical

CIRCUIT = """
apical: 1
name: layer
data: {{image: {pixels}, target: {units}}}
cells:
  sensory: {{soma: dr/dt = 0.001 * input}}
  feature: {{soma: ["r = input", "e = target - r"]}}
populations:
  x: {{cell: sensory, shape: [{channels}, {side}, {side}]}}
  y: {{cell: feature, shape: [{out}, {side}, {side}]}}
synapses:
  K: {{from: x.r, to: y.soma, connect: 'convolution(3, 1, 1)', init: 'normal(0, 0.05)',
      rule: w += 1e-6 * post.e * pre}}
  B: {{from: y.e, to: x.soma, weight: transpose(K)}}
protocols:
  train: {{settle: {{begin: 'x.r := image', steps: 10, dt: 1, learn_each_step: K}}}}
"""
STEPS, MANY = 10, 3  # of a presentation; presentations in a call
SIZES = [(1, 16, 28, 32), (16, 32, 14, 32), (32, 64, 14, 32)]  # channels, out, side, batch


@numba.njit(fastmath=True)
def unfold(x, seen, side, batch):
    """All windows of images (channel, row, column, sample), (tap, position, sample)."""
    k = 0
    for c in range(x.shape[0] // (side * side)):
        for a in range(-1, 2):
            for b in range(-1, 2):
                for r in range(side):
                    for q in range(side):
                        to = (r * side + q) * batch
                        if 0 <= r + a < side and 0 <= q + b < side:
                            i = (c * side + r + a) * side + q + b
                            for j in range(batch):
                                seen[k, to + j] = x[i, j]
                        else:
                            seen[k, to : to + batch] = 0
                k += 1


@numba.njit(fastmath=True)
def fold(sent, x, side, batch):
    """The transpose of `unfold`."""
    x[:] = 0
    k = 0
    for c in range(x.shape[0] // (side * side)):
        for a in range(-1, 2):
            for b in range(-1, 2):
                for r in range(max(0, -a), min(side, side - a)):
                    for q in range(max(0, -b), min(side, side - b)):
                        i, at = (c * side + r + a) * side + q + b, (r * side + q) * batch
                        for j in range(batch):
                            x[i, j] += sent[k, at + j]
                k += 1


@numba.njit(fastmath=True)
def by_hand(w, x, target, seen, error, sent, back, side, batch):
    """One step; `w` (out, tap), arrays (unit, sample) and scratch are the caller's."""
    unfold(x, seen, side, batch)
    np.dot(w, seen, error)
    for i in range(error.shape[0]):
        for j in range(error.shape[1]):
            error[i, j] = target[i, j] - error[i, j]
    np.dot(w.T, error, sent)
    fold(sent, back, side, batch)
    for i in range(x.shape[0]):
        for j in range(batch):
            x[i, j] += 0.001 * back[i, j]
    w += np.dot(error, seen.T) * (1e-6 / batch)


def torch_layers(w, x, target, batch):
    """The same with torch's own layers."""
    error = target - torch.nn.functional.conv2d(x, w, padding=1)
    back = torch.nn.functional.conv_transpose2d(error, w, padding=1)
    w += torch.nn.grad.conv2d_weight(x, w.shape, error, padding=1) * (1e-6 / batch)
    x += 0.001 * back


def cases(channels, out, side, batch, dtype):
    """name -> (a function of some presentations, a function that gives the kernel), the kernel."""
    text = CIRCUIT.format(
        pixels=channels * side**2, units=out * side**2, channels=channels, out=out, side=side
    )
    circuit = apical.load_text(text)
    rng = np.random.default_rng(0)
    image = rng.normal(size=(batch, channels * side**2)).astype(dtype)
    target = rng.normal(size=(batch, out * side**2)).astype(dtype)
    found = {}
    for engine in ("torch", "numba"):
        sim = apical.Simulator(circuit, engine=engine, dtype=dtype, seed=0)
        start = np.array(sim.weights["K"])
        streams = {"image": np.tile(image, (MANY, 1)), "target": np.tile(target, (MANY, 1))}
        options = {"learn": True, "batch": batch, "record": [], **streams}
        found[engine] = (lambda s=sim, o=options: s.run("train", **o), lambda s=sim: s.weights["K"])
    own = torch.tensor(start)
    maps = torch.tensor(image).view(batch, channels, side, side)
    goal = torch.tensor(target).view(batch, out, side, side)

    def layers():
        for _ in range(MANY):
            image_now = maps.clone()
            for _ in range(STEPS):
                torch_layers(own, image_now, goal, batch)

    found["torch's layers"] = (layers, lambda: own.numpy())
    w, positions = start.reshape(out, -1).copy(), side * side * batch
    x = np.ascontiguousarray(image.T)
    t = np.ascontiguousarray(target.T).reshape(out, positions)
    seen, sent = (np.empty((w.shape[1], positions), dtype) for _ in range(2))
    error, back = np.empty((out, positions), dtype), np.empty_like(x)

    def hand():
        for _ in range(MANY):
            now = x.copy()
            for _ in range(STEPS):
                by_hand(w, now, t, seen, error, sent, back, side, batch)

    found["im2col by hand"] = (hand, lambda: w.reshape(start.shape))
    return found, start


def main() -> None:
    """Measures and prints a table."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rounds", type=int, default=5)
    given.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    options = given.parse_args()
    torch.set_num_threads(1)
    print(f"{'layer':>28} {'case':>16} {'ms':>8}   beside")
    for channels, out, side, batch in SIZES:
        found, start = cases(channels, out, side, batch, options.dtype)
        for run, _ in found.values():
            run()
        moved = {name: np.array(kernel()) - start for name, (_, kernel) in found.items()}
        for name, change in moved.items():
            apart = np.linalg.norm(change - moved["im2col by hand"]) / np.linalg.norm(change)
            assert apart < (1e-2 if options.dtype == "float32" else 1e-9), (name, apart)
        times = {name: [] for name in found}
        for number in range(options.rounds):
            order = list(found) if number % 2 else list(found)[::-1]
            for name in order:
                began = time.perf_counter()
                found[name][0]()
                times[name].append((time.perf_counter() - began) / STEPS / MANY)
        beside = {"torch": "torch's layers", "numba": "im2col by hand"}
        label = f"{channels} -> {out}, {side} x {side}, {batch}"
        for name, taken in times.items():
            ratio = ""
            if name in beside:
                pairs = zip(times[beside[name]], taken, strict=True)
                ratio = f"{statistics.median(a / b for a, b in pairs):.2f} of {beside[name]}"
            print(f"{label:>28} {name:>16} {1e3 * statistics.median(taken):8.2f}   {ratio}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
