"""Sequential inference learning: that the file is its equations, and what follows, as claims.

Source: Alonso, Krichmar & Neftci 2024, "Understanding and improving optimization in predictive
coding networks", with eqs. 2, 4 and 8 corrected.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .claim import Claim
from .presentation import apart, present, simulator, spread, worst

if TYPE_CHECKING:
    from ...engines.simulation.simulator import Simulator

SIZES = (6, 5, 4, 3)
Weights = list[np.ndarray]  # (post, pre + 1): the bias is the last column
ADAM, MQ = "adam", "mq"  # variants of the file


def relu(x: np.ndarray) -> np.ndarray:
    """The larger of x and 0."""
    return np.maximum(x, 0)


def softmax(p: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    e = np.exp(p - p.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def sent(weights: Weights, h: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What layers 0 to L - 1 send, with the unit that always sends 1."""
    rates = [h[0], *(relu(a) for a in h[1 : len(weights)])]
    return [np.column_stack([r, np.ones(len(r))]) for r in rates]


def predictions(weights: Weights, h: Sequence[np.ndarray]) -> list[np.ndarray]:
    """p[1] .. p[L]."""
    return [r @ w.T for r, w in zip(sent(weights, h), weights, strict=True)]


def relaxed(
    weights: Weights,
    image: np.ndarray,
    label: np.ndarray,
    steps: int = 3,
    gamma: float = 0.05,
    beta: float = 100.0,
    order: str = "sequential",
) -> tuple[list[list[np.ndarray]], list[np.ndarray]]:
    """h[1] .. h[L] after each step, and the errors e[1] .. e[L] in the end. Eqs. 1 and 3."""

    def complete(h: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        p = predictions(weights, h)
        guess = softmax(p[-1])
        h = [*h[:-1], (beta * label + guess) / (1 + beta)]
        return h, [*(a - b for a, b in zip(h[1:-1], p[:-1], strict=True)), h[-1] - guess]

    h = [image]
    for _ in weights:
        h.append(predictions([*weights[: len(h)]], h)[-1])
    h, e = complete(h)
    path = [h[1:]]
    for step in range(steps):
        old = list(h)
        for k in range(len(weights) - 1, 0, -1):
            seen = h if order == "sequential" else old
            _, e = complete(seen)
            down = e[k] @ weights[k][:, :-1]
            h = list(h)
            h[k] = seen[k] + gamma / (1 + step) * ((seen[k] > 0) * down - e[k - 1])
        h, e = complete(h)
        path.append(h[1:])
    return path, e


def changes(weights: Weights, h: Sequence[np.ndarray], e: Sequence[np.ndarray]) -> Weights:
    """e f(h)^T, averaged over samples, biases in the last column. Eq. 4."""
    return [a.T @ r / len(r) for a, r in zip(e, sent(weights, h), strict=True)]


def _drawn(
    seed: int, samples: int = 3, sizes: Sequence[int] = SIZES
) -> tuple[Weights, dict[str, Any]]:
    rng = np.random.default_rng(seed)
    pairs = zip(sizes, sizes[1:], strict=False)
    weights = [0.6 * rng.normal(size=(b, a + 1)) for a, b in pairs]
    label = np.eye(sizes[-1])[rng.integers(sizes[-1], size=samples)]
    return weights, {"image": rng.uniform(size=(samples, sizes[0])), "label": label}


def _file(weights: Weights, variants: Sequence[str] = (), **settings: Any) -> Simulator:
    sizes = [weights[0].shape[1] - 1, *(len(w) for w in weights)]
    named = {f"W[{k}]": w for k, w in enumerate(weights, 1)}
    return simulator("seqil", variants, weights=named, sizes=sizes, **settings)


def learns(variants: tuple[str, ...], seed: int) -> float:
    """How far two presentations of `train` are from the equations: states and weights."""
    weights, streams = _drawn(seed)
    sim = _file(weights, variants)
    order = "simultaneous" if "simultaneous" in variants else "sequential"
    rate = 2e-4 if {"mnist", "fashion"} & set(variants) else 1e-3
    pairs, first, second = [], [np.zeros_like(w) for w in weights], [0.0 * w for w in weights]
    means = [rate] * len(weights)
    for turn in (1, 2):
        names = ("layer[1].h", "layer[2].h", "layer[3].h")
        done = present(sim, streams, names)
        path, e = relaxed(weights, **streams, order=order)
        pairs += [
            (done.path(name, "infer"), np.stack([h[k] for h in path], axis=1))
            for k, name in enumerate(names)
        ]
        updates = changes(weights, [streams["image"], *path[-1]], e)
        for k, g in enumerate(updates):
            step = g
            if ADAM in variants:
                first[k] = 0.9 * first[k] + 0.1 * g
                second[k] = 0.999 * second[k] + 0.001 * g**2
                size = np.sqrt(second[k] / (1 - 0.999**turn)) + 1e-8
                step = rate * first[k] / (1 - 0.9**turn) / size
            elif MQ in variants:
                step = (rate / (means[k] + 1e-6) + 1e-3) * g
                kept = min(turn / (turn + 1), 0.9999)
                means[k] = kept * means[k] + (1 - kept) * float(np.mean(np.abs(g)))
            weights[k] = weights[k] + step
        pairs += [(done.weight(f"W[{k}]"), w) for k, w in enumerate(weights, 1)]
    return worst(pairs)


def predicts(seed: int) -> float:
    """How far `predict` is from the forward pass."""
    weights, streams = _drawn(seed)
    found = _file(weights).predict({"image": streams["image"]})["label"]
    logits = relaxed(weights, **streams, steps=0)[0]
    h = [streams["image"], *logits[0]]
    return apart(np.reshape(found, (3, 3)), predictions(weights, h)[-1])


def starts(seed: int) -> float:
    """How far the first weights are from uniform in +-1/sqrt(n_pre)."""
    sim = simulator("seqil", seed=seed, sizes=[100, 100, 100])
    return max(spread(sim.weights[f"W[{k}]"], -0.1, 0.1) for k in (1, 2))


def retention(seed: int) -> float:
    """v after N presentations of one sample is alpha/(N+1) + the mean of N updates' sizes. Eq. 8.

    a = N/(N+1) makes v the plain mean of alpha and all mean|g|; the last step shows v.
    """
    weights, streams = _drawn(seed, samples=1)
    sim, sizes = _file(weights, ["mq"]), [1e-3]
    for _ in range(6):
        before = [np.array(sim.weights[f"W[{k}]"]) for k in (1, 2, 3)]
        present(sim, streams)
        path, e = relaxed(before, **streams)
        g = changes(before, [streams["image"], *path[-1]], e)[1]
        step = (np.array(sim.weights["W[2]"]) - before[1]).sum() / g.sum()
        v = 1e-3 / (step - 1e-3) - 1e-6
        wrong = abs(v - np.mean(sizes))
        sizes.append(float(np.mean(np.abs(g))))
    return float(wrong)


# --- what follows ---


def errors_everywhere(seed: int) -> float:
    """The least mean error of a layer after one sequential sweep."""
    weights, streams = _drawn(seed, sizes=(6, 8, 8, 8, 8, 3))
    names = [f"layer[{k}].e" for k in range(1, 6)]
    done = present(_file(weights, T=1), streams, names, learn=False)
    return min(float(np.mean(np.abs(done.end(name, "infer")))) for name in names)


def delay(seed: int) -> float:
    """Simultaneous steps: the first step after which no layer is without error; L - 1."""
    weights, streams = _drawn(seed, sizes=(6, 8, 8, 8, 8, 3))
    names = [f"layer[{k}].e" for k in range(1, 6)]
    done = present(_file(weights, ["simultaneous"], T=6), streams, names, learn=False)
    silent = [sum(not done.path(n, "infer")[:, row].any() for n in names) for row in range(7)]
    return float(silent.index(0)) if silent[:5] == [4, 3, 2, 1, 0] else float("nan")


def products(depth: int, seed: int) -> float:
    """Matrix products of one sequential sweep."""
    from ...graphs.lower import lower

    sim = simulator("seqil", sizes=[6, *[5] * (depth - 1), 3])
    return float(lower(sim.circuit, "train").products()["infer"][1])


LINEAR = """
parameters: {g: 100}
cells:
  output:
    soma: h = (g*label + p)/(1 + g)
    error: e = h - p
"""
PRECISE = """
parameters: {g: 100}
cells:
  output:
    soma: h = label
    error: e = (h - p)*g/(1 + g)
"""


def soft_clamp(seed: int) -> float:
    """Eq. 3 with a linear output: the weights of a hard clamp with precision beta/(1 + beta)."""
    weights, streams = _drawn(seed)
    named = {f"W[{k}]": w for k, w in enumerate(weights, 1)}
    ends = []
    for text in (LINEAR, PRECISE):
        sim = simulator("seqil", changes=text, weights=named, sizes=list(SIZES), g=4)
        ends.append(present(sim, streams, ["layer[1].h", "layer[2].h"]))
    pairs = [(ends[0].path(n), ends[1].path(n)) for n in ("layer[1].h", "layer[2].h")]
    pairs += [(ends[0].weight(n), ends[1].weight(n)) for n in named]
    moved = max(apart(ends[0].weight(n), named[n]) for n in named)
    return worst(pairs) if moved > 1e-3 else float("inf")


NORMALISED = """
cells:
  sensory: {soma: ["h = image", "power = sum(h^2)"]}
  value:
    soma: ["dh/dt = f'(h) * b - e", "r = f(h)", "power = sum(r^2)"]
synapses:
  W[1]: {bias: false, rule: w += post.e * pre / pre.power}
  W[k=2..L]: {bias: false, rule: w += post.e * pre / pre.power}
"""


def normalised_step(seed: int) -> float:
    """IL-prox, an heir: what is left of the local errors after an update of one sample."""
    weights, streams = _drawn(seed, samples=1)
    named = {f"W[{k}]": w[:, :-1] for k, w in enumerate(weights, 1)}
    sim = simulator("seqil", changes=NORMALISED, weights=named, sizes=list(SIZES))
    done = present(sim, streams, [f"layer[{k}].h" for k in (1, 2)])
    h = [streams["image"], *(done.end(f"layer[{k}].h", "infer") for k in (1, 2))]
    rates, after = [h[0], relu(h[1])], [done.weight(f"W[{k}]") for k in (1, 2)]
    return worst((r @ w.T, a) for r, w, a in zip(rates, after, h[1:], strict=True))


WHOLE = "protocols: {train: {infer: {dt: 0.4}}}\n"


def small_clamp_order(seed: int) -> float:
    """At rest update/beta goes to the gradient of the cross entropy; the order in beta."""
    weights, streams = _drawn(seed)
    e = [streams["label"] - softmax(relaxed_logits(weights, streams))]
    h = [streams["image"], *relaxed(weights, **streams, steps=0)[0][0]]
    for k in (2, 1):
        e.insert(0, (h[k] > 0) * (e[0] @ weights[k][:, :-1]))
    named = {f"W[{k}]": w for k, w in enumerate(weights, 1)}
    true, betas, off = changes(weights, h, e), (1e-2, 1e-3, 1e-4), []
    for beta in betas:
        settings: dict[str, Any] = {"sizes": list(SIZES), "beta": beta, "T": 80}
        done = present(simulator("seqil", changes=WHOLE, weights=named, **settings), streams)
        found = [(done.weight(f"W[{k}]") - w) / beta for k, w in enumerate(weights, 1)]
        off.append(worst(zip(found, true, strict=True)))
    return float(np.polyfit(np.log(betas), np.log(off), 1)[0])


def relaxed_logits(weights: Weights, streams: dict[str, Any]) -> np.ndarray:
    """p[L] of the forward pass."""
    path, _ = relaxed(weights, **streams, steps=0)
    return predictions(weights, [streams["image"], *path[0]])[-1]


def magnitudes(variants: tuple[str, ...], seed: int) -> float:
    """Fig. 2: mean |update| of the first layer over that of the last, a net of five layers."""
    sim = simulator("seqil", variants, seed=seed, sizes=[20, 30, 30, 30, 30, 10])
    before = {k: np.array(sim.weights[f"W[{k}]"]) for k in (1, 5)}
    rng = np.random.default_rng(seed)
    label = np.eye(10)[rng.integers(10, size=200)]
    present(sim, {"image": rng.uniform(size=(200, 20)), "label": label}, batch=10)
    moved = {k: np.mean(np.abs(sim.weights[f"W[{k}]"] - w)) for k, w in before.items()}
    return float(moved[1] / moved[5])


PAPER = "Alonso, Krichmar & Neftci 2024"
ROWS = {
    (): (94, 95, 97),
    ("simultaneous",): (94,),
    ("mq",): (100,),
    ("adam",): (101,),
    ("mnist", "mq"): (100,),
    ("fashion", "mq"): (100,),
}
CLAIMS = (
    *(
        Claim(
            "-".join(("seqil.learns", *variants)),
            "the file's equations",
            "`train` is eqs. 1-4 (with `mq` 7-8) in plain numpy: states, weights, to 1e-10",
            partial(learns, variants),
            tolerance=1e-10,
            rows=rows,
        )
        for variants, rows in ROWS.items()
    ),
    Claim(
        "seqil.predicts", "the file's equations", "`predict` is the forward pass",
        predicts, tolerance=1e-12, rows=(155,),
    ),
    Claim(
        "seqil.starts", "the file's equations",
        "first weights are uniform in +-1/sqrt(n_pre): extremes and mean to .02 of their range",
        starts, tolerance=0.02,
    ),
    Claim(
        "seqil.retention", f"{PAPER}, eq. 8 (corrected)",
        "v after N batches is the mean of alpha and N mean |update|, to 1e-12",
        retention, tolerance=1e-12, rows=(100,),
    ),
    Claim(
        "seqil.errors-everywhere", f"{PAPER}, section 4",
        "after one sequential sweep every layer has an error: the least",
        errors_everywhere, 1e-12, kind="at least", rows=(97,), ours=True,
    ),
    Claim(
        "seqil.delay", f"{PAPER}, section 4",
        "simultaneous steps reach the first of L = 5 layers after L - 1",
        delay, 4.0, rows=(98,),
    ),
    Claim(
        "seqil.products", f"{PAPER}, section 4 (T(2L-1), the first layer's prediction made once)",
        "matrix products of a sequential sweep, L = 4: 2L - 2",
        partial(products, 4), 6.0, rows=(99,),
    ),
    Claim(
        "seqil.soft-clamp", f"{PAPER}, eq. 3 (linear output)",
        "a soft clamp is a hard one with precision beta/(1 + beta): paths and weights",
        soft_clamp, tolerance=1e-12, rows=(96,),
    ),
    Claim(
        "seqil.normalised-step", f"{PAPER}, IL-prox",
        "a normalised step leaves no local error (one sample)",
        normalised_step, tolerance=1e-12, rows=(102,),
    ),
    Claim(
        "seqil.small-clamp-order", f"{PAPER}, section 3",
        "update/beta at rest goes to the gradient (SGD) with order 1 in beta",
        small_clamp_order, 1.0, 0.05, rows=(105,),
    ),
    Claim(
        "seqil.magnitudes", f"{PAPER}, fig. 2",
        "updates of the first of five layers are orders of magnitude smaller than the last's",
        partial(magnitudes, ()), 1e-2, kind="at most", rows=(106,), ours=True,
    ),
    Claim(
        "seqil.magnitudes-mq", f"{PAPER}, fig. 2",
        "MQ raises the first layer's share, within twenty batches by at least this factor",
        lambda seed: magnitudes(("mq",), seed) / magnitudes((), seed), 10.0, kind="at least",
        rows=(106,), ours=True,
    ),
)  # fmt: skip
