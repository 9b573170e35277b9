"""A Program as text: its buffers, and what each phase does on entering, per step and on leaving."""

from __future__ import annotations

from collections.abc import Iterator

from ..expressions.text import text
from ..expressions.tree import Number
from ..instructions import (
    BatchReduce,
    Block,
    Branch,
    Convolve,
    Correlate,
    Draw,
    Instruction,
    Map,
    MatrixProduct,
    MatrixReduce,
    Output,
    PairwiseSum,
    Pool,
    Product,
    Push,
    RankUpdate,
    ReadRow,
    Recall,
    Reduce,
    RowReduce,
    Spread,
    Stop,
    Store,
    Unpool,
)
from ..program import Program, TimeAxis


def listing(program: Program) -> Iterator[str]:
    """The lines of `print(program)`."""
    yield f"program {program.name}"
    for b in program.buffers.values():
        yield f"  buffer {b.name}: {b.kind} {' '.join(str(s) for s in b.shape)}"
    for axis in program.signals:
        yield f"  {_axis(axis)}"
    if program.reset or program.traces:
        yield f"  reset {', '.join((*program.reset, *program.traces))}"
    if program.single_sample:
        yield f"  one sample at a time: {program.single_sample}"
    if program.compensated:
        yield f"  compensated {', '.join(program.compensated)}"
    for name, start in program.starts.items():
        yield f"  start {name} = {text(start)}"
    products = program.products()
    for phase in program.phases:
        enter, step, leave = products[phase.name]
        counted = f"{enter} on entry, {step} per step, {leave} on leaving"
        yield f"phase {phase.name}  # products: {counted}"
        yield from _indented(phase.enter, "  ")
        if phase.loop:
            yield f"  loop {phase.loop.steps} steps" + (
                " or until stopped" if phase.loop.stops else ""
            )
            yield from _indented(phase.loop.body, "    ")
            if phase.loop.again:
                yield "  all steps again"
                yield from _indented(phase.loop.again, "    ")
        yield from _indented(phase.leave, "  ")
    for slot in program.slots:
        yield f"record {slot.name} ({len(slot.rows)} rows)"
    if program.output:
        axis = program.output_axis
        yield f"output {program.output}" + (f" of {_axis(axis)}" if axis is not None else "")


def _axis(axis: TimeAxis) -> str:
    rows = "each step" if axis.every is None else f"every {text(axis.every)}"
    return f"signal {axis.stream}: a row {rows}" + ", linear between" * axis.linear


def _indented(instructions: tuple[Instruction, ...], indent: str) -> Iterator[str]:
    for instruction in instructions:
        for line in _lines(instruction):
            yield indent + line


def _lines(instruction: Instruction) -> Iterator[str]:
    match instruction:
        case Map(target=target, value=value, masked=masked):
            yield f"{target} := {text(value)}" + (" where running" if masked else "")
        case Block(shape=shape, maps=maps, local=local):
            if len(maps) == 1:
                yield from _lines(maps[0])
                return
            yield f"each {' '.join(str(s) for s in shape)}:"
            for m in maps:
                (line,) = _lines(m)
                yield "  " + ("local " if m.target in local else "") + line
        case Reduce():
            value = text(instruction.value)
            yield f"{instruction.target} := {instruction.op} over units of {value}"
        case BatchReduce():
            how = "mean" if instruction.average else "sum"
            yield f"{instruction.target} := {how} over samples of {text(instruction.value)}"
        case Product():
            matrix = (
                f"transpose({instruction.weight})" if instruction.transposed else instruction.weight
            )
            flags = ", bias" * instruction.bias + ", few" * instruction.few
            yield f"{instruction.target} := product({matrix}, {instruction.source}{flags})"
        case MatrixProduct(target=target, left=left, right=right):
            sides = (f"transpose({s.matrix})" if s.transposed else s.matrix for s in (left, right))
            yield f"{target} := {' @ '.join(sides)}"
        case Convolve():
            kernel = (
                f"transpose({instruction.weight})" if instruction.transposed else instruction.weight
            )
            bias = ", bias" if instruction.bias else ""
            yield (
                f"{instruction.target} := convolve({kernel}, {instruction.source}{bias}) "
                f"over {instruction.windows}"
            )
        case Correlate(target=target, post=post, pre=pre, bias=bias):
            how = "mean" if instruction.average else "sum"
            flag = f", bias {bias}" if bias else ""
            yield f"{target} := {how} correlate({post}, {pre}{flag}) over {instruction.windows}"
        case Pool(target=target, source=source, op=op):
            yield f"{target} := {op} pool({source}) over {instruction.windows}"
        case Unpool(target=target, source=source, op=op):
            sent = source if op == "mean" else f"{source} to {instruction.values}"
            yield f"{target} := {op} unpool({sent}) over {instruction.windows}"
        case PairwiseSum(op=op, bias=bias):
            matrix = (
                f"transpose({instruction.weight})" if instruction.transposed else instruction.weight
            )
            how = "pairs" if op == "sum" else f"{op} over pairs"
            flags = f", bias {text(bias)}" if bias is not None else ""
            flags += _left_out(instruction)
            yield (
                f"{instruction.target} := {how}({matrix}, {instruction.source}) "
                f"of {text(instruction.value)}{flags}"
            )
        case Spread(target=target, source=source, axis=axis, shape=(posts, pres)):
            flag = ", bias" * instruction.bias
            yield f"{target} := {source} over {axis} of {posts} x {pres} pairs{flag}"
        case RowReduce(target=target, op=op, value=value):
            flag = _left_out(instruction)
            yield f"{target} := {op} over connections of {text(value)}{flag}"
        case RankUpdate(target=target, base=base, terms=terms, bias=bias):
            how = "mean" if instruction.average else "sum"
            parts = [target if base is None else text(base)]
            parts += [
                ("" if t.coefficient == Number(1.0) else f"({text(t.coefficient)}) * ")
                + f"{how} "
                + (f"{t.scale} " if t.scale else "")
                + f"{t.post} (x) {t.pre}"
                for t in terms
            ]
            flags = f", bias {bias}" if bias else ""
            flags += _left_out(instruction)
            yield f"{target} := {' + '.join(parts)}{flags}"
        case MatrixReduce():
            yield f"{instruction.target} := mean over elements of {text(instruction.value)}"
        case Draw():
            arguments = ", ".join(text(a) for a in instruction.arguments)
            step = text(instruction.step)
            drawn = f"{instruction.kind}({arguments}) '{instruction.name}' at {step}"
            yield f"{instruction.target} := draw {drawn}"
        case Branch(condition=condition, body=body):
            yield f"if {text(condition)}:"
            yield from _indented(body, "  ")
        case Store():
            row = text(instruction.row)
            yield f"store {instruction.source} as record {instruction.slot} row {row}"
        case ReadRow(target=target, source=source, row=row):
            yield f"{target} := row {text(row)} of {source}"
        case Push(line=line, source=source, first=first, masked=masked):
            when = " where it is empty" * first + " where running" * masked
            yield f"push {source} into {line}{when}"
        case Recall(target=target, line=line, back=back):
            yield f"{target} := {line} {back} steps ago"
        case Output(source=source, row=row):
            yield f"output {source}" + ("" if row is None else f" row {text(row)}")
        case Stop():
            yield f"stop samples where {text(instruction.condition)}"


def _left_out(instruction: PairwiseSum | RowReduce | RankUpdate) -> str:
    """Which connections an instruction passes over."""
    only = f", only {instruction.only}" if instruction.only else ""
    return ", off diagonal" * instruction.off_diagonal + only
