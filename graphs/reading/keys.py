"""Keys: what a file may say, one row a key; the check, the JSON Schema and the manual read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ...compartments import connectivity, integrators
from ...compartments.connectivity import CONNECTIVITY, DEFAULT_CONNECTION
from ...compartments.integrators import DEFAULT_METHOD, TABLEAUX
from ...compartments.signs import SIGNS
from ...compartments.weight_properties import PROPERTIES


@dataclass(frozen=True)
class Key:
    """One key of one kind of entry.

    Attributes:
        name: The key.
        kind: What stands under it: text, texts (a text or a list of texts), list, mapping, flag
            (true or false) or version (of the language).
        meaning: What it says, in a sentence or two.
        required: Whether an entry needs it.
        instead: Another key that says the same, so that one of the two is enough.
        words: The values it may have, where they are a closed list.
        default: The one of `words` that is meant where nothing is said.
        noun: What the words are: "method".
        forms: Those of `words` that need something behind them, with it: "sparse(p)"; and others.
        later: Values that are reserved, not implemented.
        since: The first version of the language that has it.
    """

    name: str
    kind: str
    meaning: str
    required: bool = False
    instead: str = ""
    words: tuple[str, ...] = ()
    default: str | None = None
    noun: str = ""
    forms: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    since: int = 1

    @property
    def alone(self) -> tuple[str, ...]:
        """The words that stand alone."""
        return tuple(word for word in self.words if word not in self.openings)

    @property
    def shown(self) -> tuple[str, ...]:
        """The words as a reader is told them: "dense", "sparse(p)"."""
        return (*self.alone, *self.forms)

    @property
    def openings(self) -> tuple[str, ...]:
        """The words behind which something stands."""
        return tuple(re.match(r"\w+", form)[0] for form in self.forms)  # type: ignore[index]

    @property
    def description(self) -> str:
        """The meaning, and since when."""
        return self.meaning + (f" Since version {self.since}." if self.since > 1 else "")


@dataclass(frozen=True)
class Keys:
    """The keys of one kind of entry.

    Attributes:
        what: What the entry is: "a phase".
        rows: Its keys.
        later: Names that are reserved, not implemented.
        elsewhere: Keys that people know from elsewhere, and what says it here.
    """

    what: str
    rows: tuple[Key, ...]
    later: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def known(self) -> Mapping[str, Key]:
        """The rows by name."""
        return {row.name: row for row in self.rows}

    @property
    def required(self) -> tuple[tuple[str, ...], ...]:
        """The keys that an entry needs; of those that say the same, one."""
        needed = (row for row in self.rows if row.required)
        return tuple((row.name, row.instead) if row.instead else (row.name,) for row in needed)


TOP = Keys(
    "a circuit",
    (
        Key("apical", "version", "Format of the language: 1.", required=True),
        Key(
            "name",
            "text",
            "Name of the circuit; of a bundled one, the name of its file.",
            required=True,
        ),
        Key("title", "text", "One line that says what the circuit is."),
        Key("cite", "text", "The paper whose equations stand here."),
        Key("time_unit", "text", "Unit of t, dt and time constants, such as ms."),
        Key("task", "text", "What it is for, where `apical run` is told nothing else: `digits`."),
        Key("extends", "text", "A bundled name or a path: this file is laid over that one."),
        Key(
            "parameters",
            "mapping",
            "Constants: `tau: 2`, a list `sizes: [4, 3]`, a family `eta[k=1..L]: 0.1`.",
        ),
        Key(
            "functions",
            "mapping",
            "Functions: `f: tanh`, `phi(u): 1 / (1 + exp(-u))`. f' is the derivative.",
        ),
        Key(
            "data",
            "mapping",
            "Streams, what a presentation shows, and how many values each has: `image: 64`; with "
            "`every`, a row of them at a time.",
        ),
        Key("cells", "mapping", "Kinds of neurons: compartments and the equations in them."),
        Key("populations", "mapping", "Cells in number: `layer[k=1..L]` with `cell` and `size`."),
        Key(
            "synapses", "mapping", "From a variable of one population to a compartment of another."
        ),
        Key(
            "energy",
            "mapping",
            "Named sums over units that can be recorded: `F: sum(layer[1..L].e^2) / 2`.",
        ),
        Key(
            "predicts",
            "mapping",
            "Which variable says what the circuit thinks a stream is: `label: out.r`.",
        ),
        Key(
            "record",
            "texts",
            "What to record: `layer[1].u in settle every 5`, `W every 10 presentations`.",
        ),
        Key("protocols", "mapping", "What happens during one presentation, phase after phase."),
        Key("variants", "mapping", "Named partial files that are laid over this one."),
    ),
)
SIGNAL = Keys(
    "a signal",
    (
        Key("size", "text", "How many values a row has.", required=True),
        Key(
            "every",
            "text",
            "How much time from row to row: `0.5`; `step`: a row each step.",
            required=True,
        ),
        Key(
            "between",
            "text",
            "hold: a row lasts until the next; linear: what lies between one row and the next.",
            words=("hold", "linear"),
            default="hold",
        ),
    ),
)
POPULATION = Keys(
    "a population",
    (
        Key("cell", "text", "The kind of neuron, of `cells` or of the library.", required=True),
        Key("size", "text", "How many units.", required=True, instead="shape"),
        Key(
            "shape",
            "list",
            "`[rows, columns]` or `[channels, rows, columns]`, whose product is the size: units "
            "have a `row`, a `column` and a `channel`.",
        ),
        Key(
            "parameters",
            "mapping",
            "Constants of this population, also one value per unit: `period: [9, 11]`, "
            "`tau: normal(10, 1)`, `gain: 1 + 0.1*index`.",
        ),
    ),
)
SYNAPSE = Keys(
    "a synapse",
    (
        Key("from", "text", "`population.variable`: what is sent.", required=True),
        Key(
            "to",
            "text",
            "`population.compartment`, or `population.compartment.port`.",
            required=True,
        ),
        Key(
            "connect",
            "text",
            f"Which units are joined; {DEFAULT_CONNECTION} where nothing is said.",
            words=tuple(CONNECTIVITY),
            forms=(
                *(kind.form for kind in CONNECTIVITY.values() if kind.given),
                'file("W.npz")',
                'array("W")',
            ),
            later=connectivity.LATER,
            default=DEFAULT_CONNECTION,
            noun="kind of connection",
        ),
        Key(
            "init",
            "text",
            "The weight at the start: `xavier_uniform`, `normal(0, 0.1)`, a number, `-W[k+1]`, "
            '`file("W.npz", "W")`.',
        ),
        Key(
            "weight",
            "text",
            "What the weight is at every moment: a number, `transpose(W[k])`, `copy(A)`, "
            "`product(A, B)`.",
        ),
        Key("bias", "flag", "true: one more presynaptic unit that always sends 1."),
        Key(
            "current",
            "text",
            "The current of one synapse, summed over pre; `w * pre` where nothing is said.",
        ),
        Key("filter", "list", "Two low-pass filters, rise and fall: `[t1, t2]`."),
        Key(
            "delay",
            "text",
            "How long what is sent is on its way, in the unit of time: `5`; one number for all "
            "connections, a whole number of steps.",
        ),
        Key("trace", "texts", "A synaptic trace: `tau * dm/dt = -m + post.x * pre`."),
        Key(
            "rule",
            "texts",
            "How the weight changes: `w += eta * post.e * pre.x`, or `dw/dt = eta * m`.",
        ),
        Key(
            "batch",
            "text",
            "Whether the changes of a batch are averaged (mean) or summed (sum).",
            words=("mean", "sum"),
            default="mean",
        ),
        Key(
            "optimizer",
            "text",
            "What a change passes: `sgd(lr)`, `momentum(lr, mu)`, `adam(lr, ...)`.",
        ),
        Key("bounds", "list", "`[0, 1]`: the weights stay there; the bias is free."),
        Key(
            "sign",
            "text",
            "The side of 0 on which the weights stay; the bias is free.",
            words=tuple(SIGNS),
            noun="sign",
        ),
        Key(
            "check",
            "text",
            "What the weights should stay; a warning after the epoch that ends it.",
            words=tuple(PROPERTIES),
            noun="check",
        ),
    ),
    later=("shape", "storage"),
)
REPEAT = (
    "`steps` or `for` for one phase; for several, their names once more, in a protocol beside "
    "`train`: `cycles: [free, nudged, free, nudged]`"
)
PHASE = Keys(
    "a phase",
    (
        Key("from", "text", "States as at the end of this earlier phase."),
        Key("release", "texts", "Variables that are clamped no longer."),
        Key(
            "clamp",
            "texts",
            "`layer[0].x = image`: holds until released, or to the end of the presentation.",
        ),
        Key("set", "texts", "`beta = 0`: a parameter from here on."),
        Key("begin", "texts", "`layer[k].u := 0 for k = 1..L`: assignments when the phase begins."),
        Key("steps", "text", "How many steps of `dt`."),
        Key("for", "text", "How long, in the unit of time: round(for / dt) steps."),
        Key("dt", "text", "Length of a step."),
        Key(
            "method",
            "text",
            f"How equations are integrated; {DEFAULT_METHOD} where nothing is said.",
            words=tuple(TABLEAUX),
            later=integrators.LATER,
            default=DEFAULT_METHOD,
            noun="method",
        ),
        Key("order", "text", "`simultaneous`, `k = 1..L`, or names with commas: who moves when."),
        Key("until", "text", "Stop earlier, each sample by itself: `residual < tol`."),
        Key("learn_each_step", "text", "`W[k] when step == L-k`: rules that act after each step."),
        Key("plasticity", "text", "off: no `dw/dt`, no traces.", words=("on", "off"), default="on"),
        Key("learn", "text", "Rules that act at the end: `W; y.mu; y.var, C`."),
    ),
    elsewhere={"repeat": REPEAT},
)
CELL = Keys(  # every other key of a cell is a compartment
    "a cell",
    (
        Key("is", "text", "A cell of the file or of the library that this one inherits from."),
        Key("after_step", "texts", "Updates at the end of a turn: `y := clip(y, 0, 1)`."),
        Key("domain", "mapping", "`y: [0, 1]`: a state is clipped after each step."),
        Key("slow", "mapping", "Variables that the batch shares and `rules` change: `mu: 0`."),
        Key("rules", "texts", "Updates of slow variables: `mu += rate*(y - mu)`."),
        Key(
            "events",
            "mapping",
            "What happens where a condition holds at the end of a step. The name of an event is a "
            "variable: 1 throughout the next step, else 0.",
        ),
    ),
)
EVENT = Keys(
    "an event",
    (
        Key("when", "text", "The condition, tested once a step: `V >= V_th`.", required=True),
        Key("do", "texts", "What is assigned then: `V := V_r`, `w += b`."),
        Key("hold", "texts", "Variables that stand still afterwards, as long as `for` says."),
        Key("for", "text", "How long it is before the next test: the refractory time."),
    ),
)
ALL = (TOP, CELL, EVENT, POPULATION, SYNAPSE, PHASE, SIGNAL)
