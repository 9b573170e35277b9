"""W1 as a loop in JAX, by hand: what the picture alone decides is computed once."""

from __future__ import annotations

from functools import partial

import numpy as np
from workloads.w1 import ETA, RATE, STEPS, Task, moved


class Loop:
    """One jitted call a batch; with `scan` one call for all batches, in `lax.scan`."""

    def __init__(self, task: Task, scan: bool = False) -> None:
        """Jit the loop and put pictures and labels on the device."""
        import jax

        self.jax, self.task, self.scan = jax, task, scan
        self.images, self.labels = jax.numpy.asarray(task.images), jax.numpy.asarray(task.labels)
        f = {"tanh": jax.numpy.tanh, "relu": jax.nn.relu}[task.function]
        df = {"tanh": lambda x: 1 - jax.numpy.tanh(x) ** 2, "relu": lambda x: x > 0}[task.function]
        batch = partial(train, f=f, df=df)
        if not scan:
            self.train = jax.jit(batch, donate_argnums=0)
            return

        def epoch(weights, images, labels):
            step = lambda weights, pair: (batch(weights, *pair), None)  # noqa: E731
            return jax.lax.scan(step, weights, (images, labels))[0]

        self.train = jax.jit(epoch, donate_argnums=0)

    def start(self) -> None:
        """Set the initial weights; cut the data into batches."""
        pairs = zip(self.task.W, self.task.b, strict=True)
        self.weights = [(self.jax.numpy.array(W), self.jax.numpy.array(b)) for W, b in pairs]
        shape = (-1, self.task.batch)
        self.batches = [a.reshape(*shape, a.shape[-1]) for a in (self.images, self.labels)]

    def go(self, units: int) -> None:
        """Train on `units` batches."""
        images, labels = self.batches
        if self.scan:
            self.weights = self.train(self.weights, images[:units], labels[:units])
        else:
            for image, label in zip(images[:units], labels[:units], strict=True):
                self.weights = self.train(self.weights, image, label)
        self.jax.block_until_ready(self.weights)

    def result(self) -> dict[str, np.ndarray]:
        """How far the weights have moved."""
        W, b = zip(*self.weights, strict=True)
        return moved(self.task, [np.asarray(w) for w in W], [np.asarray(a) for a in b])


def train(weights, image, label, f, df):
    """One batch; `weights` are pairs W_l (pre, post), b_l (post)."""
    r_0, L = f(image), len(weights)
    first = r_0 @ weights[0][0] + weights[0][1]  # of the clamped picture: once
    x = [first]
    for W, b in weights[1:-1]:
        x.append(f(x[-1]) @ W + b)

    def errors(x):
        r = [f(a) for a in x]
        predictions = [first] + [r[k] @ weights[k + 1][0] + weights[k + 1][1] for k in range(L - 1)]
        return r, [a - p for a, p in zip([*x, label], predictions, strict=True)]

    for _ in range(STEPS):
        e = errors(x)[1]
        x = [
            x[k] + RATE * (df(x[k]) * (e[k + 1] @ weights[k + 1][0].T) - e[k]) for k in range(L - 1)
        ]
    r, e = errors(x)
    scale = ETA / len(image)
    pairs = zip(weights, [r_0, *r], e, strict=True)
    return [(W + scale * (a.T @ d), b + scale * d.sum(0)) for (W, b), a, d in pairs]
