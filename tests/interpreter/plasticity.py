"""What rules do: each is written for one synapse and one sample, and averaged or summed."""

from __future__ import annotations

import numpy as np

from apical.graphs.circuit import Update
from apical.graphs.expressions.tree import WeightOf

from . import windows
from .optimizers import OPTIMIZERS


def updated(old, kind, right):
    """`x := E`, `x += E`, `x -= E`."""
    return {":=": right, "+=": old + right, "-=": old - right}[kind] + np.zeros_like(old)


def over_samples(moment, synapse, expression, w=None):
    """(sample, post, pre) to (post, pre); `w`: what the rule takes for the weight."""
    each = moment.connections(expression, synapse, w)
    return each.sum(0) if synapse.batch == "sum" else each.mean(0)


class Plasticity:
    """The rules of one replica, and what its optimizers remember."""

    def __init__(self):
        self.memories = {}  # synapse -> what its optimizer keeps

    def read(self, moment, item):
        """What one item of `learn` changes: (array, change), or for a slow variable a function."""
        if item.variable is not None:
            return self._read_slow(moment, (item.name, item.variable))
        synapse = moment.circuit.synapses[item.name]
        new = old = moment.weight(synapse)
        lines = [line for line in synapse.rule if isinstance(line, Update)]
        if synapse.windows is not None:
            return self._read_kernel(moment, synapse, lines)
        for line in lines:  # each sees the `w` of the line before, and currents the old one
            right = over_samples(moment, synapse, line.right, new)
            new = updated(new, line.kind, right)
        change = np.where(moment.there(synapse), new - old, 0)
        if synapse.weight is None:
            return item.name, change
        owner, turned = of_another(synapse.weight)
        if turned and not synapse.connection.elementwise:
            change = change.T
        full = np.zeros_like(moment.weights[owner])
        full[:, : change.shape[1]] = change  # a bias column is the owner's alone
        return owner, full

    def _read_kernel(self, moment, synapse, lines):
        """The sum over the connections that share a weight, of the kernel and of the bias."""
        kernel, bias = moment.kernel(synapse), moment.weights.get(f"{synapse.name}.bias")
        change = [np.zeros_like(kernel), np.zeros(len(kernel))]
        for line in lines:
            last = None if bias is None else bias[:, 0] + change[1]
            now = windows.laid(synapse, kernel + change[0], last)
            found = windows.gathered(synapse, over_samples(moment, synapse, line.right, now))
            sign = {"+=": 1, "-=": -1}[line.kind]
            change[0] = change[0] + sign * found[0]
            change[1] = change[1] + sign * (0 if found[1] is None else found[1])
        owner = synapse.name if synapse.weight is None else of_another(synapse.weight)[0]
        return owner, np.column_stack([change[0].reshape(len(kernel), -1), change[1]])

    def apply(self, moment, name, change):
        """What a change does to a weight, by the optimizer and within the limits."""
        synapse = moment.circuit.synapses[name]
        if synapse.windows is not None:
            kernel, bias = moment.weights[name], moment.weights.get(f"{name}.bias")
            rows = kernel.reshape(len(kernel), -1)
            moment.weights[name] = joined = np.column_stack([rows] + [bias] * (bias is not None))
            new = joined + self._optimized(moment, synapse, change[:, : joined.shape[1]])
            taps = rows.shape[1]
            moment.weights[name] = moment.limited(name, new[:, :taps].reshape(kernel.shape))
            if bias is not None:
                moment.weights[f"{name}.bias"] = new[:, taps:]
            return
        step = self._optimized(moment, moment.circuit.synapses[name], change)
        moment.weights[name] = moment.limited(name, moment.weights[name] + step)

    def _read_slow(self, moment, key):
        new = old = moment.slow[key]
        for line in moment.circuit.populations[key[0]].rules:
            if line.target == key[1]:
                new = updated(new, line.kind, moment.unit(line.right, key[0]).mean(0))

        def apply():
            moment.slow[key] = moment.slow[key] + (new - old)

        return apply

    def _optimized(self, moment, synapse, change):
        if synapse.optimizer is None:
            return change
        memory = self.memories.setdefault(synapse.name, {})
        memory["w"], some = moment.weights[synapse.name], moment.some(synapse)
        memory["count"] = change.size if some is None else max(some.sum(), 1)
        arguments = [moment.value(a) for a in synapse.optimizer.arguments]
        return OPTIMIZERS[synapse.optimizer.kind](change, memory, *arguments)


def of_another(weight):
    """The synapse whose array a weight is, and whether it is transposed."""
    if isinstance(weight, WeightOf):
        return weight.synapse, False
    name, turned = of_another(weight.arguments[0])
    return name, turned != (weight.function == "transpose")


def apply_together(moment, kept, plasticity):
    """All changes that were read before, at once; those of one array are summed."""
    changes = {}
    for one in kept:
        if callable(one):
            one()
        else:
            name, change = one
            changes[name] = changes.get(name, 0) + change
    for name, change in changes.items():
        plasticity.apply(moment, name, change)
    moment.changed()
