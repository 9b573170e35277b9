"""Buffers: the arrays of a Program. Each holds a quantity of something and is named after it.

Instructions name their operands, and so do traces and checkpoints. Names are made here and nowhere
else, and no code reads one: what a buffer is, its record in `program.buffers` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

PRINTED = {  # what a quantity is -> how it is written
    "variable": "{owner}.{part}",
    "rate": "d({owner}.{part})",
    "latch": "{owner}.{part}@{phase}",
    "noise": "xi({phase}.{owner}.{part})",
    "weight": "{owner}",
    "live weight": "w({owner})",
    "bias column": "bias({owner})",
    "connections": "connect({owner})",
    "current": "I({owner})",
    "sent": "pre({owner})",
    "filter": "{owner}.{part}",
    "delay": "{part}({owner})",
    "delayed": "delayed({owner})",
    "trace": "{owner}.{part}",
    "trace of each sample": "{owner}.{part}~each",
    "optimizer": "{owner}.{part}",
    "energy": "{owner}",
    "stream": "@{owner}",
    "signal": "now({owner})",
    "parameter": "${owner}",
    "draw": "{part}({phase}.{owner})",
    "begin draw": "begin({phase}.{owner}.{part})",
    "after_step draw": "after_step({phase}.{owner}.{part})",
    "event draw": "event({phase}.{owner}.{part})",
    "hold": "hold({owner}.{part})",
    "start draw": "start({owner}.{part})",
    "counter": "#{owner}",
}


@dataclass(frozen=True)
class Quantity:
    """A quantity of the population, synapse, energy, stream, parameter or counter `owner`.

    what: A key of `PRINTED`. part: Which variable, trace or state of it. phase: The phase that it
    belongs to. number: Which of several draws. What is drawn (`noise`, `draw`) takes its numbers
    from the random stream of this name.
    """

    what: str
    owner: str
    part: str = ""
    phase: str = ""
    number: int = 0

    @cached_property
    def name(self) -> str:
        """How it is written."""
        written = PRINTED[self.what].format_map(vars(self))
        return f"{written}#{self.number}" if self.number else written

    @property
    def about(self) -> Quantity:
        """Of what the circuit itself names: this."""
        return self


@dataclass(frozen=True)
class Beside:
    """An array beside another, of the same shape: what rounding took, where a step started.

    phase: At the end of which it is kept.
    """

    of: Identity
    what: str
    phase: str = ""

    @cached_property
    def name(self) -> str:
        """How it is written."""
        return (
            f"{self.of.name}@{self.what} {self.phase}"
            if self.phase
            else (f"{self.of.name}~{self.what}")
        )

    @property
    def about(self) -> Quantity | None:
        """Of what the circuit itself names, that which this belongs to."""
        return self.of.about


@dataclass(frozen=True)
class Made:
    """A value that the lowering makes of others: a mean, a factor of a product, a sum over units.

    number: Which of its kind, 0 for the only one. again: Whether one recipe makes it wherever it is
    read; else it is written once, in passing.
    """

    what: str
    of: tuple[Identity, ...] = ()
    number: int = 0
    again: bool = False

    @cached_property
    def name(self) -> str:
        """How it is written."""
        of = f"({', '.join(one.name for one in self.of)})" if self.of else ""
        if not self.number and not self.again:
            return self.what + of
        return f"{self.what}{of}{'#' if self.again else '~'}{self.number}"

    @property
    def about(self) -> Quantity | None:
        """Of what the circuit itself names, that which this belongs to."""
        return self.of[0].about if self.of else None


Identity = Quantity | Beside | Made


@dataclass(frozen=True)
class Buffer:
    """An array of a Program.

    identity: What it holds. kind: state algebraic slow weight trace optimizer latch stream
    signal parameter counter scratch. shape: ("unit", n), ("row", n), ("matrix", post, pre),
    ("sample",) or ("scalar",); of a signal that of one row, which `ReadRow` copies.
    """

    identity: Identity
    kind: str
    shape: tuple[str | int, ...]

    @cached_property
    def name(self) -> str:
        """Its name in instructions, listings, traces and checkpoints."""
        return self.identity.name

    @property
    def size(self) -> int:
        """Numbers per replica, and per sample where the shape has a sample axis."""
        total = 1
        for n in self.shape[1:]:
            total *= int(n)
        return total

    def axes(self, replicas: int, batch: int) -> tuple[int, ...]:
        """The shape of its array: (replica, sample | 1, unit) or (replica, post, pre)."""
        if self.shape[0] == "matrix":
            return (replicas, *(int(n) for n in self.shape[1:]))
        samples = batch if self.shape[0] in ("unit", "sample") else 1
        return (replicas, samples, self.size)

    @property
    def owner(self) -> str:
        """The population, synapse, energy, stream, parameter or counter that it belongs to."""
        about = self.identity.about
        return about.owner if about is not None else ""

    @property
    def begins(self) -> bool:
        """Whether a presentation may begin with what the caller says it is."""
        hidden = ("delay", "hold")
        counts = isinstance(self.identity, Quantity) and self.identity.what in hidden
        return self.kind == "state" and not self.of_each_sample and not counts

    @property
    def of_each_sample(self) -> bool:
        """Whether it is a trace that every sample of a batch has for itself."""
        return isinstance(self.identity, Quantity) and self.identity.what == "trace of each sample"


# --- quantities ----------------------------------------------------------------------------------


def variable(population: str, name: str) -> Quantity:
    """A variable of a population."""
    return Quantity("variable", population, name)


def latch(population: str, name: str, phase: str) -> Quantity:
    """A variable as it was at the end of a phase."""
    return Quantity("latch", population, name, phase)


def weight(synapse: str) -> Quantity:
    """The weight of a synapse."""
    return Quantity("weight", synapse)


def live_weight(synapse: str) -> Quantity:
    """The weight of a synapse that is computed."""
    return Quantity("live weight", synapse)


def bias_column(synapse: str) -> Quantity:
    """Which presynaptic unit of a synapse is its bias unit."""
    return Quantity("bias column", synapse)


def trace(synapse: str, name: str) -> Quantity:
    """A synaptic trace, the mean over the samples of a batch."""
    return Quantity("trace", synapse, name)


def trace_of_each(synapse: str, name: str) -> Quantity:
    """A synaptic trace that every sample of a batch has for itself."""
    return Quantity("trace of each sample", synapse, name)


def connections(synapse: str) -> Quantity:
    """1 where a connection is, 0 elsewhere; also the random stream that decides it."""
    return Quantity("connections", synapse)


def filtered(synapse: str, state: str) -> Quantity:
    """A state, s or p, of the filter of a synapse."""
    return Quantity("filter", synapse, state)


def delayed(synapse: str, part: str) -> Quantity:
    """What the delay of a synapse holds: its `line`, and the `head` that says what is newest."""
    return Quantity("delay", synapse, part)


def optimizer_state(synapse: str, rule: str, state: str) -> Quantity:
    """A state of the optimizer `rule` of a synapse."""
    return Quantity("optimizer", synapse, f"{rule}.{state}")


def stream(name: str) -> Quantity:
    """A stream; of a signal all its rows."""
    return Quantity("stream", name)


def parameter(name: str) -> Quantity:
    """A parameter."""
    return Quantity("parameter", name)


def start_draw(population: str, name: str, number: int) -> Quantity:
    """What is drawn once for a parameter or a slow variable of a population."""
    return Quantity("start draw", population, name, number=number)


def counter(name: str) -> Quantity:
    """A number that the host or a loop counts."""
    return Quantity("counter", name)


# --- names of counters ---------------------------------------------------------------------------

STEP = counter("step").name  # of a phase, from 0
PRESENTATION, SAMPLE, EPOCH = (counter(n).name for n in ("presentation", "sample", "epoch"))
SLOT = counter("slot").name  # the number of slot 0 among the samples that draws count
BEFORE = counter("before").name  # the steps that the slots have behind them
TURN = counter("turn").name  # the presentations that the slots have behind them
STAGE = counter("stage").name  # of a step, in units of dt, where something reads it
TIME, ORIGIN, COUNT, DT = (counter(n).name for n in ("t", "origin", "n", "dt"))
CLOCK = (TIME, ORIGIN, COUNT, DT)  # scalars that outlive a presentation (see `timing`)
# The time since the presentation began, and what it is counted from, where signals read it.
ELAPSED, BEGUN, TAKEN = (counter(n).name for n in ("elapsed", "elapsed_origin", "elapsed_n"))
