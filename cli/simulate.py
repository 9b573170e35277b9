"""The command `simulate`: any circuit, any protocol, on numbers or files."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .application import (
    DRAWN,
    Device,
    Engine,
    File,
    Json,
    Sets,
    Strict,
    Threads,
    Usage,
    Variants,
    app,
    check_place,
    load_circuit,
    refusals,
)
from .streams import given_streams, stream_shapes

if TYPE_CHECKING:
    import numpy as np

    from ..traces.traces import Traces

Protocol = Annotated[
    str | None, typer.Option(help="Which protocol; default the only one, or 'train'.")
]
GivenStreams = Annotated[
    list[str] | None,
    typer.Option(
        "--stream",
        metavar="NAME=WHAT",
        help="A number, a list, 'uniform(0,1)', 'normal(0,1)', or a .npy, .npz or .csv file; "
        "repeatable.",
    ),
]
Records = Annotated[
    list[str] | None,
    typer.Option(metavar="WHAT", help="'layer[1].v_A', 'F every 5', 'W[1]'; repeatable."),
]
Samples = Annotated[
    int | None, typer.Option(min=1, help="How many samples; default those of the files, or 1.")
]


@app.command()
def simulate(
    file: File,
    protocol: Protocol = None,
    stream: GivenStreams = None,
    samples: Samples = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Samples presented at once; default all.")
    ] = None,
    learn: Annotated[bool, typer.Option("--learn", help="Rules act.")] = False,
    carry: Annotated[
        bool, typer.Option("--carry", help="A batch goes on where the one before it ended.")
    ] = False,
    engine: Engine = "numba",
    seed: Annotated[int, typer.Option(help="Seed of weights, noise and drawn streams.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from --seed on.")] = 1,
    device: Device = None,
    threads: Threads = None,
    dtype: Annotated[str | None, typer.Option(help="float64 or float32.")] = None,
    sets: Sets = None,
    variant: Variants = None,
    record: Records = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Traces go here: .nc, .npz, .csv or .parquet."),
    ] = None,
    plot: Annotated[
        str | None, typer.Option(metavar="FILE", help="A picture of the traces: .png, .pdf, .svg.")
    ] = None,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Run a protocol of a circuit on given streams, say where it ends, write traces."""
    from .runs import check_engine, check_out

    with refusals(as_json):
        check_engine(engine, dtype)
        check_out(out)
        check_place("--plot", plot, *DRAWN)
        from ..engines.simulation.simulator import Simulator
        from ..traces.row_reductions import reduced

        circuit = load_circuit(file, sets, variant, strict)
        chosen = chosen_protocol(circuit, protocol)
        records = records_of(circuit, record)
        arrays, count = streams_of(circuit, chosen, stream or [], seed, samples, learn, records)
        simulator = Simulator(
            circuit,
            engine=engine,
            seed=seed,
            replicas=seeds,
            dtype=dtype,
            device=device,
            threads=threads,
        )
        traces = simulator.run(
            chosen,
            learn=learn,
            record=records,
            batch=batch or (1 if carry else None),
            carry=carry,
            samples=None if arrays else count,
            streams=arrays,
        )
        if out is not None:
            traces.save(out)
        if plot is not None:
            traces.plot(plot)
        ends = reduced(traces, "last")
        ends |= {name: ends[name][:, 0] for name in traces.learnt}
    settings = {"circuit": circuit.name, "protocol": chosen, "samples": count or 1}
    settings |= {"engine": engine, "seed": seed} | ({"seeds": seeds} if seeds > 1 else {})
    if as_json:
        held = {name: value.tolist() for name, value in ends.items()}
        typer.echo(json.dumps({**settings, "last": held, "out": out, "plot": plot}))
        return
    typer.echo(", ".join(f"{name} {value}" for name, value in settings.items()))
    for line in _table(traces, ends):
        typer.echo(line)
    for what, place in (("traces", out), ("picture", plot)):
        if place is not None:
            typer.echo(f"{what}: {place}")


def commands(file: Sequence[str], circuit: Any) -> list[str]:
    """What trains a circuit on its task, and what simulates each protocol, on drawn streams.

    file: The path or name, with the options that variants and parameters were set by.
    """
    from ..graphs.lower import lower
    from ..traces.recording import in_presentations

    found = [shlex.join(["apical", "run", *file])] if circuit.task else []
    for name in circuit.protocols:
        words = ["apical", "simulate", *file]
        if name != default_protocol(circuit):
            words += ["--protocol", name]
        taken = in_presentations(circuit.record)
        read = lower(circuit, name, learn=False, record=taken).streams
        words += [word for stream in read for word in ("--stream", f"{stream}=uniform(0,1)")]
        found.append(shlex.join(words))
    return found


def default_protocol(circuit: Any) -> str | None:
    """The protocol `train`, else the only one."""
    known = list(circuit.protocols)
    if "train" in known:
        return "train"
    return known[0] if len(known) == 1 else None


def chosen_protocol(circuit: Any, protocol: str | None) -> str:
    """The protocol that was named, or the default."""
    known = ", ".join(circuit.protocols)
    chosen = protocol or default_protocol(circuit)
    if chosen is None:
        raise Usage(f"--protocol: the circuit has several, expected one of {known}")
    if chosen not in circuit.protocols:
        raise Usage(f"--protocol {chosen}: expected one of {known}")
    return chosen


def streams_of(
    circuit: Any,
    protocol: str,
    texts: Sequence[str],
    seed: int,
    samples: int | None,
    learn: bool,
    records: list[str] | None,
) -> tuple[dict[str, Any], int | None]:
    """The streams that a protocol or a record reads, from the command line; others are left out."""
    from ..graphs.lower import lower
    from ..traces.recording import in_presentations, recordings

    taken = in_presentations(recordings(records, circuit))
    program = lower(circuit, protocol, learn=learn, record=taken)
    read = program.streams
    shapes = stream_shapes(circuit, program)
    arrays, count = given_streams(texts, shapes, seed, samples)
    for name in read:
        if name not in arrays:
            *rows, size = shapes[name]
            of = f", {rows[0]} rows of" if rows else ","
            raise Usage(
                f"the protocol {protocol} reads the stream {name!r}{of} {size} "
                f"{'number' if size == 1 else 'numbers'} per sample: give --stream "
                f"{name}=FILE.npy, --stream {name}=0.5 or --stream '{name}=uniform(0,1)'"
            )
    return {name: array for name, array in arrays.items() if name in read}, count


def records_of(circuit: Any, lines: Sequence[str] | None) -> list[str] | None:
    """What to record: the lines given, or None for the file's; states where it states none."""
    if lines or circuit.record:
        return list(lines) if lines else None
    states = [f"{p.name}.{state}" for p in circuit.populations.values() for state in p.states]
    if not states:
        raise Usage("--record: the file states no record, and the circuit has no states; name one")
    return states


def _table(traces: Traces, ends: Mapping[str, np.ndarray]) -> list[str]:
    """A line per record: its values at the end, or their range where there are many."""
    width = max(map(len, traces), default=0)
    return [f"{name:<{width}}  {_values(ends[name])}  ({_extent(traces, name)})" for name in traces]


def _values(last: np.ndarray) -> str:
    flat = last.reshape(-1)
    if flat.size <= 6:
        return "ends at " + ", ".join(f"{value:.6g}" for value in flat)
    return f"ends between {flat.min():.6g} and {flat.max():.6g}"


def _extent(traces: Traces, name: str) -> str:
    names = [axis.rsplit(".", 1)[-1] for axis in traces.dims(name)]
    names = ["row" if axis == "step" else axis for axis in names]
    array = (traces.arrays | traces.learnt)[name]
    counts = dict(zip(names, array.shape, strict=True))
    return ", ".join(
        f"{count} {name if count == 1 or name in ('post', 'pre') else name + 's'}"
        for name, count in counts.items()
        if count > 1 or name == "row"
    )
