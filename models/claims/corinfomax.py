"""Correlative information maximization: that the two files are their equations, as claims.

Source: Bozkurt, Isfendiyaroglu, Pehlevan & Erdogan 2023.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..corinfomax import split
from .claim import Claim
from .corinfomax_equations import FASHION, MNIST, SETTINGS, Setting, Weights, learnt, presented
from .presentation import apart, present, simulator, spread, worst

SIZES = (5, 4, 10)
DOMAINS = {
    ("antisparse",): (127, 129),
    ("sparse",): (128, 129),
    ("sparse", "simplex"): (129,),
    ("signed_sparse",): (129,),
    ("mixed",): (129,),
}
ROWS = {**DOMAINS, (): (117, 118, 121, 122, 125), ("paper_output",): (119,)}
SPLIT = ((), ("random_sign",), *DOMAINS)


def drawn(seed: int) -> tuple[Weights, dict[str, Any]]:
    """Weights of a net 5-4-10, three images and their labels."""
    rng = np.random.default_rng(seed)
    w = {
        "W[1]": rng.normal(size=(4, 5)) / 2,
        "W[2]": rng.normal(size=(10, 4)) / 2,
        "F[1]": rng.normal(size=(4, 10)) / 3,
    }
    for k, n in ((1, 4), (2, 10)):
        a = rng.normal(size=(n, n))
        w[f"B[{k}]"] = a @ a.T / n
    return w, {"image": rng.uniform(size=(3, 5)), "label": np.eye(10)[:3]}


def coordinates(setting: Setting, w: Weights, leak: bool = True) -> Weights:
    """Weights with B as autapses D and lateral weights O, in the units of each layer."""
    found = {name: a for name, a in w.items() if name[0] != "B"}
    for k, c, d in ((1, 1 / (2 * setting.eps), setting.eps * setting.g), (2, 1.0, setting.g)):
        autapse, lateral = split(w[f"B[{k}]"], setting.gam, c, d)
        found[f"D[{k}]"] = autapse - (0 if leak else d)
        found[f"O[{k}]"] = lateral
    return found


def learns(
    name: str, variants: tuple[str, ...], seed: int, strength: float = 1.0, **settings: Any
) -> float:
    """How far a presentation is from the equations: membrane potentials of all phases, weights.

    `strength` multiplies W; an `h0` below .001 asks for the least step there is.
    """
    known = {key: value for key, value in settings.items() if key != "h0"}
    setting = replace(SETTINGS.get(variants, Setting()), **known)
    if "h0" in settings:
        setting = replace(setting, step=lambda s: 0.001)
    w, streams = drawn(seed)
    w |= {f"W[{k}]": strength * w[f"W[{k}]"] for k in (1, 2)}
    split_up = name != "corinfomax"
    there = (lambda a: coordinates(setting, a, "leak_free" not in variants)) if split_up else dict
    sim = simulator(name, variants, weights=there(w), sizes=list(SIZES), **settings)
    done = present(sim, streams, ["layer[1].u", "layer[2].u"])
    found = []
    for sign in (1.0, -1.0) if "random_sign" in variants else (1.0,):
        phases = presented(setting, w, **streams, sign=sign)
        pairs = [
            (done.path(f"layer[{k}].u", name), np.stack([at.u[k - 1] for at in path], axis=1))
            for name, path in zip(("free", "nudged", "opposite"), phases, strict=False)
            for k in (1, 2)
        ]
        after = there(learnt(setting, w, streams["image"], phases, sign))
        pairs += [(_whole(done.weight(n), n), _whole(a, n)) for n, a in after.items()]
        found.append(worst(pairs))
    return min(found)


def _whole(w: np.ndarray, name: str) -> np.ndarray:
    """A weight array as it is compared: O without its diagonal, D as a vector."""
    return w - np.diag(np.diag(w)) if name[0] == "O" else np.ravel(w) if name[0] == "D" else w


def predicts(name: str, seed: int) -> float:
    """How far `predict` is from the end of the free phase."""
    setting = Setting()
    w, streams = drawn(seed)
    weights = w if name == "corinfomax" else coordinates(setting, w)
    sim = simulator(name, weights=weights, sizes=list(SIZES))
    end = presented(setting, w, **streams)[0][-1]
    found = sim.predict({"image": streams["image"]})["label"]
    return apart(np.reshape(found, (3, 10)), np.clip(end.u[1], 0, 1))


def trains(variant: str, seed: int) -> float:
    """How far 28 epochs of one batch are from the equations with the published rates by epoch."""
    setting = {"mnist": MNIST, "fashion": FASHION}[variant]
    factor = {"mnist": _mnist_rate, "fashion": _fashion_rate}[variant]
    setting = replace(setting, steps=(4, 3))
    w, streams = drawn(seed)
    steps: dict[str, Any] = {"T_free": 4, "T_nudged": 3}
    sim = simulator("corinfomax", [variant], weights=w, sizes=list(SIZES), **steps)
    signs, off = [], 0.0
    for epoch in range(28):
        sim.fit(streams, epochs=1, batch=3, shuffle=False)
        tried = []
        for sign in (1.0, -1.0):
            phases = presented(setting, w, **streams, sign=sign)
            new = learnt(setting, w, streams["image"], phases, sign, factor(epoch))
            tried.append((worst((sim.weights[n], a) for n, a in new.items()), sign, new))
        apart_by, sign, w = min(tried, key=lambda one: one[0])
        off = max(off, apart_by)
        signs.append(sign)
    return off if len(set(signs)) == 2 else float("inf")


def _mnist_rate(epoch: int) -> float:
    return 0.95**epoch if epoch < 15 else 0.9**epoch


def _fashion_rate(epoch: int) -> float:
    return 0.95**epoch if epoch < 20 else 0.9**epoch if epoch < 25 else 0.8**epoch


def starts(seed: int) -> float:
    """How far first weights are from Glorot's, and B from Q Q^T with such Q: its mean diagonal."""
    sim = simulator("corinfomax", seed=seed, sizes=[300, 200, 100])
    bounds = {"W[1]": (6 / 500) ** 0.5, "W[2]": (6 / 300) ** 0.5, "F[1]": (6 / 300) ** 0.5}
    found = [spread(sim.weights[n], -b, b) for n, b in bounds.items()]
    for k in (1, 2):  # of Q^2, 1/n on the average; eigenvalues from 0 to 4
        b = np.array(sim.weights[f"B[{k}]"])
        found += [abs(float(np.mean(np.diag(b))) - 1), float(apart(b, b.T))]
        found.append(0.0 if 3.5 < np.linalg.eigvalsh(b)[-1] < 4.5 else float("inf"))
    identity = simulator("corinfomax", ["identity_start"], sizes=list(SIZES)).weights["B[1]"]
    return max(*found, apart(identity, np.eye(4)))


def starts_split(leak_free: bool, seed: int) -> float:
    """First D and O are those of B = I; the other weights Glorot's."""
    variants = ["leak_free"] if leak_free else []
    sim = simulator("corinfomax_sst", variants, seed=seed, sizes=[300, 200, 100])
    start = {f"B[{k}]": np.eye(n) for k, n in ((1, 200), (2, 100))}
    expected = coordinates(Setting(), start, not leak_free)
    pairs = [(_whole(np.array(sim.weights[n]), n), _whole(a, n)) for n, a in expected.items()]
    if worst(pairs) > 1e-12:
        return float("inf")
    bounds = {"W[1]": (6 / 500) ** 0.5, "F[1]": (6 / 300) ** 0.5}
    return max(spread(sim.weights[n], -b, b) for n, b in bounds.items())


def signs(name: str, seed: int) -> float:
    """The share of negative nudges of `random_sign` among forty seeds."""
    w, streams = drawn(seed)
    weights = w if name == "corinfomax" else coordinates(Setting(), w)
    ends = []
    for sign in (1.0, -1.0):
        phases = presented(Setting(), w, **streams, sign=sign)
        ends.append(phases[1][-1].u[1])
    down = 0
    for one in range(40):
        sim = simulator(name, ["random_sign"], weights=weights, seed=one, sizes=list(SIZES))
        done = present(sim, streams, ["layer[2].u"], learn=False)
        down += apart(done.end("layer[2].u", "nudged"), ends[1]) < 1e-9
    return down / 40


CLAIMS = (
    *(
        Claim(
            "-".join(("corinfomax.learns", *variants)),
            "eqs. 15-28, published constants",
            "`train` in plain numpy: potentials and weights, to 1e-12",
            partial(learns, "corinfomax", variants),
            tolerance=1e-12,
            rows=ROWS.get(variants, (117,)),
        )
        for variants in SETTINGS
    ),
    Claim(
        "corinfomax.learns-strongly", "eqs. 15-28", "the same with lam .9",
        partial(learns, "corinfomax", (), lam=0.9), tolerance=1e-12, rows=(117, 122),
    ),
    Claim(
        "corinfomax.decays", "eqs. 23, 25", "the same with weight decay .1, three phases",
        partial(learns, "corinfomax", ("three_phases",), decay=0.1), tolerance=1e-12, rows=(121,),
    ),
    Claim(
        "corinfomax.decays-once", "eqs. 23, 25", "the same with weight decay .1",
        partial(learns, "corinfomax", (), decay=0.1), tolerance=1e-12, rows=(121,),
    ),
    *(
        Claim(
            "-".join((f"{name}.learns-actively", *domain)), "appendix C",
            "the same with multipliers that act (eta_q .2)",
            partial(learns, name, domain, strength=3.0, eta_q=[0.2, 0.2]),
            tolerance=1e-9, rows=(128, 129),
        )
        for name in ("corinfomax", "corinfomax_sst")
        for domain in (("sparse",), ("sparse", "simplex"), ("signed_sparse",))
    ),
    *(
        Claim(
            "-".join((f"{name}.steps", *variants)), "official program",
            "the same with steps at their floor, .001",
            partial(learns, name, variants, h0=0.0005), tolerance=1e-9, rows=(117,),
        )
        for name, variants in (
            ("corinfomax", ()), ("corinfomax", ("divide_by_index",)), ("corinfomax_sst", ()),
        )
    ),
    *(
        Claim(
            f"corinfomax.trains-{variant}", "published rates by epoch, signs drawn",
            "28 epochs of `fit` in plain numpy: the weights, to 1e-10",
            partial(trains, variant), tolerance=1e-10, rows=rows,
        )
        for variant, rows in (("mnist", (125, 133, 157)), ("fashion", (125, 134, 157)))
    ),
    Claim(
        "corinfomax.predicts", "the file's equations", "`predict` is the end of the free phase",
        partial(predicts, "corinfomax"), tolerance=1e-12, rows=(155,),
    ),
    Claim(
        "corinfomax.starts", "official program",
        "first W and F are Glorot's, B is Q Q^T: to .1 of their ranges and mean diagonal",
        starts, tolerance=0.1,
    ),
    Claim(
        "corinfomax.signs", "section 3", "the share of negative nudges among forty draws",
        partial(signs, "corinfomax"), 0.5, 0.25, rows=(125,),
    ),
    *(
        Claim(
            "-".join(("corinfomax_sst.learns", *variants)), "eqs. 29-30, figure 2",
            "eq. 28 in the coordinates of autapses and SST cells: potentials and weights, to 1e-9",
            partial(learns, "corinfomax_sst", variants), tolerance=1e-9, rows=(120, 123),
        )
        for variants in (*SPLIT, ("leak_free",))
    ),
    Claim(
        "corinfomax_sst.learns-strongly", "eqs. 29-30", "the same with lam .9, to 1e-12",
        partial(learns, "corinfomax_sst", (), lam=0.9), tolerance=1e-12, rows=(120, 123),
    ),
    Claim(
        "corinfomax_sst.predicts", "the file's equations",
        "`predict` is the end of the free phase",
        partial(predicts, "corinfomax_sst"), tolerance=1e-11, rows=(155,),
    ),
    *(
        Claim(
            f"corinfomax_sst.starts{'-leak_free' if free else ''}", "figure 2",
            "first D and O are those of B = I",
            partial(starts_split, free), tolerance=0.02, rows=(120,),
        )
        for free in (False, True)
    ),
    Claim(
        "corinfomax_sst.signs", "section 3", "the share of negative nudges among forty draws",
        partial(signs, "corinfomax_sst"), 0.5, 0.25,
    ),
)  # fmt: skip
