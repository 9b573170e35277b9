"""A random circuit over the whole language, and how it is to be run: `drawn(seed)`."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .cells import draw_populations
from .draft import Draft
from .protocols import draw_protocols, draw_records, name_phases
from .synapses import draw_synapses

ROWS = 70  # of a signal; no protocol takes as many


@dataclass
class Call:
    """One call of a simulator: `run`, `fit` or `predict`, with its arguments."""

    kind: str
    samples: int
    batch: int
    learn: bool = False
    carry: bool = False
    epochs: int = 1
    seed: int = 0  # of the streams
    first: int | None = None  # from where draws count
    own: bool = False  # each replica has streams of its own
    initial: str | None = None


@dataclass
class Case:
    """A circuit and its plan; the same seed gives the same case."""

    seed: int
    text: str
    features: frozenset[str]
    record: tuple[str, ...]
    calls: tuple[Call, ...]
    replicas: int = 1
    parameters: dict[str, Any] = field(default_factory=dict)
    chunk_seconds: float = 0.1
    refused: str | None = None
    streams: dict[str, int] = field(default_factory=dict)
    signals: frozenset[str] = frozenset()  # the streams with a time axis

    def arrays(self, call: Call) -> dict[str, np.ndarray]:
        """The streams of one call, ([replica,] sample, [row,] unit)."""
        rng = np.random.default_rng([self.seed, call.seed])
        lead = (self.replicas, call.samples) if call.own else (call.samples,)
        rows = {n: (ROWS,) if n in self.signals else () for n in self.streams}
        return {n: rng.uniform(-1, 1, (*lead, *rows[n], s)) for n, s in self.streams.items()}


def drawn(seed: int) -> Case:
    """The case of a seed."""
    draft = Draft(random.Random(seed))
    rng = draft.rng
    draft.add(
        "parameters",
        f"tau: {rng.choice(['1', '0.7', '2'])}", "h: 0.2", f"a: {rng.choice(['0.5', '-0.4', '1'])}",
        "b: 0.5*a + 0.3", "eta: 0.1", f"T: {rng.randint(2, 5)}",
    )  # fmt: skip
    if draft.chance(0.3, "a parameter called like a word"):
        draft.named_like_a_word = rng.choice(["t", "beta", "N", "k", "sample", "dt", "step"])
        draft.add("parameters", f"{draft.named_like_a_word}: 0.6")
    draft.add(
        "functions",
        f"f: {rng.choice(['tanh', 'logistic', 'relu', 'softplus', 'sin'])}",
        "g(u): u / (1 + |u|)", "mix(u, q): a*u / (1 + q^2)", "rate(i): eta / (1 + 0.5*i)",
        "shrink(n): 0.2 / (1 + n)",
    )  # fmt: skip
    name_phases(draft)
    draw_populations(draft)
    draw_synapses(draft)
    draw_protocols(draft)
    if draft.set_parameters:
        draft.add("parameters", "nudge: 0.1")
    record = draw_records(draft)
    _collide(draft)
    case = Case(
        seed, draft.text(), frozenset(), tuple(record), _calls(draft), streams=dict(draft.streams),
        signals=frozenset(draft.signals),
        refused=draft.refused,
    )  # fmt: skip
    if draft.chance(0.25, "replicas"):
        case.replicas = rng.choice([2, 3])
        if draft.chance(0.6, "parameters of replicas"):
            structural = {"h"} if "for" in draft.features else set()  # it reaches a step count
            structural |= {"h"} if draft.even or draft.late else set()  # a dt that divides
            name = rng.choice(sorted({"a", "eta", "tau", "h"} - structural))
            values = [0.5, 0.8, 0.3] if name != "h" else [0.2, 0.1, 0.15]
            case.parameters = {name: values[: case.replicas]}
            draft.note(f"replicas with their own {name}")
        for call in case.calls:
            call.own = rng.random() < 0.3
    case.chunk_seconds = rng.choice([0.0, 0.1, 1e6])
    case.features = frozenset(draft.features)
    return case


def _collide(draft: Draft) -> None:
    """Sometimes a name that is taken already: such a file has to be refused."""
    rng = draft.rng
    if not draft.chance(0.03, "names that clash"):
        return
    population = rng.choice([p.name for p in draft.populations if "[" not in p.name])
    section = rng.choice(["energy", "data"])
    draft.add(section, f"{population}: 1")
    draft.refused = f"two things are called {population}, one of them in `{section}`"


def _calls(draft: Draft) -> tuple[Call, ...]:
    """Two to four calls: batches of every size, with a short last one, carried or not."""
    rng, calls = draft.rng, []
    learn = draft.chance(0.8, "plasticity")
    carried = draft.chance(0.3, "carry")
    one = draft.one_at_a_time and rng.random() < 0.3
    batch = 1 if one else rng.choice([1, 2, 2, 3])
    for number in range(rng.choice([1, 2, 2, 3])):
        many = rng.choice([1, 2, 2, 3])
        samples = batch * many
        if not carried and batch > 1 and draft.chance(0.3, "short last batch"):
            samples += rng.randrange(1, batch)
        calls.append(Call("run", samples, batch, learn, carried and number > 0, seed=number))
        if carried and draft.chance(0.5):
            calls[-1].carry = True
        if not calls[-1].carry and draft.chance(0.1, "first"):
            calls[-1].first = rng.choice([0, 5])
        if many > 1:
            draft.note("several presentations in a call")
    if draft.chance(0.15, "initial"):
        calls[0].initial = "1"
    if learn and draft.chance(0.15, "fit"):
        size = 1 if one else rng.choice([1, 2, 3])
        calls.append(Call("fit", rng.randint(1, 5), size, True, epochs=2, seed=9))
        if draft.chance(0.3, "fit with carry"):
            last = calls[-2].samples % calls[-2].batch or calls[-2].batch
            calls[-1].batch, calls[-1].samples = last, last * rng.choice([1, 2])
            calls[-1].carry = True
    if "predicts" in draft.sections and draft.chance(0.7):
        calls.append(Call("predict", rng.randint(1, 5), rng.choice([2, 3]), seed=10))
    return tuple(calls)
