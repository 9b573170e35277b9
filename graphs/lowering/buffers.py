"""Buffers: what each thing of a circuit is called in a Program, and its shape."""

from __future__ import annotations

from math import prod

from ..circuit import Circuit, Synapse
from ..program import EACH, Buffer
from .trace_means import apart


def current(synapse: str) -> str:
    """The name of the buffer of what a synapse brings."""
    return f"I({synapse})"


class Buffers:
    """Declares the buffers of a circuit, each once."""

    def __init__(self, circuit: Circuit):
        self.circuit = circuit
        self.buffers: dict[str, Buffer] = {}
        self.apart = apart(circuit)

    def buffer(self, name: str, kind: str, *shape: str | int) -> str:
        """Declares a buffer, once, and returns its name."""
        self.buffers.setdefault(name, Buffer(name, kind, shape))
        return name

    def variable(self, population: str, name: str) -> str:
        """The buffer of a population's variable."""
        member = self.circuit.populations[population]
        key = f"{population}.{name}"
        if name in member.slow:
            return self.buffer(key, "slow", "row", member.size)
        return self.buffer(
            key, "state" if name in member.states else "algebraic", "unit", member.size
        )

    def stream(self, name: str) -> str:
        """The buffer of a stream; one of size 1 is a number per sample, the same for all units."""
        size = self.circuit.streams[name]
        shape = ("sample",) if size == 1 else ("unit", size)
        return self.buffer(f"@{name}", "stream", *shape)

    def weight(self, synapse: Synapse) -> str:
        """The buffer of a synapse's own weight."""
        shape = (
            ("row", *synapse.shape)
            if synapse.connection.elementwise
            else ("matrix", *synapse.shape)
        )
        return self.buffer(synapse.name, "weight", *shape)

    def sent(self, synapse: Synapse) -> str:
        """The buffer of what a synapse transmits: the source, or the end of its filter."""
        if synapse.filter is None:
            return self.variable(*synapse.source)
        size = self.circuit.populations[synapse.source[0]].size
        return self.buffer(f"{synapse.name}.p", "state", "unit", size)

    def latch(self, population: str, name: str, phase: str) -> str:
        """The buffer that holds `population.name@phase`."""
        key = f"{population}.{name}@{phase}"
        return self.buffer(key, "latch", "unit", self.circuit.populations[population].size)

    def scalar(self, name: str, kind: str = "counter") -> str:
        """A scalar buffer."""
        return self.buffer(name, kind, "scalar")

    def arrival(self, synapse: Synapse) -> str:
        """The buffer of the current that a synapse makes."""
        size = self.circuit.populations[synapse.target[0]].size
        return self.buffer(current(synapse.name), "algebraic", "unit", size)

    def rate(self, population: str, name: str) -> str:
        """The buffer of d(population.name)/dt."""
        size = self.circuit.populations[population].size
        return self.buffer(f"d({population}.{name})", "algebraic", "unit", size)

    def energy(self, name: str) -> str:
        """The buffer of a named energy, one number per sample."""
        return self.buffer(name, "algebraic", "sample")

    def trace(self, synapse: Synapse, name: str) -> str:
        """The buffer of a synaptic trace: of each sample, or their mean."""
        if synapse.name in self.apart:
            each = f"{synapse.name}.{name}{EACH}"
            return self.buffer(each, "state", "unit", prod(synapse.shape))
        kind = "row" if synapse.connection.elementwise else "matrix"
        return self.buffer(f"{synapse.name}.{name}", "trace", kind, *synapse.shape)
