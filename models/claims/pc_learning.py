"""What inference does to the loss, and learning to the gradient, on the circuit file: claims.

Sources: Millidge, Song, Salvatori, Lukasiewicz & Bogacz 2022 (section 4); Millidge, Tschantz &
Buckley 2020; Song et al. 2020; Millidge et al. 2022 (infinitesimal inference); Song et al. 2022
(target alignment). L is the output layer's share of F, E~ the rest.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .claim import Claim
from .pc_nets import (
    FUNCTIONS,
    SIZES,
    Network,
    circuit,
    gradients,
    random_net,
    samples,
    slope,
    weights_of,
)
from .pc_theory import HIDDEN, PAPER, closed_form
from .presentation import Presented, apart, present, simulator, worst


def _inferred(seed: int, steps: int = 200) -> tuple[Network, dict[str, Any], Presented]:
    net = random_net(seed, scale=0.4)
    streams = samples(net, seed)
    sim = circuit(net, h=0.2, T=steps)
    return net, streams, present(sim, streams, ["F", "loss", *HIDDEN], learn=False)


def _curves(done: Presented) -> tuple[np.ndarray, np.ndarray]:
    """F and L (sample, row)."""
    energy, loss = (done.path(name, "infer").reshape(2, -1) for name in ("F", "loss"))
    return energy, loss


def energy_falls(seed: int) -> float:
    """The largest rise of F in a step, h below 2/(largest curvature)."""
    return float(np.diff(_curves(_inferred(seed)[2])[0], axis=1).max())


def loss_falls_rest_rises(seed: int) -> float:
    """Fig. 4A: the share of steps, from the forward pass, in which L falls and E~ rises."""
    energy, loss = _curves(_inferred(seed, 60)[2])
    falls, rises = np.diff(loss, axis=1) < 0, np.diff(energy - loss, axis=1) > 0
    return float(np.mean(falls & rises))


def _by_differences(net: Network, x: list[np.ndarray], k: int, part: int) -> np.ndarray:
    """dL/dx[k] (part 1) or dF/dx[k] (part 0) by central differences, (sample, unit)."""
    found, step = np.zeros_like(x[k]), 1e-5
    for unit in range(x[k].shape[1]):
        sides = []
        for sign in (1, -1):
            moved = x[k].copy()
            moved[:, unit] += sign * step
            sides.append(net.energy([*x[:k], moved, *x[k + 1 :]])[part])
        found[:, unit] = (sides[0] - sides[1]) / (2 * step)
    return found


def _end(done: Presented, streams: dict[str, Any], row: int = -1) -> list[np.ndarray]:
    hidden = [done.path(name, "infer")[:, row] for name in HIDDEN]
    return [streams["image"], *hidden, streams["label"]]


def marginal(seed: int) -> float:
    """Lemma 3.1: |dL/dx + dE~/dx| at rest, by central differences."""
    net, streams, done = _inferred(seed)
    x = _end(done, streams)
    return max(float(np.abs(_by_differences(net, x, k, 0)).max()) for k in (1, 2))


def no_error_no_loss(seed: int) -> float:
    """Proposition 3.1: with the forward pass as label F and L are 0 and stay so."""
    net = random_net(seed)
    streams = samples(net, seed)
    streams["label"] = net.forward(streams["image"])[-1]
    done = present(circuit(net, h=0.2, T=20), streams, ["F", "loss"], learn=False)
    return max(float(np.abs(one).max()) for one in _curves(done))


def gradient_bound(seed: int) -> float:
    """A.6.3: the share of steps from the forward pass with |dE~/dx| <= |dL/dx| in layer L - 1."""
    net, streams, done = _inferred(seed, 40)
    held = []
    for row in range(41):
        x = _end(done, streams, row)
        loss = _by_differences(net, x, 2, 1)
        rest = _by_differences(net, x, 2, 0) - loss
        held.append(np.linalg.norm(rest, axis=1) <= np.linalg.norm(loss, axis=1) + 1e-9)
    return float(np.mean(held))


def gradient_at_rest(seed: int) -> float:
    """Eq. 14: the update is backpropagation of e[L] through the rest states."""
    net = random_net(seed, scale=0.4)
    streams = samples(net, seed)
    sim = circuit(net, h=0.4, T=300, eta=1)
    done = present(sim, streams, HIDDEN)
    x = _end(done, streams)
    delta, pairs = x[-1] - net.predictions(x)[0][-1], []
    for k in (2, 1, 0):
        w = net.weights[k]
        gated = delta * net.slope(x[k] @ w.T)
        pairs.append((done.weight(f"W[{k + 1}]") - w, gated.T @ x[k] / 2))
        delta = gated @ w
    return worst(pairs)


def first_step(seed: int) -> float:
    """The first step from the forward pass: -dL/dx in layer L - 1, exactly 0 below."""
    net = random_net(seed)
    streams = samples(net, seed)
    done = present(circuit(net, h=1, T=1), streams, HIDDEN, learn=False)
    moves = [np.diff(done.path(name, "infer"), axis=1)[:, 0] for name in HIDDEN]
    if np.any(moves[0] != 0):
        return float("inf")
    return apart(moves[1], gradients(net, streams)[0][1])


def fixed_point(seed: int, scale: float) -> float:
    """What is left of eq. 1 after 30 whole steps, x := f(u) + b, in a linear net of tens."""
    net = random_net(seed, "identity", scale, (10, 10, 10, 10))
    rng = np.random.default_rng(seed)
    streams = {n: rng.normal(1, 1, size=(1, 10)) for n in ("image", "label")}
    done = present(circuit(net, ["linear"], h=1, T=31), streams, HIDDEN, learn=False)
    return max(float(np.abs(np.diff(done.path(n, "infer"), axis=1)[:, 30]).max()) for n in HIDDEN)


# --- learning ---


def em_falls(seed: int) -> float:
    """Eqs. 9-11: the largest rise of F in any E half-step (inference) or M half-step (learning)."""
    net = random_net(seed, scale=0.4)
    streams = samples(net, seed, 4)
    sim = circuit(net, ["free_start"], h=0.1, T=3, eta=0.05)
    states, energies = net.forward(streams["image"])[1:-1], []
    for _ in range(15):
        initial = dict(zip(HIDDEN, states, strict=True))
        done = present(sim, streams, ["F", *HIDDEN], initial=initial)
        path = done.path("F", "infer").reshape(4, -1).mean(0)
        energies += [path[0], path[-1]]
        states = [done.end(name, "infer") for name in HIDDEN]
    return float(np.diff(energies).max())


def critical_point(seed: int) -> float:
    """Theorem 3.6: the largest |dL/dW| after 400 presentations that only lower F."""
    teacher = random_net(seed + 50, scale=0.5)
    net = random_net(seed, scale=0.5)
    streams = samples(net, seed, 2)
    streams["label"] = teacher.forward(streams["image"])[-1]
    sim = circuit(net, h=0.3, T=15, eta=8)
    present(sim, {n: np.tile(a, (400, 1)) for n, a in streams.items()}, batch=2)
    net.weights = [
        np.array(sim.weights[f"W[{k}]"]).reshape(w.shape) for k, w in enumerate(net.weights, 1)
    ]
    return max(float(np.abs(c).max()) for c in gradients(net, streams)[1])


def cosines(seed: int) -> tuple[float, float]:
    """The least and the largest cosine of PC's and BP's updates over forty batches of a teacher."""
    teacher, net = random_net(seed + 50, scale=0.3), random_net(seed, scale=0.3)
    sim = circuit(net, h=0.2, T=20, eta=0.05)
    found = []
    for batch in range(40):
        streams = samples(net, seed + batch, 20)
        streams["label"] = teacher.forward(streams["image"])[-1]
        net.weights = weights_of(sim)
        present(sim, streams)
        change = [a - b for a, b in zip(weights_of(sim), net.weights, strict=True)]
        both = (change, gradients(net, streams)[1])
        a, b = (np.concatenate([np.ravel(w) for w in one]) for one in both)
        found.append(float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
    return min(found), max(found)


def _updates(
    net: Network, streams: dict[str, Any], variants: list[str], **settings: Any
) -> list[np.ndarray]:
    sim = circuit(net, variants, eta=1, **settings)
    done = present(sim, streams)
    return [done.weight(f"W[{k}]") - w for k, w in enumerate(net.weights, 1)]


def equals_gradient(variant: str, seed: int, **settings: Any) -> float:
    """How far an update is from that of backpropagation."""
    net = random_net(seed)
    streams = samples(net, seed, 3)
    found = _updates(net, streams, [variant], **settings)
    return worst(zip(found, gradients(net, streams)[1], strict=True))


def zil_ablated(seed: int) -> float:
    """The same with steps of .9: it must be seen."""
    net = random_net(seed)
    streams = samples(net, seed, 3)
    changes = "variants:\n  slower:\n    protocols: {train: {infer: {dt: 0.9}}}\n"
    weights = {f"W[{k}]": w for k, w in enumerate(net.weights, 1)}
    sim = simulator(
        "pc", ["zil", "slower"], changes=changes, weights=weights, sizes=list(SIZES), eta=1
    )
    done = present(sim, streams)
    found = [done.weight(f"W[{k}]") - w for k, w in enumerate(net.weights, 1)]
    return worst(zip(found, gradients(net, streams)[1], strict=True))


def zil_thousand(seed: int) -> float:
    """1,000 updates of Z-IL, one sample each, against as many of backpropagation: the weights."""
    net = random_net(seed)
    streams = samples(net, seed, 1000)
    sim = circuit(net, ["zil"], eta=0.1)
    present(sim, streams, batch=1)
    for i in range(1000):
        one = {n: a[i : i + 1] for n, a in streams.items()}
        changes = gradients(net, one)[1]
        net.weights = [w + 0.1 * c for w, c in zip(net.weights, changes, strict=True)]
    return worst((sim.weights[f"W[{k}]"], w) for k, w in enumerate(net.weights, 1))


NUDGED = """
parameters: {nudge: 0.1}
cells:
  output:
    is: value
    soma: tau * dx/dt = -e + nudge*(label - x)
populations:
  layer[k=1..L]: null
  layer[k=1..L-1]: {cell: value, size: "sizes[k]"}
  layer[L]: {cell: output, size: "sizes[L]"}
synapses:
  W: {rule: "w += eta/nudge * post.d * pre.x"}
protocols: {train: {infer: {clamp: null}}}
"""


def nudge_order(seed: int) -> float:
    """PC-Nudge, an heir of the file: the order in the nudge of update/nudge - (-dL/dW)."""
    net = random_net(seed, scale=0.4)
    streams = samples(net, seed)
    true, nudges, off = gradients(net, streams)[1], (1e-2, 1e-3, 1e-4), []
    weights = {f"W[{k}]": w for k, w in enumerate(net.weights, 1)}
    for nudge in nudges:
        settings: dict[str, Any] = {
            "sizes": list(SIZES),
            "eta": 1,
            "h": 0.4,
            "T": 400,
            "nudge": nudge,
        }
        done = present(simulator("pc", changes=NUDGED, weights=weights, **settings), streams)
        found = [done.weight(f"W[{k}]") - w for k, w in enumerate(net.weights, 1)]
        off.append(worst(zip(found, true, strict=True)))
    return slope(off, nudges)


def alignment(seed: int, inference: bool = True) -> float:
    """The cosine of what an update does to the output and what is missing; 1-1-2, linear."""
    net = Network([np.ones((1, 1)), np.ones((2, 1))], *FUNCTIONS["identity"])
    streams = {"image": np.ones((1, 1)), "label": np.array([[0.0, 1.0]])}
    before = net.forward(streams["image"])[-1]
    settings: dict[str, Any] = {"h": 0.3, "T": 200} if inference else {}
    sim = circuit(net, ["linear"] if inference else ["zil", "linear"], eta=0.2, **settings)
    done = present(sim, streams)
    net.weights = [done.weight(f"W[{k}]") for k in (1, 2)]
    moved, missing = net.forward(streams["image"])[-1] - before, streams["label"] - before
    return float((moved @ missing.T).item() / np.linalg.norm(moved) / np.linalg.norm(missing))


def preconditioned(seed: int) -> float:
    """In a linear net the updates are those of BP with the output error multiplied by S^-1."""
    net = random_net(seed, "identity", 0.5, (4, 5, 3, 4))
    streams = samples(net, seed, 1)
    found = _updates(net, streams, ["linear"], h=0.3, T=500)
    states, weighted, _ = closed_form(net, streams)
    return worst((c, e.T @ x) for c, e, x in zip(found, weighted, states, strict=False))


CLAIMS = (
    Claim(
        "pc.energy-falls", f"{PAPER}, section 3.3",
        "largest rise of F in a step of inference, h < 2/(largest curvature)",
        energy_falls, 1e-14, kind="at most", rows=(18,),
    ),
    Claim(
        "pc.loss-falls-rest-rises", f"{PAPER}, fig. 4A",
        "from the forward pass L falls and E~ rises, at each step",
        loss_falls_rest_rises, 1.0, rows=(18, 37),
    ),
    Claim(
        "pc.marginal", f"{PAPER}, lemma 3.1", "at rest dL/dx = -dE~/dx (central differences)",
        marginal, tolerance=1e-9, rows=(33,),
    ),
    Claim(
        "pc.no-error-no-loss", f"{PAPER}, proposition 3.1", "F = 0 where L = 0, and it stays",
        no_error_no_loss, tolerance=1e-15, rows=(33,),
    ),
    Claim(
        "pc.gradient-bound", f"{PAPER}, A.6.3",
        "from the forward pass |dE~/dx| <= |dL/dx| in layer L - 1, at each step",
        gradient_bound, 1.0, rows=(34,),
    ),
    Claim(
        "pc.gradient-at-rest", f"{PAPER}, eq. 14 (df(W[l+1] x)/dx)",
        "the update is backpropagation through the rest states, to 1e-10",
        gradient_at_rest, tolerance=1e-10, rows=(36, 47),
    ),
    Claim(
        "pc.first-step", "Song et al. 2020",
        "the first step is -dL/dx in layer L - 1 and exactly 0 below",
        first_step, tolerance=1e-14, rows=(53,),
    ),
    Claim(
        "pc.fixed-point", f"{PAPER}, A.9.1 (std .05)", "30 whole steps leave nothing of eq. 1",
        partial(fixed_point, scale=0.05), tolerance=1e-14, rows=(31,),
    ),
    Claim(
        "pc.no-fixed-point", f"{PAPER}, A.9.1 (variance .05)",
        "the same with std .224 does not converge: what is left of eq. 1",
        partial(fixed_point, scale=0.05**0.5), 0.1, kind="at least", rows=(31,), ours=True,
    ),
    Claim(
        "pc.em", f"{PAPER}, eqs. 9-11, 13, 15-16",
        "F rises in no E and no M half-step at small rates: largest rise",
        em_falls, 0.0, kind="at most", rows=(32,),
    ),
    Claim(
        "pc.critical-point", f"{PAPER}, theorem 3.6",
        "largest |dL/dW| after 400 presentations that only lower F",
        critical_point, 1e-6, kind="at most", rows=(35,),
    ),
    Claim(
        "pc.cosine-least", f"{PAPER}, fig. 4C",
        "least cosine of PC's and BP's updates, small net, forty batches",
        lambda seed: cosines(seed)[0], 0.9, kind="at least", rows=(38,),
    ),
    Claim(
        "pc.cosine-most", f"{PAPER}, fig. 4C", "the largest: never 1",
        lambda seed: cosines(seed)[1], 1 - 1e-6, kind="at most", rows=(38,),
    ),
    Claim(
        "pc.fixed-prediction-is-backpropagation", "Millidge, Tschantz & Buckley 2020",
        "with held predictions updates are BP's, 400 steps of .1",
        partial(equals_gradient, "fixed_prediction", h=0.1, T=400), tolerance=1e-12, rows=(51,),
    ),
    Claim(
        "pc.zil-is-backpropagation", "Song et al. 2020", "updates of Z-IL are BP's",
        partial(equals_gradient, "zil"), tolerance=1e-13, rows=(61,),
    ),
    Claim(
        "pc.zil-ablated", "Song et al. 2020", "with steps of .9 they are not",
        zil_ablated, 1e-2, kind="at least", rows=(61,),
    ),
    Claim(
        "pc.zil-thousand", "Song et al. 2020",
        "after 1,000 updates the weights are BP's, in L steps each",
        zil_thousand, tolerance=1e-9, rows=(64,),
    ),
    Claim(
        "pc.nudge-order", "Millidge et al. 2022, infinitesimal inference (PC-Nudge)",
        "update/nudge approaches -dL/dW with order 1 in the nudge",
        nudge_order, 1.0, 0.05, rows=(65, 66),
    ),
    Claim(
        "pc.alignment", "Song et al. 2022, target alignment",
        "of PC in the net 1-1-2 with weights 1, target (0, 1), rate .2",
        alignment, 0.98613, 5e-6, rows=(75,),
    ),
    Claim(
        "pc.alignment-backpropagation", "Song et al. 2022, target alignment",
        "of BP (Z-IL) there", partial(alignment, inference=False), 0.87416, 5e-6, rows=(75,),
    ),
    Claim(
        "pc.preconditioned", "closed form of target alignment",
        "linear PC is BP with its output error times S^-1, to 1e-10",
        preconditioned, tolerance=1e-10, rows=(76,),
    ),
)  # fmt: skip
