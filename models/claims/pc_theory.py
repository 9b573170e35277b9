"""What the theory of predictive coding networks says of the circuit file, as claims.

Source: Millidge, Song, Salvatori, Lukasiewicz & Bogacz 2022, with the signs and indices of its
equations corrected; F = sum of e^T Pi e / 2. Rows are samples.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .claim import Claim
from .pc_nets import (
    FUNCTIONS,
    NAMES,
    SIZES,
    Network,
    circuit,
    random_net,
    samples,
    slope,
)
from .presentation import Presented, apart, present, simulator, worst

HIDDEN = NAMES[1:-1]

# --- equilibria ---


def free_output(f: str, seed: int) -> float:
    """Theorem 3.1: with its output free the network comes to rest at the forward pass."""
    net = random_net(seed, f, 0.3)
    streams = samples(net, seed)
    rng = np.random.default_rng(seed)
    initial = {n: rng.normal(size=(2, SIZES[k])) for k, n in enumerate(NAMES[1:], 1)}
    sim = circuit(net, ["free_start", "free_output"], f, h=0.5, T=400)
    done = present(sim, streams, NAMES[1:], learn=False, initial=initial)
    ends = [done.end(name, "infer") for name in NAMES[1:]]
    return worst(zip(ends, net.forward(streams["image"])[1:], strict=True))


def forward_rests(seed: int) -> float:
    """From the forward pass nothing moves while the output is free: exactly 0."""
    net = random_net(seed)
    sim = circuit(net, ["free_output"], h=0.3, T=3)
    done = present(sim, samples(net, seed), NAMES[1:], learn=False)
    return max(float(np.abs(np.diff(done.path(n, "infer"), axis=1)).max()) for n in NAMES[1:])


def recursion(seed: int) -> float:
    """Theorem 3.2: e[l] = W[l+1]^T (e[l+1] f'(u[l+1])) at rest, how far it is from that."""
    net = random_net(seed, scale=0.4)
    streams = samples(net, seed)
    errors = [f"layer[{k}].{v}" for k in (1, 2, 3) for v in "eu"]
    done = present(circuit(net, h=0.4, T=300), streams, errors, learn=False)
    end = {name: done.end(name, "infer") for name in errors}
    pairs = []
    for k in (1, 2):
        gate = 1 - np.tanh(end[f"layer[{k + 1}].u"]) ** 2
        back = (end[f"layer[{k + 1}].e"] * gate) @ net.weights[k]
        pairs.append((end[f"layer[{k}].e"], back))
    return worst(pairs)


def recursion_order(seed: int) -> float:
    """The same with the gates of the forward pass: the order of the relative error in the nudge."""
    net = random_net(seed, scale=0.4)
    streams = samples(net, seed, 1)
    ahead, nudges, found = net.forward(streams["image"]), (1e-2, 1e-3, 1e-4), []
    direction = streams["label"] / np.linalg.norm(streams["label"])
    for nudge in nudges:
        nudged = streams | {"label": ahead[-1] + nudge * direction}
        record = [f"layer[{k}].e" for k in (1, 2, 3)]
        done = present(circuit(net, h=0.4, T=300), nudged, record, learn=False)
        delta, off = done.end("layer[3].e", "infer"), []
        for k in (2, 1):
            delta = (delta * (1 - ahead[k + 1] ** 2)) @ net.weights[k]
            e = done.end(f"layer[{k}].e", "infer")
            off.append(np.linalg.norm(e - delta) / np.linalg.norm(delta))
        found.append(max(off))
    return slope(found, nudges)


def _unconstrained(f: str, seed: int) -> tuple[Presented, Network, np.ndarray]:
    """Input free, square weights near rotations, a label in the range of f at every layer."""
    rng = np.random.default_rng(seed)
    turns = [np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(2)]
    net = Network([0.9 * a for a in turns], *FUNCTIONS[f])
    label = rng.uniform(-0.3, 0.3, size=(1, 4))
    start = {f"layer[{k}].x": rng.normal(size=(1, 4)) / 3 for k in (0, 1)}
    sim = circuit(net, ["unconstrained"], f, h=0.7, T=400)
    record = [*start, "F"]
    return present(sim, {"label": label}, record, learn=False, initial=start), net, label


def targets(f: str, seed: int) -> float:
    """Theorem 3.3: x[l-1] = W[l]^-1 f^-1(x[l]), the targets of target propagation."""
    done, net, label = _unconstrained(f, seed)
    inverse = np.arctanh if f == "tanh" else (lambda a: a)
    second = np.linalg.solve(net.weights[1], inverse(label).T).T
    first = np.linalg.solve(net.weights[0], inverse(second).T).T
    ends = (done.end("layer[1].x", "infer"), done.end("layer[0].x", "infer"))
    return worst(zip(ends, (second, first), strict=True))


def no_energy_left(f: str, seed: int) -> float:
    """F where the input is free."""
    return float(_unconstrained(f, seed)[0].path("F", "infer").reshape(-1)[-1])


def _precisions(net: Network, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed + 7)
    roots = [rng.normal(size=(len(w), len(w))) / 3 for w in net.weights]
    return [np.eye(len(a)) + a @ a.T for a in roots]


def hessian(net: Network) -> np.ndarray:
    """The curvature of F of a linear net over all hidden states: block tridiagonal. A.3."""
    pi = net.pi or [np.eye(len(w)) for w in net.weights]
    sizes = [len(w) for w in net.weights[:-1]]
    at = np.concatenate([[0], np.cumsum(sizes)])
    h = np.zeros((at[-1], at[-1]))
    for k in range(len(sizes)):
        here, w = slice(at[k], at[k + 1]), net.weights[k + 1]
        h[here, here] = pi[k] + w.T @ pi[k + 1] @ w
        if k + 1 < len(sizes):
            above = slice(at[k + 1], at[k + 2])
            h[above, here] = -pi[k + 1] @ w
            h[here, above] = h[above, here].T
    return h


def closed_form(net: Network, streams: dict[str, Any]) -> tuple[list[Any], list[Any], Any]:
    """States, weighted errors P[l]^T mu and F at rest of a linear net; mu = S^-1 (label - out).

    S = sum P[l] Pi[l]^-1 P[l]^T with P[l] = W[L] .. W[l+1].
    """
    paths = [np.eye(len(net.weights[-1]))]
    for w in net.weights[:0:-1]:
        paths.insert(0, paths[0] @ w)
    covariances = [np.linalg.inv(p) for p in net.pi or [np.eye(len(w)) for w in net.weights]]
    s = sum(p @ c @ p.T for p, c in zip(paths, covariances, strict=True))
    gap = streams["label"] - net.forward(streams["image"])[-1]
    mu = np.linalg.solve(s, gap.T).T
    weighted, states = [mu @ p for p in paths], [streams["image"]]
    for w, e, c in zip(net.weights, weighted, covariances, strict=True):
        states.append(states[-1] @ w.T + e @ c.T)
    return states, weighted, (gap * mu).sum(1) / 2


def linear_equilibrium(weighted: bool, seed: int) -> float:
    """Theorems 3.4, 3.5 and the closed form: states, errors, F and the updates at rest."""
    net = random_net(seed, "identity", 0.5, (4, 5, 3, 4))
    if weighted:
        net.pi = _precisions(net, seed)
    streams = samples(net, seed)
    states, errors, energy = closed_form(net, streams)
    solved = np.linalg.solve(hessian(net), _pull(net, streams)).T
    variants, error = (["precision", "linear"], "pe") if weighted else (["linear"], "e")
    step = 1.9 / np.linalg.eigvalsh(hessian(net))[-1]
    record = ["F", *HIDDEN, *(f"layer[{k}].{error}" for k in (1, 2, 3))]
    sim = circuit(net, variants, h=float(step), T=300, eta=1)
    done = present(sim, streams, record)
    pairs = [(done.end(n, "infer"), states[k]) for k, n in enumerate(HIDDEN, 1)]
    pairs.append((np.concatenate([a for a, _ in pairs], axis=1), solved))
    pairs += [(done.end(f"layer[{k}].{error}", "infer"), errors[k - 1]) for k in (1, 2, 3)]
    pairs.append((done.path("F", "infer").reshape(2, -1)[:, -1], energy))
    for k, w in enumerate(net.weights):
        pairs.append((done.weight(f"W[{k + 1}]") - w, errors[k].T @ states[k] / 2))
    return worst(pairs)


def _pull(net: Network, streams: dict[str, Any]) -> np.ndarray:
    """What input and label add to the linear system of all hidden states (state, sample)."""
    pi = net.pi or [np.eye(len(w)) for w in net.weights]
    first = pi[0] @ net.weights[0] @ streams["image"].T
    last = net.weights[-1].T @ pi[-1] @ streams["label"].T
    middle = [np.zeros((len(w), len(streams["image"]))) for w in net.weights[1:-2]]
    return np.concatenate([first, *middle, last])


def convexity(seed: int) -> float:
    """A.3: the smallest eigenvalue of the curvature that the circuit's own steps have."""
    net = random_net(seed, "identity", 0.5, (4, 5, 3, 4))
    streams = {n: np.repeat(a, 9, axis=0) for n, a in samples(net, seed, 1).items()}
    shifts = np.concatenate([np.zeros((1, 8)), np.eye(8)])
    initial = {"layer[1].x": shifts[:, :5], "layer[2].x": shifts[:, 5:]}
    sim = circuit(net, ["linear", "free_start"], h=1, T=1)
    done = present(sim, streams, HIDDEN, learn=False, initial=initial)
    moves = np.concatenate([np.diff(done.path(n, "infer"), axis=1)[:, 0] for n in HIDDEN], axis=1)
    found = (moves[0] - moves[1:]).T
    if apart(found, hessian(net)) > 1e-12:
        return float("-inf")
    return float(np.linalg.eigvalsh(found)[0])


def euler_power(seed: int) -> float:
    """A.4: an Euler path is x* + (I - h A)^k (x(0) - x*), A = I + W^T W."""
    net = random_net(seed, "identity", sizes=(5, 5, 5))
    streams = samples(net, seed, 1)
    start = np.ones((1, 5))
    sim = circuit(net, ["linear", "free_start"], h=0.1, T=60)
    done = present(sim, streams, ["layer[1].x"], learn=False, initial={"layer[1].x": start})
    a, rest = _one_layer(net, streams)
    powers = [np.linalg.matrix_power(np.eye(5) - 0.1 * a, k) for k in range(61)]
    expected = np.stack([rest + p @ (start[0] - rest) for p in powers])
    return apart(done.path("layer[1].x", "infer")[0], expected)


def _one_layer(net: Network, streams: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    first, second = net.weights
    a = np.eye(5) + second.T @ second
    return a, np.linalg.solve(a, first @ streams["image"][0] + second.T @ streams["label"][0])


def exponential_path(seed: int) -> float:
    """Eq. 31, signs corrected: x(t) = x* + e^{-A t} (x(0) - x*), followed by Runge-Kutta."""
    net = random_net(seed, "identity", sizes=(5, 5, 5))
    streams = samples(net, seed, 1)
    start = np.ones((1, 5))
    weights = {f"W[{k}]": w for k, w in enumerate(net.weights, 1)}
    changes = "protocols:\n  train:\n    infer:\n      method: rk4\n"
    sim = simulator(
        "pc", ["linear", "free_start"], changes=changes, weights=weights,
        sizes=[5, 5, 5], h=0.005, T=200,
    )  # fmt: skip
    done = present(sim, streams, ["layer[1].x"], learn=False, initial={"layer[1].x": start})
    a, rest = _one_layer(net, streams)
    values, axes = np.linalg.eigh(a)
    decays = np.exp(-np.outer(0.005 * np.arange(201), values))
    expected = rest + (decays * (axes.T @ (start[0] - rest))) @ axes.T
    return apart(done.path("layer[1].x", "infer")[0], expected)


PAPER = "Millidge et al. 2022"
CLAIMS = (
    *(
        Claim(
            f"pc.free-output-{f}",
            f"{PAPER}, theorem 3.1",
            f"with its output free the network ({f}) rests at the forward pass, to 1e-10",
            partial(free_output, f),
            tolerance=1e-10,
            rows=(21,),
        )
        for f in FUNCTIONS
    ),
    Claim(
        "pc.forward-rests",
        f"{PAPER}, section 3.2",
        "from the forward pass the network moves by exactly 0 while the output is free",
        forward_rests,
        rows=(19, 21),
    ),
    Claim(
        "pc.recursion",
        f"{PAPER}, theorem 3.2 (with the gates of the rest state)",
        "at rest errors obey the recursion of backpropagation, to 1e-10",
        recursion,
        tolerance=1e-10,
        rows=(22,),
    ),
    Claim(
        "pc.recursion-order",
        f"{PAPER}, theorem 3.2 (with the gates of the forward pass)",
        "the relative error is of order 1 in the nudge",
        recursion_order,
        1.0,
        0.05,
        rows=(22,),
    ),
    *(
        Claim(
            f"pc.targets-{f}",
            f"{PAPER}, theorem 3.3 and A.5.3",
            f"with its input free the network ({f}) rests at the targets of target propagation",
            partial(targets, f),
            tolerance=1e-9,
            rows=(23,),
        )
        for f in ("identity", "tanh")
    ),
    *(
        Claim(
            f"pc.no-energy-left-{f}",
            f"{PAPER}, theorem 3.3",
            f"there F is 0 ({f})",
            partial(no_energy_left, f),
            1e-18,
            kind="at most",
            rows=(23,),
        )
        for f in ("identity", "tanh")
    ),
    *(
        Claim(
            f"pc.equilibrium{'-precision' if weighted else ''}",
            f"{PAPER}, theorem {'3.5' if weighted else '3.4'}, eqs. 33-35",
            "a deep linear net rests where the block-tridiagonal system and the closed form say",
            partial(linear_equilibrium, weighted),
            tolerance=1e-10,
            rows=(28, 76) if weighted else (25, 76),
        )
        for weighted in (False, True)
    ),
    Claim(
        "pc.convexity",
        f"{PAPER}, A.3",
        "smallest eigenvalue of the curvature that the circuit's steps have, if it is F's (linear)",
        convexity,
        1e-3,
        kind="at least",
        rows=(39,),
    ),
    Claim(
        "pc.euler-power",
        f"{PAPER}, A.4, eq. 31",
        "an Euler path is the powers of I - h A",
        euler_power,
        tolerance=1e-12,
        rows=(40,),
    ),
    Claim(
        "pc.exponential-path",
        f"{PAPER}, A.4, eqs. 31-32 (signs corrected)",
        "Runge-Kutta follows the matrix exponential, to 1e-8",
        exponential_path,
        tolerance=1e-8,
        rows=(40,),
    ),
)
