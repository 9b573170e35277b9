"""The compiler's front page: Circuit -> Program.

1. `_latches`   which `x@phase` the protocol mentions
2. `PhaseLowering.lower`, phase after phase: enter, loop, leave, over buffers (see `emitter`)
3. `propagate_copies`, `merge_terms`  copies of what still stands are not read; terms of a rule with
   one end in common become one
4. `fuse`       neighbouring elementwise instructions become one loop; what nobody reads is dropped
5. `check_soundness`  every instruction finds what it reads
6. `sink`, `note_invariants`  what a loop repeats without need moves out of it, or is noted
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .circuit import Circuit, Held, Protocol, Record
from .expressions.constants import evaluate
from .expressions.tree import Expr, Load, Variable, walk
from .instructions import Instruction
from .lowering.delays import Delays
from .lowering.emitter import Emitter
from .lowering.passes.copy_propagation import propagate_copies
from .lowering.passes.fusion import fuse
from .lowering.passes.loop_motion import note_invariants, sink
from .lowering.passes.merge_terms import merge_terms
from .lowering.passes.soundness import check_soundness
from .lowering.phases.phase import PhaseLowering
from .lowering.phases.timing import declare as declare_clock, reads_time
from .lowering.refusal import LoweringError, NotYetError
from .lowering.rules.compiler import RuleCompiler
from .lowering.signals import Signals, with_signals
from .lowering.trace_means import single_sample
from .lowering.transmission import Transmission
from .program import PERSISTENT, PhaseProgram, Program, RecordSlot

__all__ = ["LoweringError", "lower", "probe"]


def lower(
    circuit: Circuit,
    protocol: str = "train",
    *,
    learn: bool = True,
    record: tuple[Record, ...] = (),
    output: str | None = None,
    compensate: frozenset[str] = frozenset(),
) -> Program:
    """Lowers one protocol of a circuit to a Program.

    Args:
        circuit: The circuit.
        protocol: Name of the protocol.
        learn: Whether rules act.
        record: What to record.
        output: The stream of `predicts` whose prediction is returned, or None.
        compensate: Weights and slow variables that keep what rounding takes (see `precision`).

    Raises:
        LoweringError: An algebraic loop, `@` of a phase that has not ended, a population without a
            turn, a rule that is not separable.
        KeyError: No such protocol.
    """
    script = circuit.protocols[protocol]
    at = Emitter(circuit)
    _declare(at, circuit)
    Signals(at)
    delays = Delays(at)
    rules = RuleCompiler(at, Transmission(at), compensate)
    latches = _latches(circuit, script, record, learn)

    def number(expr: Expr) -> float:
        value = evaluate(expr, lambda name: circuit.parameters[name].value)
        if isinstance(value, tuple):
            raise LoweringError(f"expected a number, got a list: {value}")
        return value

    kept = {phase.start_from for phase in script.phases}
    predicted, rows = None, None
    if output is not None:
        variable = circuit.predicts[output]
        predicted = at.variable(variable.population, variable.name)
        rows = (output, predicted) if output in circuit.signals else None
    lowering = PhaseLowering(at, rules, delays, record, latches, learn, number, rows)
    phases: list[PhaseProgram] = []
    for position, phase in enumerate(script.phases):
        last = position == len(script.phases) - 1
        try:
            phases.append(lowering.lower(phase, phase.name in kept, predicted if last else None))
        except LoweringError as error:
            error.phase = phase.name
            raise
    copied = propagate_copies(tuple(phases), at.buffers)
    merged, at.buffers = merge_terms(copied, at.buffers)
    fused = fuse(merged, at.buffers)
    check_soundness(fused, at.buffers)
    program = _program(circuit, protocol, at, rules, fused, record, predicted)
    program = replace(program, single_sample=single_sample(circuit, script, learn))
    program = with_signals(program, circuit, at, output)
    return replace(program, phases=note_invariants(sink(program.phases)))


def probe(circuit: Circuit) -> None:
    """Makes the recipe of every variable, current and energy once, also of what no phase reads.

    Raises:
        LoweringError: What is refused as soon as somebody records it.
    """
    at = Emitter(circuit)
    Signals(at)
    Delays(at)
    Transmission(at)
    names = [at.arrival(synapse) for synapse in circuit.synapses.values()]
    for population in circuit.populations.values():
        names += [at.variable(population.name, e.variable) for e in population.equations]
        names += [
            at.rate(population.name, e.variable) for e in population.equations if e.kind == "state"
        ]
    names += [at.energy(name) for name in circuit.energies]
    instructions: list[Instruction] = []
    for name in names:  # which grows by the live weights that are read
        try:
            recipe = at.recipe(name)
        except NotYetError:
            continue  # x@p, before any phase has ended
        instructions += recipe
        read = sorted(set().union(*(i.reads for i in recipe)))
        names += [n for n in read if n in at.makers and n not in names]
    check_soundness((PhaseProgram("", tuple(instructions), None, ()),), at.buffers)


def _declare(at: Emitter, circuit: Circuit) -> None:
    """Declares what an engine always holds: states, slow variables, weights, parameters."""
    for name in ("presentation", "sample", "epoch"):
        at.counter(name)
    if reads_time(circuit):
        declare_clock(at)
    for population in circuit.populations.values():
        for name in (*population.states, *population.slow):
            at.variable(population.name, name)
        for event in population.events:
            if event.duration is not None:
                at.hold(population.name, event.name)
    for synapse in circuit.synapses.values():
        if synapse.weight is None:
            at.weight(synapse)
        if synapse.filter is not None:
            at.filtered(synapse, "p")
            at.filtered(synapse, "s")
        for trace in synapse.trace:
            at.trace(synapse, trace.variable)


def _expressions(circuit: Circuit, script: Protocol, learn: bool) -> Iterator[Expr]:
    for population in circuit.populations.values():
        yield from (e.right for e in population.equations)
        yield from (u.right for u in population.after_step)
        yield from (text for event in population.events for text in event.expressions)
        if learn:
            yield from (u.right for u in population.rules)
    for synapse in circuit.synapses.values():
        yield from (synapse.current,) if synapse.current else ()
        if learn:
            yield from (r.right for r in (*synapse.rule, *synapse.trace))
    yield from circuit.energies.values()
    for phase in script.phases:
        yield from (e for _, e in (*phase.clamp, *phase.begin, *phase.set))
        yield from (phase.until,) if phase.until else ()


def _latches(
    circuit: Circuit, script: Protocol, record: tuple[Record, ...], learn: bool
) -> set[tuple[str, str, str]]:
    """Every (population, variable, phase) whose value at the end of a phase is read later."""
    nodes = [n for e in _expressions(circuit, script, learn) for n in walk(e)]
    nodes += [r.what for r in record if isinstance(r.what, Variable)]
    return {(n.population, n.name, n.phase) for n in nodes if isinstance(n, Variable) and n.phase}


def _program(
    circuit: Circuit,
    protocol: str,
    at: Emitter,
    rules: RuleCompiler,
    phases: tuple[PhaseProgram, ...],
    record: tuple[Record, ...],
    predicted: str | None,
) -> Program:
    used = _used(phases)
    kinds = (*PERSISTENT, "state", "counter")
    buffers = {
        n: b for n, b in at.buffers.items() if n in used or b.kind in kinds and not b.of_each_sample
    }
    states = tuple(n for n, b in buffers.items() if b.kind == "state")
    traces = tuple(n for n, b in buffers.items() if b.kind == "trace" and n in used)
    slots = tuple(_slot(r, at, phases) for r in record)
    starts = {name: start for name, start in rules.starts.items() if name in buffers}
    for start in starts.values():
        for node in walk(start):
            if isinstance(node, Load):
                buffers.setdefault(node.buffer, at.buffers[node.buffer])
    for name in circuit.set_names:
        parameter = at.parameter_buffer(name)
        buffers.setdefault(parameter, at.buffers[parameter])
    each = tuple(n for n, b in at.buffers.items() if b.of_each_sample)
    title = f"{circuit.name}.{protocol}"
    return Program(
        title,
        buffers,
        phases,
        reset=states,
        finite=states,
        slots=slots,
        output=predicted,
        starts=starts,
        traces=traces,
        traces_of_samples=each,
    )


def _used(phases: tuple[PhaseProgram, ...]) -> set[str]:
    used: set[str] = set()
    for phase in phases:
        for instruction in phase.instructions:
            used |= instruction.reads | instruction.writes
        if phase.dt is not None:
            used |= {n.buffer for n in walk(phase.dt) if isinstance(n, Load)}
    return used


def _slot(record: Record, at: Emitter, phases: tuple[PhaseProgram, ...]) -> RecordSlot:
    rows: list[int] = []
    for phase in phases:
        if record.phase in (None, phase.name):
            rows += [phase.first_row + s for s in range(0, phase.steps + 1, record.every)]
    if isinstance(record.what, str) or record.reduce:
        return RecordSlot(record.name, ("sample",), tuple(rows))
    if isinstance(record.what, Held):
        sizes = at.circuit.synapses[record.what.synapse].shape
        kind = "pairs" if len(sizes) == 2 else "unit"
        return RecordSlot(record.name, (kind, *sizes), tuple(rows))
    size = at.population(record.what.population).size
    return RecordSlot(record.name, ("unit", size), tuple(rows))
