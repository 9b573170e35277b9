"""Delays: what a synapse transmits entered it a whole number of steps ago.

    sent(t) = entered(t - delay);   before the first arrival: entered, after the first `begin`

A line holds what entered in the last steps, `delay` and one more; it is pushed once a step, with
what a record shows after that step. Stages of a method read it linearly between steps,

    sent(t + c dt) = (1 - c) entered(t - delay) + c entered(t + dt - delay)

and events as they are, throughout a step.
"""

from __future__ import annotations

from functools import partial

from ...compartments.integrators import TABLEAUX
from ..buffer import STAGE
from ..circuit import Phase, Synapse
from ..expressions.tree import Binary, Call, Compare, Load, Number
from ..instructions import Instruction, Map, Push, Recall
from .emitter import Emitter


class Delays:
    """Says how what arrives late is made, and emits what enters the lines."""

    def __init__(self, at: Emitter):
        self.at, self.staged = at, False
        self.synapses = [s for s in at.circuit.synapses.values() if s.delay_steps]
        for synapse in self.synapses:
            at.delay_line(synapse)
            at.delay_head(synapse)
            at.makers[at.sent(synapse)] = partial(self._made, synapse)

    def _made(self, synapse: Synapse) -> tuple[Instruction, ...]:
        at, target, steps = self.at, self.at.sent(synapse), synapse.delay_steps
        line, head = at.delay_line(synapse), at.delay_head(synapse)
        if not self.staged or self._sends_events(synapse):
            return (Recall(target, line, head, steps),)
        before, after = (at.beside(target, word, "algebraic") for word in ("before", "after"))
        between = Binary("-", Load(after), Load(before))
        return (
            Recall(before, line, head, steps),
            Recall(after, line, head, steps - 1),
            Map(target, Binary("+", Load(before), Binary("*", Load(STAGE), between))),
        )

    def _sends_events(self, synapse: Synapse) -> bool:
        """Whether what is sent holds throughout each step."""
        population, variable = synapse.source
        return synapse.filter is None and self.at.population(population).is_event(variable)

    def look(self, phase: Phase) -> None:
        """Before the view changes to a phase."""
        times = TABLEAUX[phase.method].c if phase.method in TABLEAUX else (0.0,)
        self.staged = bool(self.synapses) and any(times)
        if self.staged:
            self.at.counter("stage")

    def move(self, offset: float) -> None:
        """To a stage, at an offset in units of dt; before the first step, too."""
        if self.staged:
            self.at.assign(STAGE, Number(offset))

    def fill(self) -> None:
        """After the first `begin`: what is sent now has been sent forever, where nothing was.

        Of lines that feed each other those come first that follow from no empty one; in a circle
        what is empty gives 0, in the order of the file.
        """
        empty = list(self.synapses)
        while empty:
            dark = {self.at.sent(synapse) for synapse in empty}
            ready = (s for s in empty if not self.at.reach(self._entered(s)) & dark)
            synapse = next(ready, empty[0])
            self._push(synapse, first=True)
            empty.remove(synapse)

    def push(self, masked: bool) -> None:
        """After a step: time moves on for every line, then what is sent now enters it.

        What arrives now is known before anything enters: it entered at least one step ago.
        """
        at = self.at
        for synapse in self.synapses:
            head = at.delay_head(synapse)
            last = Compare(">", Load(head), Number(float(synapse.delay_steps)))
            after = Call("where", (last, Number(1.0), Binary("+", Load(head), Number(1.0))))
            at.assign(head, after, masked)
        at.need(*map(self._entered, self.synapses))
        for synapse in self.synapses:
            self._push(synapse, masked=masked)

    def _entered(self, synapse: Synapse) -> str:
        return self.at.sampled(self.at.entered(synapse))

    def _push(self, synapse: Synapse, first: bool = False, masked: bool = False) -> None:
        at, source = self.at, self._entered(synapse)
        line, head = at.delay_line(synapse), at.delay_head(synapse)
        at.need(source)
        at.emit(Push(line, head, source, first, masked))
        at.write(line)
        if first:
            at.write(head)
