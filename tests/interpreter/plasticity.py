"""What rules do: each is written for one synapse and one sample, and averaged or summed."""

from __future__ import annotations

import numpy as np

from apical.graphs.circuit import Update

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
        """What one item of `learn` changes; the function returned applies it."""
        if item.variable is not None:
            return self._read_slow(moment, (item.name, item.variable))
        synapse = moment.circuit.synapses[item.name]
        new = old = moment.weights[item.name]
        lines = [line for line in synapse.rule if isinstance(line, Update)]
        for line in lines:  # each sees the `w` of the line before, and currents the old one
            right = over_samples(moment, synapse, line.right, new)
            new = updated(new, line.kind, right)
        change = np.where(moment.there(synapse), new - old, 0)

        def apply():
            step = self._optimized(moment, synapse, change)
            name, old = item.name, moment.weights[item.name]
            moment.weights[name] = moment.limited(name, old + step)

        return apply

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
        memory["w"] = moment.weights[synapse.name]
        arguments = [moment.value(a) for a in synapse.optimizer.arguments]
        return OPTIMIZERS[synapse.optimizer.kind](change, memory, *arguments)


def apply_together(moment, kept):
    """All changes that were read before, at once."""
    for apply in kept:
        apply()
    moment.changed()
