"""Universal Hopfield networks: dynamics, energy, and retrieval in a single shot, as claims.

Sources: Millidge, Salvatori, Song, Lukasiewicz & Bogacz 2022; Krotov & Hopfield 2021; Ramsauer et
al. 2020. Memories are the rows of `store`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from .claim import Claim
from .presentation import apart, present, simulator, worst
from .seqil import softmax

D, M = 16, 8
BETA, TAU_H, STEP = 8.0, 0.1, 0.01
Arrays = dict[str, np.ndarray]


def _memories(seed: int, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Eight images in [0, 1], and two queries: a noisy one and one without its second half."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(M, D))
    noisy = np.clip(np.abs(x[3] + noise * rng.normal(size=D)), 0, 1)
    masked = np.where(np.arange(D) < D // 2, x[5], 0)
    return x, np.stack([noisy, masked])


def _similarity(kind: str, x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Of queries (sample, unit) with all memories: (sample, memory)."""
    off = x[None] - v[:, None]
    return {
        "dot": v @ x.T,
        "euclid": -np.sum(off**2, axis=2) / 2,
        "manhattan": -np.sum(np.abs(off), axis=2),
    }[kind]


def _pull(kind: str, x: np.ndarray, v: np.ndarray, f: np.ndarray) -> np.ndarray:
    """The slope of v: sum f dsim/dv - leak v."""
    off = x[None] - v[:, None]
    if kind == "dot":
        return f @ x - v
    return np.einsum("sm,smd->sd", f, off if kind == "euclid" else np.sign(off))


def _energy(kind: str, x: np.ndarray, v: np.ndarray, h: np.ndarray) -> np.ndarray:
    f, leak = softmax(BETA * h), float(kind == "dot")
    partition = np.log(np.exp(BETA * h).sum(1)) / BETA
    sim = _similarity(kind, x, v)
    return leak * (v**2).sum(1) / 2 + (h * f).sum(1) - partition - (f * sim).sum(1)


def relaxes(kind: str, seed: int) -> float:
    """How far `predict` is from the equations over its 1,500 steps: v, f and E."""
    x, query = _memories(seed)
    sim = simulator("hopfield", [] if kind == "dot" else [kind], weights={"store": x})
    names = ("features.v", "memories.h", "memories.f", "E")
    done = present(sim, {"query": query}, names, "predict", learn=False)
    v, h, rows = query, np.zeros((2, M)), []
    for step in range(1501):
        f = softmax(BETA * h)
        if step % 100 == 0:
            rows.append((v, h, f, _energy(kind, x, v, h)))
        dv, dh = _pull(kind, x, v, f), (_similarity(kind, x, v) - h) / TAU_H
        v, h = v + STEP * dv, h + STEP * dh
    found = [done.path(name).reshape(2, 1501, -1)[:, ::100] for name in names]
    expected = [np.stack(each, axis=1) for each in zip(*rows, strict=True)]
    return worst(zip(found[:3], expected[:3], strict=True)) + apart(found[3][..., 0], expected[3])


def rises(kind: str, seed: int) -> float:
    """The largest rise of E in a step of .01."""
    x, query = _memories(seed)
    sim = simulator("hopfield", [] if kind == "dot" else [kind], weights={"store": x})
    done = present(sim, {"query": query}, ["E"], "predict", learn=False)
    return float(np.diff(done.path("E").reshape(2, -1), axis=1).max())


def attention(seed: int) -> float:
    """`mchn`: five steps of v := M^T softmax(beta M v), as its own file does them."""
    x, query = _memories(seed)
    done = present(
        simulator("hopfield", ["mchn"], weights={"store": x}), {"query": query},
        ["features.v"], "predict", learn=False,
    )  # fmt: skip
    path = [query]
    for _ in range(5):
        path.append(softmax(BETA * path[-1] @ x.T) @ x)
    return apart(done.path("features.v"), np.stack(path, axis=1))


def stores(seed: int) -> float:
    """`train` writes each image into the neuron of its slot, and leaves the others alone."""
    images = np.random.default_rng(seed).normal(size=(M - 2, D))
    sim = simulator("hopfield", seed=seed)
    first = np.array(sim.weights["store"])
    present(sim, {"image": images, "slot": np.eye(M)[: M - 2]}, batch=1)
    return apart(sim.weights["store"], np.concatenate([images, first[M - 2 :]]))


def starts(seed: int) -> float:
    """How far the first memories are from standard normal numbers: mean and deviation."""
    w = simulator("hopfield", seed=seed, d=200, M=100).weights["store"]
    return float(max(abs(np.mean(w)), abs(np.std(w) - 1)))


# --- a single shot ---

SEPARATIONS: Mapping[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "identity": ("n", lambda n: n),
    "square": ("n^2", lambda n: n**2),
    "ten": ("n^10", lambda n: n**10),
    "softmax": ("softmax(n)", softmax),
    "max": ("1*(n >= max_n)", lambda n: (n >= n.max(1, keepdims=True)).astype(float)),
}
SIMILARITIES = {
    "dot": ("w*pre", "input"),
    "euclid": ("(w - pre)^2", "1/input"),
    "manhattan": ("abs(w - pre)", "1/input"),
}
SHOT = """
parameters: {{max_n: 0}}
cells:
  feature: {{soma: v = query}}
  memory:
    soma:
      - sim = {sim}
      - n = sim/sum(sim)
      - s = {separated}
      - f = s/sum(s)
      - mine = slot
  image: {{soma: z = input}}
populations:
  out: {{cell: image, size: d}}
synapses:
  store: {{current: {current}}}
  recall: {{to: out.soma, current: pre*w}}
energy: {{E: null}}
record: [out.z]
predicts: {{image: out.z}}
protocols: {{predict: {{relax: {{begin: null, steps: null, dt: null}}}}}}
"""


def shot(similarity: str, separation: str, seed: int) -> float:
    """P sep(sim(M, q)), similarities and separations divided by their sums, against the circuit."""
    x, query = _memories(seed)
    text, separate = SEPARATIONS[separation]
    current, sim = SIMILARITIES[similarity]
    changes = SHOT.format(sim=sim, separated=text, current=current)
    off = x[None] - query[:, None]
    scores = {
        "dot": query @ x.T,
        "euclid": 1 / np.sum(off**2, axis=2),
        "manhattan": 1 / np.sum(np.abs(off), axis=2),
    }[similarity]
    n = scores / scores.sum(1, keepdims=True)
    settings: dict[str, Any] = {}
    expected, worst_yet = separate(n), 0.0
    expected = expected / expected.sum(1, keepdims=True) @ x
    for one in range(2):
        if separation == "max":
            settings = {"max_n": float(n[one].max() * (1 - 1e-9))}
        sim_ = simulator("hopfield", changes=changes, weights={"store": x}, **settings)
        found = sim_.predict({"query": query[one : one + 1]})["image"]
        worst_yet = max(worst_yet, apart(np.reshape(found, -1), expected[one]))
    return worst_yet


def retrieved(kind: str, seed: int) -> float:
    """The share of forty images that `predict` gives back from a noisy query (sigma .5)."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(40, D))
    query = np.clip(np.abs(x + 0.5 * rng.normal(size=x.shape)), 0, 1)
    settings: dict[str, Any] = {"M": 40, "T": 300, "h": 0.02, "beta": 20}
    variants = [] if kind == "dot" else [kind]
    sim = simulator("hopfield", variants, weights={"store": x}, **settings)
    done = present(sim, {"query": query}, ["memories.f"], "predict", learn=False)
    return float(np.mean(done.end("memories.f").argmax(1) == np.arange(40)))


def capacity_order(seed: int) -> float:
    """1 where Manhattan retrieves at least as many as Euclid, and Euclid clearly more than dot."""
    manhattan, euclid, dot = (retrieved(k, seed) for k in ("manhattan", "euclid", "dot"))
    return float(manhattan >= euclid - 0.05 and euclid > dot + 0.2)


KINDS = ("dot", "euclid", "manhattan")
PAPER = "Millidge et al. 2022, universal Hopfield networks"
CLAIMS = (
    *(
        Claim(
            f"hopfield.relaxes-{kind}", "the file's equations",
            "`predict` in plain numpy over 1,500 steps: v, h, f, E, to 1e-9",
            partial(relaxes, kind), tolerance=1e-9, rows=(72, 73),
        )
        for kind in KINDS
    ),
    *(
        Claim(
            f"hopfield.energy-{kind}", f"{PAPER}; Krotov & Hopfield 2021",
            "the largest rise of E in a step of .01", partial(rises, kind), 1e-12,
            kind="at most", rows=(72,),
        )
        for kind in ("dot", "euclid")
    ),
    Claim(
        "hopfield.attention", "Ramsauer et al. 2020",
        "`mchn`: five steps are softmax attention, to 1e-12",
        attention, tolerance=1e-12, rows=(71,),
    ),
    Claim(
        "hopfield.stores", "the file's equations", "`train` writes each image into its own neuron",
        stores, tolerance=1e-12, rows=(70,),
    ),
    Claim(
        "hopfield.starts", "the file's equations", "first memories are standard normal, to .03",
        starts, tolerance=0.03,
    ),
    *(
        Claim(
            f"hopfield.shot-{similarity}-{separation}", f"{PAPER}, single shot",
            "an heir gives P sep(sim(M, q)) of a noisy and a masked query, to 1e-10",
            partial(shot, similarity, separation), tolerance=1e-10, rows=(70, 71, 73),
        )
        for similarity in SIMILARITIES
        for separation in SEPARATIONS
    ),
    Claim(
        "hopfield.capacity-order", f"{PAPER}, figs. 2-4",
        "forty images, noise .5: Manhattan retrieves as Euclid (to .05), Euclid .2 more than dot",
        capacity_order, 1.0, rows=(74,), ours=True,
    ),
)  # fmt: skip
