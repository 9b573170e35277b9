"""W1 in pcx, in the form of its tutorial: a model of vodes, an energy, two optimizers, one jit."""

from __future__ import annotations

import numpy as np
from workloads.w1 import ETA, RATE, STEPS, Task, moved


class Loop:
    """Predictions f(x) W + b; pcx's energy is the sum over the batch of e^2 / 2.

    The batch mean of the weights' gradient is in the rate of `optim_w`.
    """

    def __init__(self, task: Task) -> None:
        """Make the model and compile nothing yet."""
        import jax
        import optax
        import pcx.predictive_coding as pxc
        import pcx.utils as pxu

        self.jax, self.task = jax, task
        self.model, self.train_on_batch, forward = network(task)
        self.images, self.labels = jax.numpy.asarray(task.images), jax.numpy.asarray(task.labels)
        with pxu.step(self.model, pxc.STATUS.INIT, clear_params=pxc.VodeParam.Cache):
            forward(jax.numpy.zeros((task.batch, task.sizes[0])), None, model=self.model)
        import pcx.nn as pxnn

        hidden = pxu.M_hasnot(pxc.VodeParam, frozen=True)(self.model)
        self.optim_h = pxu.Optim(lambda: optax.sgd(RATE), hidden)
        rate = ETA / task.batch
        self.optim_w = pxu.Optim(lambda: optax.sgd(rate), pxu.M(pxnn.LayerParam)(self.model))

    def start(self) -> None:
        """Set the initial weights; eqx.nn.Linear keeps (post, pre)."""
        for layer, W, b in zip(self.model.layers, self.task.W, self.task.b, strict=True):
            layer.nn.weight.set(self.jax.numpy.array(W.T))
            layer.nn.bias.set(self.jax.numpy.array(b))

    def go(self, units: int) -> None:
        """Train on `units` batches."""
        for i in range(0, units * self.task.batch, self.task.batch):
            self.train_on_batch(
                self.images[i : i + self.task.batch],
                self.labels[i : i + self.task.batch],
                model=self.model,
                optim_w=self.optim_w,
                optim_h=self.optim_h,
            )
        self.jax.block_until_ready([layer.nn.weight.get() for layer in self.model.layers])

    def result(self) -> dict[str, np.ndarray]:
        """How far the weights have moved."""
        layers = [layer.nn for layer in self.model.layers]
        W = [np.asarray(layer.weight.get()).T for layer in layers]
        return moved(self.task, W, [np.asarray(layer.bias.get()) for layer in layers])


def network(task: Task):
    """The model, the function that trains it on a batch, and the one that runs it forward."""
    import jax
    import pcx.functional as pxf
    import pcx.nn as pxnn
    import pcx.predictive_coding as pxc
    import pcx.utils as pxu

    f = {"tanh": jax.numpy.tanh, "relu": jax.nn.relu}[task.function]
    values = pxu.M(pxc.VodeParam | pxc.VodeParam.Cache)

    class Model(pxc.EnergyModule):
        """x_l has the prediction f(x_{l-1}) W_l + b_l."""

        def __init__(self) -> None:
            super().__init__()
            sizes = zip(task.sizes, task.sizes[1:], strict=False)
            self.layers = [pxnn.Linear(pre, post) for pre, post in sizes]
            self.vodes = [pxc.Vode() for _ in self.layers]
            self.vodes[-1].h.frozen = True

        def __call__(self, x, y):
            for vode, layer in zip(self.vodes, self.layers, strict=True):
                x = vode(layer(f(x)))
            if y is not None:
                self.vodes[-1].set("h", y)
            return self.vodes[-1].get("u")

    @pxf.vmap(values.to((None, 0)), in_axes=(0, 0), out_axes=0)
    def forward(x, y, *, model):
        return model(x, y)

    @pxf.vmap(values.to((None, 0)), in_axes=(0,), out_axes=(None, 0), axis_name="batch")
    def energy(x, *, model):
        y = model(x, None)
        return jax.lax.psum(model.energy(), "batch"), y

    settle = pxf.value_and_grad(
        pxu.M_hasnot(pxc.VodeParam, frozen=True).to([False, True]), has_aux=True
    )
    learn = pxf.value_and_grad(pxu.M(pxnn.LayerParam).to([False, True]), has_aux=True)

    @pxf.jit()
    def train_on_batch(x, y, *, model, optim_w, optim_h):
        model.train()
        with pxu.step(model, pxc.STATUS.INIT, clear_params=pxc.VodeParam.Cache):
            forward(x, y, model=model)
        for _ in range(STEPS):
            with pxu.step(model, clear_params=pxc.VodeParam.Cache):
                _, gradient = settle(energy)(x, model=model)
            optim_h.step(model, gradient["model"])
        with pxu.step(model, clear_params=pxc.VodeParam.Cache):
            _, gradient = learn(energy)(x, model=model)
        optim_w.step(model, gradient["model"])

    return Model(), train_on_batch, forward
