"""Whether one array, the mean over the batch, can stand for the traces of all its samples.

A trace m belongs to one synapse and one sample. Let every sample share the coefficients c in

    tau * dm/dt = a + sum over traces n of c_n n,    w += a + sum of c_n n    (`w :=`, `dw/dt` too)

that is: numbers, parameters, counters, slow variables, `w`; a may be anything without a trace. Then
mean(c_n n) = c_n mean(n) in every stage of every method, and the mean is exact. m^2 and m * post.x
are not of this form, nor is a phase with `until`, in which each trace stops with its own sample:
there each sample has traces of its own (`pairs`). What cannot be built so, a sum over connections
that reads a trace, or a later line of a rule that reads one beside `w`, takes one sample at a time.
"""

from __future__ import annotations

from ...compartments.functions import FUNCTIONS, over_units
from ..circuit import Circuit, Equation, Phase, Protocol, Synapse
from ..expressions.text import text
from ..expressions.tree import (
    Binary,
    Call,
    Expr,
    Input,
    Noise,
    Rate,
    Residual,
    Stream,
    Trace,
    Transmitted,
    Unary,
    Variable,
    Weight,
    walk,
)


def single_sample(circuit: Circuit, protocol: Protocol, learn: bool) -> str | None:
    """Why a protocol takes one sample at a time; None where batches are exact."""
    if not learn or not _moving(protocol):
        return None
    for synapse in circuit.synapses.values():
        reason = _reason(circuit, protocol, synapse) if synapse.trace else None
        if reason is not None and not _separable(synapse):
            names = " and ".join(equation.variable for equation in synapse.trace)
            traces = f"trace {names}" if len(synapse.trace) == 1 else f"traces {names}"
            return f"the {traces} of {synapse.name} would be a mean over the batch, and {reason}"
    return None


def apart(circuit: Circuit) -> frozenset[str]:
    """The synapses whose traces are kept sample by sample, in every protocol that moves them."""
    return frozenset(
        synapse.name
        for synapse in circuit.synapses.values()
        if synapse.trace and synapse.weight is None and _separable(synapse)
        for protocol in circuit.protocols.values()
        if _moving(protocol) and _reason(circuit, protocol, synapse) is not None
    )


def _moving(protocol: Protocol) -> list[Phase]:
    """The phases in which traces move."""
    return [p for p in protocol.phases if p.plasticity and (p.steps or p.duration)]


def _separable(synapse: Synapse) -> bool:
    """Whether each sample can have traces of its own."""
    if synapse.connection.elementwise:
        return True
    updates = [r.right for r in synapse.rule if not isinstance(r, Equation)]
    later = [
        e for e in updates[1:] if _reads_trace(e) and any(isinstance(n, Weight) for n in walk(e))
    ]
    rights = [
        *updates,
        *(e.right for e in (*synapse.trace, *synapse.rule) if isinstance(e, Equation)),
    ]
    return not later and not any(_sums_traces(n) for e in rights for n in walk(e))


def _sums_traces(node: Expr) -> bool:
    """Whether an expression is a reduction over connections that reads a trace."""
    if not isinstance(node, Call) or not over_units(node.function, len(node.arguments)):
        return False
    return _reads_trace(node)


def _reason(circuit: Circuit, protocol: Protocol, synapse: Synapse) -> str | None:
    for phase in _moving(protocol):
        if phase.until is not None:
            return f"in the phase {phase.name} each sample stops at a time of its own (`until`)"
    for where, right in _readers(protocol, synapse):
        part = _mixed(right, circuit)
        if part is not None:
            return f"the mean of `{text(part)}` in its {where} does not follow from it"
    return None


def _readers(protocol: Protocol, synapse: Synapse) -> list[tuple[str, Expr]]:
    """The right sides that act in this protocol, over their time constants."""
    learnt = {i.name for p in protocol.phases for group in p.learn for i in group}
    learnt |= {i.name for p in protocol.phases for i, _ in p.learn_each_step}
    equations = [("trace", e) for e in synapse.trace]
    equations += [("rule", r) for r in synapse.rule if isinstance(r, Equation)]
    found = [(w, Binary("/", e.right, e.tau) if e.tau else e.right) for w, e in equations]
    if synapse.name in learnt:
        found += [("rule", r.right) for r in synapse.rule if not isinstance(r, Equation)]
    return found


def _mixed(expr: Expr, circuit: Circuit) -> Expr | None:
    """The first part that is not linear in the traces with shared coefficients, if there is one."""
    if not _reads_trace(expr):
        return None
    match expr:
        case Trace():
            return None
        case Unary(operand=operand):
            return _mixed(operand, circuit)
        case Binary(op="+" | "-", left=left, right=right):
            found = _mixed(left, circuit)
            return _mixed(right, circuit) if found is None else found
        case Binary(op="*", left=left, right=right):
            inner, factor = (left, right) if _reads_trace(left) else (right, left)
            return _mixed(inner, circuit) if _shared(factor, circuit) else expr
        case Binary(op="/", left=left, right=right) if _shared(right, circuit):
            return _mixed(left, circuit)
        case Call(function=name, arguments=(inner,), primed=False) if _linear(name):
            return _mixed(inner, circuit)
    return expr


def _reads_trace(expr: Expr) -> bool:
    return any(isinstance(n, Trace) for n in walk(expr))


def _shared(expr: Expr, circuit: Circuit) -> bool:
    """Whether an expression has one value for all samples of a batch."""
    own = (Trace, Transmitted, Input, Rate, Stream, Noise, Residual)
    for node in walk(expr):
        if isinstance(node, own):
            return False
        if isinstance(node, Variable):
            if node.phase or node.name not in circuit.populations[node.population].slow:
                return False
    return True


def _linear(function: str) -> bool:
    return function in FUNCTIONS and FUNCTIONS[function].linear
