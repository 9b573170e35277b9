"""Warnings about weights that no longer are what their synapse is checked for."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

from ...compartments.weight_properties import PROPERTIES
from ...graphs.circuit import Circuit


class WeightWarning(UserWarning):
    """The weights of a synapse lost the property that its `check` names."""


class WeightWatch:
    """Looks after the weights of a circuit; `failing`: synapses whose `check` failed last time."""

    def __init__(self, circuit: Circuit):
        self.circuit = circuit
        self.failing: set[str] = set()

    def look(self, weights: Mapping[str, np.ndarray], when: str) -> None:
        """Warns of synapses whose `check` fails and did not when last looked at.

        `weights` maps synapses to (replica, post, pre); a message ends in `when`.
        """
        failing = set()
        for name, synapse in self.circuit.synapses.items():
            if synapse.check is None:
                continue
            lost = PROPERTIES[synapse.check].lost(weights[name])
            if not lost:
                continue
            failing.add(name)
            if name not in self.failing:
                replica, found = next(iter(lost.items()))
                which = f" in {len(lost)} of {len(weights[name])} replicas, first in {replica}"
                where = which if len(weights[name]) > 1 else ""
                said = f"{name} is not {synapse.check.replace('_', ' ')} {when}{where}: {found}"
                warnings.warn(said, WeightWarning, stacklevel=3)
        self.failing = failing
