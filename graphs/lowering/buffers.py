"""Declaring buffers: what each thing of a circuit has in a Program, and of which shape."""

from __future__ import annotations

from math import prod

from .. import buffer as named
from ..buffer import Beside, Buffer, Identity, Made, Quantity
from ..circuit import Circuit, Synapse
from ..instructions import Side
from .refusal import LoweringError
from .trace_means import apart


class Buffers:
    """Declares the buffers of a circuit, each once; every method returns the buffer's name."""

    def __init__(self, circuit: Circuit):
        self.circuit = circuit
        self.buffers: dict[str, Buffer] = {}
        self.apart = apart(circuit)
        self.made_so_far = 0

    def declare(self, identity: Identity, kind: str, *shape: str | int) -> str:
        """Declares a buffer.

        Raises:
            LoweringError: Something else has its name.
        """
        known = self.buffers.get(identity.name)
        if known is None:
            self.buffers[identity.name] = Buffer(identity, kind, shape)
        elif known.identity != identity:
            raise LoweringError(
                f"two things are called {identity.name}: {known.identity} and {identity}"
            )
        return identity.name

    # --- populations ---------------------------------------------------------------------------

    def variable(self, population: str, name: str) -> str:
        """A population's variable."""
        member = self.circuit.populations[population]
        identity = named.variable(population, name)
        if name in member.slow:
            return self.declare(identity, "slow", "row", member.size)
        kind = "state" if name in member.states else "algebraic"
        return self.declare(identity, kind, "unit", member.size)

    def rate(self, population: str, name: str) -> str:
        """The derivative d(population.name)/dt."""
        return self._of_units(Quantity("rate", population, name), "algebraic")

    def latch(self, population: str, name: str, phase: str) -> str:
        """What holds `population.name@phase`."""
        return self._of_units(named.latch(population, name, phase), "latch")

    def noise(self, population: str, name: str, phase: str, number: int) -> str:
        """The `xi` of a number in the equation of a state."""
        return self._of_units(Quantity("noise", population, name, phase, number), "algebraic")

    def hold(self, population: str, event: str) -> str:
        """For how many more steps an event holds what it holds."""
        return self._of_units(Quantity("hold", population, event), "state")

    def _of_units(self, identity: Quantity, kind: str) -> str:
        size = self.circuit.populations[identity.owner].size
        return self.declare(identity, kind, "unit", size)

    # --- synapses ------------------------------------------------------------------------------

    def weight(self, synapse: Synapse) -> str:
        """A synapse's own weight."""
        kind = "row" if synapse.connection.elementwise else "matrix"
        return self.declare(named.weight(synapse.name), "weight", kind, *synapse.shape)

    def live_weight(self, synapse: Synapse) -> str:
        """A weight that is computed."""
        identity = named.live_weight(synapse.name)
        return self.declare(identity, "algebraic", "matrix", *synapse.shape)

    def product(self, left: Side, right: Side, rows: int, columns: int) -> str:
        """The product of two matrices, or of their transposes."""
        turned = "".join(".T"[side.transposed] for side in (left, right))
        of = tuple(self.buffers[side.matrix].identity for side in (left, right))
        identity = Made("product" if turned == ".." else f"product:{turned}", of)
        return self.declare(identity, "algebraic", "matrix", rows, columns)

    def bias_column(self, synapse: Synapse) -> str:
        """1 at the bias unit of a synapse, 0 at its other presynaptic units."""
        return self.declare(named.bias_column(synapse.name), "parameter", "row", synapse.shape[1])

    def connections(self, synapse: Synapse) -> str | None:
        """1 where a synapse has a connection, 0 elsewhere; None where it has all of its kind."""
        if not synapse.connection.some:
            return None
        return self.declare(named.connections(synapse.name), "parameter", "matrix", *synapse.shape)

    def sent(self, synapse: Synapse) -> str:
        """What a synapse transmits: what entered it, its delay ago."""
        if not synapse.delay_steps:
            return self.entered(synapse)
        size = self.circuit.populations[synapse.source[0]].size
        return self.declare(Quantity("delayed", synapse.name), "algebraic", "unit", size)

    def entered(self, synapse: Synapse) -> str:
        """What goes into a synapse now: the source, or the end of its filter."""
        if synapse.filter is None:
            return self.variable(*synapse.source)
        return self.filtered(synapse, "p")

    def filtered(self, synapse: Synapse, state: str) -> str:
        """A state of a synapse's filter, s or p."""
        size = self.circuit.populations[synapse.source[0]].size
        return self.declare(named.filtered(synapse.name, state), "state", "unit", size)

    def delay_line(self, synapse: Synapse) -> str:
        """What entered a synapse in the last steps, one more than its delay, in turn."""
        size = self.circuit.populations[synapse.source[0]].size * (synapse.delay_steps + 1)
        return self.declare(named.delayed(synapse.name, "line"), "state", "unit", size)

    def delay_head(self, synapse: Synapse) -> str:
        """Which place of the delay line is the newest, from 1; 0 where nothing has entered."""
        return self.declare(named.delayed(synapse.name, "head"), "state", "sample")

    def sent_by_all(self, synapse: Synapse) -> str:
        """What a synapse transmits, one number per sample also of a slow variable."""
        size = self.circuit.populations[synapse.source[0]].size
        return self.declare(Quantity("sent", synapse.name), "algebraic", "unit", size)

    def arrival(self, synapse: Synapse) -> str:
        """The current that a synapse makes."""
        size = self.circuit.populations[synapse.target[0]].size
        return self.declare(Quantity("current", synapse.name), "algebraic", "unit", size)

    def trace(self, synapse: Synapse, name: str) -> str:
        """A synaptic trace: of each sample, or their mean."""
        if synapse.name in self.apart:
            identity = named.trace_of_each(synapse.name, name)
            return self.declare(identity, "state", "unit", prod(synapse.shape))
        kind = "row" if synapse.connection.elementwise else "matrix"
        return self.declare(named.trace(synapse.name, name), "trace", kind, *synapse.shape)

    def optimizer(self, synapse: Synapse, rule: str, state: str, *shape: str | int) -> str:
        """A state of a synapse's optimizer."""
        identity = named.optimizer_state(synapse.name, rule, state)
        return self.declare(identity, "optimizer", *shape)

    # --- what belongs to no unit ---------------------------------------------------------------

    def energy(self, name: str) -> str:
        """A named energy, one number per sample."""
        return self.declare(Quantity("energy", name), "algebraic", "sample")

    def stream(self, name: str) -> str:
        """A stream; one of size 1 is a number per sample, the same for all units.

        Of a signal what it is now; all its rows are a buffer of their own, which is no activity.
        """
        size = self.circuit.streams[name]
        shape = ("sample",) if size == 1 else ("unit", size)
        if name not in self.circuit.signals:
            return self.declare(named.stream(name), "stream", *shape)
        self.declare(named.stream(name), "signal", *shape)
        return self.declare(Quantity("signal", name), "algebraic", *shape)

    def of_signal(self, what: str, name: str) -> str:
        """A number that belongs to a signal: the row that is read, steps of a row."""
        return self.declare(Made(what, (named.stream(name),)), "scratch", "scalar")

    def parameter_buffer(self, name: str) -> str:
        """A parameter: a scalar, or a row where it is a list."""
        value = self.circuit.parameters[name].value
        shape = ("row", len(value)) if isinstance(value, tuple) else ("scalar",)
        return self.declare(named.parameter(name), "parameter", *shape)

    def counter(self, name: str) -> str:
        """A scalar that the host or a loop counts."""
        return self.declare(named.counter(name), "counter", "scalar")

    def draw(self, function: str, parameter: str, phase: str, number: int) -> str:
        """A random number that a phase draws for a parameter."""
        identity = Quantity("draw", parameter, function, phase, number)
        return self.declare(identity, "scratch", "scalar")

    def draw_of_units(self, what: str, population: str, name: str, phase: str, number: int) -> str:
        """A random number per unit and sample that a phase draws for a variable."""
        return self._of_units(Quantity(what, population, name, phase, number), "scratch")

    # --- what is made of other buffers ---------------------------------------------------------

    def beside(self, of: str, what: str, kind: str = "scratch", phase: str = "") -> str:
        """An array beside another, of the same shape."""
        one = self.buffers[of]
        return self.declare(Beside(one.identity, what, phase), kind, *one.shape)

    def made(self, what: str, of: str, *shape: str | int) -> str:
        """The one value of a kind that is made of a buffer."""
        return self.declare(Made(what, (self.buffers[of].identity,)), "scratch", *shape)

    def passing(self, what: str, of: Synapse | str | None, *shape: str | int) -> str:
        """A value that is written once, in passing, for a synapse or of a buffer."""
        self.made_so_far += 1
        owner: tuple[Identity, ...] = ()
        if isinstance(of, Synapse):
            owner = (named.weight(of.name),)
        elif of is not None:
            owner = (self.buffers[of].identity,)
        return self.declare(Made(what, owner, self.made_so_far), "scratch", *shape)
