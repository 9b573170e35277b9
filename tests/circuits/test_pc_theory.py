"""What the theory of predictive coding networks says, checked on the circuit itself.

Oracles: the closed forms of linear networks, plain numpy steps written from the equations, central
differences and backpropagation written out by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose

SIZES = [6, 5, 4, 3]
FUNCTIONS = {
    "tanh": (np.tanh, lambda u: 1 - np.tanh(u) ** 2),
    "identity": (lambda u: u, np.ones_like),
    "relu": (lambda u: np.maximum(u, 0), lambda u: (u > 0).astype(float)),
}


@pytest.fixture(params=["numpy", pytest.param("numba", marks=pytest.mark.slow)])
def engine(request):
    """Theory is checked on the referee; that numba agrees has its own tests, and CI runs both."""
    return request.param


@dataclass
class Net:
    """Weights, an input and a target; rows are samples."""

    weights: list
    x: np.ndarray
    y: np.ndarray
    f: str = "tanh"

    def forward(self):
        states = [self.x]
        for w in self.weights:
            states.append(FUNCTIONS[self.f][0](states[-1] @ w.T))
        return states

    def errors(self, states):
        """e[l] and e[l] * f'(u[l]) for l = 1..L."""
        f, slope = FUNCTIONS[self.f]
        below = [s @ w.T for s, w in zip(states, self.weights, strict=False)]
        e = [s - f(u) for s, u in zip(states[1:], below, strict=True)]
        return e, [a * slope(u) for a, u in zip(e, below, strict=True)]

    def energy(self, states):
        return sum((e**2).sum(1) for e in self.errors(states)[0]) / 2

    def named(self):
        return {f"W[{k}]": w for k, w in enumerate(self.weights, start=1)}

    def backward(self):
        """-dL/dx[l] (l = 1..L) and -dL/dW[l] summed over samples, L = |y - out|^2 / 2."""
        states = self.forward()
        slope = FUNCTIONS[self.f][1]
        delta, deltas, gradients = self.y - states[-1], [], []
        for w, below in zip(self.weights[::-1], states[-2::-1], strict=True):
            gated = delta * slope(below @ w.T)
            deltas.insert(0, delta)
            gradients.insert(0, gated.T @ below)
            delta = gated @ w
        return deltas, gradients


@pytest.fixture
def net():
    """A random net with a batch of samples: `net(seed, f="tanh", samples=2, sizes=SIZES)`."""

    def make(seed=0, f="tanh", samples=2, sizes=SIZES, scale=0.6):
        rng = np.random.default_rng(seed)
        weights = [scale * rng.normal(size=(b, a)) for a, b in zip(sizes, sizes[1:], strict=False)]
        x, y = rng.normal(size=(samples, sizes[0])), rng.normal(size=(samples, sizes[-1])) / 3
        return Net(weights, x, y, f)

    return make


def hidden(net):
    return [f"layer[{k}].x" for k in range(1, len(net.weights))]


def run(sim, net, **options):
    options = {"learn": False} | options
    return sim.run("train", image=net.x, label=net.y, **options)


@pytest.mark.parametrize("f", FUNCTIONS)
def test_free_output_settles_at_the_forward_pass(heir, net, rows, f):
    """Theorem 3.1."""
    n = net(1, f)
    text = f"""
        functions:
          f: {f}
        """
    names = [*hidden(n), "layer[3].x"]
    rng = np.random.default_rng(5)
    initial = {name: rng.normal(size=(2, SIZES[k])) for k, name in enumerate(names, start=1)}
    sim = heir("pc", text, ["free_start", "free_output"], n.named(), sizes=SIZES, h=0.1, T=3000)
    traces = run(sim, n, record=names, initial=initial)
    for name, state in zip(names, n.forward()[1:], strict=True):
        assert_allclose(rows(traces, name, "infer")[:, -1], state, rtol=0, atol=1e-10)


def test_forward_pass_is_a_rest_state(build, net, rows):
    n = net(1)
    names = [*hidden(n), "layer[3].x"]
    sim = build("pc", ["free_output"], n.named(), sizes=SIZES, h=0.3, T=3)
    traces = run(sim, n, record=names)
    for name in names:
        path = rows(traces, name, "infer")
        assert np.array_equal(path[:, 1:], np.repeat(path[:, :1], 3, axis=1))


def test_errors_at_equilibrium_obey_the_backward_recursion(build, net, rows):
    """Theorem 3.2 as it holds: exact at x*, and to first order in the nudge at the forward pass."""
    n = net(2, samples=1)
    out, direction = n.forward()[-1], n.y / np.linalg.norm(n.y)
    sim = build("pc", [], n.named(), sizes=SIZES, h=0.3, T=1500)
    distances = []
    for nudge in (0.1, 0.01, 0.001):
        n.y = out + nudge * direction
        record = [*hidden(n), *(f"layer[{k}].{v}" for k in (1, 2, 3) for v in ("e", "u"))]
        traces = run(sim, n, record=record)
        end = {name: rows(traces, name, "infer")[:, -1] for name in record}
        ahead = n.forward()
        scaled = []
        for k in (2, 1):
            gate = 1 - np.tanh(end[f"layer[{k + 1}].u"]) ** 2
            back = (end[f"layer[{k + 1}].e"] * gate) @ n.weights[k]
            assert_allclose(end[f"layer[{k}].e"], back, rtol=0, atol=1e-12)
        delta = end["layer[3].e"]
        for k in (2, 1):
            delta = (delta * (1 - ahead[k + 1] ** 2)) @ n.weights[k]
            scaled.append(np.linalg.norm(end[f"layer[{k}].e"] - delta) / np.linalg.norm(delta))
        distances.append(max(scaled))
    slopes = np.diff(np.log10(distances)) / -1
    assert_allclose(slopes, 1, atol=0.05)


def closed_form(n, precisions):
    """Equilibrium of a deep linear net: weighted errors P_l^T mu, mu = S^-1 (y - yhat)."""
    depth = len(n.weights)
    paths = [np.eye(len(n.weights[-1]))]
    for w in n.weights[:0:-1]:
        paths.insert(0, paths[0] @ w)  # P_l = W_L .. W_{l+1}, P_L = I
    covariance = [np.linalg.inv(p) for p in precisions]
    s = sum(p @ c @ p.T for p, c in zip(paths, covariance, strict=True))
    gap = n.y - n.forward()[-1]
    mu = np.linalg.solve(s, gap.T).T
    weighted = [mu @ p for p in paths]
    states = [n.x]
    for k in range(depth):
        states.append(states[-1] @ n.weights[k].T + weighted[k] @ covariance[k].T)
    return states, weighted, (gap * mu).sum(1) / 2


@pytest.mark.parametrize("weighted", [False, True])
def test_deep_linear_equilibrium(build, net, rows, weighted):
    """Theorems 3.4 and 3.5, all layers at once: states, errors, energy and updates."""
    n = net(3, "identity", sizes=[4, 5, 3, 4], scale=0.5)
    rng = np.random.default_rng(4)
    precisions = [np.eye(len(w)) for w in n.weights]
    weights, variants = n.named(), ["linear"]
    if weighted:
        variants = ["precision", "linear"]
        for k, p in enumerate(precisions, start=1):
            a = rng.normal(size=p.shape) / 3
            precisions[k - 1] = weights[f"Pi[{k}]"] = p + a @ a.T
    states, errors, energy = closed_form(n, precisions)
    sim = build("pc", variants, weights, sizes=[4, 5, 3, 4], h=0.25, T=1500, eta=2)
    error = "pe" if weighted else "e"
    record = ["F", *hidden(n), *(f"layer[{k}].{error}" for k in (1, 2, 3))]
    traces = run(sim, n, record=record, learn=True)
    for k, name in enumerate(hidden(n), start=1):
        assert_allclose(rows(traces, name, "infer")[:, -1], states[k], rtol=0, atol=1e-10)
    for k in (1, 2, 3):
        found = rows(traces, f"layer[{k}].{error}", "infer")[:, -1]
        assert_allclose(found, errors[k - 1], rtol=0, atol=1e-10)
        change = sim.weights[f"W[{k}]"] - n.weights[k - 1]  # eta 2, mean over 2 samples
        assert_allclose(change, errors[k - 1].T @ states[k - 1], rtol=0, atol=1e-10)
    assert_allclose(rows(traces, "F", "infer")[:, -1], energy, rtol=1e-10)


def test_euler_is_the_power_of_its_matrix(build, net, rows):
    n = net(6, "identity", samples=1, sizes=[5, 5, 5])
    first, second = n.weights
    sim = build("pc", ["linear", "free_start"], n.named(), sizes=[5, 5, 5], h=0.1, T=60)
    start = np.ones((1, 5))
    traces = run(sim, n, record=["layer[1].x"], initial={"layer[1].x": start})
    a = np.eye(5) + second.T @ second
    rest = np.linalg.solve(a, first @ n.x[0] + second.T @ n.y[0])
    path = rows(traces, "layer[1].x", "infer")[0]
    for k in (0, 1, 7, 60):
        power = np.linalg.matrix_power(np.eye(5) - 0.1 * a, k)
        assert_allclose(path[k], rest + power @ (start[0] - rest), rtol=0, atol=1e-12)


def test_path_in_continuous_time(heir, golden, rows):
    """Eq. 31 with its signs corrected, followed by Runge-Kutta."""
    g = golden("pc/g01_linear3")
    text = """
        protocols:
          train:
            infer:
              method: rk4
        """
    weights = {"W[1]": g["W1_var05"], "W[2]": g["W2_var05"]}
    end, h = float(g["t_ode"].max()), 0.0125
    variants = ["linear", "free_start"]
    sim = heir("pc", text, variants, weights, sizes=[5, 5, 5], h=h, T=round(end / h))
    traces = sim.run(
        "train",
        image=g["x0"][None],
        label=g["x2"][None],
        learn=False,
        record=["layer[1].x"],
        initial={"layer[1].x": g["x1_random_init"][None]},
    )
    path = rows(traces, "layer[1].x", "infer")[0]
    steps = np.rint(g["t_ode"] / h).astype(int)
    assert_allclose(steps * h, g["t_ode"], atol=1e-12)
    assert_allclose(path[steps], g["x1_ode_rand_var05"], rtol=0, atol=1e-8)


def test_precision_ratio_interpolates(build, golden, rows):
    """Eqs. 7-8: distances to the forward pass and to target propagation are monotone in q."""
    g = golden("pc/g04_precision3")
    weights = {"W[1]": g["W1"], "W[2]": g["W2"]}
    sim = build("pc", ["precision", "linear"], weights, sizes=[5, 5, 5], h=0.05, T=600)
    forward = g["W1"] @ g["x0"]
    delta = g["W2"].T @ (g["x2"] - g["W2"] @ forward)
    to_forward, to_targets, cosines = [], [], []
    top = np.linalg.norm(g["W2"], 2) ** 2
    ratios = [q for q in g["ratios"] if q <= 0.5 * 2 / (0.05 * top)]
    assert len(ratios) >= 6
    for q in ratios:
        sim.weights["Pi[2]"] = q * np.eye(5)
        traces = sim.run(
            "train",
            image=g["x0"][None],
            label=g["x2"][None],
            learn=False,
            record=["layer[1].x", "layer[1].e"],
        )
        x = rows(traces, "layer[1].x", "infer")[0, -1]
        e = rows(traces, "layer[1].e", "infer")[0, -1]
        to_forward.append(np.linalg.norm(x - forward))
        to_targets.append(np.linalg.norm(x - g["x1_tp"]))
        cosines.append(e @ delta / np.linalg.norm(e) / np.linalg.norm(delta))
    assert np.all(np.diff(to_forward) > 0)
    assert np.all(np.diff(to_targets) < 0)
    assert cosines[0] > 1 - 1e-6
    n = len(ratios)
    assert_allclose(to_forward, g["dist_ff"][:n], rtol=1e-8)
    assert_allclose(to_targets, g["dist_tp"][:n], rtol=1e-8)
    assert_allclose(cosines, g["cos_eps_bp"][:n], rtol=1e-8)


def test_low_precision_ratio_is_backpropagation(build, golden, rows):
    """The weighted hidden error goes to backpropagation's as 1 over the ratio."""
    g = golden("pc/g04_precision3")
    weights = {"W[1]": g["W1"], "W[2]": g["W2"]}
    sim = build("pc", ["precision", "linear"], weights, sizes=[5, 5, 5], h=0.1, T=600)
    delta = g["W2"].T @ (g["x2"] - g["W2"] @ g["W1"] @ g["x0"])
    distances = []
    for ratio in (1e2, 1e3, 1e4):
        sim.weights["Pi[2]"] = np.eye(5) / ratio
        traces = sim.run(
            "train",
            image=g["x0"][None],
            label=g["x2"][None],
            learn=False,
            record=["layer[1].pe"],
        )
        found = ratio * rows(traces, "layer[1].pe", "infer")[0, -1]
        distances.append(np.linalg.norm(found - delta) / np.linalg.norm(delta))
    assert_allclose(np.diff(np.log10(distances)), -1, atol=0.05)


@pytest.mark.parametrize("f", ["tanh", "identity"])
def test_energy_falls_loss_falls_rest_rises(heir, net, rows, f):
    """F never rises for small steps; from the forward pass L falls and F - L rises."""
    n = net(7, f)
    text = f"""
        functions:
          f: {f}
        """
    top = 1 + max(np.linalg.norm(w, 2) for w in n.weights) ** 2 * 2
    sim = heir("pc", text, [], n.named(), sizes=SIZES, h=0.2 / top, T=100)
    traces = run(sim, n, record=["F", "loss", *hidden(n)])
    energy, loss = rows(traces, "F", "infer"), rows(traces, "loss", "infer")
    assert np.diff(energy, axis=1).max() <= 1e-14
    assert np.all(np.diff(loss, axis=1) < 0)
    assert np.all(np.diff(energy - loss, axis=1) > 0)
    assert_allclose(energy[:, 0], loss[:, 0], rtol=0, atol=1e-15)
    states = [n.x, *(rows(traces, name, "infer")[:, -1] for name in hidden(n)), n.y]
    assert_allclose(energy[:, -1], n.energy(states), rtol=1e-13)


def test_first_step_is_the_direction_of_backpropagation(build, net, rows):
    n = net(8)
    sim = build("pc", [], n.named(), sizes=SIZES, h=1, T=1)
    traces = run(sim, n, record=hidden(n))
    moves = [np.diff(rows(traces, name, "infer"), axis=1)[:, 0] for name in hidden(n)]
    assert np.all(moves[0] == 0)
    assert_allclose(moves[1], n.backward()[0][1], rtol=0, atol=1e-14)


def test_update_is_minus_the_gradient_of_the_energy(build, net, rows):
    """Eq. 2 by central differences of F at the relaxed states."""
    n = net(9)
    sim = build("pc", [], n.named(), sizes=SIZES, h=0.2, T=15, eta=2)
    traces = run(sim, n, record=hidden(n), learn=True)
    states = [n.x, *(rows(traces, name, "infer")[:, -1] for name in hidden(n)), n.y]
    for k, w in enumerate(n.weights):
        change = sim.weights[f"W[{k + 1}]"] - w  # eta 2, mean over 2 samples
        for index in [(0, 0), (1, 2), (2, 1)]:
            old = w[index]
            w[index] = old + 1e-5
            above = n.energy(states).sum()
            w[index] = old - 1e-5
            below = n.energy(states).sum()
            w[index] = old
            assert_allclose(change[index], -(above - below) / 2e-5, rtol=0, atol=1e-8)


def test_dynamics_are_minus_the_gradient_of_the_energy(build, net, rows):
    """Eq. 1 by central differences of F."""
    n = net(10)
    rng = np.random.default_rng(11)
    initial = {f"layer[{k}].x": rng.normal(size=(2, SIZES[k])) for k in (1, 2)}
    sim = build("pc", ["free_start"], n.named(), sizes=SIZES, h=1, T=1)
    traces = run(sim, n, record=list(initial), initial=initial)
    states = [n.x, *initial.values(), n.y]
    for k in (1, 2):
        move = np.diff(rows(traces, f"layer[{k}].x", "infer"), axis=1)[:, 0]
        for unit in range(SIZES[k]):
            shift = np.zeros(SIZES[k])
            shift[unit] = 1e-5
            sides = [
                n.energy([*states[:k], states[k] + s * shift, *states[k + 1 :]]) for s in (1, -1)
            ]
            assert_allclose(move[:, unit], -(sides[0] - sides[1]) / 2e-5, rtol=0, atol=1e-8)


def test_zil_equals_backpropagation_and_its_ablations_do_not(build, heir, net):
    n = net(12, samples=3)
    gradients = n.backward()[1]

    def distance(sim):
        run(sim, n, learn=True, record=[])
        found = [sim.weights[f"W[{k}]"] - w for k, w in enumerate(n.weights, start=1)]
        return max(np.abs(a - b).max() for a, b in zip(found, gradients, strict=True))

    assert distance(build("pc", ["zil"], n.named(), sizes=SIZES, eta=3)) < 1e-13
    short = """
        protocols:
          train:
            infer:
              steps: L
              dt: 0.9
              learn_each_step: W[k] when step == L-k
              learn: null
        """
    late = """
        protocols:
          train:
            infer:
              steps: L
              dt: 1
        """
    for text in (short, late):
        assert distance(heir("pc", text, [], n.named(), sizes=SIZES, eta=3)) > 1e-2


def test_incremental(build, net, rows):
    """States and weights move together, both from the state before the step."""
    n = net(13)
    h, eta, steps = 0.1, 0.05, 7
    sim = build("pc", ["incremental"], n.named(), sizes=SIZES, h=h, T=steps, eta=eta)
    traces = run(sim, n, learn=True, record=hidden(n))
    states = [*n.forward()[:-1], n.y]
    weights = [w.copy() for w in n.weights]
    for step in range(steps):
        e, gated = Net(weights, n.x, n.y).errors(states)
        moved = [s.copy() for s in states]
        for k in (1, 2):
            moved[k] += h * (-e[k - 1] + gated[k] @ weights[k])
        for k in range(3):
            weights[k] = weights[k] + eta * gated[k].T @ states[k] / len(n.x)
        states = moved
        for k, name in enumerate(hidden(n), start=1):
            found = rows(traces, name, "infer")[:, step + 1]
            assert_allclose(found, states[k], rtol=0, atol=1e-13)
    for k in range(3):
        assert_allclose(sim.weights[f"W[{k + 1}]"], weights[k], rtol=0, atol=1e-13)


def test_generate_runs_the_weights_backwards(build, net, rows):
    """Output clamped, everything below free: plain steps of eq. 1 with a moving layer 0."""
    n = net(14)
    rng = np.random.default_rng(15)
    initial = {f"layer[{k}].x": rng.normal(size=(2, SIZES[k])) for k in (0, 1, 2)}
    sim = build("pc", [], n.named(), sizes=SIZES, h=0.1, T=3)
    traces = sim.run("generate", label=n.y, record=[*initial, "F"], initial=initial)
    states = [*initial.values(), n.y]
    for _ in range(30):
        e, gated = n.errors(states)
        e = [np.zeros_like(states[0]), *e]
        states = [
            *(s + 0.1 * (-e[k] + gated[k] @ n.weights[k]) for k, s in enumerate(states[:3])),
            n.y,
        ]
    for name, state in zip(initial, states, strict=False):
        assert_allclose(rows(traces, name, "settle")[:, -1], state, rtol=0, atol=1e-13)
    assert_allclose(rows(traces, "F", "settle")[:, -1], n.energy(states), rtol=1e-12)


def test_nonlinear_precision(build, net, rows):
    """Eq. 6 with its sign corrected, tanh units and full precision matrices."""
    n = net(16)
    rng = np.random.default_rng(17)
    pis = []
    for size in SIZES[1:]:
        a = rng.normal(size=(size, size)) / 3
        pis.append(np.eye(size) + a @ a.T)
    weights = n.named() | {f"Pi[{k}]": p for k, p in enumerate(pis, start=1)}
    sim = build("pc", ["precision"], weights, sizes=SIZES, h=0.1, T=12, eta=2)
    traces = run(sim, n, learn=True, record=[*hidden(n), "F"])
    states = [*n.forward()[:-1], n.y]

    def weighted():
        e, _ = n.errors(states)
        pe = [a @ p.T for a, p in zip(e, pis, strict=True)]
        below = [s @ w.T for s, w in zip(states, n.weights, strict=False)]
        return e, pe, [a * (1 - np.tanh(u) ** 2) for a, u in zip(pe, below, strict=True)]

    for _ in range(12):
        _, pe, d = weighted()
        moves = [0.1 * (-pe[k - 1] + d[k] @ n.weights[k]) for k in (1, 2)]
        states = [states[0], states[1] + moves[0], states[2] + moves[1], n.y]
    for k, name in enumerate(hidden(n), start=1):
        assert_allclose(rows(traces, name, "infer")[:, -1], states[k], rtol=0, atol=1e-13)
    e, pe, d = weighted()
    energy = sum((a * b).sum(1) for a, b in zip(e, pe, strict=True)) / 2
    assert_allclose(rows(traces, "F", "infer")[:, -1], energy, rtol=1e-12)
    for k in range(3):
        change = sim.weights[f"W[{k + 1}]"] - n.weights[k]
        assert_allclose(change, d[k].T @ states[k], rtol=0, atol=1e-12)
