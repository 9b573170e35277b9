"""W1 in ngc-learn, wired and run as the predictive coding circuit of its museum."""

from __future__ import annotations

import logging

import numpy as np
from workloads.w1 import ETA, RATE, STEPS, Task, moved


class Loop:
    """One call of a process per step; with `scan` one call of its `scan` for a batch's steps.

    z_k -(W)-> e_{k+1} <- z_{k+1};  e_{k+1} -(E = W^T)-> z_k <- e_k;  q -(Q = W)-> q runs forward.
    """

    def __init__(self, task: Task, scan: bool = False) -> None:
        """Wire the circuit and its processes."""
        logging.disable(logging.INFO)
        import jax
        from ngclearn import Context

        self.jax, self.task, self.scan = jax, task, scan
        self.images, self.labels = jax.numpy.asarray(task.images), jax.numpy.asarray(task.labels)
        with Context("w1"):
            self.wire()
        rows = self.advance.pack_rows(STEPS, t=lambda i: i, dt=1.0)
        self.rows = jax.numpy.asarray(rows, dtype="float32")

    def wire(self) -> None:
        """Cells, errors, synapses, and the processes over them."""
        from ngclearn.components import GaussianErrorCell

        sizes = self.task.sizes
        L = len(sizes) - 1
        self.z = [self.cell(f"z{k}", 1 / RATE if 0 < k < L else 0.0) for k in range(L + 1)]
        self.q = [self.cell(f"q{k}", 0.0) for k in range(L + 1)]
        self.e = [
            GaussianErrorCell(f"e{k + 1}", n_units=sizes[k + 1], batch_size=self.task.batch)
            for k in range(L)
        ]
        self.W = [self.plastic(f"W{k + 1}", sizes[k : k + 2]) for k in range(L)]
        self.Q = [self.static(f"Q{k + 1}", sizes[k : k + 2]) for k in range(L)]
        self.E = [self.static(f"E{k + 1}", sizes[k : k + 2][::-1]) for k in range(1, L)]
        for k, (W, Q, e) in enumerate(zip(self.W, self.Q, self.e, strict=True)):
            self.z[k].zF >> W.inputs
            W.outputs >> e.mu
            self.z[k + 1].z >> e.target
            self.z[k].zF >> W.pre
            e.dmu >> W.post
            self.q[k].zF >> Q.inputs
            Q.outputs >> self.q[k + 1].j
        for k, E in enumerate(self.E, 1):
            self.e[k].dmu >> E.inputs
            E.outputs >> self.z[k].j
            self.e[k - 1].dtarget >> self.z[k].j_td
        forward = [self.q[0]]
        for Q, q in zip(self.Q, self.q[1:], strict=True):
            forward += [Q, q]
        self.reset = self.process("reset", [*self.z, *self.e, *self.q], "reset")
        self.project = self.process("project", forward, "advance_state")
        moving = [*self.E, *self.z, *self.W, *self.e]
        self.advance = self.process("advance", moving, "advance_state")
        self.evolve = self.process("evolve", self.W, "evolve")

    def cell(self, name: str, tau: float):
        """A layer of rate cells; the one of the labels is linear."""
        from ngclearn.components import RateCell

        k = int(name[1:])
        f = self.task.function if k < len(self.task.sizes) - 1 else "identity"
        n, batch = self.task.sizes[k], self.task.batch
        return RateCell(name, n_units=n, tau_m=tau, act_fx=f, batch_size=batch)

    def plastic(self, name: str, shape: tuple[int, ...]):
        """Hebbian synapses with biases, descending at ETA / batch."""
        from ngclearn.components import HebbianSynapse

        eta = ETA / self.task.batch
        return HebbianSynapse(name, eta=eta, w_bound=0.0, sign_value=-1.0, **self.dense(shape))

    def static(self, name: str, shape: tuple[int, ...]):
        """Synapses whose values are set from those of the plastic ones."""
        from ngclearn.components import StaticSynapse

        return StaticSynapse(name, **self.dense(shape))

    def dense(self, shape: tuple[int, ...]):
        """What all synapses have in common."""
        zeros = lambda shape, key: self.jax.numpy.zeros(shape)  # noqa: E731
        found = {"shape": shape, "weight_init": zeros, "bias_init": zeros}
        return found | {"batch_size": self.task.batch, "key": self.jax.random.PRNGKey(0)}

    @staticmethod
    def process(name: str, components: list, method: str):
        """One method of these components, in this order, compiled together."""
        from ngclearn import MethodProcess

        made = MethodProcess(name)
        for component in components:
            made = made >> getattr(component, method)
        return made

    def start(self) -> None:
        """Set the initial weights."""
        for synapse, W, b in zip(self.W, self.task.W, self.task.b, strict=True):
            synapse.weights.set(self.jax.numpy.array(W))
            synapse.biases.set(self.jax.numpy.array(b[None]))

    def go(self, units: int) -> None:
        """Train on `units` batches."""
        for i in range(0, units * self.task.batch, self.task.batch):
            self.train(self.images[i : i + self.task.batch], self.labels[i : i + self.task.batch])
        self.jax.block_until_ready([W.weights.get() for W in self.W])

    def train(self, image, label) -> None:
        """One batch: projection, steps, update."""
        self.reset.run()
        for Q, W in zip(self.Q, self.W, strict=True):
            Q.weights.set(W.weights.get())
            Q.biases.set(W.biases.get())
        for E, W in zip(self.E, self.W[1:], strict=True):
            E.weights.set(W.weights.get().T)
        self.q[0].j.set(image)
        self.project.run(t=0.0, dt=1.0)
        for z, q in zip(self.z[1:-1], self.q[1:-1], strict=True):
            z.z.set(q.z.get())
            z.zF.set(q.zF.get())
        e = label - self.q[-1].z.get()
        self.e[-1].dmu.set(e)
        self.e[-1].dtarget.set(-e)
        self.z[0].j.set(image)
        self.z[-1].j.set(label)
        if self.scan:
            from ngcsimlib.global_state import stateManager

            stateManager.set_state(self.advance.scan(self.rows)[0])
        else:
            for i in range(STEPS):
                self.advance.run(t=i, dt=1.0)
        self.evolve.run(t=STEPS, dt=1.0)

    def result(self) -> dict[str, np.ndarray]:
        """How far the weights have moved."""
        W = [np.asarray(synapse.weights.get()) for synapse in self.W]
        return moved(self.task, W, [np.asarray(synapse.biases.get())[0] for synapse in self.W])
