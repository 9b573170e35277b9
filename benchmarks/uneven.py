"""Samples that stop one after another: all to the end, or the last ones in a smaller layout."""

from __future__ import annotations

import statistics
from functools import partial
from pathlib import Path

import numpy as np
from bench import Bench, engine_options

ROUNDS = 5  # of both ways in turn
HERE = Path(__file__).resolve().parent


def uneven(bench: Bench) -> None:
    """A recurrent layer of 100 units whose samples settle at speeds between 0.02 and 1."""
    import apical

    circuit = apical.load(HERE / "circuits" / "uneven.yaml")
    bench.say("", "## Samples that stop one after another, 784-100 recurrent, float32", "")
    bench.say(
        "| samples | steps: median, most | all to the end, ms | in smaller layouts, ms | ratio |",
        "|---|---|---|---|---|",
    )
    for samples in (64, 256) if bench.quick else (64, 256, 1024, 4096):
        random = np.random.default_rng(0)
        slowness = random.uniform(0, 1, (samples, 1)) ** 2
        data = {
            "image": random.uniform(size=(samples, 784)),
            "speed": np.repeat(0.02**slowness, 100, axis=1),
        }
        runs = []
        for compact in (False, True):
            with engine_options(compact=compact):
                sim = apical.Simulator(
                    circuit, engine="torch", device=bench.device, dtype="float32"
                )
                runs.append(partial(sim.run, "train", record=[], **data))
                runs[-1]()
        stops = sim.stopped["settle"]
        stops = np.where(stops < 0, 1000, stops)
        steps = f"{np.median(stops):.0f}, {stops.max()}"
        times = [[bench.seconds(run, 1) * 1e3 for run in runs] for _ in range(ROUNDS)]
        whole, few = (statistics.median(t) for t in zip(*times, strict=True))
        ratio = statistics.median(a / b for a, b in times)
        bench.say(f"| {samples} | {steps} | {whole:.1f} | {few:.1f} | {ratio:.2f} |")
