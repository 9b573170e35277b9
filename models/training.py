"""Training on images: test accuracies of the papers, as claims that take minutes per seed.

Each is one `Experiment`, so `apical run corinfomax --variant fashion --task fashion --epochs 2
--seeds 5 --dtype float32` prints the same numbers. The seeds are replicas; float32 is what the
published programs compute in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..experiment import Experiment
from .claim import Claim


def accuracies(circuit: str, variants: Sequence[str], seeds: range, **settings: Any) -> list[float]:
    """The test accuracy of each seed; `settings` as for `Experiment`.

    Raises FileNotFoundError with the commands that fetch the images, where they are missing.
    """
    from ...graphs.load import load

    experiment = Experiment(seed=seeds.start, seeds=len(seeds), dtype="float32", **settings)
    outcome = experiment.perform(load(circuit, variants=variants), traces=False)
    found = outcome.score["accuracy"]
    return [float(found)] if len(seeds) == 1 else [float(one) for one in found]


def _fashion(seeds: range) -> list[float]:
    return accuracies("corinfomax", ["fashion"], seeds, task="fashion", epochs=2)


def _mnist(seeds: range) -> list[float]:
    return accuracies("corinfomax", ["mnist"], seeds, task="mnist", epochs=5)


CLAIMS = (
    Claim(
        "training.fashion",
        "Bozkurt et al. 2023, table 1",
        "Fashion-MNIST, corinfomax, published constants, 2 epochs: test accuracy",
        _fashion,
        0.80,
        kind="at least",
        cost="slow",
        seeds=5,
        rows=(134,),
        replicas=True,
        ours=True,
        over="mean",
    ),
    Claim(
        "training.mnist",
        "Bozkurt et al. 2023, table 1",
        "MNIST, corinfomax, published constants, 5 epochs: test accuracy",
        _mnist,
        0.965,
        kind="at least",
        cost="slow",
        seeds=3,
        rows=(133,),
        replicas=True,
        ours=True,
        over="mean",
    ),
)
